"""No row is scored by a model that saw it, or its double; intervals cover; hidden cells are really hidden."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from anomalo.calibration.cross_fitting import (
    LEVEL,
    HiddenCells,
    conformal_quantile,
    cross_fit,
    predict_hidden,
)
from anomalo.encoding.scaling import expand
from anomalo.encoding.table_encoder import TableEncoder
from anomalo.models.folds import assign_folds
from anomalo.models.guarded import GuardedModel
from anomalo.models.run import LocalRun
from anomalo.plugin import Block, Encoded, Filled, Layout, Model, Run, Scores
from anomalo.tabular.schema import infer
from anomalo.testing import tables

Fit = Callable[[NDArray[np.intp], int], GuardedModel]


@dataclass(kw_only=True)
class Memory(Model):
    """Scores 1 for a row that it was fitted on; fills with its column's mean, and remembers what it was asked."""

    name = "memory"
    asked: ClassVar[list[Encoded]] = []

    def fit(self, data: Encoded, run: Run) -> "Memory":
        self.seen_ = data.hashes()
        counts = np.maximum(data.observed.sum(axis=0), 1)
        self.mean_ = (np.where(data.observed, data.values, 0).sum(axis=0) / counts).astype(np.float32)
        return self

    def score(self, data: Encoded) -> Scores:
        return np.isin(data.hashes(), self.seen_).astype(np.float64)

    def impute(self, data: Encoded, draws: int = 0) -> Filled:
        self.asked.append(data)
        return Filled(np.where(data.observed, data.values, self.mean_))


@dataclass(kw_only=True)
class Oracle(Memory):
    """Has the complete table, and fills every missing value correctly."""

    truth: ClassVar[Encoded]

    def impute(self, data: Encoded, draws: int = 0) -> Filled:
        filled = data.values.copy()
        for row, (values, seen) in enumerate(zip(data.values, data.observed, strict=True)):
            like = (self.truth.values[:, seen] == values[seen]).all(axis=1)
            filled[row, ~seen] = self.truth.values[np.flatnonzero(like)[0], ~seen]
        return Filled(filled)


class ScoresOnly(Model):
    name: ClassVar[str] = "scores only"

    def score(self, data: Encoded) -> Scores:
        return np.full(len(data), float(self.fold))  # type: ignore[attr-defined]


def memory_of(data: Encoded, model: type[Memory] = Memory) -> Fit:
    """Fit a model on the rows with the given numbers."""
    return lambda rows, fold: GuardedModel.of(model()).fit(data.take(rows), LocalRun(seed=fold))


def doubled() -> Encoded:
    train, _ = tables()
    rows = np.random.default_rng(0).integers(0, len(train), 300)
    return train.take(rows)


def test_every_row_is_scored_by_a_model_that_never_saw_it_nor_its_double() -> None:
    data = doubled()
    hashes = data.hashes()
    assert len(np.unique(hashes)) < len(hashes)
    evidence = cross_fit(data, assign_folds(hashes, 5, 0), memory_of(data))
    np.testing.assert_array_equal(evidence.scores, np.zeros(len(data)))
    # If doubles were split, the model would recognise them:
    split = cross_fit(data, np.arange(len(data)) % 5, memory_of(data))
    assert split.scores is not None
    assert split.scores.any()


def test_scores_belong_to_their_rows() -> None:
    data = doubled()
    folds = assign_folds(data.hashes(), 4, 0)

    def of_the_fold(rows: NDArray[np.intp], fold: int) -> GuardedModel:
        model = ScoresOnly()
        model.fold = fold  # type: ignore[attr-defined]
        return GuardedModel.of(model)

    evidence = cross_fit(data, folds, of_the_fold)
    np.testing.assert_array_equal(evidence.scores, folds)
    assert evidence.hidden is None


def test_a_row_in_no_fold_is_learned_from_by_every_model_and_has_no_score() -> None:
    data = doubled()
    folds = assign_folds(data.hashes(), 3, 0)
    none = np.isin(data.hashes(), data.hashes()[:40])
    folds[none] = -1
    learned: list[NDArray[np.intp]] = []

    def fit(rows: NDArray[np.intp], fold: int) -> GuardedModel:
        learned.append(rows)
        return memory_of(data)(rows, fold)

    evidence = cross_fit(data, folds, fit)
    assert [set(rows) for rows in learned] == [set(np.flatnonzero(folds != fold)) for fold in range(3)]
    np.testing.assert_array_equal(np.isnan(evidence.scores), none)
    assert evidence.scores[~none].tolist() == [0.0] * int((~none).sum())


def test_without_a_fold_there_is_no_evidence() -> None:
    data = doubled()
    evidence = cross_fit(data, np.full(len(data), -1), memory_of(data))
    assert evidence.scores is None
    assert evidence.hidden is None


def test_only_one_column_is_hidden_at_a_time_and_only_known_cells_are_evaluated() -> None:
    train, _ = tables()
    Memory.asked.clear()
    model = Memory().fit(train, LocalRun())
    found = predict_hidden(model, train, seed=3)
    assert len(found) == 5
    asked_of = Encoded.concatenate(Memory.asked)
    ends = np.cumsum([len(truth) for truth, _ in found])
    assert ends[-1] == len(asked_of)
    for position, (truth, predicted) in enumerate(found):
        asked = asked_of.take(slice(ends[position] - len(truth), ends[position]))
        assert not asked.observed[:, position].any()
        others = np.arange(5) != position
        rows = {row.tobytes() for row in train.values[train.observed[:, position]][:, others]}
        assert {row.tobytes() for row in asked.values[:, others]} <= rows
        # Whatever else is missing was missing before: complete columns stay complete.
        assert position == 0 or asked.observed[:, 0].all()
        assert set(truth) <= set(train.values[train.observed[:, position], position])
        np.testing.assert_array_equal(predicted, np.full(len(truth), model.mean_[position]))
        assert len(truth) == min(200, train.observed[:, position].sum())


def test_wide_tables_cost_less_per_column() -> None:
    columns = 1000
    values = np.ones((300, columns), dtype=np.float32)
    layout = Layout("table", (columns,), tuple(Block(f"x{at}", "number", at) for at in range(columns)))
    data = Encoded(values, np.ones(values.shape, dtype=bool), layout)

    class Zero(Model):
        def impute(self, data: Encoded, draws: int = 0) -> Filled:
            return Filled(np.broadcast_to(np.float32(0), data.values.shape))

    assert {len(truth) for truth, _ in predict_hidden(Zero(), data, 0)} == {20}


def test_an_oracle_has_all_the_skill_and_the_mean_has_none() -> None:
    train, _ = tables()
    complete = train.take(np.flatnonzero(train.observed.all(axis=1)))
    Oracle.truth = complete
    folds = assign_folds(complete.hashes(), 3, 0)
    perfect = cross_fit(complete, folds, memory_of(complete, Oracle)).hidden
    assert perfect is not None
    assert perfect.skill() == 1.0
    np.testing.assert_array_equal(perfect.width, [0, 0, 0, np.nan, np.nan])


def test_errors_and_widths_equal_those_computed_from_all_hidden_cells() -> None:
    train, _ = tables()
    folds = assign_folds(train.hashes(), 3, 0)
    hidden = cross_fit(train, folds, memory_of(train)).hidden
    assert hidden is not None
    for position in train.layout.numbers:
        seen = train.observed[:, position]
        values = train.values[:, position].astype(np.float64)
        # The model's fill is the mean of the other folds' rows, so that each error is known.
        means = np.array([values[seen & (folds != fold)].mean() for fold in range(3)])
        errors = np.abs(values - means[folds])[seen]
        assert np.mean(errors <= hidden.width[position] + 1e-5) >= LEVEL
        block = train.layout.blocks[position]
        original, predicted = (expand(part, block.offset, block.scale) for part in (values, means))
        errors = (original - predicted[folds])[seen]
        assert hidden.error[position] == pytest.approx(np.sqrt(np.mean(errors**2)), rel=1e-4)
        assert hidden.baseline[position] == pytest.approx(original[seen].std(), rel=1e-4)
    assert hidden.skill() < 0.01


def test_a_column_never_observed_has_no_evidence() -> None:
    train, _ = tables()
    cells = np.zeros(train.values.shape, dtype=bool)
    cells[:, [1, 3]] = True
    data = train.hide(cells)
    hidden = cross_fit(data, assign_folds(data.hashes(), 3, 0), memory_of(data)).hidden
    assert hidden is not None
    for array in (hidden.width, hidden.error, hidden.baseline):
        assert np.isnan(array[[1, 3]]).all()
    assert np.isfinite(hidden.skill())


def test_skill_is_the_mean_relative_gain_over_columns_that_vary() -> None:
    nothing = np.full(4, np.nan)
    cells = HiddenCells(nothing, np.array([1.0, 0.1, 0.0, np.nan]), np.array([2.0, 0.4, 0.0, np.nan]))
    assert cells.skill() == pytest.approx(1 - (0.5 + 0.25) / 2)
    assert np.isnan(HiddenCells(nothing, nothing, nothing).skill())


@pytest.mark.parametrize("count", [9, 10, 19, 57, 200])
def test_intervals_cover_at_least_as_often_as_they_say(count: int) -> None:
    rng = np.random.default_rng(count)
    residuals = np.abs(rng.standard_t(3, size=(4000, count + 1)))
    widths = np.array([conformal_quantile(row[:count], 0.9) for row in residuals])
    covered = np.mean(residuals[:, count] <= widths)
    noise = 3 * np.sqrt(0.09 / 4000)
    assert 0.9 - noise <= covered <= 0.9 + 1 / (count + 1) + noise


def test_the_quantile_is_the_right_residual_and_never_beyond_the_largest() -> None:
    assert conformal_quantile(np.arange(1.0, 20.0), 0.9) == 18.0  # ceil(20 * 0.9)
    assert conformal_quantile(np.array([3.0, 1.0]), 0.9) == 3.0


def test_of_wide_rows_one_percent_of_the_cells_is_hidden_at_a_time() -> None:
    table = pa.table({f"x{at}": np.random.default_rng(at).normal(size=40) for at in range(450)})
    schema = infer(table)
    columns = schema.parse(table)
    data = TableEncoder().fit(columns, schema).encode(columns)
    asked: list[Encoded] = []

    class Asked:
        def impute(self, rows: Encoded) -> Filled:
            asked.append(rows)
            return Filled(np.where(rows.observed, rows.values, np.arange(450, dtype=np.float32)))

    found = predict_hidden(Asked(), data, seed=3)
    rows = Encoded.concatenate(asked)
    count = (~rows.observed).sum(axis=1)
    assert count.max() == 4
    assert count.sum() == 450 * 40 == sum(len(truth) for truth, _ in found)
    assert len(rows) < 450 * 40 / 3.5
    for position, (truth, guess) in enumerate(found):
        assert sorted(truth) == sorted(data.values[:, position])
        assert (guess == position).all()

"""The folds of `auto`: what each part saw, which rows calibrate it, and what is sampled of a large table."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from anomalo.calibration.conformal import Calibration
from anomalo.models.run import LocalRun
from anomalo.pipeline.config import FitConfig
from anomalo.pipeline.fitted import Fitted
from anomalo.pipeline.row_order import by_content
from anomalo.plugin import Cells, Encoded, Model, Run, Scores
from anomalo.registry.registry import Registry
from anomalo.tabular.schema import infer
from anomalo.testing.tables import tables
from anomalo_auto.auto import Auto
from anomalo_baselines.detectors.knn import NearestNeighbours


@dataclass(kw_only=True)
class Memory(Model):
    """Scores 1 for a row that it was fitted on, and explains it by nothing."""

    name: ClassVar[str] = "memory"

    def fit(self, data: Encoded, run: Run) -> "Memory":
        self.seen_ = data.hashes()
        return self

    def score(self, data: Encoded) -> Scores:
        return np.isin(data.hashes(), self.seen_).astype(np.float64)

    def explain(self, data: Encoded) -> Cells:
        return Cells(np.zeros(data.values.shape), data.values)


class Another(Memory):
    name: ClassVar[str] = "another"


def create(name: str, **params: Any) -> Model:
    return {"memory": Memory, "another": Another, "knn": NearestNeighbours}[name](**params)


def fit(data: Encoded, assume: str) -> Auto:
    run = LocalRun(goals=frozenset({"score"}), registered=create)
    return Auto(members="memory,another", robust="another", assume=assume).fit(data, run)


@pytest.mark.parametrize("assume", ["clean", "contaminated", "auto"])
@pytest.mark.parametrize("doubles", [False, True])
def test_no_row_is_scored_out_of_fold_by_a_part_that_saw_it(assume: str, doubles: bool) -> None:
    data, _ = tables()
    rows = np.r_[np.zeros(180, dtype=int), np.arange(20)] if doubles else np.arange(len(data))
    data = data.take(rows)
    found = fit(data, assume)
    folds = found.folds()
    assert sorted(set(folds)) == [0, 1, 2]
    for fold in range(3):
        part, held = found.without(fold), data.take(np.flatnonzero(folds == fold))
        assert len(part._members) == len(found._members)
        for member in part._members:
            assert len(member.model.seen_)
            assert not np.isin(held.hashes(), member.model.seen_).any()
            assert not member.model.score(held).any()


def test_a_part_keeps_the_parameters_and_has_no_imputer() -> None:
    data, _ = tables()
    found = fit(data, "auto")
    part = found.without(1)
    assert part.params() == found.params()
    assert part is not found
    assert part.hidden_cells() is None


def test_equal_rows_have_no_folds() -> None:
    data, _ = tables()
    found = fit(data.take(np.zeros(6, dtype=int)), "auto")
    assert found.folds().tolist() == [-1] * 6


ROWS, LEARNED = 20_050, 20_000


@pytest.fixture(scope="module")
def sampled() -> tuple[Fitted, Encoded]:
    """A model of a table that is larger than what it learns from, and the table in the order of its folds."""
    rng = np.random.default_rng(0)
    table = pa.Table.from_pandas(pd.DataFrame(rng.normal(size=(ROWS, 2)), columns=["a", "b"]))
    config = FitConfig("auto", {"members": "ecod,hbos"}, goals=frozenset({"score"}))
    outcome = Fitted.fit(table, infer(table), config, Registry.load())
    assert outcome.scores is None  # of some rows only
    return outcome.fitted, outcome.data.take(by_content(outcome.data))


def test_a_large_table_is_sampled_and_that_is_said(sampled: tuple[Fitted, Encoded]) -> None:
    fitted, data = sampled
    assert "learned from a random sample of 20,000 of 20,050 rows" in fitted.warnings
    assert fitted.facts["rows"] == len(data) == ROWS
    assert fitted.facts["plan"] == ("ecod, hbos, each fitted 3 times on 20,000 rows of 2 columns, a sample of 20,050")
    folds = fitted.model.folds()
    assert np.bincount(folds + 1).tolist() == [ROWS - LEARNED, 6667, 6667, 6666]


def test_only_rows_that_were_learned_from_calibrate_the_others_are_new(sampled: tuple[Fitted, Encoded]) -> None:
    fitted, data = sampled
    learned = fitted.model.folds() >= 0
    assert len(fitted.calibration.reference) == LEARNED
    np.testing.assert_array_equal(fitted.calibration.hashes, np.sort(data.hashes()[learned]))
    scored = fitted.score(data)
    np.testing.assert_array_equal(scored.known, learned)
    above = [(fitted.calibration.reference >= score).sum() for score in scored.score[~learned]]
    np.testing.assert_allclose(scored.p_value[~learned], (np.array(above) + 1) / (LEARNED + 1))
    order = np.argsort(scored.score)
    assert (np.diff(scored.p_value[order]) <= 0).all()


def test_a_row_of_a_fold_has_the_score_of_the_part_without_it(sampled: tuple[Fitted, Encoded]) -> None:
    fitted, data = sampled
    folds, scores = fitted.model.folds(), np.empty(ROWS)
    for fold in range(3):
        scores[folds == fold] = fitted.model.without(fold).score(data.take(np.flatnonzero(folds == fold)))
    used = np.flatnonzero(folds >= 0)
    calibration = Calibration.from_scores(scores[used], data.hashes()[used], fitted.model.score(data.take(used)))
    np.testing.assert_array_equal(fitted.calibration.reference, calibration.reference)
    np.testing.assert_array_equal(fitted.calibration.training_scores, calibration.training_scores)

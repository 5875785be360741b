"""Fits of models that cross-fit themselves, that plan and that can be extended: what the pipeline makes of them."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from anomalo.calibration.conformal import Calibration
from anomalo.pipeline.config import FitConfig
from anomalo.pipeline.fitted import FitOutcome, Fitted
from anomalo.pipeline.row_order import by_content
from anomalo.pipeline.training import is_calibrated
from anomalo.plugin import Encoded, Filled, HiddenCells, Layout, Model, Plan, Run, Scores, hookimpl
from anomalo.registry.registry import Registry
from anomalo.tabular.schema import infer

ROWS = 120


@dataclass(kw_only=True)
class Parted(Model):
    """Scores how far a row is from the centre of the training rows; cross-fitted in three parts of some of them."""

    name: ClassVar[str] = "parted"
    fits: ClassVar[list[frozenset[str]]] = []

    def fit(self, data: Encoded, run: Run) -> "Parted":
        self.fits.append(run.goals)
        self.rows, self.data = run.folds(data, 3), data
        self.rows[::7] = -1
        self.centre_ = data.values[self.rows >= 0].mean(axis=0)
        self.fills_ = 0.0
        return self.extend(data, run) if not run.goals else self

    def extend(self, data: Encoded, run: Run) -> "Parted":
        run.report(done=1.0, epoch=1, part="fills")
        self.fills_, self.fold_ = float(data.values[0, 0]), run.folds(data, 4)
        return self

    def plan(self, layout: Layout, rows: int, goals: frozenset[str]) -> Plan:
        return Plan(f"{rows} rows of {len(layout.blocks)} columns for {sorted(goals)}", 7.0)

    def folds(self) -> NDArray[np.intp]:
        return self.rows

    def without(self, fold: int) -> "Parted":
        part = Parted()
        part.centre_, part.fills_ = self.data.values[(self.rows >= 0) & (self.rows != fold)].mean(axis=0), 1.0
        return part

    def score(self, data: Encoded) -> Scores:
        return np.asarray(np.abs(data.values - self.centre_).sum(axis=1), dtype=np.float64)

    def impute(self, data: Encoded, draws: int = 0) -> Filled:
        return Filled(np.where(data.observed, data.values, np.float32(self.fills_)))

    def hidden_cells(self) -> HiddenCells:
        nothing = np.full(len(self.centre_), np.nan)
        error = np.append([0.25, 0.5], nothing[2:])
        return HiddenCells(nothing, error, np.ones(len(nothing)))


@hookimpl
def anomalo_models() -> Iterable[type[Model]]:
    return [Parted]


@pytest.fixture(scope="module")
def mine() -> Registry:
    entries = {"mine": __name__, "tables": "anomalo.registry.hooks", "baselines": "anomalo_baselines"}
    registry = Registry.load(entry_points=[EntryPoint(name, value, "anomalo") for name, value in entries.items()])
    assert registry.failures == ()
    return registry


def table(rows: int = ROWS) -> pa.Table:
    rng = np.random.default_rng(0)
    return pa.table({"a": rng.normal(size=rows), "b": rng.normal(size=rows)})


def fit(registry: Registry, goals: frozenset[str] = frozenset(), **options: Any) -> FitOutcome:
    Parted.fits.clear()
    return Fitted.fit(table(), infer(table()), FitConfig("parted", goals=goals, **options), registry)


SCORE = frozenset({"score"})


def test_a_model_that_cross_fits_is_fitted_once_and_calibrated_by_its_parts(mine: Registry) -> None:
    outcome = fit(mine, SCORE)
    fitted, model = outcome.fitted, outcome.fitted.model
    data = outcome.data.take(by_content(outcome.data))
    assert Parted.fits == [SCORE]
    folds = model.folds()
    used = np.flatnonzero(folds >= 0)
    assert 0 < len(used) < ROWS
    scores = np.array([model.without(fold).score(data.take([row]))[0] for row, fold in enumerate(folds)])[used]
    expected = Calibration.from_scores(scores, data.hashes()[used], model.score(data.take(used)))
    np.testing.assert_array_equal(fitted.calibration.reference, expected.reference)
    np.testing.assert_array_equal(fitted.calibration.hashes, np.sort(data.hashes()[used]))
    np.testing.assert_array_equal(fitted.score(data).known, folds >= 0)
    assert outcome.scores is None


def test_a_reported_score_is_out_of_fold_so_that_a_larger_one_never_has_a_larger_p_value(mine: Registry) -> None:
    for name in ("parted", "knn"):
        outcome = Fitted.fit(table(), infer(table()), FitConfig(name, goals=SCORE), mine)
        fitted, known = outcome.fitted, outcome.data
        rng = np.random.default_rng(1)
        new = replace(known, values=rng.normal(size=known.values.shape).astype(np.float32))
        scored = [fitted.score(rows) for rows in (known, new)]
        score, p = (np.concatenate([getattr(part, name) for part in scored]) for name in ("score", "p_value"))
        order = np.argsort(score, kind="stable")
        rising, falling = np.diff(score[order]) > 0, np.diff(p[order])
        assert (falling[rising] <= 0).all()
        # By the fitted model's scores this does not hold.
        own = fitted.score_as_new(known)
        assert not np.array_equal(own, scored[0].score)
        np.testing.assert_array_equal(fitted.score_as_new(new), scored[1].score)
        order = np.argsort(own, kind="stable")
        assert (np.diff(scored[0].p_value[order]) > 0).any()


def test_reasons_of_training_rows_sum_to_the_score_that_is_reported(mine: Registry) -> None:
    outcome = Fitted.fit(table(), infer(table()), FitConfig("knn", goals=SCORE), mine)
    known = outcome.data
    found = outcome.fitted.explain(known).contribution
    np.testing.assert_allclose(found.sum(axis=1), outcome.fitted.score(known).score)
    assert not np.allclose(outcome.fitted.model.score(known), outcome.fitted.score(known).score)


def test_without_calibration_no_part_is_asked_for(mine: Registry) -> None:
    fitted = fit(mine, SCORE, calibrate=False).fitted
    assert len(fitted.calibration.reference) == 0
    assert (fitted.score(fit(mine).data).p_value == 1).all()


def test_errors_are_those_that_the_model_reports_and_intervals_those_of_the_parts(mine: Registry) -> None:
    hidden = fit(mine).fitted.hidden
    assert hidden is not None
    assert hidden.error.tolist() == [0.25, 0.5]
    assert (hidden.width > 0).all()


def test_a_plan_is_announced_before_the_fit_and_kept(mine: Registry) -> None:
    heard: list[tuple[Plan, int]] = []
    fitted = fit(mine, SCORE, announce=lambda plan: heard.append((plan, len(Parted.fits)))).fitted
    text = f"{ROWS} rows of 2 columns for ['score']"
    assert heard == [(Plan(text, 7.0), 0)]
    assert fitted.facts["plan"] == text
    heard.clear()
    config = FitConfig("knn", announce=lambda plan: heard.append((plan, 0)))
    assert Fitted.fit(table(), infer(table()), config, mine).fitted.facts["plan"] is None
    assert heard == []


def test_extended_a_model_keeps_scores_and_calibration_and_becomes_what_one_fit_gives(mine: Registry) -> None:
    whole, first = fit(mine), fit(mine, SCORE)
    fitted, data = first.fitted, first.data
    scored, calibration, seconds = fitted.score(data), fitted.calibration, fitted.facts["seconds"]
    assert fitted.errors() == fit(mine, SCORE).fitted.errors() != whole.fitted.errors()
    shares: list[float] = []
    config = FitConfig("parted", progress=lambda share, _: shares.append(share))
    fitted.extend(data, config, mine)
    assert fitted.calibration is calibration
    np.testing.assert_array_equal(fitted.score(data).score, scored.score)
    np.testing.assert_array_equal(fitted.score(data).p_value, scored.p_value)
    assert fitted.facts["goals"] == whole.fitted.facts["goals"] == []
    assert fitted.errors() == whole.fitted.errors()
    np.testing.assert_array_equal(fitted.hidden.width, whole.fitted.hidden.width)
    assert fitted.model.fills_ == whole.fitted.model.fills_ != 0
    assert fitted.facts["history"][-1] == {"epoch": 1, "part": "fills"}
    assert fitted.facts["seconds"] > seconds
    assert shares == [1.0]


def test_a_model_with_times_gets_folds_that_are_stretches_of_time(mine: Registry) -> None:
    when = np.datetime64("2024-01-01") + np.random.default_rng(0).permutation(ROWS).astype("timedelta64[D]")
    timed = pa.table({"when": when.astype("datetime64[us]"), "a": np.random.default_rng(1).normal(size=ROWS)})
    outcome = Fitted.fit(timed, infer(timed), FitConfig("parted", goals=SCORE), mine)
    folds, when = outcome.fitted.model.folds(), when[by_content(outcome.data)]
    stretches = folds[np.argsort(when)]
    assert 0 < np.count_nonzero(np.diff(stretches[stretches >= 0])) < ROWS / 3
    outcome.fitted.extend(outcome.data, FitConfig("parted"), mine)
    assert 0 < np.count_nonzero(np.diff(outcome.fitted.model.fold_[np.argsort(when)])) < ROWS / 3


@pytest.mark.parametrize(("name", "expected"), [("gan", False), ("dcgan", False), ("image_ddpm", False), ("knn", True)])
def test_only_what_scores_or_imputes_is_fitted_for_each_fold(name: str, expected: bool) -> None:
    registry = Registry.load()
    assert is_calibrated(registry.guarded(registry.create(name)), FitConfig(name)) == expected

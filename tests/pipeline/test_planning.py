"""Estimates of what a job is going to take."""

import time
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from anomalo.models.guarded import GuardedModel
from anomalo.pipeline.config import FitConfig
from anomalo.pipeline.out_of_core.memory import KEPT, USUAL
from anomalo.pipeline.planning import pilot
from anomalo.pipeline.planning.fits import FitEstimate, Rows, fit_estimate
from anomalo.pipeline.planning.measuring import peak_memory, seconds_of
from anomalo.pipeline.planning.pilot import Pilot, Prepared
from anomalo.plugin import Encoded, Layout, Model, Plan, Run, Scores, param
from anomalo.registry.registry import Registry
from anomalo.tabular.schema import SchemaOptions

ROWS = 4_000
FIT, SCORE, STEP = 2e-5, 1e-5, 1e-5
"""Seconds of a row in a fit, in scoring and in an epoch."""


def work(seconds: float) -> None:
    """Keep the processor busy."""
    started = time.process_time()
    while time.process_time() - started < seconds:
        pass


@dataclass(kw_only=True)
class Slow(Model):
    """Takes a known time for each row."""

    name = "slow"
    score_unit = "nats"
    power: float = param(1.0, low=0.0, high=2.0, help="Of the rows, in a fit.")

    def fit(self, data: Encoded, run: Run) -> Self:
        work(FIT * 1_000 * (len(data) / 1_000) ** self.power)
        return self

    def score(self, data: Encoded) -> Scores:
        work(SCORE * len(data))
        return np.zeros(len(data))


@dataclass(kw_only=True)
class Epochs(Model):
    """Trains as a network does."""

    name = "epochs"
    epochs: int = param(30, low=1, high=100, help="Passes.")
    batch_size: int = param(100, low=1, high=1_000, help="Rows.")
    asked: ClassVar[list[tuple[int, int]]] = []

    def fit(self, data: Encoded, run: Run) -> Self:
        self.asked.append((self.epochs, len(data)))
        work((STEP * self.epochs + FIT) * len(data))
        return self


@dataclass(kw_only=True)
class Planning(Slow):
    """Says what it is going to take."""

    name = "planning"

    def plan(self, layout: Layout, rows: int, goals: frozenset[str]) -> Plan:
        return Plan(f"{rows} rows of {len(layout.blocks)} columns", 77.0, 5e9)


def table(rows: int = ROWS) -> pa.Table:
    rng = np.random.default_rng(0)
    return pa.Table.from_pandas(pd.DataFrame(rng.normal(size=(rows, 3)), columns=list("abc")))


@pytest.fixture(scope="module")
def registry(installed: Registry) -> Registry:
    return installed


def estimate(registry: Registry, config: FitConfig, rows: Rows) -> FitEstimate:
    prepared = Prepared.of(table(), SchemaOptions(), config, registry)
    return fit_estimate(rows, prepared, config, registry, "cpu")


def near(value: float, share: float = 0.3) -> object:
    return pytest.approx(value, rel=share)


def test_the_fits_of_all_folds_and_their_scores_are_counted(registry: Registry) -> None:
    found = estimate(registry, FitConfig(Slow()), Rows(10_000, None, 24.0))
    assert found.seconds["fit"] == near(5 * FIT * 10_000), "5 of four fifths, and one"
    assert found.seconds["calibrate"] == near(2 * SCORE * 10_000)
    assert not found.at_most
    assert found.text == "slow fitted on 10,000 rows, and 5 times without a part of them to calibrate it"
    large = estimate(registry, FitConfig(Slow()), Rows(40_000, None, 24.0))
    assert large.seconds["fit"] == near(3 * FIT * 40_000), "3 folds of 20,000 rows or more"
    alone = estimate(registry, FitConfig(Slow(), calibrate=False), Rows(10_000, None, 24.0))
    assert (alone.seconds["fit"], "calibrate" in alone.seconds) == (near(FIT * 10_000), False)


def test_a_fit_whose_time_grows_faster_than_its_rows(registry: Registry) -> None:
    config = FitConfig(Slow(power=1.5), calibrate=False)
    found = estimate(registry, config, Rows(100_000, None, 24.0))
    assert found.seconds["fit"] == near(FIT * 1_000 * 100**1.5)


def test_a_sample_is_fitted_once_and_calibrated_by_what_is_held_out(registry: Registry) -> None:
    found = estimate(registry, FitConfig(Slow(), max_memory=2 * 10**9), Rows(10**6, 50_000, 24.0))
    assert found.seconds["fit"] == near(FIT * 40_000)
    assert found.seconds["calibrate"] == near(2 * SCORE * 10_000)
    assert "sample of 50,000 rows; 10,000 of them are held out" in found.text
    assert sum(found.memory.values()) <= 2e9


def test_epochs_count_and_training_may_stop_early(registry: Registry) -> None:
    Epochs.asked.clear()
    found = estimate(registry, FitConfig(Epochs(), calibrate=False), Rows(10_000, None, 24.0))
    assert found.seconds["fit"] == near((30 * STEP + FIT) * 10_000)
    assert (found.at_most, found.batch) == (True, 100)
    assert max(Epochs.asked) == (2, 2_000), "no more than two epochs of 20 batches are tried"


def test_a_plan_is_taken_as_it_is_and_nothing_is_fitted(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Planning, "fit", lambda *_: 1 / 0)
    found = estimate(registry, FitConfig(Planning()), Rows(10_000, None, 24.0))
    assert (found.seconds["fit"], found.memory["process"]) == (pytest.approx(5 * 77.0), 5e9)
    assert found.text.endswith("calibrate it; 10000 rows of 3 columns")
    assert found.memory["rows"] == 10_000 * 24.0 * USUAL
    monkeypatch.setattr(Planning, "folds", lambda self: np.zeros(0), raising=False)
    monkeypatch.setattr(Planning, "without", lambda self, fold: self, raising=False)
    itself = estimate(registry, FitConfig(Planning()), Rows(10_000, None, 24.0))
    assert (itself.seconds["fit"], itself.memory["rows"]) == (77.0, 10_000 * 24.0 * KEPT)
    assert itself.text == "10000 rows of 3 columns"


def test_a_model_that_knows_its_memory_but_not_its_time_is_tried(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Planning, "plan", lambda *_: Plan("fits", 0.0, 9e9))
    found = estimate(registry, FitConfig(Planning()), Rows(10_000, None, 24.0))
    assert (found.text[-6:], found.memory["process"]) == ("; fits", 9e9)
    assert found.seconds["fit"] == near(5 * FIT * 10_000)


def test_a_pilot_neither_tells_plugins_nor_keeps_anything(registry: Registry) -> None:
    config = FitConfig("undercomplete", {"epochs": 3}, progress=lambda *_: 1 / 0)
    prepared = Prepared.of(table(800), SchemaOptions(), config, registry)
    found = Pilot(config, registry, prepared, "cpu")
    assert found._run().notify is None
    assert found.learning().fit(100) > 0


def test_no_more_cells_are_prepared_than_are_needed(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pilot, "CELLS", 300)
    prepared = Prepared.of(table(), SchemaOptions(), FitConfig("iforest"), registry)
    assert len(prepared.data) == 100
    assert prepared.per_row > 0


def test_memory_and_seconds_are_those_of_this_process() -> None:
    before = peak_memory()
    held = np.ones(30_000_000)
    assert 150e6 < peak_memory() - before + 90e6 < 400e6, len(held)
    assert seconds_of(lambda: work(0.05)) == near(0.05)
    assert seconds_of(lambda: time.sleep(0.05)) < 0.04 < seconds_of(lambda: time.sleep(0.05), "cuda")


def test_guarded_models_reject_a_plan_of_negative_scoring() -> None:
    model = GuardedModel.of(replace(Planning()))
    assert model.plan(Layout("table", (0,), ()), 3, frozenset()) == Plan("3 rows of 0 columns", 77.0, 5e9)

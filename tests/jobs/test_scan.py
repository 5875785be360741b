"""A scan lists the anomalous rows before it fits the model to impute; a failure then costs the imputation alone."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, distribution
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from anomalo.calibration.thresholds import Threshold
from anomalo.jobs.context import JobContext
from anomalo.jobs.fitting.fit import extend
from anomalo.jobs.scanning.scan import FIRST, complete, find, scan
from anomalo.pipeline.config import FitConfig
from anomalo.plugin import Encoded, Filled, HiddenCells, Model, Plan, Run, Scores, hookimpl
from anomalo.registry.registry import Registry
from anomalo.tabular.schema import SchemaOptions

LOAD = Registry.load
OPTIONS = SchemaOptions(id="name", label="sick")
BUDGET = Threshold("budget", 3)


@dataclass(kw_only=True)
class InTwo(Model):
    """Scores how far a row is from the centre; learns to impute only when it is extended."""

    name: ClassVar[str] = "in_two"
    calls: ClassVar[list[tuple[str, frozenset[str]]]] = []

    def fit(self, data: Encoded, run: Run) -> "InTwo":
        self.calls.append(("fit", run.goals))
        self.centre_ = np.where(data.observed, data.values, 0).mean(axis=0)
        self.fills_ = self.centre_
        return self if run.goals else self.extend(data, run)

    def extend(self, data: Encoded, run: Run) -> "InTwo":
        self.calls.append(("extend", run.goals))
        self.fills_ = np.full(data.values.shape[1], 2, dtype=np.float32)
        return self

    def score(self, data: Encoded) -> Scores:
        return np.where(data.observed, np.abs(data.values - self.centre_), 0).sum(axis=1, dtype=np.float64)

    def impute(self, data: Encoded, draws: int = 0) -> Filled:
        return Filled(np.where(data.observed, data.values, self.fills_).astype(np.float32))


@dataclass(kw_only=True)
class Failing(InTwo):
    """The same, but it cannot be extended."""

    name: ClassVar[str] = "failing"

    def extend(self, data: Encoded, run: Run) -> "Failing":
        raise ValueError("no memory left")


@dataclass(kw_only=True)
class Reporting(InTwo):
    """The same; it reports small errors once it is extended."""

    name: ClassVar[str] = "reporting"

    def hidden_cells(self) -> HiddenCells:
        columns = len(self.centre_)
        return HiddenCells(np.full(columns, np.nan), np.full(columns, 0.1), np.ones(columns))


@hookimpl
def anomalo_models() -> Iterable[type[Model]]:
    return [InTwo, Failing, Reporting]


@pytest.fixture(autouse=True)
def mine(monkeypatch: pytest.MonkeyPatch) -> None:
    """First-party plugins, and this module as one."""
    own = [entry for entry in distribution("anomalo-engine").entry_points if entry.group == "anomalo"]
    registry = LOAD(entry_points=[*own, EntryPoint("mine", __name__, "anomalo")])
    monkeypatch.setattr(Registry, "load", lambda **_: registry)
    InTwo.calls.clear()


def test_a_model_is_fitted_to_score_then_extended_and_stays_one_version(tables: Path, tmp_path: Path) -> None:
    context, source = JobContext.at(tmp_path), str(tables / "patients.csv")
    config = FitConfig("in_two", calibrate=False)
    found = find(context, source, config, OPTIONS, BUDGET)
    assert InTwo.calls == [("fit", FIRST)]
    saved = context.store.model("patients")
    assert saved.summary["goals"] == sorted(FIRST)
    assert found.scored.run.model == saved.reference == "patients@1"
    result = complete(context, source, found, config)
    assert InTwo.calls[1:] == [("extend", frozenset())]
    after = context.store.model("patients")
    assert (after.reference, after.summary["goals"]) == ("patients@1", [])
    assert result.fitted.record == after
    assert result.filled is not None
    assert sum(result.filled.filled.values()) == 5
    assert result.scored is found.scored
    assert [path.name for path in (tmp_path / "models" / "patients").iterdir()] == [after.path.name]
    _, loaded = context.load("patients", "impute", "cpu")
    data = result.fitted.outcome.data
    np.testing.assert_array_equal(loaded.model.score(data), found.fitted.fitted.model.score(data))


def test_a_scan_is_both_and_gives_what_a_fit_for_all_gives(tables: Path, tmp_path: Path) -> None:
    source, config = str(tables / "patients.csv"), FitConfig("auto", {"members": "ecod,hbos", "epochs": 1})
    plans: list[Plan] = []
    context = JobContext.at(tmp_path)
    result = scan(context, source, replace(config, announce=plans.append), OPTIONS, BUDGET)
    assert len(plans) == 1
    assert "ecod" in plans[0].text
    whole = context.store.model("patients").summary
    assert whole["goals"] == []
    assert whole["skill"] is not None
    assert result.filled is not None


def test_a_warning_that_no_longer_holds_once_the_model_is_extended_is_neither_saved_nor_reported(
    tables: Path, tmp_path: Path
) -> None:
    context, source, config = JobContext.at(tmp_path), str(tables / "patients.csv"), FitConfig("reporting")
    found = find(context, source, config, OPTIONS, BUDGET)
    early = [text for text in context.store.model("patients").summary["warnings"] if "no better than" in text]
    assert len(early) == 1
    result = complete(context, source, found, config)
    assert result.warnings == tuple(text for text in found.warnings if text not in early)
    saved = context.store.model("patients").summary["warnings"]
    assert not any("no better than" in text for text in saved)
    assert saved == [text for text in found.fitted.warnings if text not in early]


def test_a_model_that_cannot_be_extended_is_fitted_once_for_all(tables: Path, tmp_path: Path) -> None:
    context, source, config = JobContext.at(tmp_path), str(tables / "patients.csv"), FitConfig("linear", {"epochs": 1})
    found = find(context, source, config, OPTIONS, BUDGET)
    assert found.fitted.record.summary["goals"] == []
    assert extend(context, found.fitted, config) is found.fitted
    assert complete(context, source, found, config).filled is not None


def test_alerts_are_printed_though_the_imputation_fails_and_the_model_still_scores(
    anomalo: Any, tables: Path, tmp_path: Path
) -> None:
    where = ("--workspace", tmp_path / "w")
    table = (tables / "patients.csv", "--id", "name", "--label", "sick")
    outcome = anomalo("scan", *table, "--model", "failing", "--threshold", "budget=2", *where)
    assert outcome.code == 1
    lines = outcome.out.splitlines()
    assert lines[0] == "240 rows, 2 alerts at budget=2"
    assert "AUROC" in lines[-1]
    assert "model 'failing'" in outcome.err
    assert "no memory left" in outcome.err
    assert "Traceback" not in outcome.err
    again = anomalo("score", tables / "patients.csv", "--with", "patients", "--threshold", "budget=2", "--json", *where)
    assert again.code == 0, again.err
    names = [row["name"] for row in again.json["top"][:2]]
    assert "p017" in names
    assert all(any(name in line for line in lines) for name in names)
    refused = anomalo("impute", tables / "patients.csv", "--with", "patients", "-o", tmp_path / "f.csv", *where)
    assert refused.code == 2
    assert "this model was fitted to embed and score only" in refused.err


def test_as_json_one_object_is_printed_at_the_end_or_nothing(anomalo: Any, tables: Path, tmp_path: Path) -> None:
    options = ("--id", "name", "--label", "sick", "--json", "--workspace", tmp_path / "w")
    failed = anomalo("scan", tables / "patients.csv", "--model", "failing", *options)
    assert (failed.code, failed.out) == (1, "")
    done = anomalo("scan", tables / "patients.csv", "--model", "in_two", *options)
    assert done.code == 0, done.err
    assert done.json["impute"]["verb"] == "impute"
    assert done.json["warnings"] == list(dict.fromkeys(done.json["warnings"]))


def test_the_plan_is_logged_before_the_fit(anomalo: Any, tables: Path, tmp_path: Path) -> None:
    options = ("--as", "p", "--for", "score", "--id", "name", "--set", "members=ecod,hbos", "--log-json")
    done = anomalo("fit", tables / "patients.csv", *options, "--workspace", tmp_path / "w")
    assert done.code == 0, done.err
    first = done.err.splitlines()[0]
    assert '"level": "plan"' in first
    assert "ecod, hbos, each fitted 3 times on 240 rows of 6 columns; about " in first
    quiet = anomalo("fit", tables / "patients.csv", *options[:-1], "--workspace", tmp_path / "w")
    assert "each fitted" not in quiet.err + quiet.out

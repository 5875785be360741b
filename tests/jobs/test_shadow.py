"""A challenger beside a model: the same files to the byte, and what the challenger would have said."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import cohen_kappa_score

from anomalo.calibration.thresholds import Threshold
from anomalo.errors import SchemaError, UnknownModelError, UsageError
from anomalo.jobs.context import JobContext
from anomalo.jobs.engines.local import LocalEngine
from anomalo.jobs.scoring import shadow as module
from anomalo.jobs.scoring.score import ScoreResult, score
from anomalo.registry.engine import EngineChoice
from anomalo.tabular.writing.destination import output_of
from anomalo.workspace.workspace import Workspace

RULES = (Threshold("share", 0.05), Threshold("fdr", 0.4), Threshold("budget", 12))


@pytest.fixture
def home(untouched: Path, tmp_path: Path) -> Path:
    return shutil.copytree(untouched, tmp_path / "home")


@pytest.fixture
def table(patients: pd.DataFrame, tmp_path: Path) -> Path:
    """The patients, and strangers among them, in an order that no model has seen."""
    frame = pd.concat([patients, patients.assign(weight=patients["weight"] + 40).head(30)])
    path = tmp_path / "today.csv"
    frame.sample(frac=1, random_state=1).to_csv(path, index=False)
    return path


def run(home: Path, table: Path, with_: str, rule: Threshold, **options: Any) -> ScoreResult:
    at = JobContext.at(home, batch_rows=options.pop("batch_rows", 64), engine=options.pop("engine", None))
    return score(at, str(table), with_, threshold=rule, device="cpu", **options)


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_the_shadow_is_what_the_challenger_says_alone(home: Path, table: Path, rule: Threshold) -> None:
    champion, challenger = run(home, table, "full", rule), run(home, table, "near", rule)
    both = run(home, table, "full", rule, shadow="near")
    found = pq.read_table(both.run.path / "shadow.parquet")
    assert found.schema.names == ["row", "score", "p_value", "alert"]
    assert found["row"].to_pylist() == list(range(270))
    for name in ("score", "p_value", "alert"):
        np.testing.assert_array_equal(found[name].to_numpy(), getattr(challenger, name))
    facts, a, b = both.run.summary["shadow"], champion.alert, challenger.alert
    assert a.any()
    assert b.any()
    assert (facts["model"], facts["alerts"]) == ("near@1", b.sum())
    assert facts["agreement"] == pytest.approx((a == b).mean())
    assert facts["kappa"] == pytest.approx(cohen_kappa_score(a, b))
    assert facts["rank_correlation"] == pytest.approx(spearmanr(champion.score, challenger.score).statistic)
    assert (facts["gained"], facts["lost"]) == ((b & ~a).sum(), (a & ~b).sum())
    assert facts["first_gained"] == np.flatnonzero(b & ~a)[:10].tolist()
    assert facts["first_lost"] == np.flatnonzero(a & ~b)[:10].tolist()


def test_the_run_and_the_output_are_those_without_a_shadow(home: Path, table: Path, tmp_path: Path) -> None:
    alone = run(home, table, "full", RULES[0], output=output_of(str(tmp_path / "alone.csv")))
    both = run(home, table, "full", RULES[0], shadow="near", output=output_of(str(tmp_path / "both.csv")))
    assert (tmp_path / "alone.csv").read_bytes() == (tmp_path / "both.csv").read_bytes()
    for file in alone.run.path.iterdir():
        assert (both.run.path / file.name).read_bytes() == file.read_bytes()
    assert {path.name for path in both.run.path.iterdir()} - {path.name for path in alone.run.path.iterdir()} == {
        "shadow.parquet"
    }
    summary = {name: value for name, value in both.run.summary.items() if name not in ("shadow", "output")}
    assert summary == {name: value for name, value in alone.run.summary.items() if name != "output"}


def test_a_model_agrees_with_itself(home: Path, table: Path) -> None:
    facts = run(home, table, "full", RULES[0], shadow="full@1").run.summary["shadow"]
    assert (facts["agreement"], facts["gained"], facts["lost"]) == (1.0, 0, 0)
    assert (facts["kappa"], facts["rank_correlation"]) == (1.0, pytest.approx(1.0))


def test_without_an_alert_of_either_kappa_is_undefined(home: Path, table: Path) -> None:
    facts = run(home, table, "full", Threshold("share", 1e-9), shadow="near").run.summary["shadow"]
    assert (facts["agreement"], facts["kappa"], facts["alerts"]) == (1.0, None, 0)


@pytest.mark.slow
def test_a_shadow_does_not_depend_on_batches_or_workers(
    home: Path, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LocalEngine, "patience", 0.0)  # workers compute all parts
    first = run(home, table, "full", RULES[2], shadow="near")
    others = (
        run(home, table, "full", RULES[2], shadow="near", batch_rows=1000),
        run(home, table, "full", RULES[2], shadow="near", engine=EngineChoice("local", 2)),
    )
    for other in others:
        assert other.run.summary["shadow"] == first.run.summary["shadow"]
        assert pq.read_table(other.run.path / "shadow.parquet").equals(pq.read_table(first.run.path / "shadow.parquet"))


@pytest.mark.slow
def test_many_rows_are_ranked_by_some_of_them(home: Path, table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exact = run(home, table, "full", RULES[0], shadow="near").run.summary["shadow"]["rank_correlation"]
    monkeypatch.setattr(module, "RANKED", 100)
    first = run(home, table, "full", RULES[0], shadow="near").run.summary["shadow"]["rank_correlation"]
    again = run(home, table, "full", RULES[0], shadow="near", batch_rows=7).run.summary["shadow"]["rank_correlation"]
    assert first == again != exact
    assert first == pytest.approx(exact, abs=0.3)


@pytest.fixture
def interrupted(home: Path, table: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Interrupt a scoring after two parts, and return what it computed by then."""

    def call(**options: Any) -> int:
        find, done = module.Challenger.find, []

        def counted(self: Any, part: Any) -> Any:
            if len(done) == 2:
                raise KeyboardInterrupt
            done.append(len(part.rows))
            return find(self, part)

        with monkeypatch.context() as patch:
            patch.setattr(module.Challenger, "find", counted)
            with pytest.raises(KeyboardInterrupt):
                run(home, table, "full", RULES[0], **options)
        return sum(done)

    return call


def test_a_killed_job_is_resumed_with_its_shadow(
    home: Path, table: Path, interrupted: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(home, table, "full", RULES[0], shadow="near")
    before, after = interrupted(shadow="near"), []
    find = module.Challenger.find
    monkeypatch.setattr(
        module.Challenger, "find", lambda self, part: (after.append(len(part.rows)), find(self, part))[1]
    )
    resumed = run(home, table, "full", RULES[0], shadow="near", resume=True)
    assert sum(after) == 270 - before > 0
    assert resumed.run.summary["shadow"] == whole.run.summary["shadow"]
    assert pq.read_table(resumed.run.path / "shadow.parquet").equals(pq.read_table(whole.run.path / "shadow.parquet"))


@pytest.mark.parametrize("other", [None, "fill"])
def test_a_job_is_not_resumed_with_another_shadow(
    home: Path, table: Path, interrupted: Callable[..., int], other: str | None, anomalo: Callable[..., Any]
) -> None:
    outcome = anomalo("fit", table, "--as", "fill", "--model", "knn", "--id", "name", "--workspace", home)
    assert outcome.code == 0, outcome.err
    interrupted(shadow="near")
    with pytest.raises(UsageError, match=r"cannot resume score-.*shadow"):
        run(home, table, "full", RULES[0], shadow=other, resume=True)


def test_a_challenger_that_cannot_score_is_refused_before_any_work(
    home: Path, table: Path, patients: pd.DataFrame, tmp_path: Path, anomalo: Callable[..., Any]
) -> None:
    wider = tmp_path / "wider.csv"
    patients.assign(blood=[row % 7 for row in range(len(patients))]).to_csv(wider, index=False)
    outcome = anomalo("fit", wider, "--as", "wide", "--model", "knn", "--id", "name", "--workspace", home)
    assert outcome.code == 0, outcome.err
    with pytest.raises(SchemaError, match=r"--shadow wide@1: .*'blood'"):
        run(home, table, "full", RULES[0], shadow="wide")
    with pytest.raises(UsageError, match=r"--shadow fill@1: model 'mean' cannot score"):
        run(home, table, "full", RULES[0], shadow="fill")
    with pytest.raises(UnknownModelError, match="no saved model is named 'absent'"):
        run(home, table, "full", RULES[0], shadow="absent")
    with pytest.raises(UsageError, match="leave out --engine ray"):
        run(home, table, "full", RULES[0], shadow="near", engine=EngineChoice("ray"))
    assert Workspace(home).runs() == []
    assert not list((home / "unfinished").glob("score-*"))


def test_the_terminal_says_how_they_compare(home: Path, table: Path, anomalo: Callable[..., Any]) -> None:
    arguments = ("score", table, "--with", "full", "--threshold", "budget=12", "--device", "cpu", "--workspace", home)
    outcome = anomalo(*arguments, "--shadow", "near")
    assert outcome.code == 0, outcome.err
    facts = Workspace(home).run("0001-score").summary["shadow"]
    said, gained, lost = outcome.out.splitlines()[-3:]
    assert said.startswith("shadow near@1: 12 alerts; the same decision on ")
    assert f"(Cohen's kappa {facts['kappa']:.2f})" in said
    assert gained.startswith(f"  {facts['gained']} alert") or facts["gained"] == 0
    assert lost.split(": rows ")[1] == ", ".join(map(str, facts["first_lost"]))
    assert anomalo(*arguments, "--shadow", "near", "--json").json["summary"]["shadow"] == facts
    assert "shadow" not in anomalo(*arguments).out

"""Reviewed alerts make the next version of a model: what it would remove is shown first, and it scores accordingly."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from anomalo.calibration.thresholds import Threshold
from anomalo.errors import UsageError
from anomalo.jobs.feedback.propose import Proposal, apply, propose
from anomalo.pipeline.saved_model import load_fitted
from anomalo.registry.registry import Registry
from anomalo.workspace.workspace import Workspace

HEAVY, TALL = range(10), range(20, 24)


def day(folder: Path, patients: pd.DataFrame, seed: int) -> Path:
    """Write a table of new patients: ten of 190 kg, four of 260 cm, others like those that were learned."""
    rng = np.random.default_rng(seed)
    height = rng.normal(170, 10, 120).round(1)
    frame = patients.iloc[:120].assign(
        name=[f"n{seed}-{row}" for row in range(120)],
        height=height,
        weight=(0.5 * height - 15 + rng.normal(0, 3, 120)).round(2),
        colour=rng.choice(["red", "green"], 120),
    )
    frame.loc[list(HEAVY), "weight"] = rng.normal(190, 1, 10).round(2)
    frame.loc[list(TALL), "height"] = 260.0
    frame.to_csv(folder / f"day{seed}.csv", index=False)
    return folder / f"day{seed}.csv"


@pytest.fixture
def home(untouched: Path, patients: pd.DataFrame, anomalo: Any, tmp_path: Path) -> Path:
    """A workspace with a run on a first day, whose alerts are reviewed: heavy patients are false alarms."""
    workspace = shutil.copytree(untouched, tmp_path / "w")
    score(anomalo, workspace, day(tmp_path, patients, 1), "full@1")
    store = Workspace(workspace)
    run = store.runs()[-1]
    alerts = set(np.flatnonzero(pq.read_table(run.path / "scores.parquet")["alert"]))
    assert alerts >= {*HEAVY, *TALL}
    store.reviews.change(run.id, list(HEAVY)[:6], "ann", state="false alarm")
    store.reviews.change(run.id, list(TALL)[:2], "ann", state="fixed")
    return workspace


def score(anomalo: Any, workspace: Path, table: Path, model: str, *more: object) -> dict[str, Any]:
    common = ("--threshold", "share=0.05", "--device", "cpu", "--json", "--workspace", workspace)
    outcome = anomalo("score", table, "--with", model, *common, *more)
    assert outcome.code == 0, outcome.err
    return dict(outcome.json)


def proposed(home: Path, run: str = "0001-score") -> Proposal:
    return propose(Workspace(home), Registry.load(), run)


def scores(home: Path) -> pd.DataFrame:
    return pd.read_parquet(Workspace(home).runs()[-1].path / "scores.parquet")


def test_what_would_change_is_shown_and_nothing_is_changed(home: Path) -> None:
    before = [record.reference for record in Workspace(home).models()]
    found = proposed(home)
    rows = {row for each in found.removed for row in each.rows}
    assert set(range(6)) <= rows, "the false alarms themselves"
    assert not rows & set(TALL)
    assert sum(each.confirmed for each in found.removed) == 0
    assert str(found) == f"would remove {len(rows)} of {found.alerts} alerts, of which 0 were confirmed"
    assert (found.states, found.runs) == ({"false alarm": 6, "fixed": 2}, ("0001-score",))
    assert [record.reference for record in Workspace(home).models()] == before


def test_the_next_version_scores_as_was_shown_and_the_older_one_as_before(
    home: Path, patients: pd.DataFrame, anomalo: Any, tmp_path: Path
) -> None:
    found = proposed(home)
    store = Workspace(home)
    old = (store.model("full@1").path / "manifest.json").read_bytes()
    record = apply(store, found, "ann")
    assert record.reference == "full@2"
    assert (store.model("full@1").path / "manifest.json").read_bytes() == old
    assert record.summary["lineage"]["feedback"]["from"] == "full@1"
    assert record.summary["lineage"]["who"] == "ann"
    before = scores(home)
    score(anomalo, home, tmp_path / "day1.csv", "full")
    after = scores(home)
    removed = sorted(row for each in found.removed for row in each.rows)
    assert np.flatnonzero(before["alert"] & ~after["alert"]).tolist() == removed
    assert after.loc[list(TALL), "alert"].all()
    assert (after["p_value"] >= before["p_value"]).all()
    table = day(tmp_path, patients, 2)
    score(anomalo, home, table, "full@1")
    first = scores(home)
    score(anomalo, home, table, "full@2")
    second = scores(home)
    assert second.loc[list(HEAVY), "alert"].sum() < first.loc[list(HEAVY), "alert"].sum() == len(HEAVY)
    assert second.loc[list(TALL), "alert"].all(), "other anomalies stay alerts"


def test_a_run_says_which_alerts_there_are_not_and_why(home: Path, anomalo: Any, tmp_path: Path) -> None:
    found = proposed(home)
    apply(Workspace(home), found)
    before = scores(home)
    score(anomalo, home, tmp_path / "day1.csv", "full@2")
    run = Workspace(home).runs()[-1]
    removed = sorted(row for each in found.removed for row in each.rows)
    assert run.summary["feedback"]["alerts"] == len(removed)
    assert run.summary["feedback"]["by"][0]["why"].startswith("false alarm: ")
    accepted = pd.read_parquet(run.path / "accepted.parquet")
    would_be = accepted[accepted["alert"]]
    assert would_be["row"].tolist() == removed
    assert would_be["score"].tolist() == before.loc[removed, "score"].tolist()
    assert run.summary["alerts"] == before["alert"].sum() - len(removed)


def test_a_row_scores_alone_as_in_a_batch_and_in_workers(home: Path, anomalo: Any, tmp_path: Path) -> None:
    apply(Workspace(home), proposed(home))
    score(anomalo, home, tmp_path / "day1.csv", "full@2")
    together = scores(home)
    score(anomalo, home, tmp_path / "day1.csv", "full@2", "--workers", 2)
    pd.testing.assert_frame_equal(together, scores(home))
    store = Workspace(home)
    fitted = load_fitted(store.model("full@2").path, Registry.load(), "cpu")
    table = pd.read_csv(tmp_path / "day1.csv")
    for row in (0, 7, 20, 60):
        alone = fitted.score(fitted.encode(pa.Table.from_pandas(table.iloc[[row]], preserve_index=False)))
        assert alone.score[0] == together["score"][row]
        assert alone.p_value[0] == together["p_value"][row]


def test_feedback_is_applied_once_and_adds_to_what_is_known(
    home: Path, patients: pd.DataFrame, anomalo: Any, tmp_path: Path
) -> None:
    store = Workspace(home)
    apply(store, proposed(home))
    assert proposed(home).applied == "full@2"
    with pytest.raises(UsageError, match="applied already: full@2"):
        apply(store, proposed(home))
    score(anomalo, home, day(tmp_path, patients, 3), "full@2")
    run = store.runs()[-1].id
    nothing = proposed(home, run)
    assert nothing.learned == 0
    here = scores(home)["score"]
    first = pd.read_parquet(store.run("0001-score").path / "scores.parquet")
    confirmed = first["score"][list(TALL)[:2]].min()
    store.reviews.change(run, list(TALL), "bob", state="false alarm")
    more = proposed(home, run)
    removed = [row for each in more.removed for row in each.rows if row in TALL]
    assert (here[removed] < confirmed).all(), "alerts like them were confirmed in the first run"
    store.reviews.undo(2, "ann")
    more = proposed(home, run)
    assert more.learned == 1
    assert len(more.feedback.patterns) == 1 + len(nothing.feedback.patterns)
    assert apply(store, more).reference == "full@3"


def test_another_threshold_removes_other_alerts(home: Path) -> None:
    strict = propose(Workspace(home), Registry.load(), "0001-score", Threshold("budget", 1))
    assert strict.alerts == 1
    assert sum(each.alerts for each in strict.removed) <= 1


def test_without_reviews_there_is_nothing_to_apply(home: Path) -> None:
    store = Workspace(home)
    for action in (1, 2):
        store.reviews.undo(action, "ann")
    found = proposed(home)
    assert (found.learned, found.removed) == (0, ())
    with pytest.raises(UsageError, match="nothing new"):
        apply(store, found)


def test_runs_and_models_that_cannot_learn_are_refused(home: Path, tables: Path, anomalo: Any) -> None:
    outcome = anomalo("impute", tables / "patients.csv", "--with", "full", "--workspace", home, "--device", "cpu")
    assert outcome.code == 0, outcome.err
    with pytest.raises(UsageError, match="expected one of `score`"):
        proposed(home, Workspace(home).runs()[-1].id)
    store = Workspace(home)
    store.remove([store.model("full@1")])
    with pytest.raises(UsageError, match="no"):
        proposed(home)


def test_an_exported_model_keeps_what_it_was_taught(home: Path, anomalo: Any, tmp_path: Path) -> None:
    apply(Workspace(home), proposed(home))
    score(anomalo, home, tmp_path / "day1.csv", "full@2")
    before = scores(home)
    assert anomalo("export", "full@2", tmp_path / "full.anomalo", "--workspace", home).code == 0
    other = tmp_path / "other"
    assert anomalo("import", tmp_path / "full.anomalo", "--workspace", other).code == 0
    score(anomalo, other, tmp_path / "day1.csv", "full")
    pd.testing.assert_frame_equal(before, scores(other))

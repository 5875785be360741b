"""Every format since the first that promises it keeps loading: a model and a workspace of each are kept here."""

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from anomalo.pipeline.saved_model import load_fitted
from anomalo.registry.registry import Registry
from anomalo.workspace import artifacts, database
from anomalo.workspace.workspace import Workspace

KEPT = Path(__file__).parent / "formats"
ARTEFACTS = range(5, artifacts.FORMAT + 1)
WORKSPACES = range(2, database.FORMAT + 1)


@pytest.fixture
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return shutil.copytree(KEPT / f"workspace-{request.param}", tmp_path / "old")


def test_a_model_and_a_workspace_of_every_format_are_kept() -> None:
    """Before a format is raised, `python tests/workspace/formats/make.py` makes them with the code that is there."""
    wanting = [f"artefact-{n}" for n in ARTEFACTS] + [f"workspace-{n}" for n in WORKSPACES]
    assert [name for name in wanting if not (KEPT / name).is_dir()] == []
    assert (ARTEFACTS.start, WORKSPACES.start) == (artifacts.OLDEST, database.OLDEST), "a format is no longer read"


@pytest.mark.parametrize("number", ARTEFACTS)
def test_a_model_of_every_format_loads(number: int, installed: Registry) -> None:
    folder = KEPT / f"artefact-{number}"
    assert artifacts.read_manifest(folder)["format"] == number
    fitted = load_fitted(folder, installed, "cpu")
    assert [column.name for column in fitted.schema.features] == ["height", "weight", "colour"]
    assert {"score", "explain", "impute"} <= set(fitted.guarded.verbs)


@pytest.mark.parametrize("old", WORKSPACES, indirect=True)
def test_a_workspace_of_every_format_lists_scores_and_is_written(old: Path, anomalo: Callable[..., Any]) -> None:
    def call(verb: str, *more: object) -> Any:
        outcome = anomalo(verb, *more, "--workspace", old, "--json")
        assert outcome.code == 0, outcome.err
        return outcome.json

    assert call("models", "small")["reference"] == "small@1"
    assert call("tag", "small", "--history")["moves"] == []
    (before,) = call("runs")["runs"]
    run = call("score", KEPT / "table.csv", "--with", "small", "--threshold", "budget=3", "--device", "cpu")
    assert run["id"] == "0002-score"
    then, now = (pq.read_table(Path(path) / "scores.parquet") for path in (before["path"], run["path"]))
    np.testing.assert_allclose(now["score"], then["score"], rtol=1e-4)
    assert now["alert"].equals(then["alert"])
    assert call("tag", "small@1", "champion")["after"] == 1
    assert call("score", KEPT / "table.csv", "--with", "small@champion", "--device", "cpu")["model"] == "small@1"
    call("rm", "run", "0001-score", "--yes")
    assert [one["id"] for one in call("runs")["runs"]] == ["0002-score", "0003-score"]


@pytest.mark.parametrize("old", WORKSPACES, indirect=True)
def test_reading_a_workspace_of_an_older_format_does_not_change_it(old: Path) -> None:
    before = (old / "anomalo.db").read_bytes()
    store = Workspace(old)
    assert (len(store.models()), len(store.runs()), store.tag_moves("small")) == (1, 1, [])
    assert (old / "anomalo.db").read_bytes() == before


def test_the_first_write_adds_the_tables_that_are_new(tmp_path: Path) -> None:
    old = shutil.copytree(KEPT / "workspace-2", tmp_path / "old")
    tables = "SELECT name FROM sqlite_master WHERE type = 'table'"
    with sqlite3.connect(old / "anomalo.db") as connection:
        assert ("tag_moves",) not in connection.execute(tables).fetchall()
    Workspace(old).prepare()
    with sqlite3.connect(old / "anomalo.db") as connection:
        assert ("tag_moves",) in connection.execute(tables).fetchall()
        assert connection.execute("SELECT format FROM workspace").fetchall() == [(database.FORMAT,)]
    connection.close()

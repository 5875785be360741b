"""What an older version wrote is refused in one line that says what to do."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from anomalo.errors import ArtefactError
from anomalo.plugin import ModelState
from anomalo.workspace import artifacts
from anomalo.workspace.artifacts import FORMAT
from anomalo.workspace.workspace import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    found = Store(tmp_path / "w")
    facts: dict[str, Any] = {"model": "linear", "plugin": "autoencoders", "source": "", "rows": 1, "columns": 1}
    found.add_model("m", lambda folder: artifacts.save(folder, {}, ModelState()), seconds=0.0, summary={}, **facts)
    return found


def refused(outcome: Any) -> str:
    """The one line that a command that failed printed."""
    assert (outcome.code, outcome.out) == (1, "")
    (line,) = outcome.err.splitlines()
    return str(line)


def make_older(store: Store) -> None:
    connection = sqlite3.connect(store.workspace / "anomalo.db")
    connection.execute("DROP TABLE workspace")
    connection.close()


@pytest.mark.parametrize("verb", ["score", "impute", "repair", "embed"])
def test_an_older_model_is_refused(verb: str, store: Store, tables: Path, anomalo: Callable[..., Any]) -> None:
    path = store.model("m").path / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": FORMAT - 1}))
    files = (tables / "patients.csv", "--with", "m", "-o", store.workspace.parent / "out.csv")
    line = refused(anomalo(verb, *files, "--workspace", store.workspace))
    assert f"it is of format {FORMAT - 1}, but anomalo" in line
    assert line.endswith("fit the model again")


@pytest.mark.parametrize("arguments", [("models",), ("runs",), ("fit", "{table}", "--as", "n", "--model", "mean")])
def test_an_older_workspace_is_refused(
    arguments: tuple[str, ...], store: Store, tables: Path, anomalo: Callable[..., Any]
) -> None:
    make_older(store)
    filled = [argument.format(table=tables / "patients.csv") for argument in arguments]
    line = refused(anomalo(*filled, "--workspace", store.workspace))
    assert f"{store.workspace}: a workspace of an older format" in line
    assert line.endswith("fit the models again and give another folder (--workspace DIR)")


def test_a_newer_workspace_asks_for_an_update(store: Store) -> None:
    connection = sqlite3.connect(store.workspace / "anomalo.db")
    connection.execute("UPDATE workspace SET format = format + 1")
    connection.commit()
    connection.close()
    for action in (store.models, store.runs, store.prepare):
        with pytest.raises(ArtefactError, match=r"of a newer format than .* reads; update anomalo, or give another"):
            action()


def test_an_older_workspace_stays_as_it_is(store: Store) -> None:
    make_older(store)
    before = (store.workspace / "anomalo.db").read_bytes()
    with pytest.raises(ArtefactError):
        store.prepare()
    assert (store.workspace / "anomalo.db").read_bytes() == before

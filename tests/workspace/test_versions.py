"""Tags move between versions, thresholds are saved and versions retired, and who did it when is kept."""

import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from anomalo.errors import UnknownModelError, UsageError
from anomalo.plugin import ModelState
from anomalo.workspace import artifacts
from anomalo.workspace.workspace import ModelRecord, Workspace


@pytest.fixture
def store(tmp_path: Path) -> Workspace:
    found = Workspace(tmp_path / "w")
    for _ in range(3):
        add(found)
    return found


def add(store: Workspace) -> ModelRecord:
    facts: dict[str, Any] = {"model": "knn", "plugin": "baselines", "source": "", "rows": 1, "columns": 1}
    return store.add_model(
        "m", lambda folder: artifacts.save(folder, {}, ModelState()), seconds=0.0, summary={}, **facts
    )


def moves(store: Workspace) -> list[tuple[str, int | None, int | None]]:
    return [(move.tag, move.before, move.after) for move in store.tag_moves("m")]


def test_every_move_is_kept_with_who_and_when(store: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANOMALO_USER", "ann")
    began = datetime.now(UTC) - timedelta(seconds=1)
    assert store.move_tag("m@1", "champion").before is None
    monkeypatch.setenv("ANOMALO_USER", "ben")
    promoted = store.move_tag("m@3", "champion")
    assert (promoted.before, promoted.after, promoted.who) == (1, 3, "ben")
    store.move_tag("m@1", "champion")
    assert store.model("m@champion").version == 1
    store.move_tag("m@1", "champion", remove=True)
    assert moves(store) == [("champion", None, 1), ("champion", 1, 3), ("champion", 3, 1), ("champion", 1, None)]
    assert [move.who for move in store.tag_moves("m")] == ["ann", "ben", "ben", "ben"]
    assert all(began <= datetime.fromisoformat(move.created) <= datetime.now(UTC) for move in store.tag_moves("m"))
    assert store.tag_moves("other") == []


def test_a_tag_that_is_there_already_is_no_move(store: Workspace) -> None:
    store.move_tag("m@2", "champion")
    again = store.move_tag("m@2", "champion")
    assert (again.before, again.after) == (2, 2)
    assert moves(store) == [("champion", None, 2)]


def test_a_tag_is_removed_from_the_version_that_has_it_only(store: Workspace) -> None:
    store.move_tag("m@2", "champion")
    with pytest.raises(UsageError, match="m@1 has no tag 'champion': m@2 has it"):
        store.move_tag("m@1", "champion", remove=True)
    with pytest.raises(UsageError, match="m@1 has no tag 'live': no version has it"):
        store.move_tag("m@1", "live", remove=True)
    assert moves(store) == [("champion", None, 2)]


def test_without_a_name_in_the_environment_the_systems_user_is_named(
    store: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANOMALO_USER", raising=False)
    monkeypatch.setattr("getpass.getuser", lambda: "carla")
    assert store.move_tag("m@1", "a").who == "carla"
    monkeypatch.setattr("getpass.getuser", lambda: (_ for _ in ()).throw(OSError("no such user")))
    assert store.move_tag("m@1", "b").who.startswith("user ")


def test_a_version_that_was_removed_meanwhile_gets_no_tag(store: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    record = store.model("m@2")
    store.remove([record])
    monkeypatch.setattr(store, "model", lambda reference: record)
    with pytest.raises(UnknownModelError, match="m@2 was removed meanwhile"):
        store.move_tag("m@2", "champion")
    assert moves(store) == []


def test_two_processes_that_tag_at_once_leave_a_chain_without_a_gap(store: Workspace) -> None:
    script = """
import pathlib, sys
from anomalo.workspace.workspace import Workspace
store = Workspace(pathlib.Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for turn in range(15):
    store.move_tag(f"m@{1 + (turn + int(sys.argv[2])) % 3}", "champion")
"""
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    command = [sys.executable, "-W", "error", "-c", script, str(store.workspace)]
    workers = [subprocess.Popen([*command, str(number)], text=True, **pipes) for number in range(2)]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("\n")
        worker.stdin.flush()
    assert [worker.communicate()[1] for worker in workers] == ["", ""]
    chain = moves(store)
    assert [before for _, before, _ in chain] == [None, *[after for _, _, after in chain[:-1]]]
    assert store.model("m@champion").version == chain[-1][2]
    with sqlite3.connect(store.workspace / "anomalo.db") as connection:
        assert connection.execute("SELECT count(*) FROM tags").fetchone() == (1,)
    connection.close()


def test_a_threshold_is_kept_by_who_saved_it_and_goes_to_the_next_version(
    store: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANOMALO_USER", "ann")
    saved = store.versions.save_threshold(store.model("m@2"), "fdr=0.1")
    assert (saved.before, saved.after) == ("", "fdr=0.1")
    assert [record.threshold for record in store.models("m")] == ["", "fdr=0.1", ""]
    store.versions.save_threshold(store.model("m@2"), "fdr=0.1")
    assert store.versions.save_threshold(store.model("m@2"), "").before == "fdr=0.1"
    assert [(line.who, line.subject, line.details) for line in store.activity() if line.action == "threshold"] == [
        ("ann", "m@2", "fdr=0.1 removed"),
        ("ann", "m@2", "fdr=0.1"),
    ]
    store.versions.save_threshold(store.model("m@3"), "budget=5")
    assert (add(store).threshold, add(store).threshold) == ("budget=5", "budget=5")
    store.versions.save_threshold(store.model("m@5"), "")
    assert add(store).threshold == ""


def test_a_retired_version_is_the_latest_only_if_it_is_named(store: Workspace) -> None:
    store.versions.save_threshold(store.model("m@3"), "budget=5")
    store.versions.retire(store.model("m@3"))
    assert store.model("m").version == 2
    assert store.model("m@3").retired
    assert add(store).threshold == "", "it begins as the latest version that is in use does"
    store.versions.retire(store.model("m@4"))
    with pytest.raises(UsageError, match="m@3 is retired; `anomalo retire m@3 --undo`, then tag it"):
        store.move_tag("m@3", "champion")
    with pytest.raises(UsageError, match="m@3 is retired already, since 20"):
        store.versions.retire(store.model("m@3"))
    store.versions.restore(store.model("m@3"))
    with pytest.raises(UsageError, match="m@3 is not retired"):
        store.versions.restore(store.model("m@3"))
    assert (store.model("m").version, store.model("m").threshold) == (3, "budget=5")
    lines = [(line.subject, line.details) for line in store.activity() if line.action == "retire"]
    assert lines == [("m@3", "undone"), ("m@4", ""), ("m@3", "")]


def test_a_version_with_a_tag_is_not_retired_and_all_may_be(store: Workspace) -> None:
    store.move_tag("m@2", "champion")
    with pytest.raises(UsageError, match="m@2 is in use: it is tagged 'champion'"):
        store.versions.retire(store.model("m@2"))
    store.move_tag("m@2", "champion", remove=True)
    for version in (1, 2, 3):
        store.versions.retire(store.model(f"m@{version}"))
    with pytest.raises(UnknownModelError, match="all versions of 'm' are retired; name one, such as m@3"):
        store.model("m")
    gone = store.model("m@1")
    store.remove([gone])
    for change in (store.versions.retire, store.versions.restore):
        with pytest.raises(UnknownModelError, match="m@1 was removed meanwhile"):
            change(gone)

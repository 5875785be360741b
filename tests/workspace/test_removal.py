"""What is removed is hidden at once, its number is never another's, and a killed removal leaves no broken list."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from anomalo.errors import OutputError, UnknownModelError, UsageError
from anomalo.plugin import ModelState
from anomalo.workspace import artifacts, removal
from anomalo.workspace.workspace import ModelRecord, RunRecord, Workspace

FACTS: dict[str, Any] = {"model": "knn", "plugin": "baselines", "source": "", "rows": 1, "columns": 1}


def add(store: Workspace, name: str = "m") -> ModelRecord:
    return store.add_model(
        name, lambda folder: artifacts.save(folder, {}, ModelState()), seconds=0.0, summary={"secret": 1}, **FACTS
    )


def add_run(store: Workspace) -> RunRecord:
    return store.add_run(
        "score", lambda folder: {"written": (folder / "a").write_text("a")}, model=add(store), source="", seconds=0.0
    )


@pytest.fixture
def store(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "w")


def test_the_number_of_what_was_removed_is_not_given_again(store: Workspace) -> None:
    first, last, run = add(store), add(store), add_run(store)
    store.remove([last, store.model("m@3")])
    assert store.models() == [first]
    assert add(store).version == 4
    store.remove([run])
    assert store.runs() == []
    assert add_run(store).id == "0002-score"
    assert not last.path.exists()
    assert not run.path.exists()


def test_a_removed_entry_keeps_no_facts(store: Workspace) -> None:
    store.remove([add(store)])
    assert b"secret" not in (store.workspace / "anomalo.db").read_bytes()


def test_what_analysts_said_of_a_removed_run_is_removed(store: Workspace) -> None:
    first, second = add_run(store), add_run(store)
    for run in (first, second):
        store.reviews.change(run.id, [1], "ann", state="fixed", comment="private")
    store.remove([first])
    assert store.reviews.changes(first.id) == []
    assert len(store.reviews.changes(second.id)) == 2


def test_the_last_version_takes_the_models_folder_away(store: Workspace) -> None:
    add(store), add(store, "other")
    store.remove(store.models("m"))
    assert [path.name for path in (store.workspace / "models").iterdir()] == ["other"]


def test_all_or_none_are_removed_if_one_has_a_tag(store: Workspace) -> None:
    records = [add(store), add(store)]
    store.tag("m@2", "champion")
    with pytest.raises(UsageError, match="m@2 is in use: it is tagged 'champion'"):
        store.remove(records)
    assert [record.version for record in store.models()] == [1, 2]
    assert all(record.path.is_dir() for record in records)


def test_to_remove_twice_is_no_error(store: Workspace) -> None:
    record = add(store)
    store.remove([record])
    store.remove([record])
    assert store.models() == []


def test_a_removed_version_is_not_fitted_further(store: Workspace) -> None:
    record = add(store)
    store.remove([record])
    with pytest.raises(UnknownModelError, match="m@1 was removed while it was fitted further"):
        store.extend_model(record, lambda folder: artifacts.save(folder, {}, ModelState()), seconds=1.0, summary={})
    assert list((store.workspace / "models").glob("m/*")) == []


@pytest.mark.parametrize("moment", ["before the folder", "within the folder"])
def test_a_killed_removal_leaves_a_whole_list_and_the_next_one_finishes_it(store: Workspace, moment: str) -> None:
    kept, run, old = add(store), add_run(store), add(store, "old")
    script = f"""
import os, pathlib, shutil, sys
from anomalo.workspace import removal
from anomalo.workspace.workspace import Workspace
def killed(folder, *_, **__):
    if {moment == "within the folder"}:
        next(path for path in pathlib.Path(folder).iterdir()).unlink()
    os._exit(9)
shutil.rmtree = killed
store = Workspace(pathlib.Path(sys.argv[1]))
store.remove([store.run("0001-score"), store.model("m@2")])
"""
    assert subprocess.run([sys.executable, "-c", script, str(store.workspace)], check=False).returncode == 9
    assert store.runs() == []
    assert store.models() == [kept, old]
    assert run.path.exists()
    assert artifacts.load(kept.path)
    assert add(store).version == 3
    store.remove([old])
    assert not run.path.exists()
    assert not (store.workspace / "models" / "m" / "2").exists()
    assert [record.reference for record in store.models()] == ["m@1", "m@3"]


def test_a_folder_that_cannot_be_removed_is_an_output_error_and_is_removed_later(
    store: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = add(store)

    def refuse(folder: Path) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", refuse)
        with pytest.raises(OutputError, match=r"cannot remove .*: Permission denied; it is in no list any more"):
            store.remove([record])
    assert store.models() == []
    assert record.path.exists()
    removal.sweep(store._database, store.workspace)
    assert not record.path.exists()


def test_a_run_that_is_being_written_is_no_run_yet(store: Workspace) -> None:
    def look(folder: Path) -> dict[str, Any]:
        with pytest.raises(UsageError, match="run 0001-score is not complete: a job is writing it"):
            store.run("0001-score")
        return {}

    store.add_run("score", look, model=None, source="")
    assert store.run("0001-score")


def test_a_link_in_place_of_a_folder_is_not_followed(store: Workspace, tmp_path: Path) -> None:
    record, precious = add(store), tmp_path / "precious"
    precious.mkdir()
    (precious / "file").touch()
    shutil.rmtree(record.path)
    os.symlink(precious, record.path)
    store.remove([record])
    assert not os.path.lexists(record.path)
    assert (precious / "file").exists()

"""What is in use is refused, with what uses it; what is removed is named with its size before."""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from anomalo.errors import UsageError
from anomalo.jobs.background import queue
from anomalo.jobs.background.state import COMMAND, JOB, WORKER, State, held, write
from anomalo.jobs.keeping.remove import remove_jobs, remove_models, remove_old_runs, remove_runs, size
from anomalo.persistence.resume import resumable_state
from anomalo.plugin import ModelState
from anomalo.workspace import artifacts
from anomalo.workspace.workspace import ModelRecord, Workspace

FACTS: dict[str, Any] = {"model": "knn", "plugin": "baselines", "source": "", "rows": 1, "columns": 1}


def add(store: Workspace, name: str = "m") -> ModelRecord:
    return store.add_model(
        name, lambda folder: artifacts.save(folder, {}, ModelState()), seconds=0.0, summary={}, **FACTS
    )


def add_run(store: Workspace, model: ModelRecord | None = None) -> str:
    def fill(folder: Path) -> dict[str, Any]:
        (folder / "inner").mkdir()
        (folder / "inner" / "scores").write_bytes(b"x" * 1000)
        return {}

    return store.add_run("score", fill, model=model, source="").id


def dated(store: Workspace, identity: str, age: timedelta) -> None:
    connection = sqlite3.connect(store.workspace / "anomalo.db")
    created = (datetime.now(UTC) - age).isoformat(timespec="seconds")
    connection.execute("UPDATE runs SET created = ? WHERE id = ?", (created, identity))
    connection.commit()
    connection.close()


def lay_out(home: Path, identity: str, commands: list[list[str]], state: State) -> Path:
    """Make a job's folder as its worker left it."""
    folder = home / "jobs" / identity
    folder.mkdir(parents=True)
    (folder / WORKER).touch()
    state.save(folder)
    write(folder / JOB, {"title": "", "commands": commands, "created": "2026-01-01T00:00:00+00:00", "cwd": "/"})
    return folder


def killed(store: Workspace, name: str, task: dict[str, Any]) -> Path:
    """Make what a job leaves that was killed."""
    folder = store.workspace / "unfinished" / name
    with suppress(KeyboardInterrupt), resumable_state(folder, task, resume=False) as state:
        state.save("part", {}, {})
        raise KeyboardInterrupt
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Workspace:
    found = Workspace(tmp_path / "w")
    add(found), add(found)
    return found


def test_a_model_by_its_name_means_all_versions(store: Workspace) -> None:
    add(store, "other")
    removal = remove_models(store, ["m", "m@1"])
    assert [item.name for item in removal.items] == ["m@1", "m@2"]
    assert removal.bytes == sum(size(record.path) for record in store.models("m")) > 0
    assert len(store.models()) == 3
    removal.remove()
    assert [record.reference for record in store.models()] == ["other@1"]


@pytest.mark.parametrize("reference", ["m", "m@1", "m@champion"])
def test_a_tagged_version_is_in_use(store: Workspace, reference: str) -> None:
    store.tag("m@1", "champion")
    with pytest.raises(UsageError, match="m@1 is in use: it is tagged 'champion'"):
        remove_models(store, ["m@2", reference])
    assert len(store.models()) == 2


@pytest.mark.parametrize(
    "task",
    [{"model": {"reference": "m@1"}}, {"model": "linear", "initial": "m@1"}, {"shadow": {"reference": "m@1"}}],
)
def test_a_version_that_an_unfinished_job_has_is_in_use(store: Workspace, task: dict[str, Any]) -> None:
    killed(store, "score-1", task)
    with pytest.raises(UsageError, match=r"m@1 is in use: score-1 is running, or can be resumed; .*rm job score-1"):
        remove_models(store, ["m"])
    remove_models(store, ["m@2"]).remove()
    remove_jobs(store, ["score-1"]).remove()
    remove_models(store, ["m@1"]).remove()
    assert store.models() == []


@pytest.mark.parametrize("option", ["--with", "--from", "--shadow"])
def test_a_version_that_a_running_job_names_is_in_use(store: Workspace, option: str) -> None:
    folder = lay_out(store.workspace, "0001-score", [["fit"], ["score", "a.csv", option, "m"]], State())
    with held(folder / WORKER), pytest.raises(UsageError, match="m@2 is in use: the job 0001-score is running"):
        remove_models(store, ["m@2"])
    remove_models(store, ["m@2"])  # it died


def test_runs_of_a_removed_model_stay_and_are_noted(store: Workspace) -> None:
    run = add_run(store, store.model("m@1"))
    removal = remove_models(store, ["m@1"])
    assert removal.items[0].note == "1 run of it stays readable"
    removal.remove()
    assert store.run(run).model == "m@1"


def test_runs_by_id(store: Workspace) -> None:
    first, second = add_run(store), add_run(store)
    removal = remove_runs(store, [second, second])
    assert [(item.name, item.bytes) for item in removal.items] == [(second, 1000)]
    removal.remove()
    assert [run.id for run in store.runs()] == [first]
    for wrong in ("../models", "/etc", "", "0009-score", second):
        with pytest.raises(UsageError, match="no run is named"):
            remove_runs(store, [wrong])


def test_retention_removes_old_runs_but_keeps_the_newest(store: Workspace) -> None:
    ids = [add_run(store) for _ in range(5)]
    for identity, days in zip(ids, (90, 31, 29, 45, 0), strict=True):
        dated(store, identity, timedelta(days=days))

    def found(age: timedelta | None, keep: int = 0) -> list[str]:
        return [item.name for item in remove_old_runs(store, age, keep).items]

    assert found(timedelta(days=30)) == [ids[0], ids[1], ids[3]]
    assert found(timedelta(days=30), keep=2) == [ids[0], ids[1]]
    assert found(None, keep=4) == [ids[0]]
    assert found(timedelta(days=30), keep=9) == []
    remove_old_runs(store, timedelta(days=30)).remove()
    assert [run.id for run in store.runs()] == [ids[2], ids[4]]


def test_an_interrupted_job_is_removed_with_the_run_that_it_was_storing(store: Workspace) -> None:
    script = """
import os, pathlib, sys
from anomalo.persistence.resume import resumable_state
from anomalo.workspace.workspace import Workspace
store = Workspace(pathlib.Path(sys.argv[1]))
with resumable_state(store.workspace / "unfinished" / "score-1", {}, resume=False) as job:
    store.add_run("score", lambda folder: os._exit(9), model=None, source="", job=job)
"""
    assert subprocess.run([sys.executable, "-c", script, str(store.workspace)], check=False).returncode == 9
    with pytest.raises(UsageError, match="0001-score is not complete"):
        store.run("0001-score")
    removal = remove_jobs(store, ["score-1"])
    assert removal.bytes > 0
    removal.remove()
    assert list((store.workspace / "unfinished").iterdir()) == []
    assert list((store.workspace / "runs").glob("[0-9]*")) == []
    with pytest.raises(UsageError, match="no run is named '0001-score'"):
        store.run("0001-score")


def test_a_running_job_is_refused(store: Workspace) -> None:
    running = resumable_state(store.workspace / "unfinished" / "fit-m", {}, resume=False)
    with running, pytest.raises(UsageError, match="fit-m is already running in another process"):
        remove_jobs(store, ["fit-m"])
    folder = lay_out(store.workspace, "0001-score", [["score"]], State())
    with held(folder / WORKER), pytest.raises(UsageError, match="job 0001-score is running"):
        remove_jobs(store, ["0001-score"])
    with held(folder / COMMAND), pytest.raises(UsageError, match="job 0001-score is running"):
        remove_jobs(store, ["0001-score"])
    assert [job.id for job in queue.jobs(store.workspace)] == ["0001-score"]


def test_a_job_in_the_background_that_has_ended_is_removed(store: Workspace) -> None:
    home = store.workspace
    lay_out(home, "0001-fit", [["fit"]], State("done"))
    lay_out(home, "0002-score", [["score"]], State("failed"))
    half = lay_out(home, "0003-score", [["score"]], State("failed"))
    (half / JOB).unlink()  # as a removal leaves it that was killed
    removal = remove_jobs(store, ["0001-fit"])
    assert [(item.name, item.note) for item in removal.items] == [("0001-fit", "done")]
    removal.remove()
    assert sorted(path.name for path in (home / "jobs").iterdir() if path.is_dir()) == ["0002-score"]
    assert [job.id for job in queue.jobs(home)] == ["0002-score"]


@pytest.mark.parametrize("name", ["../models", "..", "", "/", "fit-x/../..", "anomalo.db", "0001"])
def test_the_name_of_a_job_does_not_leave_its_folder(store: Workspace, name: str) -> None:
    killed(store, "fit-x", {})
    with pytest.raises(UsageError, match=r"no job is named .* there are: fit-x"):
        remove_jobs(store, [name])
    assert len(store.models()) == 2


def test_a_model_is_not_removed_while_another_process_scores_with_it(
    tables: Path, untouched: Path, tmp_path: Path, anomalo: Callable[..., Any]
) -> None:
    """The scoring process has the model and waits before it scores."""
    home, rows = tmp_path / "home", len((tables / "patients.csv").read_text().splitlines()) - 1
    shutil.copytree(untouched, home)
    store = Workspace(home)
    record = store.model("near")
    script = """
import pathlib, sys
from anomalo.jobs.scoring import score as module
from anomalo.jobs.context import JobContext
write = module._Job.write
def slow(job, folder):
    print("scores", flush=True)
    sys.stdin.readline()
    return write(job, folder)
module._Job.write = slow
run = module.score(JobContext.at(pathlib.Path(sys.argv[1])), sys.argv[2], "near", device="cpu").run
print(run.summary["rows"])
"""
    command = [sys.executable, "-c", script, str(home), str(tables / "patients.csv")]
    worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None
    assert worker.stdin is not None
    assert worker.stdout.readline() == "scores\n"
    outcome = anomalo("rm", "model", "near", "--yes", "--workspace", home)
    assert (outcome.code, len(outcome.err.splitlines())) == (2, 1)
    assert "near@1 is in use: score-" in outcome.err
    worker.stdin.write("\n")
    worker.stdin.flush()
    assert worker.communicate()[0] == f"{rows}\n"
    assert anomalo("rm", "model", "near", "--yes", "--workspace", home).code == 0
    assert (store.models("near"), [run.model for run in store.runs()]) == ([], ["near@1"])
    assert not record.path.exists()

"""A background job continues after its caller ends, and its status can be read at any time."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import pytest

from anomalo.errors import AnomaloError, OutputError, UsageError
from anomalo.jobs.background.queue import Job, ask, job, jobs, resume, start, stop
from anomalo.jobs.background.state import COMMAND, JOB, WORKER, held, is_held
from anomalo.workspace import authorship
from anomalo.workspace.workspace import Workspace

VERBS = """
import json, os, signal, sys, time
from pathlib import Path
from typing import Annotated
import typer

Json = Annotated[bool, typer.Option("--json")]
LogJson = Annotated[bool, typer.Option("--log-json")]

def say(level, message, **facts):
    print(json.dumps({"level": level, "message": message, **facts}), file=sys.stderr, flush=True)

def hold(begun: Path, go: Path, as_json: Json = False, log_json: LogJson = False):
    "Is at work from when it writes one file until there is another."
    with begun.open("a", buffering=1) as file:
        print("begins", file=file)
        try:
            while not go.exists():
                say("progress", "holding", share=0.25, seconds_left=500)
                time.sleep(0.02)
        except BrokenPipeError:  # the worker is gone; this takes a moment to clean up
            time.sleep(1.0)
            raise
        finally:
            print("ends", file=file)
    print(json.dumps({"held": True}))

def perish(as_json: Json = False, log_json: LogJson = False):
    "Ends as where memory is short."
    for line in ("a plugin says something", "[1, 2]", "7", '{"level": "progress", "message": 1, "share": "x"}'):
        print(line, file=sys.stderr)
    say("warning", "it is getting dark")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def verbs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install a plugin with the verbs `hold` and `perish`, for other processes."""
    site = tmp_path / "site"
    info = site / "waiting-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "waiting_verbs.py").write_text(VERBS)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: waiting\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[anomalo.commands]\nhold = waiting_verbs:hold\nperish = waiting_verbs:perish\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(site))
    yield
    (tmp_path / "go").touch()  # nothing is left at work, also where a test failed


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands start without torch."""
    monkeypatch.setenv("ANOMALO_DISABLE_PLUGINS", "autoencoders,boltzmann,diffusion,gan")


def until(true: Callable[[], Any]) -> None:
    while not true():
        time.sleep(0.02)


def at_end(workspace: Path, identity: str) -> Job:
    """Ask again and again; a job that is not killed never looks as if it had been."""
    until(lambda: job(workspace, identity).status != "running")
    return job(workspace, identity)


def worker(found: Job) -> int:
    return int((found.path / WORKER).read_text())


@pytest.fixture
def holding(verbs: None, tmp_path: Path) -> Job:
    """A job whose first command is running; a second one follows once there is a file `go`."""
    hold = ("hold", str(tmp_path / "begun"), str(tmp_path / "go"))
    begun = start(tmp_path / "w", "hold on", [hold, ("plugins", "--no-import")])
    until((tmp_path / "begun").exists)
    return begun


@pytest.mark.slow
def test_commands_run_one_after_the_other_and_report_their_results(quick: None, tables: Path, tmp_path: Path) -> None:
    workspace = tmp_path / "new" / "w"
    fit = ("fit", "{job}/my table.csv", "--as", "m", "--model", "knn", "--id", "name", "--label", "sick")
    score = ("score", "{job}/my table.csv", "--with", "m", "-o", "{job}/out.csv", "--threshold", "budget=3")
    commands = [fit, (*score, "--fail-over", "1"), ("models", "m")]
    begun = start(workspace, "Anomalous patients", commands, {"my table.csv": (tables / "patients.csv").read_bytes()})
    assert (begun.id, begun.title, begun.status, begun.step, begun.exit_code) == (
        "0001-fit",
        "Anomalous patients",
        "running",
        0,
        None,
    )
    assert begun.created.endswith("+00:00")
    found = at_end(workspace, begun.id)
    assert (found.status, found.step, found.share, found.message) == ("done", 2, 1.0, "")
    assert found.commands[0][1] == str(workspace / "jobs" / "0001-fit" / "my table.csv")
    fitted, scored, listed = found.results
    assert fitted["reference"] == listed["reference"] == "m@1"
    assert scored["summary"]["alerts"] == 3
    assert len((found.path / "out.csv").read_text().splitlines()) == 241
    assert found.exit_code == 3  # the gate was hit, which is no failure
    assert [text for text in found.warnings if "more than --fail-over 1" in text]
    assert "$ anomalo fit" in (found.path / "log.txt").read_text()
    assert jobs(workspace) == [found]
    assert found.seconds == job(workspace, found.id).seconds > 0


@pytest.mark.slow
def test_a_command_that_fails_ends_the_job_which_can_go_on_from_there(
    quick: None, tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fit = ("fit", "late.csv", "--as", "m", "--model", "mean", "--drop", "name")
    begun = start(tmp_path / "w", "too early", [("plugins", "--no-import"), fit, ("models", "m")])
    found = at_end(tmp_path / "w", begun.id)
    assert (found.status, found.step, found.exit_code) == ("failed", 1, 1)
    assert found.message == "no such file: late.csv"
    assert len(found.results) == 1
    (tmp_path / "late.csv").write_bytes((tables / "patients.csv").read_bytes())
    monkeypatch.chdir(tables)  # the table is still looked for where it was
    assert resume(tmp_path / "w", begun.id).status == "running"
    after = at_end(tmp_path / "w", begun.id)
    assert (after.status, after.step, after.exit_code, after.message) == ("done", 2, 0, "")
    assert after.results[0] == found.results[0]
    assert after.results[1]["reference"] == "m@1"
    assert after.commands == (found.commands[0], (*fit, "--resume"), found.commands[2])
    assert after.seconds > found.seconds
    with pytest.raises(UsageError, match=r"0001-plugins is done; expected one that is failed or stopped or died"):
        resume(tmp_path / "w", begun.id)
    with pytest.raises(UsageError, match="0001-plugins is done; expected one that is running"):
        stop(tmp_path / "w", begun.id)


@pytest.mark.slow
def test_a_fit_can_be_stopped_and_is_resumed_with_one_option(tables: Path, tmp_path: Path) -> None:
    fit = ("fit", str(tables / "patients.csv"), "--as", "m", "--model", "linear", "--threads", "1")
    settings = ("--set", "epochs=100000", "--set", "patience=100000", "--checkpoint-every", "0")
    begun = start(tmp_path, "long", [(*fit, *settings)])
    until(lambda: "loss " in job(tmp_path, begun.id).text)
    stop(tmp_path, begun.id)
    found = at_end(tmp_path, begun.id)
    assert (found.status, found.exit_code, found.results) == ("stopped", 5, ())
    assert "run the command again with --resume to continue" in found.message
    assert not (tmp_path / "models" / "m").exists()
    for _ in range(2):
        again = resume(tmp_path, begun.id)
        assert (again.status, again.share, again.message) == ("running", 0.0, "")
        assert again.commands[0].count("--resume") == 1
        stop(tmp_path, begun.id)
        assert at_end(tmp_path, begun.id).status == "stopped"


def test_a_job_works_for_who_started_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Workspace(tmp_path)
    facts: dict[str, Any] = {"model": "knn", "plugin": "baselines", "source": "", "rows": 1, "columns": 1}
    store.add_model("m", lambda folder: folder.mkdir(parents=True), seconds=0.0, summary={}, **facts)
    monkeypatch.setattr(authorship, "_source", lambda: "ann")
    begun = start(tmp_path, "promote", [("tag", "m@1", "champion")])
    assert at_end(tmp_path, begun.id).who == begun.who == "ann"
    assert job(tmp_path, begun.id).status == "done"
    asked = json.loads((begun.path / JOB).read_text())
    (begun.path / JOB).write_text(json.dumps({name: value for name, value in asked.items() if name != "who"}))
    assert job(tmp_path, begun.id).who == ""  # of a job that an older version began
    assert [move.who for move in store.tag_moves("m")] == ["ann"]


@pytest.mark.slow
def test_what_is_at_work_can_be_seen_and_listed(holding: Job, tmp_path: Path) -> None:
    until(lambda: job(tmp_path / "w", holding.id).text)
    now = job(tmp_path / "w", holding.id)
    assert (now.status, now.step, now.share, now.text) == ("running", 0, 0.25, "holding")
    assert 400 < (now.left or 0) <= 500
    until(lambda: job(tmp_path / "w", holding.id).seconds > now.seconds)
    second = start(tmp_path / "w", "beside it", [("plugins", "--no-import")])
    assert [found.id for found in jobs(tmp_path / "w")] == ["0002-plugins", "0001-hold"]
    assert at_end(tmp_path / "w", second.id).status == "done"
    (tmp_path / "go").touch()
    found = at_end(tmp_path / "w", holding.id)
    assert (found.status, found.results[0]) == ("done", {"held": True})


@pytest.mark.slow
def test_a_worker_that_is_killed_has_died_and_its_command_ends_too(holding: Job, tmp_path: Path) -> None:
    os.kill(worker(holding), signal.SIGKILL)
    until(lambda: not is_held(holding.path / WORKER))
    found = job(tmp_path / "w", holding.id)
    assert (found.status, found.step, found.exit_code) == ("died", 0, None)
    assert "is gone: it was killed" in found.message
    assert found.seconds == job(tmp_path / "w", holding.id).seconds
    resume(tmp_path / "w", holding.id)
    until(lambda: (tmp_path / "begun").read_text().split() == ["begins", "ends", "begins"])
    (tmp_path / "go").touch()
    assert at_end(tmp_path / "w", holding.id).status == "done"


def test_a_stopped_command_has_ended_and_what_follows_was_not_begun(holding: Job, tmp_path: Path) -> None:
    stop(tmp_path / "w", holding.id)
    found = at_end(tmp_path / "w", holding.id)
    assert (found.status, found.step, found.exit_code, found.results) == ("stopped", 0, 5, ())
    assert found.message.startswith("interrupted; no partial output was left")
    assert (tmp_path / "begun").read_text().split() == ["begins", "ends"]
    (tmp_path / "go").touch()
    resume(tmp_path / "w", holding.id)
    assert at_end(tmp_path / "w", holding.id).status == "done"


@pytest.mark.slow
def test_a_resumed_job_that_still_waits_for_its_old_command_can_be_stopped(holding: Job, tmp_path: Path) -> None:
    stop(tmp_path / "w", holding.id)
    assert at_end(tmp_path / "w", holding.id).status == "stopped"
    with held(holding.path / COMMAND):  # as a command does whose worker was killed
        resume(tmp_path / "w", holding.id)
        time.sleep(0.5)
        stop(tmp_path / "w", holding.id)
        assert job(tmp_path / "w", holding.id).step == 0
    assert at_end(tmp_path / "w", holding.id).status == "stopped"
    assert (holding.path / "log.txt").read_text().count("$ anomalo hold") == 1


def test_sigterm_from_outside_stops_a_job(holding: Job, tmp_path: Path) -> None:
    os.kill(worker(holding), signal.SIGTERM)
    assert at_end(tmp_path / "w", holding.id).status == "stopped"


@pytest.mark.parametrize("after", [0.0, 0.1, 0.2, 0.3])
def test_a_job_is_stopped_also_while_it_is_being_started(verbs: None, tmp_path: Path, after: float) -> None:
    begun = start(tmp_path, "never mind", [("hold", str(tmp_path / "begun"), str(tmp_path / "go"))])
    time.sleep(after)
    stop(tmp_path, begun.id)
    assert at_end(tmp_path, begun.id).status == "stopped"


def test_a_job_outlives_who_started_it(verbs: None, tmp_path: Path) -> None:
    program = f"""
import os, signal
from pathlib import Path
from anomalo.jobs.background.queue import start
start(Path({str(tmp_path)!r}), "orphan", [("hold", {str(tmp_path / "begun")!r}, {str(tmp_path / "go")!r})])
os.killpg(0, signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", program], process_group=0, check=False)
    assert done.returncode == -signal.SIGKILL
    until((tmp_path / "begun").exists)
    assert job(tmp_path, "0001-hold").status == "running"
    (tmp_path / "go").touch()
    assert at_end(tmp_path, "0001-hold").results == ({"held": True},)


@pytest.mark.slow
def test_jobs_that_start_at_the_same_moment_have_different_ids(tmp_path: Path) -> None:
    def begin(number: int) -> str:
        return start(tmp_path, str(number), [("plugins", "--no-import")]).id

    (tmp_path / "jobs").mkdir()
    with ThreadPoolExecutor(4) as pool:
        with held(tmp_path / "jobs" / ".lock"):  # as if a fifth were being started
            waiting = [pool.submit(begin, number) for number in range(4)]
            assert not wait(waiting, timeout=0.2).done
        begun = sorted(started.result() for started in waiting)
    assert begun == [f"000{number}-plugins" for number in range(1, 5)]
    assert {at_end(tmp_path, identity).status for identity in begun} == {"done"}


def test_a_command_that_is_killed_says_so(verbs: None, tmp_path: Path) -> None:
    found = at_end(tmp_path, start(tmp_path, "dark", [("perish",), ("plugins",)]).id)
    assert (found.status, found.step, found.exit_code) == ("failed", 0, -9)
    assert found.message == "the command was killed by signal 9; the machine may be out of memory"
    assert found.warnings == ("it is getting dark",)
    assert "a plugin says something" in (found.path / "log.txt").read_text()


@pytest.mark.slow
def test_a_file_in_the_working_folder_stands_in_for_no_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "json.py").write_text("raise RuntimeError('imported')\n")
    monkeypatch.chdir(tmp_path)
    assert ask("plugins", "--no-import")["plugins"]
    assert at_end(tmp_path, start(tmp_path, "safe", [("plugins", "--no-import")]).id).status == "done"


@pytest.mark.slow
def test_jobs_that_do_not_exist(tmp_path: Path) -> None:
    workspace = tmp_path / "none"
    assert jobs(workspace) == []
    for call in (job, stop, resume):
        with pytest.raises(UsageError, match="no job is named '0001-fit'; the latest are: none in"):
            call(workspace, "0001-fit")
    assert not workspace.exists()
    found = at_end(workspace, start(workspace, "", [("plugins", "--no-import")]).id)
    (tmp_path / "0001-plugins").symlink_to(found.path)
    for identity in ("", "..", "../../0001-plugins", str(found.path / "x"), "0001-plugin"):
        with pytest.raises(UsageError, match="the latest are: 0001-plugins"):
            job(workspace, identity)
    (found.path / "state.json").write_text("{")
    (workspace / "jobs" / "0002-begun").mkdir()  # as a start that was killed leaves it
    (workspace / "jobs" / "notes").touch()
    assert jobs(workspace) == []
    assert start(workspace, "", [("plugins", "--no-import")]).id == "0003-plugins"
    assert at_end(workspace, "0003-plugins").status == "done"


def test_what_cannot_be_started(tmp_path: Path) -> None:
    for commands in ([], [()], [("fit", "a"), ("../fit",)]):
        with pytest.raises(UsageError, match=r"got the commands .*; expected one or more, each beginning with a verb"):
            start(tmp_path / "w", "", commands)
    for name in ("", "..", "a/b.csv", "job.json"):
        with pytest.raises(UsageError, match=r"cannot be the name of a job's file; give a plain name, such as"):
            start(tmp_path / "w", "", [("models",)], {name: b""})
    assert not (tmp_path / "w").exists()
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"):
        start(tmp_path / "file", "", [("models",)])
    with pytest.raises(OutputError, match="File name too long"):
        start(tmp_path / "w", "", [("models",)], {"x" * 300: b""})
    assert jobs(tmp_path / "w") == []


@pytest.mark.slow
def test_ask_returns_what_a_command_prints_or_raises_what_it_says(tmp_path: Path) -> None:
    assert ask("runs", workspace=tmp_path / "none") == {"runs": []}
    with pytest.raises(AnomaloError, match=r"^cannot read absent\.toml: No such file") as caught:
        ask("fit", "absent.csv", "--as", "m", "--schema", "absent.toml", workspace=tmp_path)
    assert caught.value.exit_code == 1
    with pytest.raises(AnomaloError, match="No such command 'modles'") as caught:
        ask("modles")
    assert caught.value.exit_code == 2


def test_the_state_is_whole_json_at_every_moment(holding: Job, tmp_path: Path) -> None:
    for _ in range(300):
        assert json.loads((holding.path / "state.json").read_text())["status"] == "running"
    (tmp_path / "go").touch()
    assert at_end(tmp_path / "w", holding.id).status == "done"

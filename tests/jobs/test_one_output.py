"""Two jobs at once on one output: the file is from one of them, whole, and the other one is refused."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from anomalo.persistence.exclusive import exclusive
from tests.conftest import Call

SLOW = """
import sys, time
from pathlib import Path
from anomalo.jobs.scoring import score as scoring
from anomalo.cli.app import main

write, started = scoring._Job.write, Path(sys.argv.pop())

def slow(self, folder):
    started.touch()
    time.sleep(60)
    return write(self, folder)

scoring._Job.write = slow
main()
"""
"""A command that waits while it holds its output; its last argument is a file that says so."""


@pytest.fixture
def home(tmp_path: Path, untouched: Path, tables: Path) -> Path:
    shutil.copytree(untouched, tmp_path / "w")
    frame = pd.read_csv(tables / "patients.csv")
    for name, rows in (("a", 200), ("b", 100)):
        frame.head(rows).to_csv(tmp_path / f"{name}.csv", index=False)
    return tmp_path


def command(home: Path, source: str, workspace: str = "w") -> list[str]:
    where = ["-o", str(home / "out.csv"), "--workspace", str(home / workspace)]
    return ["score", str(home / source), "--with", "full", "--device", "cpu", *where]


@pytest.mark.slow
def test_another_job_on_the_same_output_is_refused(anomalo: Call, home: Path) -> None:
    shutil.copytree(home / "w", home / "v")
    started = home / "started"
    first = subprocess.Popen(
        [sys.executable, "-c", SLOW, *command(home, "a.csv"), str(started)], stderr=subprocess.PIPE, text=True
    )
    try:
        while not started.exists():
            assert first.poll() is None, first.stderr and first.stderr.read()
            time.sleep(0.05)
        for workspace in ("w", "v"):
            second = anomalo(*command(home, "b.csv", workspace))
            assert (second.code, second.out) == (1, "")
            assert second.err == (
                f"error: cannot write {home / 'out.csv'}: another job is writing it; wait for its end, or give another "
                "output\n"
            )
        same = anomalo(*command(home, "a.csv")[:4], "--workspace", home / "w")
        assert (same.code, "is already running in another process" in same.err) == (2, True)
        assert not (home / "out.csv").exists()
    finally:
        os.kill(first.pid, signal.SIGKILL)
        first.communicate()
    assert anomalo(*command(home, "b.csv")).code == 0, "a job that was killed holds nothing"
    assert len(pd.read_csv(home / "out.csv")) == 100
    assert not list(home.glob(".out*.lock"))


@pytest.mark.slow
def test_of_two_processes_one_writes_the_whole_file(home: Path) -> None:
    shutil.copytree(home / "w", home / "v")
    start = [sys.executable, "-m", "anomalo"]
    for _ in range(3):
        jobs = {
            rows: subprocess.Popen([*start, *command(home, *job), "--force"], stderr=subprocess.PIPE, text=True)
            for rows, job in ((200, ("a.csv", "w")), (100, ("b.csv", "v")))
        }
        ended = {rows: (job.communicate()[1], job.returncode) for rows, job in jobs.items()}
        done = [rows for rows, (_, code) in ended.items() if code == 0]
        assert done, ended
        assert len(pd.read_csv(home / "out.csv")) in done
        assert all("another job is writing it" in text for text, code in ended.values() if code)


@pytest.mark.parametrize("verb", ["augment", "clean", "impute", "repair", "embed"])
def test_every_verb_holds_its_output(anomalo: Call, home: Path, verb: str) -> None:
    where = ("-o", home / "out.csv", "--workspace", home / "w")
    if verb == "augment":
        fit = ("fit", home / "a.csv", "--as", "maker", "--model", "mixture", "--for", "sample")
        assert anomalo(*fit, "--workspace", home / "w").code == 0
    with exclusive(home / "out.csv"):
        table = () if verb == "augment" else (home / "a.csv",)
        options = {"augment": ("--with", "maker", "-n", 3), "clean": ()}.get(verb, ("--with", "full"))
        refused = anomalo(verb, *table, *options, *where)
    assert (refused.code, "another job is writing it" in refused.err) == (1, True), refused.err
    assert not (home / "out.csv").exists()

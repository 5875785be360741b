"""A command that is stopped leaves no partial output, and ends with the documented code."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest


def tree(*folders: Path) -> list[str]:
    """All that is in some folders but the database, and the two folders that a workspace has."""
    found = (path for folder in folders for path in folder.rglob("*"))
    return sorted(str(p) for p in found if not (p.name.startswith("anomalo.db") or p.name in ("models", "runs")))


def outside(paths: list[str]) -> list[str]:
    """Leave out what a job keeps to be resumed."""
    return [path for path in paths if "unfinished" not in path]


# A shell starts background jobs with SIGINT ignored, which children inherit: the child takes it back.
PROGRAM = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from anomalo.cli import main
main()
"""
# It stops itself when it begins to keep what is done: seen from outside, a quick machine may be done already.
STOPS_ITSELF = """
import os, signal, sys
def stop(event, arguments):
    if event == "os.rename" and "unfinished" in str(arguments[1]):
        os.kill(os.getpid(), signal.SIGTERM)
sys.addaudithook(stop)
"""


def start(*arguments: object, program: str = PROGRAM) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def require_stopped(process: subprocess.Popen[str]) -> None:
    out, err = process.communicate()
    assert process.returncode == 5, err
    assert out == ""
    assert err.splitlines()[-1].startswith("error: interrupted; no partial output was left")
    assert "Traceback" not in err


@pytest.mark.parametrize("number", [pytest.param(signal.SIGTERM, marks=pytest.mark.slow), signal.SIGINT])
def test_a_fit_that_is_stopped(tables: Path, tmp_path: Path, number: signal.Signals) -> None:
    folder = tmp_path / "w"
    endless = ("--model", "linear", "--set", "epochs=100000", "--set", "patience=100000", "--device", "cpu")
    process = start("fit", tables / "patients.csv", "--as", "m", *endless, "--workspace", folder)
    while not (folder / "anomalo.db").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    time.sleep(0.2)
    process.send_signal(number)
    require_stopped(process)
    assert outside(tree(folder)) == []
    assert tree(folder), "what is done is kept, to be resumed"


@pytest.mark.slow
def test_a_scoring_that_is_stopped(patients: pd.DataFrame, workspace: Path, tmp_path: Path) -> None:
    pd.concat([patients] * 100, ignore_index=True).to_csv(tmp_path / "long.csv", index=False)
    folder = shutil.copytree(workspace, tmp_path / "w")
    out = tmp_path / "out"
    out.mkdir()
    before = tree(folder)
    score = ("score", tmp_path / "long.csv", "--with", "full", "-o", out / "o.csv", "--workspace", folder)
    require_stopped(start(*score, "--device", "cpu", program=STOPS_ITSELF + PROGRAM))
    assert outside(tree(folder)) == outside(before)
    assert list(out.iterdir()) == []

"""`anomalo dashboard`: what it refuses, and that it serves this machine only and ends cleanly."""

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest


def test_a_taken_port_is_refused_in_one_line(anomalo: Any, tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        outcome = anomalo("dashboard", "--workspace", tmp_path, "--port", port)
    assert outcome.code == 2
    assert outcome.err.startswith(f"error: cannot listen on port {port} of 127.0.0.1: ")
    assert outcome.err.count("\n") == 1


def test_a_workspace_that_is_a_file_is_refused(anomalo: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    outcome = anomalo("dashboard", "--workspace", tmp_path / "file", "--port", 0)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "it is a file; give a folder" in outcome.err


def test_without_streamlit_the_extra_is_named(anomalo: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "streamlit" else found(name))
    outcome = anomalo("dashboard", "--workspace", tmp_path)
    assert outcome.code == 1
    assert "pip install 'anomalo-engine[dashboard]'" in outcome.err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_this_machine_until_it_is_stopped(number: int, tmp_path: Path) -> None:
    workspace = tmp_path / "absent"
    command = [sys.executable, "-m", "anomalo", "dashboard", "--workspace", str(workspace), "--port", "0"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        # A shell without job control hands an ignored SIGINT down.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler) and None,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    address = line.split()[4]
    assert address.startswith("http://127.0.0.1:")
    assert healthy(address)
    process.send_signal(number)
    said = process.communicate()[0]
    assert process.returncode == 0, said
    assert "Traceback" not in said
    assert not workspace.exists()


def healthy(address: str) -> bool:
    while True:
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health") as answer:
                return bool(answer.read() == b"ok")
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)

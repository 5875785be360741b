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
    address, token = line.split()[4].split("/?token=")
    assert address.startswith("http://127.0.0.1:")
    assert healthy(address, token)
    assert_guarded(address, token)
    process.send_signal(number)
    said = process.communicate()[0]
    assert process.returncode == 0, said
    assert "Traceback" not in said
    assert not workspace.exists()


def assert_guarded(address: str, token: str) -> None:
    """Attack the server itself: a foreign name, a foreign page, and nobody's cookie."""
    port = int(address.rpartition(":")[2])
    good = {"Host": f"127.0.0.1:{port}", "Cookie": f"anomalo-{port}={token}"}
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    upgrade |= {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    assert status(port, "/_stcore/stream", good | upgrade | {"Origin": address}) == 101
    for path, extra in [("/", {}), ("/_stcore/health", {}), ("/_stcore/stream", upgrade), ("/static/x.js", {})]:
        assert status(port, path, good | extra | {"Host": f"rebound.example.com:{port}"}) in (403, 421)
        assert status(port, path, good | extra | {"Origin": "http://127.0.0.1:3000"}) == 403
        assert status(port, path, good | extra | {"Cookie": ""}) == 403


def status(port: int, path: str, headers: dict[str, str]) -> int:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        return int(connection.recv(100).split()[1])


@pytest.mark.slow
def test_without_a_token_the_risk_is_said(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "anomalo", "dashboard", "--workspace", str(tmp_path), "--port", "0", "--no-token"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
    assert process.stdout is not None
    first, second = process.stdout.readline(), process.stdout.readline()
    assert "?token=" not in first
    assert "warning: without a token every user and every program of this machine can read" in second
    assert healthy(first.split()[4].rstrip("/"), "")
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert process.returncode == 0


def healthy(address: str, token: str) -> bool:
    port = address.rpartition(":")[2]
    asked = urllib.request.Request(f"{address}/_stcore/health", headers={"Cookie": f"anomalo-{port}={token}"})
    while True:
        try:
            with urllib.request.urlopen(asked) as answer:
                return bool(answer.read() == b"ok")
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)

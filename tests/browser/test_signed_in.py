"""Behind a proxy that signs people in, the person in its header makes the changes, in the pages and in jobs."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from anomalo.workspace.workspace import Workspace

playwright = pytest.importorskip("playwright.sync_api")


def pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def forward(client: socket.socket, port: int, line: bytes) -> None:
    """Add a line to the head of a connection's first request; the socket of a page has a connection of its own."""
    head = b""
    with client, suppress(OSError):
        while b"\r\n\r\n" not in head and (data := client.recv(65536)):
            head += data
        with socket.create_connection(("127.0.0.1", port)) as server:
            server.sendall(head.replace(b"\r\n", b"\r\n" + line, 1))
            back = threading.Thread(target=pump, args=(server, client), daemon=True)
            back.start()
            pump(client, server)
            back.join()


@pytest.fixture
def proxied(
    request: pytest.FixtureRequest, page: Any, hostile_home: Path, tmp_path: Path
) -> Iterator[tuple[str, Path]]:
    """The address of a proxy that signs everybody in as the parameter says, and the workspace behind it."""
    workspace = shutil.copytree(hostile_home, tmp_path / "w")
    command = [sys.executable, "-m", "anomalo", "dashboard", "--workspace", str(workspace), "--port", "0", "--no-token"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "ANOMALO_USER": "operator"}
    process = subprocess.Popen(
        [*command, "--user-header", "X-Forwarded-User"], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None
    port = int(process.stdout.readline().split()[4].strip("/").rpartition(":")[2])
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    client = listening.accept()[0]
                    threading.Thread(target=forward, args=(client, port, request.param), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", workspace
        listening.shutdown(socket.SHUT_RDWR)
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert process.returncode == 0


def judge(page: Any, address: str) -> None:
    while True:
        with suppress(playwright.Error):  # until the server is up
            page.goto(f"{address}/row?row=0")
            break
    page.get_by_role("button", name="False alarm").wait_for()
    page.get_by_role("button", name="False alarm").click()


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("proxied", ["X-Forwarded-User: Zoë\r\n".encode()], indirect=True)
def test_the_person_in_the_header_makes_the_changes(page: Any, proxied: tuple[str, Path]) -> None:
    address, workspace = proxied
    judge(page, address)
    page.get_by_text("History: 1 change").wait_for()
    (line, *_) = Workspace(workspace).activity()
    assert (line.who, line.action, line.details) == ("Zoë", "review", "1 row: false alarm")


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("proxied", [b"", b"X-Forwarded-User: ann\r\nX-Forwarded-User: eve\r\n"], indirect=True)
def test_without_one_name_in_the_header_a_change_is_refused(page: Any, proxied: tuple[str, Path]) -> None:
    address, workspace = proxied
    judge(page, address)
    page.get_by_text("Nobody is signed in: the proxy names the person in the header X-Forwarded-User").wait_for()
    assert Workspace(workspace).reviews.of("0001-score") == {}

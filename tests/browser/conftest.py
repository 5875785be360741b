"""A browser, and the dashboard in a separate process; tests are skipped where there is no browser."""

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)


@pytest.fixture(scope="module")
def launch() -> Iterator[Callable[..., Any]]:
    """A function that starts a browser, with further arguments.

    The driver is closed after each module: while it is open its event loop counts as running in this thread, and
    no other test could start one.
    """
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium")
    playwright.expect.set_options(timeout=600_000)
    with playwright.sync_playwright() as driver:
        usual = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        yield lambda *more: driver.chromium.launch(executable_path=CHROMIUM, args=[*usual, *more])


@pytest.fixture(scope="module")
def browser(launch: Callable[..., Any]) -> Iterator[Any]:
    launched = launch()
    yield launched
    launched.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page that fails the test if it shows an error of Streamlit's, or asks anybody but this machine."""
    size = {"width": 1280, "height": 900}
    context = browser.new_context(viewport=size, accept_downloads=True, reduced_motion="reduce")
    opened = context.new_page()
    opened.set_default_timeout(600_000)
    asked: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    yield opened
    assert opened.get_by_test_id("stException").count() == 0
    assert [url for url in asked if not url.startswith(("http://127.0.0.1:", "data:", "blob:"))] == []
    context.close()


@pytest.fixture
def serve(page: Any) -> Iterator[Callable[[Path], str]]:
    """Start `anomalo dashboard` on a workspace, and give `page` its cookie; at the end it must stop cleanly."""
    started: list[subprocess.Popen[str]] = []

    def start(workspace: Path) -> str:
        command = [sys.executable, "-m", "anomalo", "dashboard", "--workspace", str(workspace), "--port", "0"]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        )
        started.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "the dashboard is at http://127.0.0.1:" in line, line + process.stdout.read()
        address, token = line.split()[4].split("/?token=")
        cookie = f"anomalo-{address.rpartition(':')[2]}"
        wait_for(address, {"Cookie": f"{cookie}={token}"})
        page.context.add_cookies([{"name": cookie, "value": token, "url": address}])
        return address

    yield start
    for process in started:
        process.send_signal(signal.SIGTERM)
        said = process.communicate()[0]
        assert process.returncode == 0, said
        assert "Traceback" not in said, said


def wait_for(address: str, headers: dict[str, str]) -> None:
    asked = urllib.request.Request(f"{address}/_stcore/health", headers=headers)
    while True:
        try:
            with urllib.request.urlopen(asked) as answer:
                assert answer.read() == b"ok"
            return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)

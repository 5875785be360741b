"""Attacks on the dashboard from a browser: by a foreign name that leads to this machine, and by a foreign page."""

import functools
import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

REBOUND = "rebound.example.com"
SOCKET = """port => new Promise(done => {
    const socket = new WebSocket(`ws://${location.hostname}:${port}/_stcore/stream`, ["streamlit"])
    socket.onopen = () => done("open")
    socket.onerror = () => done("refused")
})"""


@pytest.fixture
def foreign(tmp_path: Path) -> Iterator[int]:
    """The port of another server of this machine, with a page of its own."""
    (tmp_path / "index.html").write_text("<title>elsewhere</title>")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.mark.slow
def test_neither_a_foreign_name_nor_a_foreign_page_gets_a_socket(
    page: Any, rebinding: Any, serve: Callable[[Path], str], foreign: int, tmp_path: Path
) -> None:
    address = serve(tmp_path / "workspace")
    port = int(address.rpartition(":")[2])
    page.goto(address)
    page.get_by_role("heading", name="Start").wait_for()
    assert page.evaluate(SOCKET, port) == "open"

    page.goto(f"http://127.0.0.1:{foreign}")  # it shares the host, and so the cookie, with the dashboard
    assert page.evaluate(SOCKET, port) == "refused"

    name = f"http://{REBOUND}:{port}"
    rebinding.context.add_cookies([cookie | {"domain": REBOUND} for cookie in page.context.cookies()])
    assert rebinding.goto(f"{name}/?source=/etc/hostname").status == 421
    assert rebinding.evaluate(SOCKET, port) == "refused"
    assert rebinding.evaluate("fetch('/_stcore/health').then(answer => answer.status)") == 421


@pytest.fixture
def rebinding(launch: Callable[..., Any]) -> Iterator[Any]:
    """A page of a browser for which a foreign name leads to this machine."""
    launched = launch(f"--host-resolver-rules=MAP {REBOUND} 127.0.0.1")
    yield launched.new_page()
    launched.close()


@pytest.mark.slow
def test_the_printed_url_lets_in_and_no_other_page_may_frame_it(
    page: Any, serve: Callable[[Path], str], foreign: int, tmp_path: Path
) -> None:
    address = serve(tmp_path / "workspace")
    (cookie,) = page.context.cookies()
    page.context.clear_cookies()
    assert page.goto(address).status == 403
    page.get_by_label("Token").fill("wrong")
    page.get_by_role("button", name="Open").click()
    page.get_by_role("heading", name="needs its token").wait_for()
    page.get_by_label("Token").fill(cookie["value"])
    page.get_by_role("button", name="Open").click()
    page.get_by_role("heading", name="Start").wait_for()
    assert "token" not in page.url

    page.goto(f"http://127.0.0.1:{foreign}")
    page.set_content(f"<iframe src='{address}'></iframe>")
    page.wait_for_timeout(2000)
    assert page.frames[1].url.startswith("chrome-error:")

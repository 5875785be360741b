"""Who gets in: attacks on the gate, each with the request that an honest browser would send beside it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from anomalo_dashboard.access import HEADERS, Gate

TOKEN, COOKIE = "right-token", "anomalo-8501"
OWN = {"host": "127.0.0.1:8501", "cookie": f"{COOKIE}={TOKEN}"}
PATHS = ["/", "/alerts", "/_stcore/health", "/static/index.js", "/_stcore/upload_file/a/b", "/_stcore/stream"]


def ask(gate: Gate, headers: dict[str, str] | list[tuple[str, str]], path: str = "/", **more: Any) -> dict[str, Any]:
    """Send one request, and return what the client sees: the first message, with headers as a dictionary."""
    pairs = headers.items() if isinstance(headers, dict) else headers
    scope = {"type": "http", "path": path, "query_string": b"", "scheme": "http"}
    scope |= {"headers": [(name.encode(), value.encode()) for name, value in pairs], **more}
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(dict(message))

    async def receive() -> Any:
        return {"type": "http.request"}

    asyncio.run(gate(scope, receive, send))
    found = {name.decode().lower(): value.decode() for name, value in sent[0].get("headers", [])}
    body = b"".join(message.get("body", b"") for message in sent)
    return {"status": sent[0].get("status"), "type": sent[0]["type"], "headers": found, "body": body.decode()}


async def dashboard(scope: Any, receive: Any, send: Any) -> None:
    """Stand for Streamlit: it answers everything, as that does."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"X-Frame-Options", b"ALLOWALL")]})
    await send({"type": "http.response.body", "body": b"secret"})


GATE = Gate(dashboard, TOKEN, COOKIE, ["anomalo.example.org"])


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize(
    "changed",
    [
        {"host": "rebound.example.com:8501"},
        {"host": "127.0.0.1.example.com"},
        {"host": "127.0.0.1@example.com"},
        {"host": ""},
        {"host": "["},
        {"origin": "https://example.com"},
        {"origin": "http://127.0.0.1:3000"},
        {"origin": "http://localhost:8501"},
        {"origin": "null"},
        {"origin": "http://["},
        {"cookie": ""},
        {"cookie": f"{COOKIE}=wrong"},
        {"cookie": f"{COOKIE}="},
        {"cookie": f"anomalo-8502={TOKEN}"},
        {"cookie": f'{COOKIE}="{TOKEN}x'},
    ],
    ids=str,
)
def test_attacks_do_not_reach_the_dashboard(changed: dict[str, str], kind: str, path: str) -> None:
    refused = ask(GATE, {**OWN, **changed}, path, type=kind)
    if kind == "websocket":
        assert refused["type"] == "websocket.close"
    else:
        assert refused["status"] in (403, 421)
        assert "secret" not in refused["body"]


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"host": "localhost:8501"},
        {"host": "LOCALHOST"},
        {"host": "[::1]:8501"},
        {"host": "127.0.0.1:8501", "origin": "http://127.0.0.1:8501"},
        {"host": "anomalo.example.org", "origin": "https://anomalo.example.org"},
        {"host": "127.0.0.1:8501", "origin": "https://anomalo.example.org"},
        {"cookie": f"other=1; {COOKIE}={TOKEN}; more=2"},
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_its_own_pages_reach_it(changed: dict[str, str], kind: str) -> None:
    answer = ask(GATE, {**OWN, **changed}, type=kind)
    assert (answer["status"], answer["type"]) in [(200, "http.response.start"), (None, "websocket.accept")]


def test_two_host_headers_are_one_too_many() -> None:
    assert ask(GATE, [*OWN.items(), ("host", "127.0.0.1")])["status"] == 421


def test_the_token_is_shown_once_and_kept_in_a_cookie() -> None:
    shown = ask(GATE, {"host": OWN["host"]}, "/alerts", query_string=b"run=1&token=right-token")
    assert (shown["status"], shown["headers"]["location"]) == (303, "/alerts?run=1")
    assert shown["headers"]["set-cookie"] == f"{COOKIE}={TOKEN}; Path=/; HttpOnly; SameSite=Lax"
    assert ask(GATE, {"host": OWN["host"]}, query_string=b"token=right-toke")["status"] == 403
    assert ask(GATE, {"host": OWN["host"]}, query_string=b"token=")["status"] == 403
    assert ask(GATE, {"host": OWN["host"]}, query_string="token=café".encode())["status"] == 403
    assert ask(GATE, {"host": OWN["host"]}, type="websocket", query_string=b"token=right-token")["status"] is None
    secure = ask(GATE, {"host": OWN["host"]}, scheme="https", query_string=b"token=right-token")
    assert secure["headers"]["set-cookie"].endswith("; Secure")


@pytest.mark.parametrize("path", ["//example.com/", "/\\example.com", "///example.com"])
def test_the_way_back_never_leads_to_another_host(path: str) -> None:
    shown = ask(GATE, {"host": OWN["host"]}, path, query_string=b"token=right-token")
    assert shown["headers"]["location"].startswith("/example.com")


def test_a_new_line_in_a_path_makes_no_header() -> None:
    shown = ask(GATE, {"host": OWN["host"]}, "/a\r\nset-cookie: b=c", query_string=b"token=right-token")
    assert "\n" not in shown["headers"]["location"]


def test_the_refusal_shows_the_name_as_text() -> None:
    assert "<img" not in ask(GATE, {**OWN, "host": "<img src=x>"})["body"]


def test_every_answer_forbids_frames_and_other_hosts() -> None:
    for headers in (OWN, {"host": OWN["host"]}, {"host": "example.com"}):
        answer = ask(GATE, headers)["headers"]
        assert {name: answer[name] for name in HEADERS} == HEADERS
    assert "frame-ancestors 'none'" in HEADERS["content-security-policy"]


def test_without_a_token_host_and_origin_are_still_checked() -> None:
    open_gate = Gate(dashboard, None, COOKIE)
    assert ask(open_gate, {"host": "localhost"})["status"] == 200
    assert ask(open_gate, {"host": "example.com"})["status"] == 421
    assert ask(open_gate, {"host": "localhost", "origin": "http://localhost:3000"}, type="websocket")["status"] is None

"""Who may use the dashboard: the names that it answers to, the pages that may call it, and the holder of its token."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from html import escape
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

OWN_NAMES = ("127.0.0.1", "localhost", "::1")
POLICY_VIOLATION = 1008
"""The WebSocket close code of a connection that is refused (RFC 6455, section 7.4.1)."""
HEADERS = {
    # Charts are compiled in the browser by Vega, which takes 'unsafe-eval'; styles are set by scripts.
    "content-security-policy": "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'",
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
"""What every answer tells the browser: nothing is loaded from elsewhere, and no other page frames this one."""

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>anomalo</title>
<body style="font: 16px/1.5 sans-serif; max-width: 34em; margin: 15vh auto; padding: 0 1em">
<h1 style="font-size: 1.4em">{title}</h1><p>{text}</p>{form}</body></html>"""
FORM = """<form method="get"><label>Token <input name="token" type="password" autofocus></label>
<button>Open</button></form>"""


class Gate:
    """Refuses requests for another host, of another page, or without the token, before the dashboard sees them.

    It stands before pages, static files, health, uploads and the WebSocket alike (ASGI).

    Parameters
    ----------
    app : ASGI application
        The dashboard.
    token : str or None
        What a user shows once, in the URL, and then keeps in a cookie; None lets everybody in who reaches the port.
    cookie : str
        The cookie's name; browsers share cookies between the ports of a host, so each port needs a name of its own.
    hosts : iterable of str
        Names by which it may be called beside those of this machine, such as that of a reverse proxy.
    """

    def __init__(self, app: App, token: str | None, cookie: str, hosts: Iterable[str] = ()) -> None:
        self.app, self.token, self.cookie = app, token, cookie
        self.others = frozenset(host.lower() for host in hosts)
        self.hosts = self.others.union(OWN_NAMES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = _headers(scope)
        host, origin = headers.get("host", [""]), headers.get("origin", [])
        if len(host) != 1 or _name(host[0]) not in self.hosts:
            shown = f"not {escape(host[0])}; another name is allowed by anomalo dashboard --allow-host NAME"
            await _refuse(
                scope, send, 421, "This is not the dashboard's name", f"It is called {OWN_NAMES[0]}, {shown}."
            )
        elif origin and not all(self._same(one, host[0]) for one in origin):
            await _refuse(scope, send, 403, "Refused", "The request comes from a page that is not the dashboard's.")
        elif self.token is None or self._known(headers.get("cookie", [])):
            await self.app(scope, receive, _guarded(send))
        elif scope["type"] == "http" and self._shown(scope):
            await _send(send, 303, b"", {"location": _without_token(scope), "set-cookie": self._set_cookie(scope)})
        else:
            text = "Open the URL that anomalo dashboard printed, or give the token that it holds."
            await _refuse(scope, send, 403, "The dashboard needs its token", text, FORM)

    def _same(self, origin: str, host: str) -> bool:
        """Whether the page of an Origin header is the dashboard's own: another port of this machine is not."""
        authority = origin.partition("://")[2].lower()
        return bool(authority) and (authority == host.lower() or _name(authority) in self.others)

    def _known(self, cookies: list[str]) -> bool:
        return any(self._equal(value) for line in cookies for value in _values(line, self.cookie))

    def _shown(self, scope: Scope) -> bool:
        return any(name == "token" and self._equal(value) for name, value in _query(scope))

    def _equal(self, value: str) -> bool:
        """Compare with the token in a time that does not depend on where they differ."""
        return hmac.compare_digest(value.encode(), (self.token or "").encode())

    def _set_cookie(self, scope: Scope) -> str:
        # Lax, not Strict: a link to a run that a colleague sent opens; the socket is guarded by its Origin.
        secure = "; Secure" if scope.get("scheme") == "https" else ""
        return f"{self.cookie}={self.token}; Path=/; HttpOnly; SameSite=Lax{secure}"


def _headers(scope: Scope) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return found


def _name(host: str) -> str:
    """Return the name in a Host header, without its port; empty if it is malformed."""
    try:
        parts = urlsplit(f"//{host}")
        return "" if parts.username is not None or parts.path else (parts.hostname or "").rstrip(".")
    except ValueError:
        return ""


def _values(line: str, name: str) -> list[str]:
    """Return the values of one cookie in a Cookie header."""
    try:
        morsel = SimpleCookie(line).get(name)
    except CookieError:
        return []
    return [] if morsel is None else [morsel.value]


def _query(scope: Scope) -> list[tuple[str, str]]:
    return parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)


def _without_token(scope: Scope) -> str:
    """Return the path and query of a request without its token: it shall not stay in the address bar."""
    rest = urlencode([(name, value) for name, value in _query(scope) if name != "token"])
    # One slash at the start: two would name another host.
    path = "/" + quote(scope["path"].lstrip("/\\"))
    return f"{path}?{rest}" if rest else path


def _guarded(send: Send) -> Send:
    """Add `HEADERS` to every answer of the dashboard."""

    async def add(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            kept = [(name, value) for name, value in message.get("headers", []) if name.decode().lower() not in HEADERS]
            message["headers"] = [*kept, *_encoded(HEADERS)]
        await send(message)

    return add


def _encoded(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]


async def _refuse(scope: Scope, send: Send, status: int, title: str, text: str, form: str = "") -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": title})
        return
    await _send(send, status, PAGE.format(title=title, text=text, form=form).encode())


async def _send(send: Send, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
    own = {"content-type": "text/html; charset=utf-8", "content-length": str(len(body)), "cache-control": "no-store"}
    await send(
        {"type": "http.response.start", "status": status, "headers": _encoded({**HEADERS, **own, **(headers or {})})}
    )
    await send({"type": "http.response.body", "body": body})

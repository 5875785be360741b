"""The routes of a daily job: who is notified of a run, how, and when; what it says of them travels in the summary."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from anomalo.errors import UsageError, did_you_mean, without_passwords
from anomalo.jobs.daily.toml_table import TomlFile

SECURITY = ("starttls", "tls", "none")


@dataclass(frozen=True)
class Route:
    """What all routes have.

    Attributes
    ----------
    kind : str
        "command", "webhook" or "email".
    name : str or None
        What messages call it; by default its kind.
    when : str
        "alerts", "always", "drift", or "over N": more than N alerts.
    top : int
        So many of the most anomalous alerts are sent, with their reasons.
    timeout : float
        Seconds that an attempt may take.
    """

    kind: str
    name: str | None = None
    when: str = "alerts"
    top: int = 10
    timeout: float = 30.0

    def problems(self) -> Iterable[tuple[str, str]]:
        """Yield key and sentence of each value that cannot be."""
        if not re.fullmatch(r"alerts|always|drift|over [0-9]+", self.when):
            yield "when", f"when is {self.when!r}; expected alerts, always, drift, or over N, such as 'over 50'"
        if self.top < 0:
            yield "top", f"top is {self.top}; expected a whole number from 0"
        if self.timeout <= 0:
            yield "timeout", f"timeout is {self.timeout:g}; expected seconds above 0"


@dataclass(frozen=True)
class Command(Route):
    """A program, started without a shell in the folder of the job file."""

    command: tuple[str, ...] = ()

    def problems(self) -> Iterable[tuple[str, str]]:
        """Yield what cannot be."""
        yield from super().problems()
        if not self.command:
            yield "command", "command is empty; expected a program and its arguments, such as ['./notify.sh', 'ops']"


@dataclass(frozen=True)
class Retried(Route):
    """What routes over a network have: so many further attempts, the first after `backoff` seconds, then twice that."""

    retries: int = 3
    backoff: float = 1.0

    def problems(self) -> Iterable[tuple[str, str]]:
        """Yield what cannot be."""
        yield from super().problems()
        if not 0 <= self.retries <= 20:
            yield "retries", f"retries is {self.retries}; expected 0 to 20"
        if self.backoff < 0:
            yield "backoff", f"backoff is {self.backoff:g}; expected seconds from 0"


@dataclass(frozen=True)
class Webhook(Retried):
    """A URL to which the payload is posted; `…_env` name variables of the environment, since files hold no secrets."""

    url: str | None = None
    url_env: str | None = None
    secret_env: str | None = None
    token_env: str | None = None

    def problems(self) -> Iterable[tuple[str, str]]:
        """Yield what cannot be."""
        yield from super().problems()
        if (self.url is None) == (self.url_env is None):
            yield "url", "expected either url, or url_env with the name of the variable that holds it"
        if self.url is not None:
            if not re.fullmatch(r"https?://[^\s/]+(/\S*)?", self.url):
                yield "url", "url is no http:// or https:// address"
            if without_passwords(self.url) != self.url or "@" in self.url.split("/")[2]:
                yield "url", "url holds a password or key; put the address into a variable and name it by url_env"


@dataclass(frozen=True)
class Email(Retried):
    """A mail by SMTP."""

    host: str = "localhost"
    port: int = 587
    security: str = "starttls"
    user_env: str | None = None
    password_env: str | None = None
    from_: str = ""
    to: tuple[str, ...] = ()
    subject: str | None = None

    def problems(self) -> Iterable[tuple[str, str]]:
        """Yield what cannot be."""
        yield from super().problems()
        if self.security not in SECURITY:
            yield "security", f"security is {self.security!r}; expected {', '.join(SECURITY)}"
        if (self.user_env is None) != (self.password_env is None):
            yield "user_env", "user_env and password_env are given together or not at all"
        if self.user_env is not None and self.security == "none":
            yield "security", "security is 'none', and a password would be readable; expected starttls or tls"
        for address in (self.from_, *(self.to or [""])):
            if not re.fullmatch(r"[^@\s,<>]+@[^@\s,<>]+", address):
                key = "from" if address == self.from_ else "to"
                yield key, f"{key} is {address!r}; expected an address such as ops@example.com"


KINDS: dict[str, type[Route]] = {"command": Command, "webhook": Webhook, "email": Email}


def read_routes(file: TomlFile, tables: list[Any]) -> tuple[Route, ...]:
    """Return the routes of a job file.

    Raises
    ------
    UsageError
        One has an unknown key or a value that cannot be, or two have the same name.
    """
    routes = [_route(file, table, f"routes.{at}") for at, table in enumerate(tables)]
    names = [route.name for route in routes]
    for at, name in enumerate(names):
        if name in names[:at]:
            raise file.error(f"routes.{at}", "name", f"two routes are called {name!r}; give each a name")
    return tuple(routes)


def _route(file: TomlFile, table: Any, where: str) -> Route:
    kind = table.get("kind") if isinstance(table, dict) else None
    if kind not in KINDS:
        guess = did_you_mean(kind, KINDS) if isinstance(kind, str) else ""
        raise file.error(where, "kind", f"kind is {kind!r}{guess}; expected {', '.join(KINDS)}")
    route = file.read(KINDS[kind], table, where)
    for key, sentence in route.problems():
        raise file.error(where, key, sentence)
    return dataclasses.replace(route, name=route.name or kind)


def to_json(route: Route) -> dict[str, Any]:
    """Return a route as JSON-ready values, by the keys of the file."""
    values = {name.removesuffix("_"): value for name, value in vars(route).items() if value is not None}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def require_variables(routes: Iterable[Route], environment: Iterable[str]) -> None:
    """Check that the variables that routes name are set, before a long job begins.

    Raises
    ------
    UsageError
        One is not.
    """
    known = set(environment)
    for route in routes:
        for key, value in to_json(route).items():
            if key.endswith("_env") and value not in known:
                raise UsageError(
                    f"route {route.name!r}: the environment variable {value} ({key}) is not set; export it"
                )

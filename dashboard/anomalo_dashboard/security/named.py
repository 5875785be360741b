"""Tables behind URLs that the dashboard may read: those named at its start, by names; no page has the URLs."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from anomalo.errors import SourceError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from anomalo.plugin import ReadOptions

NAMED = "ANOMALO_DASHBOARD_SOURCES"
"""The environment variable with the names and URLs given to `anomalo dashboard --allow-source`, as JSON."""
_PREFIX = "source::"


def parsed(items: Iterable[str]) -> dict[str, str]:
    """Return the URLs of `NAME=URL` texts by their names.

    Raises
    ------
    UsageError
        A text is none, a name is not valid, or occurs twice.

    Examples
    --------
    >>> parsed(["visits=sqlite:///clinic.db::visits"])
    {'visits': 'sqlite:///clinic.db::visits'}
    """
    found: dict[str, str] = {}
    for item in items:
        name, equals, url = item.partition("=")
        if not equals or "://" not in url:
            raise UsageError(f"--allow-source {name}=…: expected NAME=URL, such as visits=sqlite:///clinic.db::visits")
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", name) or name in found:
            raise UsageError(f"--allow-source {name}=…: give each URL another name of letters, digits, '-', '_' or '.'")
        found[name] = url
    return found


def names() -> list[str]:
    """Return the names of the tables that may be chosen."""
    return list(_urls())


def source_of(name: str) -> str:
    """Return what jobs read and record: the name, never the URL.

    Examples
    --------
    >>> source_of("visits"), name_in("source::visits"), name_in("visits.csv")
    ('source::visits', 'visits', None)
    """
    return f"{_PREFIX}{name}"


def name_in(source: str) -> str | None:
    """Return the name in what a job reads; None if it reads something else."""
    return source.removeprefix(_PREFIX) if source.startswith(_PREFIX) else None


def read(source: str, options: ReadOptions) -> Iterator[pa.RecordBatch] | None:
    """Read a table by its name; None if the source is none.

    Raises
    ------
    SourceError
        No table of that name was allowed, or it cannot be read.
    """
    name = name_in(source)
    if name is None:
        return None
    if name not in _urls():
        raise SourceError(f"no source is named {name!r}: start the dashboard with --allow-source {name}=URL")
    from anomalo.registry.registry import Registry  # not above: `anomalo --help` reads this module

    return Registry.load().read(_urls()[name], options)


def _urls() -> dict[str, str]:
    found: dict[str, str] = json.loads(os.environ.get(NAMED) or "{}")
    return found

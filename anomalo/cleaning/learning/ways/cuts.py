"""The part of a text before or after a separator."""

from __future__ import annotations

from collections.abc import Iterator

from anomalo.cleaning.evidence.formats import classes
from anomalo.cleaning.learning.ways.way import Arguments, Way

SEPARATORS = (" ", ",", ";", "/", "-", "|", ":", "(", "_", ".", "\t")
WHICH = ("before the first", "after the first", "before the last", "after the last")
ANY = "*"


def _parts(which: str, separator: str, text: str) -> tuple[str, str] | None:
    """Return what is kept and what is left out, both trimmed; None where there is no separator."""
    head, found, tail = text.partition(separator) if which.endswith("first") else text.rpartition(separator)
    if not found:
        return None
    kept, rest = (head, tail) if which.startswith("before") else (tail, head)
    return kept.strip(), rest.strip()


def _cuts(before: str, after: str) -> Iterator[Arguments]:
    if not after or after not in before:
        return
    for separator in SEPARATORS:
        for which in WHICH:
            parts = _parts(which, separator, before)
            if parts is not None and parts[0] == after and before != after:
                yield which, separator, classes(parts[1])
                yield which, separator, ANY


def _cut(arguments: Arguments, text: str) -> str | None:
    which, separator, rest = arguments
    parts = _parts(which, separator, text)
    if parts is None or not parts[0] or rest not in (ANY, classes(parts[1])):
        return None
    return parts[0]


def _describe(arguments: Arguments) -> str:
    which, separator, rest = arguments
    what = f"keep what is {which} {separator!r}"
    return what if rest == ANY else f"{what}, if the rest has the format {rest!r}"


CUT = Way(_cuts, _cut, _describe, 0.5)

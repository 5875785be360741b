"""One text for another, or a fixed text whatever stood there."""

from __future__ import annotations

from collections.abc import Iterator

from anomalo.cleaning.evidence.spelling import edit_distances
from anomalo.cleaning.learning.ways.way import Arguments, Way


def _replacement(before: str, after: str) -> Iterator[Arguments]:
    if _near(before, after):
        yield before, after


def _exchange(before: str, after: str) -> Iterator[Arguments]:
    if not _near(before, after):
        yield before, after


def _near(before: str, after: str) -> bool:
    """Whether a text is emptied or written otherwise: at most half of its characters change."""
    return bool(before) and (not after or edit_distances([before], [after])[0] <= max(len(before), len(after)) / 2)


def _replaced(arguments: Arguments, text: str) -> str | None:
    return arguments[1] if text == arguments[0] else None


def _describe_replacement(arguments: Arguments) -> str:
    before, after = arguments
    return f"write {after!r} for {before!r}" if after else f"empty the cells that say {before!r}"


def _constant(before: str, after: str) -> Iterator[Arguments]:
    if not before or not after:
        yield (after,)


def _describe_constant(arguments: Arguments) -> str:
    return f"write {arguments[0]!r}" if arguments[0] else "empty the cell"


REPLACEMENT = Way(_replacement, _replaced, _describe_replacement, 0.9)
"""Another way of writing the text."""
EXCHANGE = Way(_exchange, _replaced, _describe_replacement, 0.3)
"""Another text, which need not be that of the next cell of this text."""
CONSTANT = Way(_constant, lambda arguments, text: arguments[0], _describe_constant, 0.3)
WHOLE = Way(
    lambda before, after: iter([()] if before == after else []), lambda arguments, text: text,
    lambda arguments: "take the text", 0.5,
)  # fmt: skip
"""The text as it is: for texts that are taken from another column."""

"""What stands before or after a text is taken off or put there."""

from __future__ import annotations

from collections.abc import Iterator

from anomalo.cleaning.learning.ways.way import Arguments, Way


def _longer(before: str, after: str) -> Iterator[Arguments]:
    """Yield the affixes of a text that the other is without."""
    if after and before != after:
        if before.startswith(after):
            yield "end", before[len(after) :]
        if before.endswith(after):
            yield "start", before[: -len(after)]


def _without(arguments: Arguments, text: str) -> str | None:
    side, affix = arguments
    if len(text) <= len(affix):
        return None
    if side == "end":
        return text.removesuffix(affix) if text.endswith(affix) else None
    return text.removeprefix(affix) if text.startswith(affix) else None


def _added(before: str, after: str) -> Iterator[Arguments]:
    """Yield the affixes that the other text has besides; not one that this text has already."""
    yield from (affix for affix in _longer(after, before) if _with(affix, before) == after)


def _with(arguments: Arguments, text: str) -> str | None:
    side, affix = arguments
    if not text or (text.endswith(affix) if side == "end" else text.startswith(affix)):
        return None
    return text + affix if side == "end" else affix + text


STRIP = Way(_longer, _without, lambda arguments: f"take {arguments[1]!r} off the {arguments[0]}", 0.8)
ADD = Way(_added, _with, lambda arguments: f"add {arguments[1]!r} at the {arguments[0]}", 0.5)

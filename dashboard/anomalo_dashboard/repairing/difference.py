"""What changes in a cell, as Markdown: what is taken away is struck through, what is added is bold."""

from __future__ import annotations

from difflib import SequenceMatcher

from anomalo_dashboard.security.literal import literal

LONGEST = 200
"""Texts with more characters are cut, and not compared."""
ALIKE = 0.4
"""Texts that are less alike are shown one after the other."""
_JOINER = "\u2060"
"""Between a mark and a text: without it Markdown sees no mark beside punctuation (CommonMark 0.31, 6.2)."""


def difference(before: str | None, after: str | None, characters: bool = True) -> str:
    r"""Return the change of a cell's text; None is a missing cell.

    Parameters
    ----------
    characters : bool
        Whether single characters are compared, as in texts; numbers and dates are shown whole.

    Examples
    --------
    >>> difference("190.25", "70.1", characters=False).replace("\u2060", "")
    '~~190.25~~ → **70.1**'
    >>> difference("Dxthan", "Dothan").replace("\u2060", "")
    'D~~x~~**o**than'
    >>> difference(None, "red").replace("\u2060", "")
    'missing → **red**'
    """
    if before is not None and after is not None and characters and max(len(before), len(after)) <= LONGEST:
        compared = SequenceMatcher(None, before, after, autojunk=False)
        if compared.ratio() >= ALIKE:
            return _by_character(before, after, compared)
    first, second = _whole(before, "~~"), _whole(after, "**")
    return f"{first} → {second}"


def _by_character(before: str, after: str, compared: SequenceMatcher[str]) -> str:
    parts: list[str] = []
    for what, start, end, first, last in compared.get_opcodes():
        if what == "equal":
            parts.append(_kept(before[start:end]))
            continue
        changed = ((before[start:end], "~~"), (after[first:last], "**"))
        parts += [_marked(_spaces(text), mark) for text, mark in changed if text]
    return "".join(parts)


def _whole(text: str | None, mark: str) -> str:
    if text is None:
        return "missing"
    return _marked(text if len(text) <= LONGEST else f"{text[:LONGEST]}…", mark)


def _marked(text: str, mark: str) -> str:
    return f"{mark}{_JOINER}{literal(text)}{_JOINER}{mark}" if text.strip() else f"{mark}{_spaces(text)}{mark}"


def _kept(text: str) -> str:
    """Return a text that stays, with the spaces at its ends."""
    if not text.strip():
        return text
    first, last = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
    return f"{' ' * bool(first)}{literal(text)}{' ' * bool(last)}"


def _spaces(text: str) -> str:
    """Return a text that changes with its spaces visible."""
    return text.replace(" ", "␣")

"""Marks of a text, by which cells of one column are alike: the text, its formats, its first and last words."""

from __future__ import annotations

from bisect import bisect_left
from functools import lru_cache

from anomalo.cleaning.evidence import formats
from anomalo.cleaning.learning.ways.templates import signature, tokens
from anomalo.cleaning.learning.ways.way import LONGEST

LIMITS = (0, 12, 31, 99)
"""Numbers up to these are alike: none, months, days, years of two digits."""
MOST_NUMBERS, MOST_WORDS = 4, 8
"""So many of a text are looked at."""


@lru_cache(maxsize=1 << 16)
def marks(text: str) -> tuple[tuple[str, str], ...]:
    """Return (level, mark) of a text.

    Examples
    --------
    >>> [mark for level, mark in marks("12 oz") if level in ("runs", "last", "character")]
    ['0 a', 'aa', ' ']
    """
    if not text:
        return (("empty", ""),)
    short = text[:LONGEST]
    classes, runs = formats.classes(short), formats.runs(short)
    words = runs.split()
    found = [
        ("text", text if len(text) <= LONGEST else f"{short}…"),
        ("classes", classes[:32]),
        ("runs", runs[:32]),
        ("shape", formats.shape(short)[:32]),
        ("signature", signature(short)[:32]),
        ("affix", formats.affix(short)[:32]),
        ("first", words[0][:16] if words else ""),
        ("last", classes.split()[-1][:16] if words else ""),
        ("length", str(len(short).bit_length())),
        ("repeats", _repeats(short)),
    ]
    found += [("number", f"{at} {limit}") for at, limit in enumerate(_limits(short))]
    found += [("character", character) for character in sorted(set(runs) - set("Aa0"))]
    return tuple(found)


def _limits(text: str) -> list[int]:
    """Return which of `LIMITS` each whole number of a text is up to, of the first few numbers."""
    numbers = [token for token in tokens(text) if token.isascii() and token.isdigit()][:MOST_NUMBERS]
    return [bisect_left(LIMITS, int(number[:6])) for number in numbers]


def _repeats(text: str) -> str:
    """Return which words and numbers of a text are the same."""
    words = [token for token in tokens(text) if token.isalnum()][:MOST_WORDS]
    return "".join(str(words.index(word)) for word in words) if len(words) > 1 else ""

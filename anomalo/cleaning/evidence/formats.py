"""Formats: texts generalised at three levels, and how rare each text's format is in its column."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

_DIGITS = re.compile(r"[\d.,]+")
_WORDS = re.compile(r"a+(?: a+)*")
_KEPT = 1 << 16
"""So many formats are remembered: of a column of codes all, of free text those of some rows."""


def classes(text: str) -> str:
    """Return each character's class: `A` and `a` for letters, `0` for digits, other characters as they are.

    Examples
    --------
    >>> classes("Box 12-b"), runs("Box 12-b"), shape("Box 12-b")
    ('Aaa 00-a', 'Aa 0-a', 'a 0-a')
    """
    return text.translate(_CLASSES)


def runs(text: str) -> str:
    """Return the classes with each run of one class as a single character."""
    return _merged(classes(text))


def shape(text: str) -> str:
    """Return the runs without the case of letters and without the number of words."""
    return _shape(runs(text))


def characters(text: str) -> str:
    """Return which classes of characters the text has, in the order of their codes."""
    return "".join(sorted(set(classes(text))))


@lru_cache(maxsize=_KEPT)
def _merged(text: str) -> str:
    """Return the text with each run of one character as a single one."""
    return "".join(character for character, _ in groupby(text))


@lru_cache(maxsize=_KEPT)
def _shape(text: str) -> str:
    return _WORDS.sub("a", _merged(text.lower()))


LEVELS = (classes, runs, shape, characters)
"""From the most to the least specific."""


def _class(character: str) -> str:
    if character.isdigit():
        return "0"
    if character.isalpha():
        if not character.isascii():
            return "À" if character.isupper() else "à"
        return "A" if character.isupper() else "a"
    if unicodedata.category(character) in ("Cc", "Cn", "Co", "Cs", "Cf"):
        return "�"
    return character


class _Classes(dict[int, str]):
    """The class of each code point, found once."""

    def __missing__(self, point: int) -> str:
        self[point] = _class(chr(point))
        return self[point]


_CLASSES = _Classes()


def surprisals(values: Sequence[str], counts: Counts) -> Floats:
    """Return the surprisal of each text's format among the other rows, in nats above the column's mean, by level.

    Parameters
    ----------
    values : sequence of str
        Distinct texts [k].
    counts : int array [k]
        How many rows of the reference have each; 0 for a text that only new rows have.

    Returns
    -------
    float array [k, levels]
    """
    return np.stack([rareness([level(value) for value in values], counts) for level in LEVELS], axis=1)


def affix(text: str) -> str:
    """Return what stands around the digits of a text: a number's unit, sign and currency.

    Examples
    --------
    >>> affix("$1,200.50"), affix("12.0 oz")
    ('$', ' oz')
    """
    return _DIGITS.sub("", text)


def rareness(formats: Sequence[str], counts: Counts) -> Floats:
    """Return the surprisal of each distinct text's format among the other rows, above the column's mean, [k]."""
    codes, there = _coded(formats), counts > 0
    totals = np.bincount(codes, weights=counts)
    others = np.maximum(totals[codes] - there, 0.0)
    known = np.count_nonzero(totals)
    surprisal = np.log(max(counts.sum() - 1, 0) + 0.5 * known) - np.log(others + 0.5)
    return np.asarray(surprisal - np.average(surprisal[there], weights=counts[there]), dtype=np.float64)


def entropy(formats: Sequence[str], counts: Counts) -> float:
    """Return the entropy of a column's formats in nats, from those of its distinct texts [k] and their rows."""
    shares = np.bincount(_coded(formats), weights=counts) / max(counts.sum(), 1)
    shares = shares[shares > 0]
    return float(-np.sum(shares * np.log(shares)))


def _coded(formats: Sequence[str]) -> Counts:
    index: dict[str, int] = {}
    return np.array([index.setdefault(text, len(index)) for text in formats], dtype=np.int64)

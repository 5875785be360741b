"""Missing values in disguise: texts and numbers that stand for "not known"."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from anomalo.tabular.parsing import MISSING_TEXTS

STANDARD = frozenset(text for text in MISSING_TEXTS if text)
"""Texts that reading takes for a missing cell, in lower case."""
USUAL = frozenset(
    (".", "--", "---", "_", "*", "n.a.", "nil", "none", "missing", "unknown", "unk", "empty", "blank", "not available")
    + ("not applicable", "not known", "not specified", "unspecified", "undefined", "no data", "tbd", "tba", "dummy")
)
"""Other texts that often do, in lower case."""
SENTINELS = frozenset(("-1", "-9", "-99", "-999", "-9999", "99", "999", "9999", "99999", "999999", "1111", "1/1/1900"))
"""Numbers and dates that often do."""
STANDARD_GRADE = 3


def disguises(values: Sequence[str]) -> NDArray[np.float64]:
    """Return 3 for a standard text of a missing cell, 2 for a usual one, 1 for a sentinel, else 0, [k].

    Examples
    --------
    >>> disguises(["N/A", "Unknown", "9999", "12", ""])
    array([3., 2., 1., 0., 0.])
    """
    return np.array([_grade(value.strip().lower()) for value in values], dtype=np.float64)


def _grade(text: str) -> int:
    grades = ((STANDARD, STANDARD_GRADE), (USUAL, 2), (SENTINELS, 1))
    return next((grade for known, grade in grades if text in known), 0)

"""Characters that a wrong encoding leaves behind: replaced ones, control characters, marks on nothing, entities."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MOST = 5
_REPLACED = re.compile("[\ufffd\x80-\x9f\ue000-\uf8ff]")
_SECOND = "\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013-\u2122"
_TWICE = re.compile(f"[\u00c2\u00c3][{_SECOND}]|\u00e2\u20ac.")
_ENTITY = re.compile(r"&(?:amp|lt|gt|quot|apos|nbsp|#\d{1,6}|#x[0-9a-fA-F]{1,5});")
_WITHIN = re.compile(r"(?<=[^\W\d_])\?(?=[^\W\d_])")
_MARKED = re.compile("[^\u0300-\u036f][\u0300-\u036f]")


def damage(values: Sequence[str]) -> NDArray[np.float64]:
    """Return how many characters of each text [k] look like the remains of a wrong encoding, at most `MOST`.

    Counted are replacement and control characters, UTF-8 read as Latin-1, HTML entities, question marks between
    letters, and combining marks that their letter has no composed form with.

    Examples
    --------
    >>> damage(["Zürich", "Z\ufffdrich", "ZÃ¼rich", "S&amp;P", "Schr?dinger", "Schr\u0326dinger", "why?"])
    array([0., 1., 1., 1., 1., 1., 0.])
    """
    return np.array([_damaged(value) for value in values], dtype=np.float64)


def _damaged(text: str) -> int:
    if text.isascii():
        return min(len(_ENTITY.findall(text)) + len(_WITHIN.findall(text)), MOST)
    found = sum(len(pattern.findall(text)) for pattern in (_REPLACED, _TWICE, _ENTITY, _WITHIN))
    loose = sum(len(unicodedata.normalize("NFC", pair)) > 1 for pair in _MARKED.findall(text))
    return min(found + loose, MOST)

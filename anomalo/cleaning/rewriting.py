"""A text written in the usual format of its column: without an affix, in another case, with other separators."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from anomalo.cleaning.evidence.formats import runs

_NUMBER = re.compile(r"[+-]?\d[\d,]*\.?\d*|[+-]?\.\d+")
_SPACES = re.compile(r"\s+")

WAYS: tuple[Callable[[str], str], ...] = (
    lambda text: _SPACES.sub(" ", text).strip(),
    lambda text: text.strip(" \t\"'.,;()[]*"),
    lambda text: found[0] if (found := _NUMBER.search(text)) else text,
    lambda text: text.replace(",", ""),
    lambda text: text.removesuffix(".0"),
    str.lower,
    str.upper,
    str.title,
    str.capitalize,
    lambda text: "".join(character for character in text if character.isdigit()),
    lambda text: text.replace("-", " "),
    lambda text: text.replace(" ", "-"),
    lambda text: text.replace("/", "-"),
    lambda text: text.replace("-", "/"),
    lambda text: "".join(character for character in text if character.isascii()),
)
"""In the order in which they are tried: the ones that lose least are first."""
LARGER = 4
"""A format is rewritten to one so many times as frequent."""


def rewritten(value: str, formats: Mapping[str, int]) -> str | None:
    """Return a text in a more frequent format of its column, where a simple way leads there; else None.

    Parameters
    ----------
    value : str
        As observed.
    formats : mapping of str to int
        How many rows have each format, by `formats.runs`.

    Examples
    --------
    >>> rewritten("0.06%", {"0.0": 9, "0.0%": 1}), rewritten("0.05", {"0.0": 9, "0.0%": 1})
    ('0.06', None)
    """
    best, most = None, LARGER * max(formats.get(runs(value), 0), 1) - 1
    for text in _ways(value):
        if formats.get(runs(text), 0) > most:
            best, most = text, formats[runs(text)]
    return best


def _ways(value: str) -> Iterator[str]:
    for way in WAYS:
        text = way(value)
        if text and text != value:
            yield text

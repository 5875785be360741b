"""The number of a text, without its unit, with as many digits as it needs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from anomalo.cleaning.evidence.formats import affix
from anomalo.cleaning.learning.ways.way import Arguments, Way

_NUMBER = re.compile(r"[+-]?(?:\d[\d,]*\.?\d*|\.\d+)")
_LONGEST = 40
ANY = "*"


def _trimmed(number: str) -> str:
    """Return a number without trailing zeros and without the error of its binary form.

    Examples
    --------
    >>> _trimmed("12.0"), _trimmed("0.055999999999999994"), _trimmed("1,200")
    ('12', '0.056', '1200')
    """
    text = f"{float(number.replace(',', '')):.12f}"
    return text.rstrip("0").rstrip(".")


def _decimals(places: int) -> Callable[[str], str]:
    return lambda number: f"{float(number.replace(',', '')):.{places}f}"


STYLES: dict[str, tuple[Callable[[str], str], str]] = {
    "written": (lambda number: number, ""),
    "trimmed": (_trimmed, ", without trailing zeros"),
    "plain": (lambda number: number.replace(",", ""), ", without commas"),
    "0": (_decimals(0), ", rounded to whole"),
    "1": (_decimals(1), ", with 1 decimal"),
    "2": (_decimals(2), ", with 2 decimals"),
    "3": (_decimals(3), ", with 3 decimals"),
}
"""How a number is written."""


def _number(text: str) -> str | None:
    """Return the only number in a text."""
    if len(text) > _LONGEST:
        return None
    found = _NUMBER.findall(text)
    return found[0] if len(found) == 1 else None


def _styles(before: str, after: str) -> Iterator[Arguments]:
    number = _number(before)
    if number is None or before == after or not any(character.isdigit() for character in after):
        return
    for name, (style, _) in STYLES.items():
        if style(number) == after:
            yield name, ANY
            yield name, affix(before)


def _styled(arguments: Arguments, text: str) -> str | None:
    number = _number(text)
    if number is None or arguments[1] not in (ANY, affix(text)):
        return None
    return STYLES[arguments[0]][0](number)


def _describe(arguments: Arguments) -> str:
    style, unit = arguments[0], arguments[1].strip()
    return f"take the number{f' off {unit!r}' if unit not in ('', ANY, '.') else ''}{STYLES[style][1]}"


QUANTITY = Way(_styles, _styled, _describe, 0.7)

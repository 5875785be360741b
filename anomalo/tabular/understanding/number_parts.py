"""Texts of numbers in parts: what stands before the digits, the digits, and what stands after them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

DECIMAL_POINT = r"^[+-]?(\d+\.?\d*|\.\d+|\d{1,3}(,\d{3})+(\.\d+)?)([eE][+-]?\d+)?$|^[+-]?(?i:inf|infinity)$"
DECIMAL_COMMA = r"^[+-]?(\d+,?\d*|,\d+|\d{1,3}(\.\d{3})+(,\d+)?)([eE][+-]?\d+)?$|^[+-]?(?i:inf|infinity)$"
GROUPING = " \u00a0\u202f\u2009'\u2019"
"""What may separate thousands, besides a point or a comma."""
MAGNITUDES = {"k": 1e3, "K": 1e3, "M": 1e6, "mn": 1e6, "mio": 1e6, "Mio": 1e6, "B": 1e9, "bn": 1e9, "Bn": 1e9, "": 1.0}
_FIRST = 50
_SYMBOLS = "$€£¥₹₽₩₺₪₫฿₴₦₱"
_CODES = (
    *("USD", "EUR", "GBP", "JPY", "CHF", "CNY", "RMB", "INR", "AUD", "CAD", "NZD", "SEK", "NOK", "DKK", "ISK", "PLN"),
    *("CZK", "HUF", "RON", "BGN", "TRY", "RUB", "UAH", "BRL", "MXN", "ARS", "CLP", "COP", "ZAR", "NGN", "KES", "EGP"),
    *("ILS", "AED", "SAR", "KRW", "TWD", "HKD", "SGD", "MYR", "THB", "IDR", "PHP", "VND", "PKR"),
)
_CURRENCY = rf"[A-Z]{{0,3}}[{_SYMBOLS}]|{'|'.join(_CODES)}|Rs|kr|Fr"
_SIGNS = "+\u2212\u2013-"
_HEAD = re.compile(
    rf"(?P<open>\()?\s*(?P<mark>[<>]=?|[≤≥])?\s*(?P<before>[{_SIGNS}])?\s*(?P<prefix>{_CURRENCY})?(?P<space>\s*)"
    rf"(?P<after>[{_SIGNS}])?"
)
_UNIT = r"%|‰|[A-Za-zµμΩÅ°²³€$£¥₹][A-Za-zµμΩ²³%°/·.^*]{0,11}[23]?"
_TAIL = re.compile(rf"(?P<space>\s*)(?P<suffix>{_UNIT})?\s*(?P<minus>[\u2212-])?\s*(?P<close>\))?")
_SCALED = re.compile(rf"(?P<magnitude>{'|'.join(filter(None, MAGNITUDES))})(?:\s+(?=\S)|(?=[{_SYMBOLS}])|$)")
_PARTS = (
    rf"^(?P<head>[^\d.,]*)(?P<body>(?:\d(?:[\d.,{GROUPING}]*\d)?[.,]?|[.,]\d+)(?:[eE][+-]?\d+)?)"
    r"(?P<tail>(?:\D+(?:[23][^\d\w]*)?)?)$"
)
_GROUPED = "|".join(rf"^\d{{1,3}}(?:{mark}\d{{3}})+(?:[.,]\d+)?$" for mark in GROUPING)


@dataclass(frozen=True)
class Head:
    """What stands before the digits: a bracket, a mark such as "<", a sign before or after the currency."""

    bracket: bool
    mark: str
    sign: str
    sign_first: bool
    prefix: str
    space: str


@dataclass(frozen=True)
class Tail:
    """What stands after the digits: a magnitude such as "k", a unit, a minus, a bracket; `space` before the unit."""

    magnitude: str
    space: str
    suffix: str
    minus: str
    bracket: bool


@dataclass(frozen=True)
class Parts:
    """Texts [n] in parts.

    Attributes
    ----------
    heads, tails : list
        The different ones; None where one is not part of a number.
    head, tail : intp [n]
        Which of them each text has; the last, which is None, for a text that is no number.
    bodies : StringArray [n]
        The digits, without what separates thousands unless that is a point or a comma; null for no number.
    grouping : StringArray [n]
        What separates thousands, unless that is a point or a comma; empty for nothing.
    """

    heads: list[Head | None]
    head: NDArray[np.intp]
    tails: list[Tail | None]
    tail: NDArray[np.intp]
    bodies: pa.StringArray
    grouping: pa.StringArray

    def of_head(self, values: list[float | bool]) -> NDArray[np.float64]:
        """Return for each text the value of its head, [n]."""
        return np.array(values, dtype=np.float64)[self.head]

    def of_tail(self, values: list[float | bool]) -> NDArray[np.float64]:
        """Return for each text the value of its tail, [n]."""
        return np.array(values, dtype=np.float64)[self.tail]


def to_floats(texts: pa.StringArray, decimal_comma: bool = False) -> Numbers:
    """Return trimmed texts as numbers [n], nan where a text is none. Thousands may be separated."""
    fits = pc.match_substring_regex(texts, DECIMAL_COMMA if decimal_comma else DECIMAL_POINT)
    plain = pc.replace_substring(pc.if_else(fits, texts, None), "." if decimal_comma else ",", "")
    plain = pc.utf8_ltrim(pc.replace_substring(plain, ",", "."), "+")
    return np.array(plain.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)


def matches(texts: pa.StringArray, pattern: str) -> NDArray[np.bool_]:
    """Return which texts [n] match a pattern somewhere."""
    return np.asarray(pc.match_substring_regex(texts, pattern), dtype=np.bool_)


def looks_styled(texts: pa.StringArray) -> bool:
    """Whether at least half of the first texts are numbers with something before or after them."""
    parts = split(texts.slice(0, _FIRST))
    heads = parts.of_head([head is not None for head in parts.heads])
    return bool(len(texts)) and float(np.mean(heads * parts.of_tail([tail is not None for tail in parts.tails]))) >= 0.5


def split(texts: pa.StringArray) -> Parts:
    """Return trimmed texts [n] in parts."""
    found = pc.extract_regex(texts, _PARTS)
    heads, head = coded(pc.struct_field(found, "head"))
    tails, tail = coded(pc.struct_field(found, "tail"))
    body = pc.struct_field(found, "body")
    grouping = pc.replace_substring_regex(pc.fill_null(body, ""), rf"[^{GROUPING}]", "")
    grouped = pc.not_equal(grouping, "")
    if pc.any(grouped).as_py():
        valid = pc.match_substring_regex(body, _GROUPED)
        plain = pc.replace_substring_regex(body, f"[{GROUPING}]", "")
        body = pc.if_else(grouped, pc.if_else(valid, plain, None), body)
    grouping = pc.utf8_slice_codeunits(grouping, 0, 1)
    return Parts([*map(_head, heads), None], head, [*map(_tail, tails), None], tail, body, grouping)


def coded(texts: pa.StringArray) -> tuple[list[str], NDArray[np.intp]]:
    """Return the different texts, and which of them each text [n] is, -1 for null."""
    coded = texts.dictionary_encode()
    index = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False)
    return coded.dictionary.to_pylist(), index.astype(np.intp)


@cache
def _head(text: str) -> Head | None:
    match = _HEAD.fullmatch(text)
    if match is None or (match["before"] and match["after"]):
        return None
    sign = match["before"] or match["after"] or ""
    space = match["space"] if match["prefix"] else ""
    return Head(bool(match["open"]), match["mark"] or "", sign, not match["after"], match["prefix"] or "", space)


@cache
def _tail(text: str) -> Tail | None:
    lead = text[: len(text) - len(text.lstrip())]
    scaled = _SCALED.match(text.lstrip())
    magnitude = scaled["magnitude"] if scaled else ""
    rest = text.lstrip()[len(magnitude) :] if scaled else text
    match = _TAIL.fullmatch(rest)
    if match is None:
        return None
    space = lead + "\0" + match["space"] if scaled else match["space"]
    return Tail(magnitude, space, match["suffix"] or "", match["minus"] or "", bool(match["close"]))

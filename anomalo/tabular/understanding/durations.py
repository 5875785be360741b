"""Times of day and durations as text: 14:05, 1:23:45, 2h 30m, P1DT2H; in seconds."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_CLOCK = r"^(?P<h>\d{1,4}):(?P<m>[0-5]\d)(?::(?P<s>[0-5]\d(?:\.\d{1,6})?))?$"
_ISO = (
    r"^P(?:(?P<d>\d+)D)?(?:T(?:(?P<h>\d+)H)?(?:(?P<m>\d+)M)?(?:(?P<s>\d+(?:\.\d+)?)S)?)?$"  # weeks and months are rare
)
_NUMBER = r"\d+(?:\.\d+)?"
_WORDS = (
    rf"^(?:(?P<d>{_NUMBER})\s?d(?:ays?)?,?\s?)?(?:(?P<h>{_NUMBER})\s?h(?:ours?|rs?)?,?\s?)?"
    rf"(?:(?P<m>{_NUMBER})\s?m(?:in(?:ute)?s?)?,?\s?)?(?:(?P<s>{_NUMBER})\s?s(?:ec(?:ond)?s?)?)?$"
)
_SECONDS = {"d": 86_400, "h": 3600, "m": 60, "s": 1}
MARK = "~"
"""What a format of durations begins with; in it, {h} is a number of hours and {hh} one of two digits.
The T of ISO 8601 is left out."""


def guess(texts: pa.StringArray) -> list[str]:
    """Return the formats that some of the texts may have; the fields are those of the text with the most."""
    found = []
    for pattern in (_CLOCK, _ISO, _WORDS):
        fits = texts.filter(pc.fill_null(_fits(texts, pattern), False))
        if len(fits):
            fields = pc.count_substring_regex(fits, r"\d+(\.\d+)?").to_numpy(zero_copy_only=False)
            lengths = pc.utf8_length(fits).to_numpy(zero_copy_only=False)
            found.append(_template(fits[int(np.lexsort((lengths, fields))[-1])].as_py(), fits, pattern))
    return found


def read(texts: pa.StringArray, form: str) -> NDArray[np.float64]:
    """Return texts [n] in seconds, nan where one does not fit the format."""
    pattern = _pattern(form)
    fits = _fits(texts, pattern)
    parts = pc.extract_regex(pc.if_else(fits, texts, None), pattern)
    seconds = np.where(pc.fill_null(fits, False).to_numpy(zero_copy_only=False), 0.0, np.nan)
    for unit in re.findall(r"\(\?P<(\w)>", pattern):
        field = pc.struct_field(parts, unit)
        amount = pc.if_else(pc.equal(field, ""), "0", field).cast(pa.float64())
        seconds += _SECONDS[unit] * np.asarray(amount.to_numpy(zero_copy_only=False), dtype=np.float64)
    return seconds


def write(seconds: NDArray[np.float64], form: str, round: bool = True) -> pa.StringArray:
    """Write seconds [n] in a format; rounded to the smallest unit that it shows, else truncated.

    Examples
    --------
    >>> write(np.array([5025.0, 59.6]), "~{h}:{mm}:{ss}").to_pylist()
    ['1:23:45', '0:01:00']
    >>> write(np.array([9000.0, 1800.0]), "~{h}h {m}m").to_pylist()
    ['2h 30m', '30m']
    """
    fields = re.findall(r"\{(\w+)\}([^{]*)", form)
    smallest = _SECONDS[fields[-1][0][0]]
    ticks = (np.rint if round else np.floor)(seconds / smallest) * smallest
    return pa.array([_text(int(value), fields, form) for value in ticks], pa.string())


def _text(value: int, fields: list[tuple[str, str]], form: str) -> str:
    sign, rest = ("-" if value < 0 else ""), abs(value)
    clock, iso = ":" in form, form.startswith(MARK + "P")
    days = times = ""
    for field, literal in fields:
        amount, rest = divmod(rest, _SECONDS[field[0]])
        if not (clock or amount or ((field, literal) == fields[-1] and not days + times)):
            continue
        piece = f"{amount:0{len(field)}d}{literal}"
        days, times = (days + piece, times) if field == "d" else (days, times + piece)
    if iso:
        return f"{sign}P{days}T{times}" if times else f"{sign}P{days}"
    return sign + (days + times).rstrip(" ,")


def _pattern(form: str) -> str:
    return _CLOCK if ":" in form else _ISO if form.startswith(MARK + "P") else _WORDS


def _fits(texts: pa.StringArray, pattern: str) -> pa.BooleanArray:
    return pc.and_(pc.match_substring_regex(texts, pattern), pc.match_substring_regex(texts, r"\d"))


def _template(longest: str, texts: pa.StringArray, pattern: str) -> str:
    """Return the format with the fields of all texts; what stands after a field is as in the longest that has it."""
    parts = pc.extract_regex(texts, pattern)
    wide = not pc.any(pc.match_substring_regex(texts, r"^\d:")).as_py()
    template, spaced = MARK + ("P" if pattern == _ISO else ""), " " in longest
    for unit in re.findall(r"\(\?P<(\w)>", pattern):
        has = pc.not_equal(pc.struct_field(parts, unit), "")
        if not pc.any(has).as_py():
            continue
        match = re.match(pattern, longest)
        if match is None or not match[unit]:
            match = re.match(pattern, pc.min(texts.filter(has)).as_py())
        assert match is not None
        end = match.end(unit)
        later = [match.start(other) for other in match.groupdict() if match[other] and match.start(other) > end]
        double = pattern == _CLOCK and (unit != "h" or wide)
        between = " " if spaced and not template.endswith(("P", MARK, " ")) else ""
        literal = match.string[end : min(later, default=len(match.string))].replace("T", "")
        template += between + "{" + unit * (2 if double else 1) + "}" + literal
    return template

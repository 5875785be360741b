"""Formats of dates and times, as `strptime` has them: which may fit a text, reading and writing.

Besides its directives there are %-d (and %-m, %-H, %-I) for a number without a leading zero, %P for am and pm in lower
case, and %q for a quarter.
"""

from __future__ import annotations

import re
from collections import defaultdict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_DAYS = (
    *("%Y/%m/%d", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%d-%b-%Y", "%d %b %Y", "%b %d, %Y"),
    *("%d %B %Y", "%B %d, %Y", "%m/%d/%y", "%d/%m/%y", "%d.%m.%y", "%d-%b-%y", "%Y-%m-%d", "%Y.%m.%d", "%Y%m%d"),
    *("%a %b %d %Y", "%a %b %d, %Y", "%a, %b %d, %Y", "%a, %d %b %Y", "%a %d %b %Y", "%A, %B %d, %Y", "%A, %d %B %Y"),
    *("%b %d %Y", "%B %d %Y", "%b-%d-%Y", "%Y-%b-%d", "%d%b%Y", "%d. %B %Y"),
)
_CLOCKS = ("%H:%M", "%H:%M:%S", "%I:%M %p", "%I:%M:%S %p", "%I:%M%p", "%I:%M:%S%p")
_TIMES = ("", *(between + clock for between in (" ", ", ") for clock in _CLOCKS))
_JOINED = tuple(day + time for day in ("%Y/%m/%d", "%Y-%m-%d", "%Y%m%d") for time in ("T%H:%M", "T%H:%M:%S", "T%H%M%S"))
_ZONES = ("", " %z", " GMT", " UTC", "Z")
_LONG = ("%Y-%m", "%Y/%m", "%m/%Y", "%b %Y", "%B %Y", "%b-%Y", "%b-%y", "%YQ%q", "%Y-Q%q", "%Y Q%q", "Q%q %Y", "Q%q-%Y")
_WITH_ZONE = tuple(day + f" %H:%M:%S{zone}" for day in _DAYS for zone in _ZONES[1:])
FORMATS = (
    *(day + time for time in _TIMES for day in _DAYS),
    *_WITH_ZONE,
    *_JOINED,
    *_LONG,
    *("%I:%M %p", "%I:%M:%S %p", "%I:%M%p"),
    *("%a %b %d %H:%M:%S %Y", "%H:%M:%S %d %b %Y", "%H:%M %d %b %Y", "%Y, %B", "%Y, %b", "%Y %B", "%Y %b"),
)
_SHAPES = {
    **{"Y": r"\d{4}", "y": r"\d{2}", "b": "[A-Za-z]{3}", "B": "[A-Za-z]{3,9}", "a": "[A-Za-z]{3}"},
    **{"A": "[A-Za-z]{6,9}", "p": "(?i:am|pm)", "q": "[1-4]", "z": r"[+-]\d{4}"},
}
_LETTERS = frozenset("bBaAp")
_QUARTERS = (("Q1", "Q01"), ("Q2", "Q04"), ("Q3", "Q07"), ("Q4", "Q10"))


def skeleton(text: str) -> str:
    """Return a text with a 9 for every number, an a for every word and one space for several.

    Examples
    --------
    >>> skeleton("1/5/2019 3:04 PM"), skeleton("2019Q1"), skeleton("Mon, 07 Jan 2019 10:00:00 -0330")
    ('9/9/9 9:9 a', '9a9', 'a, 9 a 9 9:9:9 +9')
    """
    marked = re.sub(r"\d+", "9", re.sub(r" [+-]\d{4}$", " +9", re.sub(" +", " ", text)))
    return re.sub(r"[^\W\d_]+", "a", marked)


def _skeleton_of(form: str) -> str:
    compact = form.replace("%Y%m%d", "%d").replace("%H%M%S", "%H")
    marked = re.sub(r"%(\w)", lambda match: "a" if match[1] in _LETTERS else "+9" if match[1] == "z" else "9", compact)
    return skeleton(marked)


def _by_skeleton() -> dict[str, list[str]]:
    found = defaultdict(list)
    for form in FORMATS:
        found[_skeleton_of(form)].append(form)
    return dict(found)


BY_SKELETON = _by_skeleton()
"""The formats that a text of a skeleton may have."""


def read(texts: pa.StringArray, form: str) -> NDArray[np.float64]:
    """Return seconds since 1970 in UTC, [n]; nan for a text that does not fit the format."""
    form, texts = plain(form), pc.replace_substring_regex(texts, " {2,}", " ")
    # strptime is lenient (two digits pass for a year), so the shape is checked first.
    number = r"\d{2}" if "%Y%m%d" in form else r"\d{1,2}"
    pattern = re.sub(r"%(\w)", lambda match: _SHAPES.get(match[1], number), form.replace(".", r"\."))
    shaped = pc.match_substring_regex(texts, f"^{pattern}$")
    if not pc.any(shaped).as_py():
        return np.full(len(texts), np.nan)
    texts = pc.if_else(shaped, texts, None)
    if form.endswith("%z"):
        return checked(pc.utf8_rtrim(pc.utf8_slice_codeunits(texts, 0, -5), " "), form[:-3]) - _offset(texts)
    if "%q" in form:
        for quarter, month in _QUARTERS:
            texts = pc.replace_substring(texts, quarter, month)
        form = form.replace("%q", "%m")
    if "%Y" not in form and "%y" not in form:
        return checked(pc.binary_join_element_wise("1970-01-01", texts, " "), f"%Y-%m-%d {form}")
    return checked(texts, form)


def checked(texts: pa.StringArray, form: str) -> NDArray[np.float64]:
    """Return seconds since 1970 in UTC, [n]; nan for a text that is no date of a plain `strptime` format."""
    moments = pc.strptime(texts, format=form, unit="s", error_is_null=True)
    # strptime takes 30 February for 1 March: only a date that is written back the same is one.
    same = pc.equal(_spelled(pc.strftime(moments, format=form)), _spelled(texts))
    kept = pc.if_else(pc.fill_null(same, False), moments.cast(pa.int64()), None)
    return np.array(kept.to_numpy(zero_copy_only=False), dtype=np.float64)


def write(moments: pa.TimestampArray, form: str) -> pa.StringArray:
    """Write moments [n] in a format."""
    if "%q" in form:
        texts = write(moments, form.replace("%q", "%m"))
        for months, quarter in (("Q0[1-3]", "Q1"), ("Q0[4-6]", "Q2"), ("Q0[7-9]", "Q3"), ("Q1[0-2]", "Q4")):
            texts = pc.replace_substring_regex(texts, months, quarter)
        return texts
    pieces = [_piece(moments, piece) for piece in re.split(r"(%-\w|%P)", form) if piece]
    return pc.binary_join_element_wise(*pieces, "")


def ways_to_write(form: str) -> list[str]:
    """Return the ways to write a format: with or without zeros in the date and in the hour, and with am or AM."""
    if "%Y%m%d" in form:
        return [form]
    clock = r"%([HI])(?!%)"  # digits that follow each other need their zeros
    dates, hours = re.sub(r"%([md])", r"%-\1", form), re.sub(clock, r"%-\1", form)
    ways = dict.fromkeys([form, hours, dates, re.sub(clock, r"%-\1", dates)])
    return [*ways, *(way.replace("%p", "%P") for way in ways if "%p" in way)]


def plain(form: str) -> str:
    """Return the format as `strptime` has it, which reads any number of zeros and any case.

    Examples
    --------
    >>> plain("%-d.%-m.%Y %-I:%M %P")
    '%d.%m.%Y %I:%M %p'
    """
    return form.replace("%-", "%").replace("%P", "%p")


def _piece(moments: pa.TimestampArray, form: str) -> pa.StringArray:
    if form == "%P":
        return pc.utf8_lower(pc.strftime(moments, format="%p"))
    if form.startswith("%-"):
        return pc.replace_substring_regex(pc.strftime(moments, format="%" + form[2:]), r"^0(\d)", r"\1")
    return pc.strftime(moments, format=form.replace(".%f", ""))  # Arrow writes the fraction of a second with %S


def _offset(texts: pa.StringArray) -> NDArray[np.float64]:
    parts = pc.extract_regex(texts, r"(?P<sign>[+-])(?P<hours>\d{2})(?P<minutes>\d{2})$")
    sign, hours, minutes = (pc.struct_field(parts, name) for name in ("sign", "hours", "minutes"))
    seconds = pc.add(pc.multiply(hours.cast(pa.int64()), 3600), pc.multiply(minutes.cast(pa.int64()), 60))
    signed = pc.if_else(pc.equal(sign, "-"), pc.negate(seconds), seconds)
    return np.array(signed.to_numpy(zero_copy_only=False), dtype=np.float64)


def _spelled(texts: pa.StringArray) -> pa.StringArray:
    return pc.replace_substring_regex(pc.utf8_lower(texts), r"(\b|t)0(\d)", r"\1\2")

"""Datetimes as text: which format a column uses, and seconds since 1970 to and from that format."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_ISO = (
    r"^(?P<date>\d{4}-\d{2}-\d{2})"
    r"(?:[T ](?P<time>\d{2}:\d{2})(?P<second>:\d{2})?(?P<fraction>\.\d{1,9})?)?"
    r"(?:(?P<utc>Z)|(?P<sign>[+-])(?P<hours>\d{2}):?(?P<minutes>\d{2}))?$"
)
_DAYS = (
    *("%Y/%m/%d", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%d-%b-%Y", "%d %b %Y", "%b %d, %Y"),
    *("%d %B %Y", "%B %d, %Y", "%m/%d/%y", "%d/%m/%y", "%d.%m.%y", "%d-%b-%y"),
)
_FORMATS = tuple(day + time for day in _DAYS for time in ("", " %H:%M", " %H:%M:%S"))
_HEAD = 50  # texts that are tried before all others: they rule out most formats
ISO = "ISO 8601"
"""The format of any text in ISO 8601, and no other one."""
_SHAPES = {"Y": r"\d{4}", "y": r"\d{2}", "b": "[A-Za-z]{3}", "B": "[A-Za-z]{3,9}"}


Read = Callable[[str], NDArray[np.float64]]
"""Returns the seconds since 1970 of texts [n] in a format, as `exact` does; a text that was read need not be again."""


def guess_format(texts: pa.StringArray, read: Read) -> str | None:
    """Return the format that every text fits, or None; `read` reads these texts.

    ISO 8601 goes first; where the text allows both orders of day and month, month first is taken (see `ambiguous`).
    """
    if len(texts) == 0:
        return None
    if _fits(texts, ISO, read):
        longest = int(np.argmax(pc.utf8_length(texts).to_numpy()))
        return _iso_format(texts[longest].as_py())
    return next((form for form in _FORMATS if _fits(texts, form, read)), None)


def ambiguous(texts: pa.StringArray, form: str, read: Read) -> bool:
    """Whether the texts also fit the format with day and month exchanged."""
    if form.startswith("%d"):
        other = form.replace("%d", "%_", 1).replace("%m", "%d").replace("%_", "%m")
    else:
        other = form.replace("%m", "%_", 1).replace("%d", "%m").replace("%_", "%d")
    return not form.startswith("%Y") and "%m" in form and _fits(texts, other, read)


def to_seconds(form: str | None, read: Read) -> NDArray[np.float64]:
    """Return seconds since 1970 in UTC, [n]; nan for a text that fits neither the format nor ISO 8601."""
    if form is None or form.startswith("%Y-"):
        return read(ISO)
    seconds = read(form)
    other = np.isnan(seconds)
    return np.where(other, read(ISO), seconds) if other.any() else seconds


def exact(texts: pa.StringArray, form: str) -> NDArray[np.float64]:
    """Return seconds since 1970 in UTC, [n]; nan for a text that does not fit the format."""
    return _iso_seconds(texts) if form == ISO else _parse(texts, form)


def from_seconds(seconds: NDArray[np.float64], form: str, round: bool = True) -> pa.StringArray:
    """Write seconds since 1970 in the format, [n]; rounded to the smallest unit that it shows, else truncated."""
    unit = "us" if "%f" in form else "s"
    smallest = 1e-6 if "%f" in form else 1 if "%S" in form else 60 if "%M" in form else 86_400
    shown = np.round(seconds / smallest) * smallest if round else seconds
    ticks = np.round(shown * (1e6 if unit == "us" else 1)).astype(np.int64)
    zone = "UTC" if "%z" in form or form.endswith("Z") else None
    return pc.strftime(pa.array(ticks).cast(pa.timestamp(unit, zone)), format=form.replace(".%f", ""))


def _iso_seconds(texts: pa.StringArray) -> NDArray[np.float64]:
    parts = pc.extract_regex(texts, _ISO)
    field = {name: pc.struct_field(parts, name) for name in ("date", "time", "second", "fraction")}
    padded = [field["date"], " ", _or(field["time"], "00:00"), _or(field["second"], ":00")]
    whole = pc.binary_join_element_wise(*padded, "", null_handling="emit_null")
    seconds = _checked(whole, "%Y-%m-%d %H:%M:%S")
    seconds += _floats(_or(field["fraction"], "0"))
    sign = _floats(pc.binary_join_element_wise(_or(pc.struct_field(parts, "sign"), "+"), "1", ""))
    hours = _floats(_or(pc.struct_field(parts, "hours"), "0"))
    minutes = _floats(_or(pc.struct_field(parts, "minutes"), "0"))
    return seconds - sign * (3600 * hours + 60 * minutes)


def _or(texts: pa.StringArray, other: str) -> pa.StringArray:
    return pc.if_else(pc.equal(texts, ""), other, texts)


def _floats(texts: pa.StringArray) -> NDArray[np.float64]:
    plain = pc.utf8_ltrim(texts, "+").cast(pa.float64())
    return np.array(plain.to_numpy(zero_copy_only=False), dtype=np.float64)


def _iso_format(text: str) -> str:
    match = re.match(_ISO, text)
    assert match is not None
    zone = "Z" if match["utc"] else "%z" if match["sign"] else ""
    if not match["time"]:
        return "%Y-%m-%d" + zone
    seconds = (":%S" if match["second"] else "") + (".%f" if match["fraction"] else "")
    return f"%Y-%m-%d{text[10]}%H:%M{seconds}{zone}"


def _fits(texts: pa.StringArray, form: str, read: Read) -> bool:
    head = not np.isnan(exact(texts.slice(0, _HEAD), form)).any()
    return head and not np.isnan(read(form)).any()


def _parse(texts: pa.StringArray, form: str) -> NDArray[np.float64]:
    # strptime is lenient (two digits pass for a year), so the shape is checked first.
    pattern = re.sub(r"%(\w)", lambda match: _SHAPES.get(match[1], r"\d{1,2}"), form.replace(".", r"\."))
    shaped = pc.match_substring_regex(texts, f"^{pattern}$")
    if not pc.any(shaped).as_py():
        return np.full(len(texts), np.nan)
    return _checked(pc.if_else(shaped, texts, None), form)


def _checked(texts: pa.StringArray, form: str) -> NDArray[np.float64]:
    moments = pc.strptime(texts, format=form, unit="s", error_is_null=True)
    # strptime takes 30 February for 1 March: only a date that is written back the same is one.
    same = pc.equal(_plain(pc.strftime(moments, format=form)), _plain(texts))
    kept = pc.if_else(pc.fill_null(same, False), moments.cast(pa.int64()), None)
    return np.array(kept.to_numpy(zero_copy_only=False), dtype=np.float64)


def _plain(texts: pa.StringArray) -> pa.StringArray:
    return pc.replace_substring_regex(pc.utf8_lower(texts), r"\b0(\d)", r"\1")

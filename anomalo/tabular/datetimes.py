"""Datetimes as text: which format a column uses, and seconds since 1970 to and from that format."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from anomalo.tabular.understanding import date_formats, durations
from anomalo.tabular.understanding.date_formats import BY_SKELETON, plain, skeleton, ways_to_write
from anomalo.tabular.understanding.number_guess import MOSTLY

_ISO = (
    r"^(?P<date>\d{4}-\d{2}-\d{2})"
    r"(?:[T ](?P<time>\d{2}:\d{2})(?P<second>:\d{2})?(?P<fraction>\.\d{1,9})?)?"
    r"(?:(?P<utc>Z)|(?P<sign>[+-])(?P<hours>\d{2}):?(?P<minutes>\d{2}))?$"
)
_SAMPLE = 200
_FORMS = 4
_RARE = 0.02
_CLOSE = 0.1
_LEAST = 0.2
ISO = "ISO 8601"
"""The format of any text in ISO 8601, and no other one."""

Read = Callable[[str], NDArray[np.float64]]
"""Returns the seconds since 1970 of texts [n] in a format, as `exact` does; a text that was read need not be again."""
Counts = NDArray[np.intp]


def guess_formats(texts: pa.StringArray, counts: Counts, read: Read, mostly: float = MOSTLY) -> tuple[str, ...]:
    """Return the formats that most texts fit, the most frequent one first; empty if less than most do.

    Where the text allows both orders of day and month, month first is taken (see `ambiguous`).

    Parameters
    ----------
    texts : StringArray [k]
        Distinct trimmed texts.
    counts : intp [k]
        How many cells have each.
    read : function
        Reads these texts.
    mostly : float
        The least share of the cells.
    """
    some = _some(texts)
    sample = texts.take(pa.array(some))
    known = {form: ~np.isnan(exact(sample, form)) for form in _candidates(sample)}
    left, unread, forms = np.ones(len(sample), dtype=np.bool_), np.ones(len(texts), dtype=np.bool_), list[str]()
    while known and len(forms) < _FORMS and counts[unread].sum() > 0:
        shares = {form: (fits & left).mean() for form, fits in known.items()}
        best = max(shares.values(), default=0.0)
        if best < _RARE:
            break
        close = [form for form, share in shares.items() if share >= (1 - _CLOSE) * best]
        close = [ISO] if shares.get(ISO) == best else close  # no other format has the same texts
        fits = {form: ~np.isnan(read(form)) & unread for form in close}
        form = max(close, key=lambda form: counts[fits[form]].sum())
        forms.append(form)
        unread, left = unread & ~fits[form], left & ~known.pop(form)
        if not forms[1:] and best < min(_LEAST, mostly):
            return ()
    if counts[unread].sum() > (1 - mostly + 1e-9) * counts.sum():
        return ()
    return tuple(_as_written(form, texts, some, counts, read) for form in forms)


def _some(texts: pa.StringArray) -> NDArray[np.int64]:
    """Return the positions of some texts, at most `_SAMPLE`, at equal distances in alphabetical order."""
    order: NDArray[np.int64] = pc.array_sort_indices(texts).to_numpy().astype(np.int64)
    return order[np.linspace(0, len(order) - 1, min(_SAMPLE, len(order))).astype(np.int64)]


def _candidates(sample: pa.StringArray) -> list[str]:
    if not pc.any(pc.match_substring_regex(sample, r"\d")).as_py():
        return []
    shapes = dict.fromkeys(map(skeleton, sample.to_pylist()))
    forms = [form for shape in shapes for form in BY_SKELETON.get(shape, ())]
    iso = any(shape.startswith("9-9-9") for shape in shapes)
    return [*([ISO] if iso else []), *forms, *durations.guess(sample)]


def _as_written(form: str, texts: pa.StringArray, some: NDArray[np.int64], counts: Counts, read: Read) -> str:
    """Return the format with the details in which most of its texts are written; `some` of them show the details."""
    seconds = read(form)
    fits = ~np.isnan(seconds)
    if form == ISO:
        mine = texts.filter(pa.array(fits))
        lengths = pc.utf8_length(mine).to_numpy(zero_copy_only=False)
        often = np.bincount(lengths, weights=counts[fits])
        most = len(often) - 1 - int(np.argmax(often[::-1]))
        return _iso_format(pc.min(mine.filter(pa.array(lengths == most))).as_py())
    if form.startswith(durations.MARK):
        return form
    shown = some[fits[some]]
    ways, written = ways_to_write(form), texts.take(pa.array(shown))
    same = [pc.sum(pc.equal(from_seconds(seconds[shown], way), written)).as_py() or 0 for way in ways]
    return ways[int(np.argmax(same))]


def is_iso(form: str) -> bool:
    """Whether a format is read as any ISO 8601."""
    return form == ISO or form.startswith("%Y-%m-%d")


def ambiguous(texts: pa.StringArray, form: str, read: Read) -> bool:
    """Whether the texts that fit the format also fit it with day and month exchanged."""
    mine = plain(form)
    if mine.startswith("%Y") or "%m" not in mine or "%d" not in mine:
        return False
    other = mine.replace("%d", "%_", 1).replace("%m", "%d").replace("%_", "%m")
    first = texts.slice(0, _SAMPLE)
    if np.isnan(exact(first, other)[~np.isnan(exact(first, mine))]).any():
        return False
    return not np.isnan(read(other)[~np.isnan(read(mine))]).any()


def to_seconds(forms: tuple[str, ...], read: Read) -> NDArray[np.float64]:
    """Return seconds since 1970 in UTC, [n]; nan for a text that fits none of the formats, and is not in ISO 8601."""
    seconds = read(_read_as(forms[0])) if forms else read(ISO)
    for form in (*forms[1:], ISO):
        other = np.isnan(seconds)
        if other.any():
            seconds = np.where(other, read(_read_as(form)), seconds)
    return seconds


def _read_as(form: str) -> str:
    return ISO if is_iso(form) else form if form.startswith(durations.MARK) else plain(form)


def exact(texts: pa.StringArray, form: str) -> NDArray[np.float64]:
    """Return seconds since 1970 in UTC, [n]; nan for a text that does not fit the format."""
    if form == ISO:
        return _iso_seconds(texts)
    return durations.read(texts, form) if form.startswith(durations.MARK) else date_formats.read(texts, form)


def from_seconds(seconds: NDArray[np.float64], form: str, round: bool = True) -> pa.StringArray:
    """Write seconds since 1970 in the format, [n]; rounded to the smallest unit that it shows, else truncated."""
    if form.startswith(durations.MARK):
        return durations.write(seconds, form, round)
    unit = "us" if "%f" in form else "s"
    smallest = 1e-6 if "%f" in form else 1 if "%S" in form else 60 if "%M" in form else 86_400
    shown = np.round(seconds / smallest) * smallest if round else seconds
    ticks = np.round(shown * (1e6 if unit == "us" else 1)).astype(np.int64)
    zone = "UTC" if "%z" in form or form.endswith("Z") else None
    return date_formats.write(pa.array(ticks).cast(pa.timestamp(unit, zone)), form)


def _iso_seconds(texts: pa.StringArray) -> NDArray[np.float64]:
    parts = pc.extract_regex(texts, _ISO)
    field = {name: pc.struct_field(parts, name) for name in ("date", "time", "second", "fraction")}
    padded = [field["date"], " ", _or(field["time"], "00:00"), _or(field["second"], ":00")]
    whole = pc.binary_join_element_wise(*padded, "", null_handling="emit_null")
    seconds = date_formats.checked(whole, "%Y-%m-%d %H:%M:%S")
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

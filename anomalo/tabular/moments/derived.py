"""Columns that are computed from points in time: cycles, the distance from the usual span, and durations."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from anomalo.tabular.column import Column
from anomalo.tabular.columns import Columns
from anomalo.tabular.moments.related import related
from anomalo.tabular.parsing import Texts
from anomalo.tabular.schema import Schema
from anomalo.tabular.understanding.durations import MARK
from anomalo.tabular.understanding.number_parts import Numbers

Part = Literal["hour", "weekday", "month", "yearly sine", "yearly cosine", "outside", "since"]

DAY, YEAR = 86_400.0, 365.25 * 86_400.0
"""Seconds."""
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
HOURS = tuple(f"{hour:02}:00" for hour in range(24))
LEVELS: Mapping[Part, tuple[str, ...]] = {"hour": HOURS, "weekday": WEEKDAYS, "month": MONTHS}
YEARLY: tuple[Part, Part] = ("yearly sine", "yearly cosine")
"""The day of the year as a point on a circle, so that 31 December is next to 1 January."""
SPANS: Mapping[Part, float] = {"hour": 2 * DAY, "weekday": 21 * DAY, "month": 1.5 * YEAR, "yearly sine": 1.9 * YEAR}
"""The least usual span of time in which a cycle can be seen, in seconds; that of two years is a little shorter."""
DURATIONS = ("time32", "time64", "duration")
"""Arrow types of times of day and durations."""
EACH = 5
"""The least number of rows for each level of a cycle."""
TIMED = 0.05
"""The least share of moments that are not at midnight, or the first of a month, for hours or weekdays to be known."""
USUAL = (0.01, 0.99)
"""Quantiles between which the usual moments lie; as far beyond them as they are apart is not unusual either."""
LATER = 10 * YEAR
"""So much later than the usual moments new rows may be: a model is used for days or years after it was fitted."""


@dataclass(frozen=True)
class DerivedColumn:
    """One column that is computed from points in time.

    Attributes
    ----------
    part : {"hour", "weekday", "month", "yearly sine", "yearly cosine", "outside", "since"}
        What it is: a level of a cycle; a coordinate of the day of the year; how far outside the usual span, in spans;
        or the seconds since another column.
    sources : tuple of str
        The column that it is computed from; of "since" the later one first.
    usual : (float, float)
        Of "outside", the ends of the usual span in seconds since 1970; of "hour" the first and the last usual hour.
    until : float
        Of "outside", the moment up to which later ones are not unusual, in the same unit.
    """

    part: Part
    sources: tuple[str, ...]
    usual: tuple[float, float] = (0.0, 0.0)
    until: float = -np.inf

    @property
    def name(self) -> str:
        """Its name, which says what it is computed from."""
        return f"{self.part} of {self.sources[0]}" if self.part != "since" else " since ".join(self.sources)

    @property
    def column(self) -> Column:
        """The column, as a schema describes it."""
        return Column(self.name, "category" if self.part in LEVELS else "number", storage="double")

    def values(self, columns: Columns) -> Numbers | Texts:
        """Compute it from a batch's columns, [n]; missing where one of its sources is."""
        seconds = _seconds(columns, self.sources[0])
        if self.part == "since":
            return seconds - _seconds(columns, self.sources[1])
        if self.part in YEARLY:
            return (np.sin if self.part == YEARLY[0] else np.cos)(2 * np.pi * _year_passed(seconds))
        if self.part == "outside":
            first, last = self.usual
            beyond = _beyond(seconds, first, last) / max(last - first, DAY)
            return np.where((seconds > last) & (seconds < self.until), 0.0, beyond)
        index = np.full(len(seconds), -1, dtype=np.int32)
        seen = ~np.isnan(seconds)
        levels, index[seen] = np.unique(level(self.part, seconds[seen]), return_inverse=True)
        return Texts(pa.array([LEVELS[self.part][level] for level in levels], pa.string()), index)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON-ready values."""
        return {name: value for name, value in asdict(self).items() if value != -np.inf}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> DerivedColumn:
        """Rebuild it from `to_json`."""
        until = value.get("until", -np.inf)  # models of before 2026-12 have none
        return cls(value["part"], tuple(value["sources"]), tuple(value["usual"]), until)


def derive(columns: Columns, schema: Schema) -> tuple[DerivedColumn, ...]:
    """Choose what to derive from a training table's points in time, as far as their span supports it."""
    moments = [column.name for column in schema.features if is_moment(column)]
    found = [part for name in moments for part in _of_one(name, _seconds(columns, name))]
    pairs = itertools.combinations(moments, 2)
    seconds = {name: _seconds(columns, name) for name in moments}
    since = related({pair: (seconds[pair[0]], seconds[pair[1]]) for pair in pairs})
    return (*found, *(DerivedColumn("since", pair) for pair in since))


def is_moment(column: Column) -> bool:
    """Whether a column's cells are points in time: neither times of day nor durations, which are plain numbers."""
    if column.kind != "datetime" or column.role != "feature":
        return False
    return not column.storage.startswith(DURATIONS) and not any(form.startswith(MARK) for form in column.date_format)


def derived_table(found: Sequence[DerivedColumn], columns: Columns) -> tuple[Columns, Schema]:
    """Return the derived columns of a batch, and the schema that describes them."""
    schema = Schema(tuple(derived.column for derived in found), columns.rows)
    return Columns(columns.rows, {derived.name: derived.values(columns) for derived in found}), schema


def _of_one(name: str, seconds: Numbers) -> list[DerivedColumn]:
    seen = seconds[~np.isnan(seconds)]
    if not len(seen):
        return []
    first, last = (float(end) for end in np.quantile(seen, USUAL))
    usual = seen[(seen >= first) & (seen <= last)]
    cycles = [part for part in LEVELS if _supports(part, usual, last - first)]
    yearly = YEARLY if "month" in cycles and last - first >= SPANS[YEARLY[0]] and _has_days(usual) else ()
    return [
        *(DerivedColumn(part, (name,)) for part in yearly),
        *(DerivedColumn(part, (name,), _usual_hours(usual) if part == "hour" else (0.0, 0.0)) for part in cycles),
        DerivedColumn("outside", (name,), (first, last), _until(seen, first, last)),
    ]


def _until(seen: Numbers, first: float, last: float) -> float:
    """Return up to when new moments are later as time passes: at most to the first that is an outlier in training."""
    span = max(last - first, DAY)
    return float(seen[seen > last + span].min(initial=last + max(span, LATER)))


def _supports(part: Part, seconds: Numbers, span: float) -> bool:
    """Whether moments span enough of a cycle, with enough rows and resolution, for its levels to mean anything."""
    levels = level(part, seconds)
    if span < SPANS[part] or len(seconds) < EACH * len(LEVELS[part]) or len(np.unique(levels)) < 2:
        return False
    if part == "hour":
        return bool(np.mean(seconds % DAY != 0) >= TIMED)
    return part == "month" or _has_days(seconds)


def _has_days(seconds: Numbers) -> bool:
    """Whether moments are more than months: enough of them are not the first of one."""
    days = seconds.astype("datetime64[s]").astype("datetime64[D]")
    return bool(np.mean(days != days.astype("datetime64[M]").astype("datetime64[D]")) >= TIMED)


def level(part: Part, seconds: Numbers) -> NDArray[np.int32]:
    """Return the number of each moment's level, [n]."""
    if part == "hour":
        return (seconds % DAY // 3600).astype(np.int32)
    if part == "weekday":
        return ((np.floor(seconds / DAY) + 3) % 7).astype(np.int32)  # 1970 began with a Thursday
    months = np.floor(seconds).astype(np.int64).astype("datetime64[s]").astype("datetime64[M]").astype(np.int64)
    return (months % 12).astype(np.int32)


def _year_passed(seconds: Numbers) -> Numbers:
    """Return the share of its year that has passed at each moment, from 0 to 1; nan where missing."""
    there = ~np.isnan(seconds)
    whole = np.floor(np.where(there, seconds, 0.0)).astype(np.int64).astype("datetime64[s]")
    year = whole.astype("datetime64[Y]")
    start, end = year.astype("datetime64[s]"), (year + 1).astype("datetime64[s]")
    return np.where(there, (whole - start) / (end - start), np.nan)


def day_of_year(sine: Numbers, cosine: Numbers) -> Numbers:
    """Return the day of the year, from 0 to less than 365, of points around a circle.

    A point that is nearer to the centre than to the circle, the mean of several seasons, stands for none: nan.

    Examples
    --------
    >>> day_of_year(np.array([0.0, 1.0, 0.0, 0.1]), np.array([1.0, 0.0, -0.6, 0.2]))
    array([  0.  ,  91.25, 182.5 ,    nan])
    """
    day = np.arctan2(sine, cosine) % (2 * np.pi) / (2 * np.pi) * 365
    return np.where(np.hypot(sine, cosine) < 0.5, np.nan, day)


def _usual_hours(seconds: Numbers, share: float = 0.95) -> tuple[float, float]:
    """Return the first and the last of the fewest successive hours that hold a share of the moments."""
    counts = np.bincount(level("hour", seconds), minlength=24)
    for length in range(1, 25):
        held = [counts[np.arange(first, first + length) % 24].sum() for first in range(24)]
        if max(held) >= share * counts.sum():
            first = int(np.argmax(held))
            return float(first), float((first + length - 1) % 24)
    return 0.0, 23.0


def _beyond(seconds: Numbers, first: float, last: float) -> Numbers:
    """Return how far moments are beyond the usual span and once its length around it, in seconds; negative before."""
    span = max(last - first, DAY)
    return np.minimum(seconds - (first - span), 0.0) + np.maximum(seconds - (last + span), 0.0)


def _seconds(columns: Columns, name: str) -> Numbers:
    values = columns.values[name]
    assert not isinstance(values, Texts), f"column {name!r} holds texts; expected points in time"
    return values

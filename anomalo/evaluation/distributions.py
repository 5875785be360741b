"""A column's values as the bars of a strip, and where an explained cell lies among them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from anomalo.encoding.scaling import centre_and_scale, compress
from anomalo.evaluation.comparison.cells import read
from anomalo.evaluation.comparison.profile import ColumnProfile, Profile, Values
from anomalo.tabular.column import METADATA, TEXT, Column
from anomalo.tabular.columns import ParsedTable
from anomalo.tabular.quantities import with_unit
from anomalo.tabular.wording import moment_text
from anomalo.tabular.writing.digits import interval_digits

BARS = 40
"""Bars of a strip of numbers."""
FEW = 24
"""Up to so many different numbers have a bar each."""
LEVELS = 12
"""So many levels have a bar, the most frequent ones; the last bar may stand for all others."""
OTHERS = "other levels"
_MARGIN = 0.02

Span = tuple[float, float]


@dataclass(frozen=True)
class Cell:
    """What is known of an explained cell.

    Attributes
    ----------
    observed, expected : str or None
        Its texts; None where it is missing, or nothing is expected.
    low, high : float or None
        The ends of its interval, in original units.
    """

    observed: str | None = None
    expected: str | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Bar:
    """One bar of a strip.

    Attributes
    ----------
    left, right : float
        Where it is, from 0 to 1.
    height : float
        From 0 to 1, the highest bar's.
    label : str
        The level that it counts; empty for numbers.
    """

    left: float
    right: float
    height: float
    label: str = ""


@dataclass(frozen=True)
class Strip:
    """The distribution of a column, and a cell in it; all positions are from 0 to 1.

    Attributes
    ----------
    bars : tuple of Bar
        From left to right.
    observed, expected : float or None
        Where the cell's values are; None where they are unknown or missing.
    interval : tuple of two float, or None
        Where its interval begins and ends.
    ends : tuple of two str
        The numbers or dates at both ends; empty for levels.
    """

    bars: tuple[Bar, ...]
    observed: float | None
    expected: float | None
    interval: Span | None = None
    ends: tuple[str, str] = ("", "")


def strip(profile: Profile, name: str, cell: Cell) -> Strip | None:
    """Return the strip of a column of a table with a cell; None if the column has no distribution to show.

    Numbers far from the centre are drawn closer together: linear up to three scales, logarithmic beyond; see
    `anomalo.plugin.compress`.

    Parameters
    ----------
    profile : Profile
        Of the training table.
    name : str
        The column.
    cell : Cell
        What is marked.
    """
    found = next((column for column in profile.columns if column.name == name), None)
    column = next((column for column in profile.schema.columns if column.name == name), None)
    if found is None or column is None or found.problem:
        return None
    if found.family == "number":
        return _of_numbers(profile, column, found, cell)
    return _of_levels(profile, column, found, cell) if found.family == "level" and found.levels else None


def _of_numbers(profile: Profile, column: Column, found: ColumnProfile, cell: Cell) -> Strip | None:
    values = found.values[np.isfinite(found.values)]
    if not len(values):
        return None
    texts = _numbers(profile, column, (cell.observed, cell.expected))
    marks = np.array([np.nan if end is None else end for end in (*texts, cell.low, cell.high)])
    everything = np.concatenate([values, marks[np.isfinite(marks)]])
    offset, scale = centre_and_scale(values)
    low, high = compress([everything.min(), everything.max()], offset, scale)
    margin = _MARGIN * (high - low) or 1.0
    low, width = low - margin, high - low + 2 * margin
    at = [None if np.isnan(place) else float(place) for place in (compress(marks, offset, scale) - low) / width]
    bars = _bars((compress(values, offset, scale) - low) / width)
    interval = None if at[2] is None or at[3] is None else (at[2], at[3])
    ends = _ends(column, float(everything.min()), float(everything.max()))
    return Strip(bars, at[0], at[1], interval, ends)


def _bars(places: Values) -> tuple[Bar, ...]:
    """Return bars of equal width, or one for each value where these are few."""
    distinct, counts = np.unique(places, return_counts=True)
    if len(distinct) > FEW:
        counts, edges = np.histogram(places, BARS, (0.0, 1.0))
        left, right = edges[:-1], edges[1:]
    else:
        gap = min(float(np.diff(distinct).min()) if len(distinct) > 1 else 1.0, 1.5 / BARS)
        left, right = distinct - 0.4 * gap, distinct + 0.4 * gap
    heights = counts / counts.max()
    return tuple(
        Bar(float(one), float(other), float(height))
        for one, other, height in zip(left, right, heights, strict=True)
        if height > 0
    )


def _ends(column: Column, low: float, high: float) -> tuple[str, str]:
    if column.kind == "datetime":
        return moment_text(low), moment_text(high)
    first, last = interval_digits(low, high)
    return with_unit(first, column.unit), with_unit(last, column.unit)


def _numbers(profile: Profile, column: Column, texts: tuple[str | None, ...]) -> list[float | None]:
    """Return cells as numbers; None where there is none."""
    reading = replace(profile.schema.reading, infinite="missing")
    values = read(_as_text(column, texts), replace(column, storage=TEXT), reading).values
    return [float(value) if np.isfinite(value) else None for value in values]


def _of_levels(profile: Profile, column: Column, found: ColumnProfile, cell: Cell) -> Strip:
    observed, expected = (_level(profile, column, text) for text in (cell.observed, cell.expected))
    counts = dict(zip(found.levels, found.counts, strict=True))
    shown = list(found.levels[: LEVELS if len(found.levels) <= LEVELS else LEVELS - 1])
    shown += [level for level in dict.fromkeys((observed, expected)) if level is not None and level not in shown]
    rest = sum(counts.values()) - sum(counts.get(level, 0) for level in shown)
    numbers = [counts.get(level, 0) for level in shown] + [rest] * (rest > 0)
    labels = [*shown, *[OTHERS] * (rest > 0)]
    width, most = 1 / len(labels), max(*numbers, 1)
    bars = tuple(
        Bar((at + 0.1) * width, (at + 0.9) * width, number / most, label)
        for at, (number, label) in enumerate(zip(numbers, labels, strict=True))
    )
    places = [None if level is None else (shown.index(level) + 0.5) * width for level in (observed, expected)]
    return Strip(bars, places[0], places[1])


def _level(profile: Profile, column: Column, text: str | None) -> str | None:
    """Return the level that a cell has; None if it is missing."""
    if text is None:
        return None
    levels = read(_as_text(column, (text,)), replace(column, storage=TEXT), profile.schema.reading).levels
    return levels[0] if levels else None


def _as_text(column: Column, texts: tuple[str | None, ...]) -> ParsedTable:
    """Return texts of cells as a table of a text file."""
    table = pa.table({column.name: pa.array(texts, pa.string())})
    return ParsedTable(table.replace_schema_metadata({METADATA: b'{"text": true}'}))

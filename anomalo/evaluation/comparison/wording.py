"""What differs between two tables, in words."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from anomalo.evaluation.comparison.aligned import Aligned, AlignedColumn
from anomalo.evaluation.comparison.columns import ColumnTest
from anomalo.evaluation.comparison.profile import Profile, Values
from anomalo.evaluation.comparison.result import Bin, SegmentChange
from anomalo.evaluation.comparison.segments import Part, Segment
from anomalo.tabular.parsing import Mask
from anomalo.tabular.quantities import count, duration, percent
from anomalo.tabular.wording import moment_text

MATERIAL = 0.1
"""A median that moves by less of the middle half than this is not what changed."""
SHOWN = 10
"""Bins of a distribution, at most."""
LONGEST = 40
"""Characters of a level that are shown."""


def change(column: AlignedColumn, values: Values, now: Mask, test: ColumnTest) -> str:
    """Return what changed of a column: its missing cells, levels or numbers."""
    if test.by_missing or column.left_out:
        before, after = test.missing
        return f"missing {percent(before)} → {percent(after)}"
    known = ~np.isnan(values)
    first, second = values[known & ~now], values[known & now]
    if not len(first) or not len(second):
        return "no values" if not len(second) else "no values before"
    return _levels(column.levels, first, second) if column.levels else _numbers(column, first, second)


def relation(name: str, before: float, after: float) -> str:
    """Return in words how the rank correlation with another column changed."""
    return f"relation with {name!r}: rank correlation {before:.2f} → {after:.2f}"


def segment_text(segment: Segment, data: Aligned) -> str:
    """Return a segment's parts in words."""
    return " & ".join(_part(part, data.columns[part.column]) for part in segment.parts)


def lift_text(segment: SegmentChange) -> str:
    """Return how over-represented a segment is, with the interval."""
    low, high = segment.interval
    if segment.lift is None or low is None or high is None:
        return f"new, at least {low or 0.0:.1f} ×"
    digits = 0 if segment.lift >= 10 else 1
    return f"{segment.lift:.{digits}f} × ({low:.{digits}f} to {high:.{digits}f})"


def number_text(value: float, column: AlignedColumn) -> str:
    """Write a number of a column, or a point in time."""
    if column.after.kind == "datetime":
        return moment_text(value)
    if abs(value) >= 10_000 and value == round(value):
        return f"{value:.0f}"
    return f"{value:.4g}"


def volume(reference: Profile, current: Profile) -> str:
    """Return how many rows there are, beside those of the reference."""
    rows = f"{count(current.rows, 'row')}, reference {reference.rows:,}"
    return rows if not reference.rows else f"{rows} ({100 * (current.rows / reference.rows - 1):+.1f} %)"


def freshness(name: str, facts: dict[str, float | None]) -> str:
    """Return how late the latest point in time of a column is; `facts` are those of `Comparison.freshness`."""
    latest, before = facts["latest"], facts["reference"]
    if latest is None:
        return f"{name!r} has no point in time"
    text = f"the latest {name!r} is {moment_text(latest)}"
    if before is not None:
        later = latest - before
        text += ", as in the reference" if not later else f", {_span(abs(later))} {'after' if later > 0 else 'before'} "
        text += "" if not later else f"the reference's {moment_text(before)}"
    age, step = facts["age"], facts["step"]
    if age is not None and age >= 0:
        text += f"; it is {_span(age)} old"
        text += f", the longest gap in the reference is {_span(step)}" if step else ""
    return text


def sentence(p_value: float, level: float, breaking: bool, columns: list[str], segments: list[str]) -> str:
    """Return the result of a comparison in one sentence."""
    p = f"p = {p_text(p_value)}"
    if p_value > level:
        return f"columns changed, and no other difference found ({p})" if breaking else f"no difference found ({p})"
    found = [*(["mainly " + ", ".join(columns)] if columns else []), *segments, *(["columns changed"] * breaking)]
    return f"today differs ({p})" + (": " + "; ".join(found) if found else "")


def p_text(p_value: float) -> str:
    """Write a p-value.

    Examples
    --------
    >>> p_text(0.0412), p_text(1.2e-8), p_text(1.0), p_text(1e-300)
    ('0.041', '1e-08', '1', '1e-300')
    """
    return f"{p_value:.2g}" if p_value >= 1e-4 else f"{p_value:.0e}"


def bins(column: AlignedColumn, values: Values, now: Mask) -> list[Bin]:
    """Return the distribution of a column: shares of its most frequent levels, or of ten equal intervals."""
    known = ~np.isnan(values)
    first, second = values[known & ~now], values[known & now]
    if not len(first) or not len(second):
        return []
    if column.levels:
        shares = [
            np.bincount(side.astype(np.intp), minlength=len(column.levels)) / len(side) for side in (first, second)
        ]
        shown = list(zip(column.levels, *(share.tolist() for share in shares), strict=True))[:SHOWN]
        return [Bin(_short(level), before, after) for level, before, after in shown]
    low, high = np.quantile(np.concatenate([first, second]), [0.01, 0.99])
    edges = np.linspace(low, high if high > low else low + 1, SHOWN + 1)
    parts = [np.histogram(np.clip(side, edges[0], edges[-1]), edges)[0] / len(side) for side in (first, second)]
    names = [number_text(edge, column) for edge in edges.tolist()]
    intervals = [f"{start} to {end}" for start, end in pairwise(names)]
    return [Bin(*each) for each in zip(intervals, *(part.tolist() for part in parts), strict=True)]


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"


def _span(seconds: float) -> str:
    """Write a length of time: days from two days on."""
    if seconds < 2 * 86_400:
        return duration(seconds) if seconds < 7200 else f"{seconds / 3600:.0f} h"
    return f"{seconds / 86_400:,.0f} days"


def _part(part: Part, column: AlignedColumn) -> str:
    name = column.name
    if part.level is not None:
        return f"{name}={_short(part.level)}"
    if math.isnan(part.low):
        return f"{name} missing"
    name = f"length of {name}" if column.before.family == "length" else name
    low, high = number_text(part.low, column) if math.isfinite(part.low) else "", ""
    high = number_text(part.high, column) if math.isfinite(part.high) else ""
    if low and high:
        return f"{name}={low}" if part.low == part.high else f"{name} above {low} to {high}"
    return f"{name} above {low}" if low else f"{name} up to {high}"


def _levels(levels: tuple[str, ...], first: Values, second: Values) -> str:
    """Return the level whose share changed most."""
    shares = [np.bincount(side.astype(np.intp), minlength=len(levels)) / len(side) for side in (first, second)]
    at = int(np.argmax(np.abs(shares[1] - shares[0])))
    return f"{_short(levels[at])!r} {percent(shares[0][at])} → {percent(shares[1][at])}"


def _numbers(column: AlignedColumn, first: Values, second: Values) -> str:
    """Return the medians, or the middle 80 % where that is what changed."""
    middle = np.quantile(np.concatenate([first, second]), [0.25, 0.75])
    medians = np.median(first), np.median(second)
    what = "median length" if column.before.family == "length" else "median"
    if abs(medians[1] - medians[0]) >= MATERIAL * max(middle[1] - middle[0], 1e-300):
        return f"{what} {number_text(medians[0], column)} → {number_text(medians[1], column)}"
    tenths = [[number_text(end, column) for end in np.quantile(side, [0.1, 0.9])] for side in (first, second)]
    return "middle 80 % " + " → ".join(f"{low} to {high}" for low, high in tenths)

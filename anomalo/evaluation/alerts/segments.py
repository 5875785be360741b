"""Values of category columns that are more frequent among the alerts of a run than among all its rows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from scipy import stats

from anomalo.errors import SchemaError
from anomalo.evaluation.comparison.cells import read
from anomalo.evaluation.comparison.profile import ColumnProfile, Profile
from anomalo.evaluation.comparison.segments import lift
from anomalo.tabular.columns import ParsedTable

LEVEL = 0.05
"""The largest p-value, corrected for the number of values tested, of a value that is named."""
FEWEST = 3
"""Alerts that a value has at least."""
MOST = 6
"""Values that are named, at most."""


@dataclass(frozen=True)
class Segment:
    """A value that is over-represented among the alerts.

    Attributes
    ----------
    column, value : str
        The cell.
    alerts : int
        How many alerts have it.
    lift : float
        Its share of the alerts divided by its share of the rows; infinite where the sample of the rows has none.
    p_value : float
        Of Fisher's exact test, one-sided, multiplied by the number of values tested.
    """

    column: str
    value: str
    alerts: int
    lift: float
    p_value: float


def over_represented(alerts: pa.Table, profile: Profile) -> list[Segment]:
    """Return the values that are over-represented among alerts, the most significant first, one for a column.

    Each value of each category column is tested by Fisher's exact test against the rows whose values the profile
    counts; p-values are multiplied by the number of tests (Bonferroni). Those rows include alerts, so the test errs on
    the safe side.

    Parameters
    ----------
    alerts : Table
        The alerts as they were read.
    profile : Profile
        Of all rows.

    Reference: Fisher (1922), On the interpretation of chi-squared from contingency tables, and the calculation of P,
    Journal of the Royal Statistical Society 85.
    """
    tested = list(_tested(alerts, profile))
    found: dict[str, Segment] = {}
    for column, value, counts, sizes in tested:
        total = sum(sizes)
        log_p = stats.hypergeom.logsf(counts[1] - 1, total, sum(counts), sizes[1])
        p_value = min(1.0, math.exp(log_p) * len(tested))
        ratio = lift(counts, sizes)[0]
        best = found.get(column)
        if p_value <= LEVEL and ratio > 1 and (best is None or (p_value, -counts[1]) < (best.p_value, -best.alerts)):
            found[column] = Segment(column, value, counts[1], ratio, p_value)
    return sorted(found.values(), key=lambda segment: (segment.p_value, -segment.alerts))[:MOST]


def _tested(alerts: pa.Table, profile: Profile) -> Iterator[tuple[str, str, tuple[int, int], tuple[int, int]]]:
    """Yield columns and values, how many of the rows and of the alerts have them, and how many there are."""
    table = ParsedTable(alerts)
    for column in profile.columns:
        if column.family != "level" or column.name not in alerts.column_names or not column.counted:
            continue
        known = dict(zip(column.levels, column.counts, strict=True))
        for value, number in _levels(table, column, profile).items():
            if number >= FEWEST and (value in known or column.whole):
                yield column.name, value, (known.get(value, 0), number), (column.counted, alerts.num_rows)


def _levels(table: ParsedTable, column: ColumnProfile, profile: Profile) -> Counter[str]:
    """Return how many rows of a table have each level of a column; none if it cannot be read as in the profile."""
    try:
        found = read(table, profile.schema.column(column.name), profile.schema.reading)
    except SchemaError:
        return Counter()
    codes = found.values[~np.isnan(found.values)].astype(np.intp)
    counts = np.bincount(codes, minlength=len(found.levels))
    return Counter({level: int(number) for level, number in zip(found.levels, counts, strict=True) if number})

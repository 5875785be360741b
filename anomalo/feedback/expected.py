"""Segments of expected rows: levels and intervals that they share, and other anomalous rows do not."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import stats

from anomalo.encoding.encoded import Mask
from anomalo.feedback.conditions import Condition, cells_of
from anomalo.feedback.false_alarms import Learned
from anomalo.feedback.patterns import Pattern
from anomalo.feedback.reviewed import EXPECTED, Reviewed, Rows
from anomalo.tabular.moments.derived import HOURS
from anomalo.tabular.parsing import Texts

FEWEST = 3
"""Expected rows that a segment has at least."""
LEVEL = 0.01
"""The largest p-value of a segment, corrected for the number of candidates."""
DEPTH = 3
"""Conditions of a segment, at most."""
WORTH = 100.0
"""So many times smaller a further condition makes the p-value."""
GAP = 1.0
"""Numbers of one interval are so close to each other, on the model's scale (about standard deviations)."""
MARGIN = 0.1
"""So far beyond the numbers of expected rows, on the same scale, an interval extends."""
SYMPTOM = 0.5
"""A column is a symptom of a segment if it is a main reason of at least this share of its rows."""
NEAR = 2
"""Hours of one interval are so close to each other."""


@dataclass(frozen=True)
class _Candidate:
    condition: Condition
    mask: Mask


def learn(reviewed: Reviewed) -> Learned:
    """Return the segments of rows that are expected.

    A segment is a conjunction of up to `DEPTH` conditions, each on one column: a level, an interval of numbers, hours
    or a weekday. Numbers that are main reasons of expected rows are not searched: they say what is anomalous about the
    rows, not when or where it is expected. It is found greedily: the condition with the smallest p-value of Fisher's
    exact test that expected rows are over-represented, multiplied by the number of conjunctions (Bonferroni); then a
    further one as long as that p-value becomes `WORTH` times smaller, or a confirmed alert fits. A segment that a
    confirmed alert fits is dropped. At last its symptoms are added: numbers that are main reasons of most of
    its rows have to lie near theirs, so that another anomaly in the segment still is an alert. The search continues
    with the expected rows outside of it.

    Reference: sequential covering, Clark and Niblett (1989), The CN2 induction algorithm, Machine Learning 3.
    """
    left, patterns = reviewed.rows(EXPECTED), list[Pattern]()
    while len(left) >= FEWEST:
        found = _segment(reviewed, left)
        if found is None:
            break
        conditions, mask = _with_symptoms(reviewed, left, *found)
        patterns.append(Pattern("expected", conditions, int(mask[left].sum())))
        left = left[~mask[left]]
    return Learned(patterns, len(left))


def _segment(reviewed: Reviewed, rows: Rows) -> tuple[tuple[Condition, ...], Mask] | None:
    """Return the best segment of some expected rows, and which rows fit it; None if there is none."""
    confirmed = reviewed.confirmed
    mask, log_p, conditions = np.ones(reviewed.columns.rows, dtype=np.bool_), 0.0, list[Condition]()
    tested = 0.0  # the logarithm of how many conjunctions there are
    others = ~np.isin(np.arange(reviewed.columns.rows), reviewed.rows(EXPECTED))
    while len(conditions) < DEPTH:
        taken = {(one.column, one.part) for one in conditions}
        candidates = [one for one in _candidates(reviewed, rows[mask[rows]]) if _name(one) not in taken]
        if not candidates:
            break
        tested += math.log(len(candidates))
        values = [_log_p(mask & one.mask, rows, others) + tested for one in candidates]
        contradicted = [bool((mask & one.mask & confirmed).any()) for one in candidates]
        at = min(range(len(values)), key=lambda each: (values[each], contradicted[each]))
        if conditions and values[at] > log_p - math.log(WORTH) and not (mask & confirmed).any():
            break
        conditions.append(candidates[at].condition)
        mask, log_p = mask & candidates[at].mask, values[at]
    fine = conditions and log_p <= math.log(LEVEL) and not (mask & confirmed).any()
    return (tuple(conditions), mask) if fine else None


def _with_symptoms(
    reviewed: Reviewed, rows: Rows, conditions: tuple[Condition, ...], mask: Mask
) -> tuple[tuple[Condition, ...], Mask]:
    """Return a segment with intervals of the numbers that are anomalous in most of its rows."""
    inside = rows[mask[rows]]
    symptoms: dict[str, list[int]] = {}
    for row in inside.tolist():
        for name in reviewed.main_reasons(row):
            symptoms.setdefault(name, []).append(row)
    for name, block in reviewed.blocks.items():
        of, cells = symptoms.get(name, []), reviewed.columns.values.get(name)
        if len(of) < max(1, SYMPTOM * len(inside)) or cells is None or isinstance(cells, Texts):
            continue
        if block.label or block.moment or np.isnan(cells[of]).any():
            continue
        low, high = reviewed.interval(name, cells[of], GAP)
        conditions = (*conditions, Condition(name, low=low, high=high))
        mask = mask & conditions[-1].of(reviewed.columns)
    return conditions, mask


def _name(candidate: _Candidate) -> tuple[str, str]:
    return candidate.condition.column, candidate.condition.part


def _log_p(mask: Mask, rows: Rows, others: Mask) -> float:
    """Return the logarithm of the p-value that expected rows are over-represented where the mask is."""
    inside = int(mask[rows].sum())
    if inside < FEWEST:
        return 0.0
    outside, total = int((mask & others).sum()), len(rows) + int(others.sum())
    return float(stats.hypergeom.logsf(inside - 1, total, inside + outside, len(rows)))


def _candidates(reviewed: Reviewed, rows: Rows) -> list[_Candidate]:
    """Return the conditions that hold for at least `FEWEST` of some rows, in the order of the columns."""
    found = []
    for condition in _conditions(reviewed, rows):
        mask = condition.of(reviewed.columns)
        if int(mask[rows].sum()) >= FEWEST:
            found.append(_Candidate(condition, mask))
    return found


def _conditions(reviewed: Reviewed, rows: Rows) -> Iterator[Condition]:
    symptoms = {name for row in reviewed.rows(EXPECTED).tolist() for name in reviewed.main_reasons(row)}
    for name, block in reviewed.blocks.items():
        if block.label or name not in reviewed.columns.values:
            continue
        cells = reviewed.columns.values[name]
        if isinstance(cells, Texts):
            yield from _levels(cells, rows, name)
        elif block.moment:
            yield from _hours(reviewed, rows, name)
            yield from _levels(cells_of(reviewed.columns, name, "weekday"), rows, name, "weekday")
        elif name not in symptoms:
            yield from _intervals(reviewed, rows, name)


def _levels(cells: object, rows: Rows, name: str, part: str = "") -> Iterator[Condition]:
    assert isinstance(cells, Texts), f"column {name!r} holds numbers; expected texts"
    at, counts = np.unique(cells.index[rows], return_counts=True)
    for index in at[counts >= FEWEST].tolist():
        level = None if index < 0 else cells.distinct[index].as_py()
        yield Condition(name, part, () if level is None else (level,))


def _hours(reviewed: Reviewed, rows: Rows, name: str) -> Iterator[Condition]:
    """Yield runs of hours, around midnight too, in which rows are at most `NEAR` hours from the next one."""
    cells = cells_of(reviewed.columns, name, "hour")
    assert isinstance(cells, Texts), f"the hours of {name!r} are texts"
    some = cells.index[rows]
    hours = sorted({HOURS.index(cells.distinct[at].as_py()) for at in some[some >= 0].tolist()})
    if not hours:
        return
    gaps = [(after - before) % 24 for before, after in itertools.pairwise([*hours, hours[0]])]
    cuts = [at for at, gap in enumerate(gaps) if gap > NEAR]
    for before, after in itertools.pairwise([*cuts, cuts[0] + len(hours)] if cuts else []):
        first, last = hours[(before + 1) % len(hours)], hours[after % len(hours)]
        yield Condition(name, "hour", tuple(HOURS[(first + step) % 24] for step in range((last - first) % 24 + 1)))
    if len(hours) == 1:
        yield Condition(name, "hour", (HOURS[hours[0]],))


def _intervals(reviewed: Reviewed, rows: Rows, name: str) -> Iterator[Condition]:
    """Yield intervals of numbers without large gaps, and that the cell is missing."""
    cells = reviewed.columns.values[name]
    assert not isinstance(cells, Texts), f"column {name!r} holds texts; expected numbers"
    known = rows[~np.isnan(cells[rows])]
    if len(known) < len(rows):
        yield Condition(name)
    values = reviewed.encoded(name, cells[known])
    order = np.argsort(values, kind="stable")
    for part in np.split(known[order], np.flatnonzero(np.diff(values[order]) > GAP) + 1):
        if len(part) >= FEWEST:
            low, high = reviewed.interval(name, cells[part], MARGIN)
            yield Condition(name, low=low, high=high)

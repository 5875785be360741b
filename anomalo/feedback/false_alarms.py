"""Patterns of false alarms: the cells that were their reasons, and the score up to which rows with them are normal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anomalo.feedback.conditions import Condition, cells_of
from anomalo.feedback.patterns import Pattern
from anomalo.feedback.reviewed import FALSE, Reviewed, Rows
from anomalo.tabular.parsing import Texts

MARGIN = 0.5
"""So far beyond the numbers of false alarms, on the model's scale (about standard deviations), a pattern extends."""
ALIKE = 0.5
"""At least this share of the rows that a pattern accepts is anomalous because of its columns."""
PARTS = ("hour", "weekday")
"""What of a point in time has to agree."""


@dataclass(frozen=True)
class Learned:
    """What was learned of some rows.

    Attributes
    ----------
    patterns : list of Pattern
    unused : int
        Rows that no pattern came of.
    """

    patterns: list[Pattern]
    unused: int


def learn(reviewed: Reviewed) -> Learned:
    """Return the patterns of rows that are false alarms.

    Two false alarms are of one pattern if the same columns were their reasons, with equal levels there and numbers
    that no gap of twice `MARGIN` separates. Of its rows, those are accepted whose score is at most the largest score
    of its false alarms that is below the scores of all confirmed alerts that fit it. If rows that fit it and are no
    anomalies are exchangeable, a further one exceeds the scores of n such rows with a probability of 1 / (n + 1)
    (Vovk, Gammerman and Shafer 2005, section 4.5: conformal prediction by category). A pattern without such false
    alarms is dropped, and so is one whose rows are mostly anomalous for other reasons: its cells are usual ones.
    """
    groups: dict[tuple[object, ...], list[int]] = {}
    rows = reviewed.rows(FALSE)
    for row in rows.tolist():
        key = _key(reviewed, row)
        if key:
            groups.setdefault(key, []).append(row)
    patterns = []
    for key, members in groups.items():
        numbers = [str(part[0]) for part in key if isinstance(part, tuple) and len(part) == 1]
        for cluster in _clusters(reviewed, numbers, np.array(members)):
            pattern = _pattern(reviewed, key, numbers, cluster)
            if pattern is not None and reviewed.alike(pattern) >= ALIKE:
                patterns.append(pattern)
    return Learned(patterns, len(rows) - sum(pattern.rows for pattern in patterns))


def _key(reviewed: Reviewed, row: int) -> tuple[object, ...]:
    """Return what false alarms of one pattern share: a condition, or for a number a tuple of its column's name."""
    found: list[object] = []
    for name in _encoded_reasons(reviewed, row):
        block, cells = reviewed.blocks[name], reviewed.columns.values[name]
        unreadable = reviewed.columns.unreadable.get(name)
        if unreadable is not None and unreadable[row]:
            return ()
        if isinstance(cells, Texts):
            found.append(_of_text(cells, name, row))
        elif np.isnan(cells[row]):
            found.append(Condition(name))
        elif block.moment:
            parts = ((part, cells_of(reviewed.columns, name, part)) for part in PARTS)
            found += [_of_text(texts, name, row, part) for part, texts in parts if isinstance(texts, Texts)]
        else:
            found.append((name,))
    return tuple(found)


def _encoded_reasons(reviewed: Reviewed, row: int) -> list[str]:
    """Return the columns that explain a row, by name; none if the model does not encode one of them."""
    names = reviewed.main_reasons(row)
    return sorted(names) if all(name in reviewed.blocks and not reviewed.blocks[name].label for name in names) else []


def _of_text(cells: Texts, name: str, row: int, part: str = "") -> Condition:
    at = int(cells.index[row])
    level = None if at < 0 else cells.distinct[at].as_py()
    return Condition(name, part, () if level is None else (level,))


def _clusters(reviewed: Reviewed, names: list[str], rows: Rows) -> list[Rows]:
    """Return rows in groups without large gaps in any of some columns of numbers."""
    waiting, found = [rows], []
    while waiting:
        group = waiting.pop()
        for name in names:
            values = reviewed.encoded(name, _numbers(reviewed, name)[group])
            order = np.argsort(values, kind="stable")
            cuts = np.flatnonzero(np.diff(values[order]) > 2 * MARGIN) + 1
            if len(cuts):
                waiting += [group[part] for part in np.split(order, cuts)]
                break
        else:
            found.append(group)
    return found


def _pattern(reviewed: Reviewed, key: tuple[object, ...], numbers: list[str], rows: Rows) -> Pattern | None:
    """Return the pattern of some false alarms; None if confirmed alerts like them have no larger scores."""
    conditions = [part for part in key if isinstance(part, Condition)]
    for name in numbers:
        low, high = reviewed.interval(name, _numbers(reviewed, name)[rows], MARGIN)
        conditions.append(Condition(name, low=low, high=high))
    pattern = Pattern("false alarm", tuple(conditions), len(rows))
    scores = reviewed.scores[rows]
    below = scores[(scores < reviewed.lowest_confirmed(pattern)) & np.isfinite(scores)]
    return Pattern("false alarm", pattern.conditions, len(below), float(below.max())) if len(below) else None


def _numbers(reviewed: Reviewed, name: str) -> np.ndarray:
    cells = reviewed.columns.values[name]
    assert not isinstance(cells, Texts), f"column {name!r} holds texts; expected numbers"
    return cells

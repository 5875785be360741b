"""What changed of a table's columns between two tables, in words."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from anomalo.errors import closest
from anomalo.evaluation.comparison.aligned import Aligned, AlignedColumn, common, incomparable
from anomalo.evaluation.comparison.columns import log_smirnov
from anomalo.evaluation.comparison.profile import ColumnProfile, Profile
from anomalo.tabular.column import TEXT

ALIKE = 0.25
"""Two columns are called swapped if crosswise they differ by at most this part of what they differ by now."""


@dataclass(frozen=True)
class SchemaChanges:
    """What changed of the columns.

    Attributes
    ----------
    sentences : list of str
        One for each change.
    breaking : bool
        Whether columns are absent now, or cannot be compared any more.
    """

    sentences: list[str]
    breaking: bool


def schema_changes(reference: Profile, current: Profile) -> SchemaChanges:
    """Return what changed of the columns, by their names, kinds and types."""
    before, after = ([column.name for column in side.columns] for side in (reference, current))
    added = [name for name in (*after, *current.extra) if name not in {*before, *reference.extra}]
    absent = [name for name in before if name not in {*after, *current.extra}]
    pairs = common(reference, current)
    problems = [(new.name, reason) for old, new in pairs if (reason := incomparable(old, new))]
    sentences = [*_absent(absent, added), *(f"column {name!r} is new" for name in added)]
    sentences += [f"column {name!r} is not compared: {reason}" for name, reason in problems]
    sentences += [sentence for old, new in pairs if (sentence := _type_change(old, new))]
    broken = any(new.problem and not old.problem for old, new in pairs)
    families = any(old.family != new.family for old, new in pairs if not old.problem)
    return SchemaChanges(sentences, bool(absent) or broken or families)


def swapped(data: Aligned, differing: list[int]) -> list[str]:
    """Return sentences on columns that each hold now what the other one held.

    Parameters
    ----------
    data : Aligned
        The samples.
    differing : list of int
        The columns that differ.
    """
    found = []
    for i, j in combinations(differing, 2):
        first, second = data.columns[i], data.columns[j]
        if first.before.family != second.before.family or first.left_out or second.left_out:
            continue
        now = min(_distance(first, first), _distance(second, second))
        if max(_distance(first, second), _distance(second, first)) <= ALIKE * now:
            found.append(f"columns {first.name!r} and {second.name!r} look swapped: each holds what the other one held")
    return found


def _distance(before: AlignedColumn, after: AlignedColumn) -> float:
    """Return how much the values of one column now differ from those of another one in the reference, 0 to 1."""
    if before.levels:
        return _total_variation(before.before, after.after)
    first, second = (side[~np.isnan(side)] for side in (before.before.values, after.after.values))
    return log_smirnov(first, second)[1] if len(first) and len(second) else 1.0


def _total_variation(before: ColumnProfile, after: ColumnProfile) -> float:
    sides = [
        dict(zip(side.levels, np.array(side.counts) / max(sum(side.counts), 1), strict=True))
        for side in (before, after)
    ]
    return float(sum(abs(sides[0].get(level, 0.0) - sides[1].get(level, 0.0)) for level in {*sides[0], *sides[1]}) / 2)


def _absent(absent: list[str], added: list[str]) -> list[str]:
    found = []
    for name in absent:
        close = closest(name, added)
        found.append(f"column {name!r} is absent" + (f"; {close[0]!r} is new: was it renamed?" if close else ""))
    return found


def _type_change(before: ColumnProfile, after: ColumnProfile) -> str:
    old, new = _plain(before.storage), _plain(after.storage)
    if TEXT in (old, new) or old == new:
        return ""
    return f"column {after.name!r} is stored as {new}, and was as {old}"


def _plain(storage: str) -> str:
    """Return a type without what does not matter: dictionaries, and sizes of offsets."""
    return storage.removeprefix("dictionary<values=").split(",")[0].removeprefix("large_")

"""The comparison of two tables by their profiles: one p-value, and what differs."""

from __future__ import annotations

import math

import numpy as np

from anomalo.errors import SchemaError
from anomalo.evaluation.comparison import wording
from anomalo.evaluation.comparison.aligned import Aligned, aligned
from anomalo.evaluation.comparison.classifier import ClassifierTest, classifier_test
from anomalo.evaluation.comparison.columns import ColumnTest, column_tests
from anomalo.evaluation.comparison.profile import ColumnProfile, Profile
from anomalo.evaluation.comparison.relations import rank_correlation
from anomalo.evaluation.comparison.result import ColumnChange, Comparison, SegmentChange
from anomalo.evaluation.comparison.schema_changes import schema_changes, swapped
from anomalo.evaluation.comparison.segments import Segment, find_segments

TESTS = 3
"""The tests that are combined: of columns, of segments, and the classifier's."""
LEVEL = 0.05
SMALLEST = 1e-300
"""The smallest p-value that is reported."""
IMPORTANT = 0.3
"""Columns whose importance is this part of the largest one are what the classifier distinguishes the tables by."""
NAMED = 3
"""Columns and segments that the summary names, at most."""
LISTED = 10
"""New and vanished levels that are listed, at most."""
EXPECTED = 10
"""A level has vanished if at least so many cells of it were expected."""


def compare(
    reference: Profile, current: Profile, *, level: float = LEVEL, seed: int = 0, now: float | None = None
) -> Comparison:
    """Compare two tables.

    The p-value combines a test of each column, of each segment and of a classifier by the method of Bonferroni, which
    holds however they, and the columns, depend on each other.

    Parameters
    ----------
    reference, current : Profile
        Of the earlier table, and of the later one.
    level : float
        The largest p-value that is called a difference, from 0 to 1.
    seed : int
        Of the halves that the classifier learns and predicts.
    now : float, optional
        The time now, in seconds since 1970, for the age of the latest row.

    Raises
    ------
    SchemaError
        The tables have no column in common.
    """
    data, changes = aligned(reference, current), schema_changes(reference, current)
    if not {column.name for column in reference.columns} & {column.name for column in current.columns}:
        names = [[*(column.name for column in side.columns), *side.extra] for side in (reference, current)]
        first, second = (", ".join(side[:5]) + ", …" * (len(side) > 5) for side in names)
        raise SchemaError(f"the tables have no column in common: {first} in the reference, {second} now")
    tests = column_tests(data)
    segments, by_segments = find_segments(data, level / TESTS)
    learned = classifier_test(data, seed, explain=level / TESTS)
    by_columns = min(1.0, len(tests) * math.exp(min((test.log_p for test in tests), default=0.0)))
    found = {"columns": by_columns, "segments": by_segments, "classifier": None if learned is None else learned.p_value}
    p_value = min(1.0, TESTS * min(p for p in found.values() if p is not None))
    columns = _columns(data, tests, learned, level)
    differing = [
        at for at, column in enumerate(data.columns) if any(c.differs and c.column == column.name for c in columns)
    ]
    shown = [_segment(segment, data) for segment in segments]
    keys = _repeated(reference, current)
    fresh = _freshness(reference, current, now)
    return Comparison(
        p_value=max(p_value, SMALLEST),
        level=level,
        differs=p_value <= level or changes.breaking,
        tests={name: None if p is None else max(p, SMALLEST) for name, p in found.items()},
        auroc=None if learned is None else learned.auroc,
        rows=[reference.rows, current.rows],
        sampled=[reference.sampled, current.sampled],
        copies=list(data.copies),
        missing=[reference.missing_share(), current.missing_share()],
        columns=columns,
        segments=shown,
        schema=[*changes.sentences, *swapped(data, differing)],
        notes=_notes(reference, current, data, learned, fresh, keys),
        freshness=fresh,
        repeated_keys=keys,
        summary=_summary(p_value, level, changes.breaking, columns, shown),
    )


def _columns(
    data: Aligned, tests: list[ColumnTest], learned: ClassifierTest | None, level: float
) -> list[ColumnChange]:
    """Return how each column differs: first those whose tests say so, then those that the classifier depends on."""
    importance = np.zeros(len(tests)) if learned is None else learned.importance
    most = importance.max(initial=0.0)
    largest = math.log(level / TESTS / max(len(tests), 1))
    by_itself = [test.log_p <= largest for test in tests]
    by_trees = [most > 0 and part >= IMPORTANT * most and not any(by_itself) for part in importance]
    order = sorted(
        range(len(tests)),
        key=lambda at: (not by_itself[at], tests[at].log_p if by_itself[at] else 0.0, -importance[at], tests[at].log_p),
    )
    found = []
    for at in order:
        column, test = data.columns[at], tests[at]
        text = wording.change(column, data.values[:, at], data.now, test)
        if by_trees[at] and learned is not None:
            text = _relation(data, at, learned) or text
        new, vanished = _levels(column.before, column.after)
        found.append(
            ColumnChange(
                column=column.name,
                kind=column.after.kind,
                differs=bool(by_itself[at] or by_trees[at]),
                p_value=max(math.exp(test.log_p), SMALLEST),
                distance=test.distance,
                importance=float(importance[at]),
                missing=list(test.missing),
                change=text,
                left_out=column.left_out,
                new=new,
                vanished=vanished,
                bins=wording.bins(column, data.values[:, at], data.now) if by_itself[at] or by_trees[at] else [],
            )
        )
    return found


def _relation(data: Aligned, at: int, learned: ClassifierTest) -> str:
    """Return the relation of a column that changed most, in words; nothing if it is in no pair."""
    for pair in learned.pairs:
        if at in pair:
            other = pair[0] if pair[1] == at else pair[1]
            before, after = (rank_correlation(data.values[data.now == side][:, [at, other]]) for side in (False, True))
            return wording.relation(data.columns[other].name, before, after)
    return ""


def _levels(before: ColumnProfile, after: ColumnProfile) -> tuple[list[str], list[str]]:
    """Return the levels that are new, and those that have vanished; none where not all levels are known."""
    known, here = set(before.levels), set(after.levels)
    new = [level for level in after.levels if level not in known] if before.whole else []
    expected = EXPECTED * before.counted / max(after.counted, 1)
    gone = [
        level
        for level, number in zip(before.levels, before.counts, strict=True)
        if after.whole and level not in here and number >= expected
    ]
    return new[:LISTED], gone[:LISTED]


def _segment(segment: Segment, data: Aligned) -> SegmentChange:
    return SegmentChange(
        segment=wording.segment_text(segment, data),
        columns=[data.columns[part.column].name for part in segment.parts],
        lift=_finite(segment.lift),
        interval=[_finite(end) for end in segment.interval],
        shares=list(segment.shares),
        rows=list(segment.counts),
        p_value=max(math.exp(segment.log_p), SMALLEST),
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _freshness(reference: Profile, current: Profile, now: float | None) -> dict[str, dict[str, float | None]]:
    before, found = {column.name: column for column in reference.columns}, {}
    for column in current.columns:
        if column.kind == "datetime" and not column.problem:
            old = before.get(column.name)
            found[column.name] = {
                "latest": column.latest,
                "reference": None if old is None else old.latest,
                "step": None if old is None else _step(old),
                "age": None if now is None or column.latest is None else now - column.latest,
            }
    return found


def _step(column: ColumnProfile) -> float | None:
    """Return the longest time between two successive points in time of a sample."""
    moments = np.unique(column.values[~np.isnan(column.values)])
    return float(np.diff(moments).max()) if len(moments) > 1 else None


def _repeated(reference: Profile, current: Profile) -> dict[str, list[float]]:
    before = {column.name: column.repeated for column in reference.columns}
    return {
        column.name: [before.get(column.name) or 0.0, column.repeated]
        for column in current.columns
        if column.repeated is not None
    }


def _notes(
    reference: Profile,
    current: Profile,
    data: Aligned,
    learned: ClassifierTest | None,
    fresh: dict[str, dict[str, float | None]],
    keys: dict[str, list[float]],
) -> list[str]:
    found = [wording.volume(reference, current), *(wording.freshness(name, facts) for name, facts in fresh.items())]
    for name, (before, after) in keys.items():
        if before or after:
            found.append(f"{after:,.0f} rows repeat an earlier {name!r}, reference {before:,.0f}")
    found += [
        f"column {column.name!r}: values not compared, {column.left_out}" for column in data.columns if column.left_out
    ]
    if any(data.copies):
        found.append(
            f"copies of other rows left out of the samples: {data.copies[0]:,} of the reference, {data.copies[1]:,} now"
        )
    if learned is None:
        found.append("too few rows, or no columns, for a classifier: only columns and segments were tested")
    return found


def _summary(
    p_value: float, level: float, breaking: bool, columns: list[ColumnChange], segments: list[SegmentChange]
) -> str:
    names = [f"{column.column} ({column.change})" for column in columns if column.differs][:NAMED]
    named = {column.column for column in columns if column.differs}
    further = [segment for segment in segments if len(segment.columns) > 1 or segment.columns[0] not in named]
    texts = [f"segment {one.segment} is over-represented {wording.lift_text(one)}" for one in further[:NAMED]]
    return wording.sentence(max(p_value, SMALLEST), level, breaking, names, texts)

"""What a comparison of two tables finds, JSON-ready."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Bin:
    """A level, or an interval of numbers, and its share of the known cells of the reference, and of those now."""

    name: str
    reference: float
    current: float


@dataclass(frozen=True)
class ColumnChange:
    """How a column differs.

    Attributes
    ----------
    column, kind : str
        Its name and kind.
    differs : bool
        Whether it differs by itself, all columns considered, or the classifier depends on it.
    p_value : float
        Of its tests, for this column alone.
    distance : float
        See `ColumnTest`.
    importance : float
        See `ClassifierTest`.
    missing : list of two float
        Its share of missing cells, in the reference and now.
    change : str
        What changed, in words.
    left_out : str
        Why its values are not compared.
    new, vanished : list of str
        Levels that only one of the tables has, the most frequent first.
    bins : list of Bin
        Its distribution, if it differs.
    """

    column: str
    kind: str
    differs: bool
    p_value: float
    distance: float
    importance: float
    missing: list[float]
    change: str
    left_out: str
    new: list[str]
    vanished: list[str]
    bins: list[Bin]


@dataclass(frozen=True)
class SegmentChange:
    """A segment that is over-represented now.

    Attributes
    ----------
    segment : str
        What holds for its rows, in words.
    columns : list of str
        Of one or two columns.
    lift, interval, shares, rows
        See `Segment`; None stands for infinite.
    p_value : float
        Corrected for all segments.
    """

    segment: str
    columns: list[str]
    lift: float | None
    interval: list[float | None]
    shares: list[float]
    rows: list[int]
    p_value: float


@dataclass(frozen=True)
class Comparison:
    """What differs between two tables.

    Attributes
    ----------
    p_value : float
        That both are samples of one distribution.
    level : float
        The largest p-value that is called a difference.
    differs : bool
        Whether the distributions differ, or columns are absent, or cannot be compared any more.
    tests : dict of str to float or None
        The p-values that are combined, each corrected for what it looks at: `columns`, `segments`, `classifier`.
    auroc : float or None
        Of distinguishing rows of the tables; 0.5 is chance.
    rows, sampled, copies : list of two int
        Of both tables, those compared, and those left out as copies of others.
    missing : list of two float
        The share of all cells that are missing.
    columns : list of ColumnChange
        The most different ones first.
    segments : list of SegmentChange
        The most significant ones first.
    schema : list of str
        What changed of the columns, in words.
    notes : list of str
        Volume, freshness, repeated keys and columns left out, in words.
    freshness : dict of str to dict
        By column of points in time: the `latest` now and in the `reference`, in seconds since 1970, the `step` of the
        reference (its longest time without a row of the sample) and the `age` of the latest, in seconds.
    repeated_keys : dict of str to list of two float
        By identifier: how many rows have the value of an earlier one, in the reference and now.
    summary : str
        The result in one sentence.
    """

    p_value: float
    level: float
    differs: bool
    tests: dict[str, float | None]
    auroc: float | None
    rows: list[int]
    sampled: list[int]
    copies: list[int]
    missing: list[float]
    columns: list[ColumnChange]
    segments: list[SegmentChange]
    schema: list[str]
    notes: list[str]
    freshness: dict[str, dict[str, float | None]]
    repeated_keys: dict[str, list[float]]
    summary: str

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as JSON-ready values."""
        return asdict(self)

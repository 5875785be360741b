"""Segments of one or two columns that are over-represented in one of two samples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from anomalo.evaluation.comparison.aligned import Aligned
from anomalo.evaluation.comparison.profile import Values
from anomalo.tabular.parsing import Mask

BINS = 5
"""Bins of a number, by its quantiles in both samples."""
LEVELS = 20
"""Levels of a category that make segments, the most frequent ones."""
COLUMNS = 150
"""Columns that make segments, at most."""
FEWEST = 20
"""Rows of both samples that a segment has at least."""
MOST = 5
"""Segments that are named, at most."""
CONFIDENCE = 0.95
UNLIKELY, MATTERS = 1.5, 5.0
"""A segment is tested if it is so many standard deviations too frequent, and so many of all segments are by chance."""

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Part:
    """A column's part of a segment: a level, an interval of numbers, or missing cells.

    Attributes
    ----------
    column : int
        The column's position.
    level : str or None
        The level.
    low, high : float
        The ends of an interval, the lower one excluded unless they are equal; infinite where it is open. Without level
        and interval, both are nan: the cell is missing.
    """

    column: int
    level: str | None
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True)
class Segment:
    """Rows that are more frequent now.

    Attributes
    ----------
    parts : tuple of one or two Part
        What holds for its rows.
    counts : tuple of two int
        How many rows of each sample it has.
    shares : tuple of two float
        Their share of the samples.
    lift : float
        The ratio of the shares; infinite for a new segment.
    interval : tuple of two float
        Its confidence interval, for this segment alone.
    log_p : float
        The logarithm of the p-value, multiplied by the number of segments compared.
    """

    parts: tuple[Part, ...]
    counts: tuple[int, int]
    shares: tuple[float, float]
    lift: float
    interval: tuple[float, float]
    log_p: float


def find_segments(data: Aligned, level: float) -> tuple[list[Segment], float]:
    """Return the over-represented segments, the most significant first, and the p-value of there being one.

    Each level, each fifth of a number, and each pair of them in two columns is tested by Fisher's exact test,
    one-sided; p-values are multiplied by the number of tests (Bonferroni), which holds for dependent columns. Once a
    segment is found, a further one has to be over-represented also among the rows outside of it, so that none is named
    for its overlap with another one (sequential covering).

    Parameters
    ----------
    level : float
        The largest p-value of a segment that is named.

    Reference: Herrera, Carmona, González and del Jesus (2011), An overview on subgroup discovery, Knowledge and
    Information Systems 29.
    """
    candidates = _Candidates.of(data)
    if not len(candidates.first):
        return [], 1.0
    log_p, taken, found = candidates.log_p(), np.zeros(len(data.now), dtype=np.bool_), list[Segment]()
    p_value, correction = math.exp(log_p.min()), math.log(len(log_p))
    while len(found) < MOST and log_p.min() <= math.log(level):
        # Of equal segments, the one with fewer columns.
        at = int(np.lexsort((candidates.first != candidates.second, log_p))[0])
        found.append(candidates.segment(at, float(log_p[at])))
        taken |= candidates.rows(at)
        rest = candidates.but(taken, significant := log_p <= math.log(level))
        if not min(rest.sizes):
            break
        outside = np.minimum(0.0, _log_fisher(rest.before, rest.after, rest.sizes) + correction)
        log_p[significant] = np.maximum(log_p[significant], outside)
    return found, p_value


def lift(counts: tuple[int, int], sizes: tuple[int, int]) -> tuple[float, tuple[float, float]]:
    """Return the ratio of the second share to the first one, and its confidence interval.

    Without rows in the first sample, the ratio and its upper end are infinite, and the lower end is that of half a row.

    Reference: Katz, Baptista, Azen and Pike (1978), Obtaining confidence intervals for the risk ratio in cohort
    studies, Biometrics 34.
    """
    first, second = counts[0] or 0.5, counts[1] or 0.5
    ratio = (second / sizes[1]) / (first / sizes[0])
    variance = 1 / second - 1 / sizes[1] + 1 / first - 1 / sizes[0]
    factor = math.exp(NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * math.sqrt(variance))
    return (ratio, (ratio / factor, ratio * factor)) if counts[0] else (math.inf, (ratio / factor, math.inf))


@dataclass(frozen=True)
class _Candidates:
    """The segments that are compared: pairs of parts, or the same part twice for one of a single column.

    Attributes
    ----------
    parts : list of Part
    member : bool [n, parts]
    now : bool [n]
    first, second : intp [candidates]
        Positions of their parts.
    before, after : int64 [candidates]
        Their rows of each sample.
    """

    parts: list[Part]
    member: Mask
    now: Mask
    first: NDArray[np.intp]
    second: NDArray[np.intp]
    before: Counts
    after: Counts

    @classmethod
    def of(cls, data: Aligned) -> _Candidates:
        parts, member = _parts(data)
        column = np.array([part.column for part in parts])
        first, second = np.nonzero((column[:, None] < column) | np.eye(len(parts), dtype=np.bool_))
        before, after = (_together(member[data.now == side])[first, second] for side in (False, True))
        large = before + after >= FEWEST
        return cls(parts, member, data.now, *(each[large] for each in (first, second, before, after)))

    def log_p(self) -> Values:
        """Return the logarithms of the p-values, corrected for their number."""
        return np.minimum(0.0, _log_fisher(self.before, self.after, self.sizes) + math.log(len(self.first)))

    def but(self, rows: Mask, among: Mask) -> _Candidates:
        """Return those of the candidates that are `among` [candidates], of the samples without some rows [n]."""
        first, second = self.first[among], self.second[among]
        member, now = self.member[~rows], self.now[~rows]
        before, after = (_together(member[now == side])[first, second] for side in (False, True))
        return _Candidates(self.parts, member, now, first, second, before, after)

    @property
    def sizes(self) -> tuple[int, int]:
        """How many rows each sample has."""
        return int((~self.now).sum()), int(self.now.sum())

    def rows(self, at: int) -> Mask:
        """Return which rows are in a segment, [n]."""
        found: Mask = self.member[:, self.first[at]] & self.member[:, self.second[at]]
        return found

    def segment(self, at: int, log_p: float) -> Segment:
        """Return a candidate as a segment."""
        sizes = self.sizes
        counts = int(self.before[at]), int(self.after[at])
        ratio, interval = lift(counts, sizes)
        parts = tuple(self.parts[one] for one in dict.fromkeys((int(self.first[at]), int(self.second[at]))))
        return Segment(parts, counts, (counts[0] / sizes[0], counts[1] / sizes[1]), ratio, interval, log_p)


def _together(member: Mask) -> Counts:
    """Return how many rows are in both of each two parts, int64 [parts, parts]."""
    ones = member.astype(np.float32)
    found: Counts = np.rint(ones.T @ ones).astype(np.int64)
    return found


def _log_fisher(before: Counts, after: Counts, sizes: tuple[int, int]) -> Values:
    """Return the logarithms of the p-values of Fisher's test that segments are more frequent in the second sample.

    It is computed where the normal approximation says that the smallest of so many may matter; elsewhere it is 0.
    """
    total, rows = sum(sizes), before + after
    expected = rows * (sizes[1] / total)
    scale = np.sqrt(np.maximum(rows * (1 - rows / total) * sizes[0] * sizes[1] / total**2, 1e-12))
    least = max(UNLIKELY, NormalDist().inv_cdf(1 - min(0.5, MATTERS / len(rows))))
    likely = (after - expected) / scale > least
    found = np.zeros(len(rows))
    found[likely] = stats.hypergeom.logsf(after[likely] - 1, total, rows[likely], sizes[1])
    return found


def _parts(data: Aligned) -> tuple[list[Part], Mask]:
    """Return the parts of segments, and which rows are in each, bool [n, parts]."""
    parts, member = list[Part](), list[Mask]()
    for at in data.compared[:COLUMNS].tolist():
        values, levels = data.values[:, at], data.columns[at].levels
        absent = np.isnan(values)
        for part, rows in _levels(at, values, levels) if levels else _intervals(at, values[~absent], values):
            parts.append(part)
            member.append(rows)
        parts.append(Part(at, None))
        member.append(absent)
    return parts, np.stack(member, axis=1) if member else np.zeros((len(data.now), 0), dtype=np.bool_)


def _levels(at: int, values: Values, levels: tuple[str, ...]) -> list[tuple[Part, Mask]]:
    return [(Part(at, level), values == code) for code, level in enumerate(levels[:LEVELS])]


def _intervals(at: int, known: Values, values: Values) -> list[tuple[Part, Mask]]:
    """Return the fifths of a number, or its values if they are few."""
    distinct = np.unique(known)
    if len(distinct) < 2:
        return []
    if len(distinct) <= BINS:
        return [(Part(at, None, value, value), values == value) for value in distinct.tolist()]
    ends = np.unique(np.quantile(known, np.arange(1, BINS) / BINS, method="inverted_cdf"))
    found = []
    for low, high in zip([-np.inf, *ends.tolist()], [*ends.tolist(), np.inf], strict=True):
        inside = (values > low) & (values <= high)
        if inside.any():
            found.append((Part(at, None, low, high), inside))
    return found

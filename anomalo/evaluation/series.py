"""Metrics of anomaly scores of the points of a series: volumes under surfaces, and ranges. No point is adjusted.

Labels are of one series: true at anomalous points, which follow each other in ranges.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anomalo.errors import UsageError
from anomalo.evaluation.metrics import ranked

THRESHOLDS = 250
"""Thresholds that a precision-recall curve is drawn through, as TSB-AD has it."""

Ranges = NDArray[np.intp]
"""First and last points, [ranges, 2]."""


def ranges_of(labels: ArrayLike) -> Ranges:
    """Return the first and last point of each run of true labels, intp [ranges, 2].

    Examples
    --------
    >>> ranges_of([0, 1, 1, 0, 1]).tolist()
    [[1, 2], [4, 4]]
    """
    padded = np.concatenate([[False], np.asarray(labels, dtype=bool), [False]]).astype(np.int8)
    steps = np.diff(padded)
    return np.stack([np.flatnonzero(steps == 1), np.flatnonzero(steps == -1) - 1], axis=1)


def vus_pr(labels: ArrayLike, scores: ArrayLike, width: int, thresholds: int = THRESHOLDS) -> float:
    """Return the volume under the surface of precision and recall over tolerances from 0 to a width.

    At a tolerance of w points, the w // 2 points to each side of a range count in part, sqrt(1 - distance / w); recall
    counts half of them in its total, and is multiplied by the share of the ranges that are touched. The area under each
    curve is a sum of precisions at thresholds evenly spaced in rank, and the volume the mean of the areas.

    Parameters
    ----------
    labels : bool or 0/1 [n]
    scores : float [n]
        Higher is more anomalous.
    width : int
        The largest tolerance, in points: the period of the series, or some.
    thresholds : int
        How many.

    Raises
    ------
    UsageError
        The labels are all of one class, a label or score is not finite, or the width is negative.

    Reference: Paparrizos, Boniol, Palpanas, Tsay, Elmore and Franklin (2022), Volume under the surface, VLDB, section
    4; with what the code of TSB-AD adds (Liu and Paparrizos 2024, NeurIPS): its thresholds, and its total of recall.

    Examples
    --------
    >>> labels = [0, 0, 0, 1, 1, 0, 0, 0]
    >>> vus_pr(labels, [0, 0, 0, 9, 8, 0, 0, 0], 0), round(vus_pr(labels, [9, 0, 0, 8, 7, 0, 0, 0], 4), 3)
    (1.0, 0.583)
    """
    if width < 0:
        raise UsageError(f"the tolerance is {width} points: expected 0 or more; give the period of the series")
    truth, values = ranked(labels, scores)
    surface = _Surface(truth, _first_threshold(values, thresholds), thresholds)
    return float(np.mean([surface.area(tolerance) for tolerance in range(width + 1)]))


def _first_threshold(scores: NDArray[Any], thresholds: int) -> NDArray[np.intp]:
    """Return the number of the first, highest threshold that each point reaches, [n]."""
    falling = np.sort(scores)[::-1][np.linspace(0, len(scores) - 1, thresholds).astype(int)]
    return np.searchsorted(-falling, -scores, side="left")


class _Surface:
    """Labels and the thresholds that points reach, for areas at any tolerance."""

    def __init__(self, truth: NDArray[np.bool_], reached: NDArray[np.intp], thresholds: int) -> None:
        self.truth, self.reached, self.thresholds = truth, reached, thresholds
        self.ranges = ranges_of(truth)
        self.alerts, self.hits = self.counts(reached), self.counts(reached[truth])

    def counts(self, reached: NDArray[np.intp], weights: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """Return the sum over what has reached each threshold, [thresholds]."""
        return np.cumsum(np.bincount(reached, weights, self.thresholds), dtype=np.float64)

    def area(self, tolerance: int) -> float:
        """Return the area under the curve of one tolerance."""
        near = self._nearness(tolerance)
        beside = np.flatnonzero((near > 0) & ~self.truth)
        partly = self.counts(self.reached[beside], near[beside])
        positives = (2 * np.count_nonzero(self.truth) + partly) / 2
        recall = np.minimum((self.hits + partly) / positives, 1) * self._touched(tolerance)
        precision = (self.hits + partly) / self.alerts
        return float(np.diff(recall, prepend=0.0) @ precision)

    def _nearness(self, tolerance: int) -> NDArray[np.float64]:
        """Return the sum over ranges of how much each point counts, at most 1, [n]."""
        near = self.truth.astype(np.float64)
        for first, last in self.ranges:
            after = np.arange(last + 1, min(last + tolerance // 2 + 1, len(near)))
            near[after] += np.sqrt(1 - (after - last) / tolerance) if tolerance else 0.0
            before = np.arange(max(first - tolerance // 2, 0), first)
            near[before] += np.sqrt(1 - (first - before) / tolerance) if tolerance else 0.0
        return np.minimum(near, 1.0)

    def _touched(self, tolerance: int) -> NDArray[np.float64]:
        """Return the share of ranges, widened and joined where they meet, with an alert at each threshold."""
        reach = tolerance // 2
        apart = self.ranges[:-1, 1] + reach < self.ranges[1:, 0] - reach
        first = np.maximum(self.ranges[np.concatenate([[True], apart]), 0] - reach, 0)
        last = np.minimum(self.ranges[np.concatenate([apart, [True]]), 1] + reach, len(self.truth) - 1)
        soonest = [self.reached[start : end + 1].min() for start, end in zip(first, last, strict=True)]
        return self.counts(np.array(soonest)) / len(first)


def point_f1(labels: ArrayLike, alerts: ArrayLike) -> float:
    """Return the F1 score of alerts point by point; 0 if none is right.

    Examples
    --------
    >>> point_f1([0, 1, 1, 1], [1, 1, 1, 0])
    0.6666666666666666
    """
    truth, found = np.asarray(labels, dtype=bool), np.asarray(alerts, dtype=bool)
    total = np.count_nonzero(truth) + np.count_nonzero(found)
    return float(2 * np.count_nonzero(truth & found) / total) if total else 0.0


def range_f1(labels: ArrayLike, alerts: ArrayLike, existence: float = 0.2) -> float:
    """Return the harmonic mean of the precision and the recall of ranges of alerts; 0 if none is right.

    The recall of a range is the share of it that is found, divided by the number of alerts that it takes, and in part
    whether it is found at all; precision is that of the ranges of alerts, without this part.

    Parameters
    ----------
    labels, alerts : bool or 0/1 [n]
    existence : float
        How much of recall is whether a range is found at all, from 0 to 1.

    Reference: Tatbul, Lee, Zdonik, Alam and Gottschlich (2018), Precision and recall for time series, NeurIPS; with a
    flat bias, and reciprocal cardinality.

    Examples
    --------
    >>> round(range_f1([0, 1, 1, 1, 1, 0], [0, 1, 1, 0, 0, 0]), 3)
    0.75
    """
    real, found = ranges_of(labels), ranges_of(alerts)
    recall, precision = _range_recall(real, found, existence), _range_recall(found, real, 0.0)
    return 2 * recall * precision / (recall + precision) if recall + precision > 0 else 0.0


def _range_recall(ranges: Ranges, others: Ranges, existence: float) -> float:
    """Return the mean recall of ranges by others; 0 without any."""
    if not len(ranges) or not len(others):
        return 0.0
    first = np.maximum(ranges[:, None, 0], others[None, :, 0])
    last = np.minimum(ranges[:, None, 1], others[None, :, 1])
    common = np.maximum(last - first + 1, 0)
    pieces, length = np.count_nonzero(common, axis=1), ranges[:, 1] - ranges[:, 0] + 1
    overlap = common.sum(axis=1) / length / np.maximum(pieces, 1)
    return float((existence * (pieces > 0) + (1 - existence) * overlap).mean())

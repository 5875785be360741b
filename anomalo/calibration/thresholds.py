"""The thresholds that turn p-values into alerts, and a check of whether one can fire."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Self, cast

import numpy as np
from numpy.typing import NDArray

from anomalo.calibration.tally import Tally
from anomalo.encoding.encoded import Mask, Scores
from anomalo.errors import UsageError

Kind = Literal["share", "fdr", "budget"]


ROUNDING = 1 + 1e-9
"""Adjusted p-values are products: one that equals the limit but for rounding counts as equal."""


@dataclass(frozen=True)
class Boundary:
    """The boundary between normal rows and alerts.

    Attributes
    ----------
    p_value : float
        Rows with a larger one are normal, those with a smaller one alerts.
    score : float
        A row with this very p-value is normal if its score is lower.
    """

    p_value: float
    score: float = -math.inf

    def normal(self, p_values: Scores, scores: Scores) -> Mask:
        """Return which rows are normal, bool [n]."""
        normal: Mask = (p_values > self.p_value) | ((p_values == self.p_value) & (scores < self.score))
        return normal


@dataclass(frozen=True)
class Threshold:
    """When a row is an alert.

    Attributes
    ----------
    kind : {"share", "fdr", "budget"}
        "share": as anomalous as the most anomalous share of normal rows (p-value at most `value`);
        "fdr": the expected share of false alerts among the alerts is at most `value`;
        "budget": the `value` most anomalous rows.
    value : float
        See above.

    Examples
    --------
    >>> Threshold.parse("fdr=0.05")
    Threshold(kind='fdr', value=0.05)
    """

    kind: Kind = "share"
    value: float = 0.01

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a threshold such as "share=0.01", "fdr=0.05" or "budget=100".

        Raises
        ------
        UsageError
            The text is none of these, or the value is out of range.
        """
        kind, _, number = text.partition("=")
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        in_range = value >= 1 and value.is_integer() if kind == "budget" else 0 < value < 1
        if kind not in ("share", "fdr", "budget") or not in_range:
            raise UsageError(
                f"threshold {text!r}: expected share=S or fdr=Q with a value between 0 and 1, or budget=N with N rows"
            )
        return cls(cast("Kind", kind), value)

    def __str__(self) -> str:
        return f"{self.kind}={int(self.value) if self.kind == 'budget' else self.value}"

    def alerts(self, p_values: Scores, scores: Scores) -> Mask:
        """Return which of the rows are alerts, bool [n]."""
        if self.kind != "budget":
            return p_values <= self.largest(Tally.of(p_values))
        chosen = np.zeros(len(p_values), dtype=bool)
        chosen[most_anomalous(p_values, scores)[: int(self.value)]] = True
        return chosen

    def largest(self, p_values: Tally) -> float:
        """Return the p-value up to which rows are alerts among rows with these ones, for all but "budget".

        Reference: Benjamini and Hochberg (1995) for "fdr".
        """
        if self.kind == "share" or not len(p_values):
            return self.value
        values = p_values.values
        # The last one of equal p-values has the largest rank, and so the least adjusted one.
        adjusted = np.minimum.accumulate((values * (len(p_values) / np.cumsum(p_values.counts)))[::-1])[::-1]
        fires = np.flatnonzero(np.minimum(adjusted, 1) <= self.value * ROUNDING)
        return float(values[fires[-1]]) if len(fires) else -math.inf

    def possible(self, p_values: Scores) -> Mask:
        """Return which rows may be alerts whatever other rows there are, bool [n].

        For "budget" that is none: which rows are most anomalous depends on the others.
        """
        # An adjusted p-value is never below the p-value.
        limit = {"share": self.value, "fdr": self.value * ROUNDING, "budget": -math.inf}[self.kind]
        return p_values <= limit

    def boundary(self, p_values: Scores, scores: Scores) -> Boundary:
        """Return the boundary below which a row would be no alert among these rows, all else being equal.

        It is `value` for "share", the largest p-value of an alert for "fdr", and the weakest alert for "budget".
        """
        if self.kind == "share":
            return Boundary(self.value)
        alerts = np.flatnonzero(self.alerts(p_values, scores))
        if not len(alerts):
            return Boundary(0.0)
        weakest = alerts[most_anomalous(p_values[alerts], scores[alerts])[-1]]
        return Boundary(float(p_values[weakest]), float(scores[weakest]) if self.kind == "budget" else -math.inf)

    def limits(self, rows: int, reference: int) -> str | None:
        """Return a warning if the threshold cannot fire, or only on several rows at once; else None.

        Parameters
        ----------
        rows : int
            How many rows are scored.
        reference : int
            How many training rows they are compared with: no p-value is below 1 / (reference + 1).
        """
        smallest = 1 / (reference + 1)
        if self.kind == "share" and smallest > self.value:
            needed = math.ceil(1 / self.value) - 1
            return f"threshold {self} can never fire: it needs {needed} training rows, there are {reference}"
        together = math.ceil(rows * smallest / (self.value * ROUNDING))
        if self.kind == "fdr" and together > 1:
            fires = "can never fire" if together > rows else f"fires only if {together} or more rows are this anomalous"
            return (
                f"threshold {self} {fires}: {rows} rows are compared with {reference} training rows; "
                "train on more rows, or use share= or budget="
            )
        return None


def most_anomalous(p_values: Scores, scores: Scores) -> NDArray[np.intp]:
    """Return row numbers, most anomalous first: by p-value, then score, then position."""
    return np.lexsort((-scores, p_values))


def p_value_at(score: float, p_values: Scores, scores: Scores) -> float:
    """Return the smallest p-value that makes all rows with at least this score alerts.

    Rows with a lower score and the same p-value are alerts too. Where no row has such a score, it is the smallest
    p-value of all.

    Parameters
    ----------
    score : float
        A score.
    p_values, scores : float64 [n]
        Of all rows, at least one; a larger score never has a larger p-value.

    Examples
    --------
    >>> p_values, scores = np.array([0.5, 0.01, 0.2]), np.array([1.0, 9.0, 3.0])
    >>> p_value_at(2.5, p_values, scores), p_value_at(99.0, p_values, scores)
    (0.2, 0.01)
    """
    among = scores >= score
    return float(p_values[among].max() if among.any() else p_values.min())

"""From scores to decisions: conformal p-values, and the thresholds that turn them into alerts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Self, cast

import numpy as np
from numpy.typing import NDArray

from anomalo.errors import UsageError
from anomalo.encoding.encoded import Mask, Scores

Kind = Literal["share", "fdr", "budget"]

ROUNDING = 1 + 1e-9
"""Adjusted p-values are products: one that equals the limit but for rounding counts as equal."""


@dataclass(frozen=True)
class Calibration:
    """Out-of-fold scores of the training rows: what a new row's score is compared with.

    Attributes
    ----------
    reference : float64 [m]
        The out-of-fold scores, ascending, each raised to the final model's score of the same rank where that is
        higher.
    hashes : uint64 [u]
        Hashes of the distinct training rows, ascending.
    own : float64 [u]
        The out-of-fold score of each of them, raised alike.
    nat : float
        How many score units one nat of surprise is worth: the mean excess over the 90th percentile,
        which is the scale of an exponential tail (Embrechts, Klüppelberg and Mikosch 1997, ch. 6).
    """

    reference: Scores
    hashes: NDArray[np.uint64]
    own: Scores
    nat: float

    @classmethod
    def from_scores(cls, scores: Scores, hashes: NDArray[np.uint64], fitted: Scores | None = None) -> Self:
        """Build a calibration from each training row's out-of-fold score and hash.

        The final model saw more rows than those of the folds, and some models' scores grow with that: new rows would
        then seem stranger than they are. A model does not call rows too strange that it was fitted on; so where the
        final model's scores of the training rows exceed the out-of-fold ones, rank by rank, they take their place.
        This makes p-values of new rows larger, never smaller, and leaves those of training rows as they are.

        Parameters
        ----------
        scores : float64 [m]
            Out of fold.
        hashes : uint64 [m]
            Equal for equal rows.
        fitted : float64 [m], optional
            The final model's scores of the same rows.
        """
        distinct, first = np.unique(hashes, return_index=True)
        ordered = np.sort(scores)
        reference = ordered if fitted is None else np.maximum(ordered, np.sort(fitted))
        # Equal scores stay equal.
        reference = reference[np.searchsorted(ordered, ordered, side="right") - 1]
        own = reference[np.searchsorted(ordered, scores[first])]
        return cls(reference, distinct, own, _tail_scale(scores))

    @classmethod
    def empty(cls) -> Self:
        """Return a calibration that knows nothing: all p-values are 1."""
        return cls(np.zeros(0), np.zeros(0, dtype=np.uint64), np.zeros(0), 1.0)

    def p_values(self, scores: Scores, hashes: NDArray[np.uint64]) -> Scores:
        """Return the share of normal rows that are at least as strange, float64 [n] in (0, 1].

        A new row is compared with all training rows; a training row, known by its hash, is judged by
        its own out-of-fold score.

        Reference: Vovk, Gammerman and Shafer (2005); Bates et al. (2023), Testing for outliers with
        conformal p-values, Annals of Statistics 51; Vovk (2015) for cross-conformal.
        """
        total = len(self.reference)
        if not total:
            return np.ones(len(scores))
        known, at = self._find(hashes)
        above = self._above(np.where(known, self.own[at], scores))
        return np.where(known, above / total, (above + 1) / (total + 1))

    def out_of_fold(self, scores: Scores, hashes: NDArray[np.uint64]) -> Scores:
        """Return the out-of-fold scores of rows that were in training, and `scores` of the others, float64 [n]."""
        if not len(self.hashes):
            return scores
        known, at = self._find(hashes)
        return np.where(known, self.own[at], scores)

    def known(self, hashes: NDArray[np.uint64]) -> Mask:
        """Return which rows were in training, bool [n]."""
        return self._find(hashes)[0] if len(self.hashes) else np.zeros(len(hashes), dtype=bool)

    def unique(self) -> Scores:
        """Return the p-values of training rows that are unlike all others: what those of new rows are like.

        A row is new if no training row equals it, which common rows seldom are; so new rows are to be compared with
        training rows of that sort.
        """
        total = len(self.reference)
        ordered = np.sort(self.own)
        rows, distinct = (
            np.searchsorted(scores, self.own, side="right") - np.searchsorted(scores, self.own, side="left")
            for scores in (self.reference, ordered)
        )
        return self._above(self.own[rows == distinct]) / max(total, 1)

    def _find(self, hashes: NDArray[np.uint64]) -> tuple[Mask, NDArray[np.intp]]:
        """Return which rows were in training, and where they are in `hashes`."""
        at = np.searchsorted(self.hashes, hashes).clip(max=len(self.hashes) - 1)
        return self.hashes[at] == hashes, at

    def _above(self, scores: Scores) -> NDArray[np.intp]:
        """Return how many reference scores are at least as high, [n]."""
        return len(self.reference) - np.searchsorted(self.reference, scores, side="left")


def _tail_scale(scores: Scores) -> float:
    """Mean excess over the 90th percentile; 1 where all scores are equal."""
    if not len(scores):
        return 1.0
    cut = np.quantile(scores, 0.9)
    excess = scores[scores > cut] - cut
    return float(excess.mean()) if len(excess) else 1.0


@dataclass(frozen=True)
class Boundary:
    """How strange a row may be at most to be no alert.

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
        "share": as strange as the strangest share of normal rows (p-value at most `value`);
        "fdr": the expected share of false alerts among the alerts is at most `value`;
        "budget": the `value` strangest rows.
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
        """Return which of the rows are alerts, bool [n].

        Reference: Benjamini and Hochberg (1995) for "fdr".
        """
        if self.kind == "share" or not len(p_values):
            return p_values <= self.value
        if self.kind == "fdr":
            from scipy.stats import false_discovery_control  # a second to import, for this alone

            return false_discovery_control(p_values) <= self.value * ROUNDING
        chosen = np.zeros(len(p_values), dtype=bool)
        chosen[strangest(p_values, scores)[: int(self.value)]] = True
        return chosen

    def boundary(self, p_values: Scores, scores: Scores) -> Boundary:
        """Return what a row must be less strange than to be no alert among these rows, all else being equal.

        It is `value` for "share", the largest p-value of an alert for "fdr", and the weakest alert for "budget".
        """
        if self.kind == "share":
            return Boundary(self.value)
        alerts = np.flatnonzero(self.alerts(p_values, scores))
        if not len(alerts):
            return Boundary(0.0)
        weakest = alerts[strangest(p_values[alerts], scores[alerts])[-1]]
        return Boundary(float(p_values[weakest]), float(scores[weakest]) if self.kind == "budget" else -math.inf)

    def limits(self, rows: int, reference: int) -> str | None:
        """Say in one sentence if the threshold cannot fire, or only on several rows at once.

        Parameters
        ----------
        rows : int
            How many rows are judged.
        reference : int
            How many training rows they are compared with: no p-value is below 1 / (reference + 1).
        """
        smallest = 1 / (reference + 1)
        if self.kind == "share" and smallest > self.value:
            needed = math.ceil(1 / self.value) - 1
            return f"threshold {self} can never fire: it needs {needed} training rows, there are {reference}"
        together = math.ceil(rows * smallest / (self.value * ROUNDING))
        if self.kind == "fdr" and together > 1:
            fires = "can never fire" if together > rows else f"fires only if {together} or more rows are this strange"
            return (
                f"threshold {self} {fires}: {rows} rows are compared with {reference} training rows; "
                "train on more rows, or use share= or budget="
            )
        return None


def strangest(p_values: Scores, scores: Scores) -> NDArray[np.intp]:
    """Return row numbers, strangest first: by p-value, then score, then position."""
    return np.lexsort((-scores, p_values))

"""Conformal p-values: a row's score compared with out-of-fold scores of the training rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from anomalo.encoding.encoded import Mask, Scores

BITS = 20
SHIFT = np.uint64(64 - BITS)
TAIL = 0.9
"""The quantile of the scores where their tail begins."""


@dataclass(frozen=True)
class Calibration:
    """Out-of-fold scores of the training rows, with which a new row's score is compared.

    Attributes
    ----------
    reference : float64 [m]
        The out-of-fold scores, ascending, each raised to the final model's score of the same rank where that is
        higher.
    hashes : uint64 [u]
        Hashes of the distinct training rows, ascending.
    training_scores : float64 [u]
        The out-of-fold score of each of them, raised likewise.
    surprisal_scale : float
        Score units per unit of surprisal (nats): the mean excess over the 90th percentile, which is the scale of an
        exponential tail (Embrechts, Klüppelberg and Mikosch 1997, ch. 6).
    rule_scale : float
        Score units per nat of a broken rule: the same, or more if the tail is heavier than that. A row with a typical
        score that breaks a rule which n rows kept then has a score that hardly any of n rows has.
    """

    reference: Scores
    hashes: NDArray[np.uint64]
    training_scores: Scores
    surprisal_scale: float
    rule_scale: float = 1.0

    @classmethod
    def from_scores(
        cls,
        scores: Scores,
        hashes: NDArray[np.uint64],
        fitted: Scores | None = None,
        surprisal: Scores | float = 0.0,
        broken: Scores | float = 0.0,
    ) -> Self:
        """Build a calibration from each training row's out-of-fold score and hash.

        The final model saw more rows than those of the folds, and some models' scores grow with that: new rows would
        then seem more anomalous than they are. A model does not score the rows it was fitted on too high; so where the
        final model's scores of the training rows exceed the out-of-fold ones, rank by rank, they replace them.
        This makes p-values of new rows larger, never smaller, and leaves those of training rows as they are.

        Parameters
        ----------
        scores : float64 [m]
            Out of fold.
        hashes : uint64 [m]
            Equal for equal rows.
        fitted : float64 [m], optional
            The final model's scores of the same rows.
        surprisal : float64 [m], optional
            What cells that no model sees add to these rows' scores, in nats.
        broken : float64 [m], optional
            What broken rules between columns add to them, in nats.
        """
        scale, rule_scale = _tail_scale(scores), _rule_scale(scores)
        added = surprisal * scale + broken * rule_scale
        scores = scores + added
        fitted = None if fitted is None else fitted + added
        distinct, first = np.unique(hashes, return_index=True)
        ordered = np.sort(scores)
        reference = ordered if fitted is None else np.maximum(ordered, np.sort(fitted))
        # Equal scores stay equal.
        reference = reference[np.searchsorted(ordered, ordered, side="right") - 1]
        training_scores = reference[np.searchsorted(ordered, scores[first])]
        return cls(reference, distinct, training_scores, scale, rule_scale)

    @classmethod
    def empty(cls) -> Self:
        """Return a calibration without training rows: all p-values are 1."""
        return cls(np.zeros(0), np.zeros(0, dtype=np.uint64), np.zeros(0), 1.0)

    def p_values(self, scores: Scores, hashes: NDArray[np.uint64]) -> Scores:
        """Return the share of normal rows that are at least as anomalous, float64 [n] in (0, 1].

        A new row is compared with all training rows; a training row, recognised by its hash, has
        the p-value of its out-of-fold score.

        Reference: Vovk, Gammerman and Shafer (2005); Bates et al. (2023), Testing for outliers with
        conformal p-values, Annals of Statistics 51; Vovk (2015) for cross-conformal.
        """
        total = len(self.reference)
        if not total:
            return np.ones(len(scores))
        known, at = self._find(hashes)
        above = self._above(np.where(known, self.training_scores[at], scores))
        return np.where(known, above / total, (above + 1) / (total + 1))

    def as_new(self, scores: Scores) -> Scores:
        """Return the p-values of rows that were not in training, float64 [n] in (0, 1]."""
        return np.asarray((self._above(scores) + 1) / (len(self.reference) + 1))

    def tail(self, surprisal: Scores) -> Scores:
        """Return the scores that are exceeded with probabilities exp(-surprisal), [n]: the tail is exponential.

        Meant for surprisals above log 10, where the tail begins.
        """
        begin = float(np.quantile(self.reference, TAIL)) if len(self.reference) else -np.inf
        scores: Scores = begin + (surprisal + np.log1p(-TAIL)) * self.surprisal_scale
        return scores

    def out_of_fold(self, scores: Scores, hashes: NDArray[np.uint64]) -> Scores:
        """Return the out-of-fold scores of rows that were in training, and `scores` of the others, float64 [n]."""
        if not len(self.hashes):
            return scores
        known, at = self._find(hashes)
        return np.where(known, self.training_scores[at], scores)

    def known(self, hashes: NDArray[np.uint64]) -> Mask:
        """Return which rows were in training, bool [n]."""
        return self._find(hashes)[0] if len(self.hashes) else np.zeros(len(hashes), dtype=bool)

    def unique(self) -> Scores:
        """Return the p-values of training rows that equal no other, the reference for p-values of new rows.

        A row is new if no training row equals it, and frequent rows seldom are new; so new rows are compared with
        training rows that equal no other.
        """
        total = len(self.reference)
        known = self.training_scores
        ordered = np.sort(known)
        rows, distinct = (
            np.searchsorted(scores, known, side="right") - np.searchsorted(scores, known, side="left")
            for scores in (self.reference, ordered)
        )
        return self._above(known[rows == distinct]) / max(total, 1)

    def _find(self, hashes: NDArray[np.uint64]) -> tuple[Mask, NDArray[np.intp]]:
        """Return which rows were in training, and where they are in `hashes`."""
        at = np.zeros(len(hashes), dtype=np.intp)
        some = np.flatnonzero(self._begin[(hashes >> SHIFT).astype(np.intp)])  # nearly all new rows end here
        at[some] = np.searchsorted(self.hashes, hashes[some]).clip(max=len(self.hashes) - 1)
        return self.hashes[at] == hashes, at

    @cached_property
    def _begin(self) -> Mask:
        """Which beginnings of a hash any of `hashes` has, bool [2 ** BITS]."""
        found = np.zeros(1 << BITS, dtype=np.bool_)
        found[(self.hashes >> SHIFT).astype(np.intp)] = True
        return found

    def _above(self, scores: Scores) -> NDArray[np.intp]:
        """Return how many reference scores are at least as high, [n]."""
        return len(self.reference) - np.searchsorted(self.reference, scores, side="left")


def _tail_scale(scores: Scores) -> float:
    """Mean excess over the 90th percentile; 1 where all scores are equal."""
    if not len(scores):
        return 1.0
    cut = np.quantile(scores, TAIL)
    excess = scores[scores > cut] - cut
    return float(excess.mean()) if len(excess) else 1.0


def _rule_scale(scores: Scores) -> float:
    """Return the least scale of an exponential tail from the median that lies above all scores of the tenth highest.

    It is that of `_tail_scale` if that is more, but at most twice what it would be without the two highest.
    """
    if len(scores) < 30:
        return _tail_scale(scores)
    rank = np.arange(1, len(scores) // 10 + 1)
    slopes = (np.sort(scores)[::-1][: len(rank)] - np.median(scores)) / np.log(len(scores) / rank)
    robust, highest = float(slopes[2:].max()), float(slopes[:2].max())
    return max(robust, min(max(_tail_scale(scores), highest), 2 * robust))

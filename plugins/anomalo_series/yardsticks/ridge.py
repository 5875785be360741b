"""How much variance to add to each cell of a joint Gaussian of windows, by windows that it did not learn from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from anomalo.plugin import Scores

GRID = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Variances that are tried, in encoded units squared."""
HELD_OUT = 0.2
"""Part of the training windows at either end that is held out in turn."""
LOOKED_AT = 500
"""So many windows that were held out, and so many of the others, are looked at."""


@dataclass(frozen=True)
class Moments:
    """Mean [cells] of windows, and the eigenvalues [cells] and eigenvectors [cells, cells] of their covariance."""

    mean: Scores
    sizes: Scores
    basis: Scores

    @classmethod
    def of(cls, rows: Scores) -> Self:
        """Learn from windows as rows [n, cells]."""
        sizes, basis = np.linalg.eigh(np.cov(rows.T, bias=True).reshape(2 * rows.shape[1:]))
        return cls(rows.mean(axis=0), sizes.clip(min=0.0), basis)

    def precision(self, ridge: float) -> Scores:
        """Return the inverse of the covariance with this variance added to each cell."""
        return np.asarray((self.basis / (self.sizes + ridge)) @ self.basis.T, dtype=np.float64)

    def surprisal(self, rows: Scores, ridge: float) -> Scores:
        """Return twice the negative log likelihood of windows, up to a constant, [n]."""
        along = (rows - self.mean) @ self.basis
        variance = self.sizes + ridge
        return np.asarray((np.square(along) / variance).sum(axis=1) + np.log(variance).sum(), dtype=np.float64)


def squared_residuals(pull: Scores, precision: Scores) -> Scores:
    """Return the squares of the standardised residuals of cells given all others of their window, [n, cells].

    Of a Gaussian with precision P, a cell's conditional variance is 1 / P_ii, and its residual (P d)_i / P_ii for the
    deviations d from the mean. P d [n, cells] is the pull.

    Reference: Rue and Held (2005), Gaussian Markov random fields, theorem 2.3.
    """
    return np.square(pull) / np.diag(precision)


def chosen(rows: Scores, width: int) -> tuple[float, float]:
    """Return the ridge under which held-out windows are the most likely, and how much more they stand out there.

    The first and the last fifth are held out in turn, and all windows that share points with them, so that neither a
    trend nor an anomaly at one end decides. Medians over windows are summed. The second number is the median of the
    largest squared residuals of held-out windows over that of the others, of the end where it is smaller; at least 1.

    Parameters
    ----------
    rows : float64 [n, cells]
        Windows in the order of time.
    width : int
        Points of a window.
    """
    learned = [(Moments.of(rest), _some(rest), _some(held)) for rest, held in _ends(rows, width)]
    if not learned:
        return GRID[-1], 1.0
    surprisal = [sum(np.median(found.surprisal(held, ridge)) for found, _, held in learned) for ridge in GRID]
    ridge = GRID[int(np.argmin(surprisal))]
    excess = []
    for found, rest, held in learned:
        precision = found.precision(ridge)
        usual, other = (
            np.median(squared_residuals((rows - found.mean) @ precision, precision).max(axis=1))
            for rows in (rest, held)
        )
        excess.append(float(other / usual) if usual > 0 else 1.0)
    return ridge, max(1.0, min(excess))


def _ends(rows: Scores, width: int) -> list[tuple[Scores, Scores]]:
    """Return windows to learn from and others, for either end; of few windows the halves, of fewer than four none."""
    count, held = len(rows), max(1, round(HELD_OUT * len(rows)))
    if count - held > 3 * width:
        return [(rows[: -held - width], rows[-held:]), (rows[held + width :], rows[:held])]
    return [(rows[: count // 2], rows[count // 2 :])] if count > 3 else []


def _some(rows: Scores) -> Scores:
    return rows[:: -(-len(rows) // LOOKED_AT)]

"""The shrunk covariance of few rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


def ledoit_wolf(rows: Matrix, centred: bool = False) -> Matrix:
    """Return the covariance of rows, shrunk towards a multiple of the identity, float64 [k, k].

    Scikit-learn has the same, but takes a second to import.

    Parameters
    ----------
    rows : float64 [n, k]
        At least one row and one column.
    centred : bool
        Whether the mean is taken to be zero.

    Reference: Ledoit and Wolf (2004), A well-conditioned estimator for large-dimensional covariance matrices, Journal
    of Multivariate Analysis 88, lemmas 3.2 to 3.4.
    """
    centre = rows if centred else rows - rows.mean(axis=0)
    fourth = float(np.square(np.square(centre).sum(axis=1)).sum())
    return _shrunk(centre.T @ centre / len(rows), fourth, len(rows))


def _shrunk(covariance: Matrix, fourth: float, count: int) -> Matrix:
    """Return a covariance shrunk; `fourth` is the sum of the rows' distances from their mean to the fourth power."""
    width = len(covariance)
    mean = float(np.trace(covariance)) / width
    # The squared Frobenius norms of the sample's distance from the identity's multiple, and of its error.
    distance = float(np.square(covariance).sum()) - width * mean**2
    error = fourth / count**2 - np.square(covariance).sum() / count
    share = min(error, distance) / distance if error > 0 and distance > 0 else 0.0
    shrunk: Matrix = (1 - share) * covariance
    shrunk.flat[:: width + 1] += share * mean
    return shrunk


class MergedMoments:
    """The moments of rows that are seen in parts, for their mean and what `ledoit_wolf` returns of all of them.

    They are sums about an origin near the mean, which loses no digits, and are moved to the mean exactly.

    Parameters
    ----------
    origin : float64 [k]
        About the mean.

    Reference: Chan, Golub and LeVeque (1983), Algorithms for computing the sample variance, The American Statistician
    37 (shifted sums, merged).

    Examples
    --------
    >>> rows = np.array([[0.0, 1.0], [2.0, 1.0], [4.0, 7.0]])
    >>> moments = MergedMoments(np.array([2.0, 2.0]))
    >>> for part in (rows[:1], rows[1:]):
    ...     moments.add(part)
    >>> moments.mean.tolist(), bool(np.allclose(moments.ledoit_wolf(), ledoit_wolf(rows)))
    ([2.0, 3.0], True)
    """

    def __init__(self, origin: Matrix) -> None:
        width = len(origin)
        self.origin, self.count, self.fourth = origin, 0, 0.0
        self.first, self.second, self.third = np.zeros(width), np.zeros((width, width)), np.zeros(width)

    def add(self, rows: Matrix) -> None:
        """Add rows, float64 [n, k]."""
        moved = rows - self.origin
        square = np.square(moved).sum(axis=1)
        self.count += len(rows)
        self.first += moved.sum(axis=0)
        self.second += moved.T @ moved
        self.third += square @ moved
        self.fourth += float(np.square(square).sum())

    @property
    def mean(self) -> Matrix:
        """The mean of all rows, float64 [k]."""
        found: Matrix = self.origin + self.first / self.count
        return found

    def ledoit_wolf(self) -> Matrix:
        """Return their shrunk covariance, float64 [k, k]."""
        shift = self.first / self.count
        length, second = float(shift @ shift), self.second
        # The sum of |y - d|^4 of the moved rows y, multiplied out.
        fourth = self.fourth + 4 * float(shift @ second @ shift) + self.count * length**2
        fourth += 2 * length * float(np.trace(second)) - 4 * float(shift @ self.third)
        fourth -= 4 * length * float(shift @ self.first)
        return _shrunk(second / self.count - np.outer(shift, shift), fourth, self.count)

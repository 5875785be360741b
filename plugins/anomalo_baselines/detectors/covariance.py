"""The detector `covariance`: robust Mahalanobis distance, high where columns do not vary together as usual."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import (
    Cells,
    Dense,
    Encoded,
    MergedMoments,
    Model,
    Run,
    Scores,
    in_row_blocks,
    is_mapped,
    ledoit_wolf,
    param,
    relative,
    row_parts,
)
from anomalo_baselines.detectors.attribution import dense_parts, encoded_value

STEPS = 20
"""Concentration steps, at most."""
SAMPLE, STEPS_WITH_ALL = 50_000, 2
"""Of rows that lie in files: those that the steps are made with, and the last steps, which are made with all rows, as
in Rousseeuw and Van Driessen (1999), section 3.3."""
PART = 65_536
"""Rows of files that are read at a time."""
CLIP = 2.5
"""Values are clipped at this many robust standard deviations for the first estimate."""
SMALLEST = 1e-3
"""The least variance of a direction, as a share of the mean one."""
WIDTH = 256
"""Dense columns in a block: in wider tables, columns of different blocks are taken to be uncorrelated."""
NOISE = 0.3
"""Variance that is added to levels and missing flags: a rare level is not extreme, as such a number would be."""


@dataclass(kw_only=True)
class RobustCovariance(Model):
    """Half the squared Mahalanobis distance from the centre of the share of the rows with the least scatter.

    From a winsorised start, the rows that are nearest by the present estimate give the next one, until they stay
    the same (concentration steps). The covariance is shrunk towards a multiple of the identity, so that constant,
    dependent or too many columns do no harm. The work grows with the cube of the columns up to `WIDTH`, and beyond it
    in proportion to them.

    Reference: Rousseeuw and Van Driessen (1999), A fast algorithm for the minimum covariance determinant estimator,
    Technometrics 41; Boudt et al. (2020), The minimum regularized covariance determinant estimator, Statistics and
    Computing 30; Ledoit and Wolf (2004) for the shrinkage.

    Examples
    --------
    >>> RobustCovariance(support=0.5).params()
    {'support': 0.5}
    """

    name = "covariance"
    out_of_core = True
    score_unit = "half the squared distance"

    support: float = param(0.75, low=0.5, high=1.0, help="Share of the rows that the estimate uses.")

    def fit(self, data: Encoded, run: Run) -> Self:
        """Find the centre and the whitening matrix; of rows in files, from a sample and then from all of them."""
        if not is_mapped(data):
            return self._fit_in_memory(data)
        self._fit_in_memory(next(row_parts(data, SAMPLE)))
        for _ in range(STEPS_WITH_ALL):
            self._concentrate(data)
        return self

    def _concentrate(self, data: Encoded) -> None:
        """Estimate again from the share of all rows that are nearest by the present estimate, in merged sums."""
        distances = np.concatenate([self.score(part) for part in row_parts(data, PART)])
        count = max(2, round(self.support * len(data)))
        farthest = np.partition(distances, count - 1)[count - 1]
        moments = [MergedMoments(self.centre_[part]) for part in self._blocks()]
        for at, rows in enumerate(row_parts(data, PART)):
            near = distances[at * PART : at * PART + len(rows)] <= farthest
            scaled = (rows.dense().matrix / self.scale_)[near]
            for part, sums in zip(self._blocks(), moments, strict=True):
                sums.add(scaled[:, part])
        for part, sums in zip(self._blocks(), moments, strict=True):
            self.centre_[part] = sums.mean
            self.whitening_[part, : part.stop - part.start] = _inverse_root(sums.ledoit_wolf(), self._noise[part])

    def _fit_in_memory(self, data: Encoded) -> Self:
        """Concentrate until the nearest rows stay the same."""
        dense = data.dense()
        number = _numbers(data, dense)
        seen = data.observed[:, dense.position]
        self.scale_ = np.where(number, _robust_scale(dense.matrix.astype(np.float64), seen), 1.0)
        scaled = dense.matrix / self.scale_
        middle = np.median(scaled, axis=0)
        self._noise = noise = np.where(number, 1 - seen.mean(axis=0), NOISE)
        count = max(2, round(self.support * len(scaled)))  # at most all rows are kept
        kept: NDArray[np.intp] | None = None
        sample = np.clip(scaled, middle - CLIP, middle + CLIP)
        self.block_ends_ = _block_ends(dense)
        self.whitening_ = np.zeros((sample.shape[1], int(np.diff(self.block_ends_, prepend=0).max(initial=0))))
        for _ in range(STEPS):
            self.centre_ = sample.mean(axis=0)
            for part in self._blocks():
                self.whitening_[part, : part.stop - part.start] = _whitening(sample[:, part], noise[part])
            nearest = np.sort(np.argsort(self._distances(scaled), kind="stable")[:count])
            if kept is not None and np.array_equal(nearest, kept):
                break
            kept, sample = nearest, scaled[nearest]
        return self

    def score(self, data: Encoded) -> Scores:
        """Return half the squared distances, float64 [n]."""
        return 0.5 * self._distances(data.dense().matrix.astype(np.float64) / self.scale_)

    def explain(self, data: Encoded) -> Cells:
        """Return each cell's share of the score, and its mean given the row's other cells.

        With d the deviation from the centre, P the precision matrix and b the dense columns of a cell, half the
        squared distance falls by (P d)_b' (P_bb)^-1 (P d)_b / 2 when the cell is left out: for a single column by half
        its squared standardised residual, (P d)_j^2 / (2 P_jj). The score is shared out in proportion to these. The
        conditional mean of the cell is its value minus (P_bb)^-1 (P d)_b.

        Reference: Rue and Held (2005), Gaussian Markov random fields, theorems 2.3 and 2.5.
        """
        dense = data.dense()
        scaled = dense.matrix.astype(np.float64) / self.scale_
        pulled, residual = np.empty_like(scaled), np.empty_like(scaled)
        for part in self._blocks():
            whitening, position = self._whitening_of(part), dense.position[part]
            precision = whitening @ whitening.T
            # The conditional covariances of all cells.
            covariance = np.linalg.inv(np.where(position[:, None] == position, precision, 0.0))
            pulled[:, part] = _product(scaled[:, part] - self.centre_[part], precision)
            residual[:, part] = _product(pulled[:, part], covariance)
        drops, expected = np.zeros(data.values.shape), np.empty_like(data.values)
        for block, part in zip(data.layout.blocks, dense_parts(data, dense), strict=True):
            drops[:, block.position] = 0.5 * (pulled[:, part] * residual[:, part]).sum(axis=1)
            mean = (scaled[:, part] - residual[:, part]) * self.scale_[part]
            expected[:, block.position] = encoded_value(block, mean)
        return Cells(self.score(data)[:, None] * relative(drops), expected)

    def _distances(self, scaled: Scores) -> Scores:
        total = np.zeros(len(scaled))
        for part in self._blocks():
            whitened = _product(scaled[:, part] - self.centre_[part], self._whitening_of(part))
            total += np.square(whitened).sum(axis=1)
        return total

    def _blocks(self) -> list[slice]:
        ends = self.block_ends_.tolist()
        return [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]

    def _whitening_of(self, part: slice) -> Scores:
        block: Scores = self.whitening_[part, : part.stop - part.start]
        return block


def _product(rows: Scores, matrix: Scores) -> Scores:
    return in_row_blocks(rows, lambda block: block @ matrix)


def _block_ends(dense: Dense) -> NDArray[np.int64]:
    """Return where blocks of at most `WIDTH` dense columns end, or of one cell's; no cell is in two of them."""
    _, starts = np.unique(dense.position, return_index=True)
    ends = [*starts[1:].tolist(), len(dense.position)] if len(starts) else []
    found: list[int] = []
    for end in ends:
        if found and end - (found[-2] if len(found) > 1 else 0) <= WIDTH:
            found[-1] = end
        else:
            found.append(end)
    return np.array(found, dtype=np.int64)


def _numbers(data: Encoded, dense: Dense) -> NDArray[np.bool_]:
    """Return which dense columns are numbers, bool [width]: not levels, not missing flags."""
    first = np.flatnonzero(np.diff(dense.position, prepend=-1))
    number = np.zeros(len(dense.position), dtype=np.bool_)
    number[first[np.isin(dense.position[first], data.layout.numbers)]] = True
    return number


def _robust_scale(matrix: Scores, seen: NDArray[np.bool_]) -> Scores:
    """Return the observed cells' robust standard deviations [columns], plain ones where more than half are equal."""
    values = np.where(seen | ~seen.any(axis=0), matrix, np.nan)
    robust = 1.4826 * np.nanmedian(np.abs(values - np.nanmedian(values, axis=0)), axis=0)
    scale: Scores = np.where(robust > 0, robust, np.maximum(np.nanstd(values, axis=0), 1e-9))
    return scale


def _whitening(sample: Scores, noise: Scores) -> Scores:
    """Return the matrix W [columns, columns] for which (sample - mean) @ W has unit covariance but for the noise."""
    if not sample.shape[1] or len(sample) < 2:
        return np.eye(sample.shape[1])
    return _inverse_root(ledoit_wolf(sample), noise)


def _inverse_root(covariance: Scores, noise: Scores) -> Scores:
    """Return the matrix W for which rows of this covariance and with this noise, times W, are uncorrelated."""
    covariance = covariance + np.diag(noise)
    eigenvalues, vectors = np.linalg.eigh(covariance)
    smallest = SMALLEST * max(float(np.mean(eigenvalues)), 1e-12)
    whitening: Scores = vectors / np.sqrt(np.maximum(eigenvalues, smallest))
    return whitening

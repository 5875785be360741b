"""The imputer `knn_impute`: the mean, or the vote, of the training rows nearest to a row in jointly observed cells."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import (
    FIRST_LEVEL,
    ConditionalImputer,
    Encoded,
    Floats,
    HeldOutPredictions,
    Mask,
    Run,
    Scores,
    param,
)
from anomalo_baselines.subsample import subsample

ROWS = 64
"""Rows are compared in blocks of exactly this many: a row's result cannot depend on the rows beside it."""
EVALUATED = 256
"""Training rows, evenly spaced, that are imputed from the others to estimate the error."""

Neighbours = tuple[int, NDArray[np.intp], Floats, NDArray[np.intp]]


@dataclass(kw_only=True)
class NeighbourImputer(ConditionalImputer):
    """The mean of a number, or the shares of a category's levels, among the nearest training rows that observe it.

    The squared distance is summed over the cells that both rows observe, times all columns over these: numbers in
    encoded units, 1 for two different levels. Draws are the values of neighbours.

    Reference: Troyanskaya et al. (2001), Missing value estimation methods for DNA microarrays, Bioinformatics 17;
    Dixon (1979), Pattern recognition with partly missing data, IEEE Transactions on Systems, Man, and Cybernetics 9.

    Examples
    --------
    >>> NeighbourImputer(neighbours=5).params()
    {'neighbours': 5, 'reference': 5000}
    """

    name = "knn_impute"

    neighbours: int = param(10, low=1, high=10_000, help="How many of the nearest training rows to average over.")
    reference: int = param(5_000, low=1, high=10_000_000, help="How many training rows to keep, at most.")

    def fit(self, data: Encoded, run: Run) -> Self:
        """Keep the training rows, or a random sample of them."""
        data = subsample(data, self.reference, run)
        self.values_, self.known_ = np.where(data.observed, data.values, np.float32(0)), data.observed.copy()
        self.remember(data, run, self._held_out(data))
        return self

    def predict(self, data: Encoded) -> tuple[Floats, dict[int, Floats]]:
        """Return the neighbours' means, and their shares of levels by position."""
        predicted = np.zeros(data.values.shape, dtype=np.float32)
        sizes = {int(position): data.layout.blocks[position].size for position in data.layout.categories}
        proba = {at: np.full((len(data), size), 1 / max(1, size), dtype=np.float32) for at, size in sizes.items()}
        for position, rows, values, count in self._neighbours(data):
            used = np.arange(values.shape[1]) < count[:, None]
            if position in sizes:
                votes = (values[:, :, None] == np.arange(sizes[position]) + FIRST_LEVEL) & used[:, :, None]
                proba[position][rows] = votes.sum(axis=1) / count[:, None]
            else:
                predicted[rows, position] = (values * used).sum(axis=1, dtype=np.float64) / count
        return predicted, proba

    def _draw(
        self, data: Encoded, point: Floats, proba: Mapping[int, Floats], tables: Mapping[int, Floats], draws: int
    ) -> Floats:
        uniform = self.uniform(data, draws)
        drawn = np.repeat(point[None], draws, axis=0)
        for position, rows, values, count in self._neighbours(data):
            chosen = (uniform[:, rows, position] * count).astype(np.intp)
            drawn[:, rows, position] = values[np.arange(len(rows)), chosen]
        return drawn

    def _neighbours(self, data: Encoded) -> Iterator[Neighbours]:
        """Yield the neighbours' values for all hidden cells, column by column in blocks of rows.

        Each item is the column's position, rows [r], values [r, k] and how many of these count, [r] > 0: the first
        ones. A row that has no observed cell in common with any training row in which the column is observed has all
        of these as neighbours.
        """
        compare = _PartialDistances(self.values_, self.known_, data)
        for block in range(0, len(data), ROWS):
            squares, both = compare.sums(data.values[block : block + ROWS], data.observed[block : block + ROWS])
            distance = np.divide(squares, both, out=np.full(squares.shape, np.inf), where=both > 0)
            for position in np.flatnonzero(self.known_.any(axis=0)):
                rows = np.flatnonzero(~data.observed[block : block + ROWS, position])
                nearest, count = self._nearest(distance[rows], self.known_[:, position])
                near = count > 0
                yield int(position), block + rows[near], self.values_[nearest[near], position], count[near]
                isolated = block + rows[~near]
                every = self.values_[self.known_[:, position], position]
                values = np.broadcast_to(every, (len(isolated), len(every)))
                yield int(position), isolated, values, np.full(len(isolated), len(every))

    def _nearest(self, distance: Scores, donor: Mask) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the nearest donors [r, k] and how many of them are at a finite distance [r]; these come first."""
        donors = np.flatnonzero(donor)
        distance = distance[:, donors]
        count = min(self.neighbours, len(donors))
        nearest = np.argpartition(distance, count - 1, axis=1)[:, :count]
        apart = np.take_along_axis(distance, nearest, axis=1)
        order = np.argsort(apart, axis=1, kind="stable")
        return donors[np.take_along_axis(nearest, order, axis=1)], np.isfinite(apart).sum(axis=1)

    def _held_out(self, data: Encoded) -> HeldOutPredictions:
        """Impute the observed numbers of some training rows from the other rows, as if that cell were hidden."""
        compare, count = _PartialDistances(self.values_, self.known_, data), min(EVALUATED, len(data))
        evaluated = np.arange(count) * len(data) // max(1, count)
        found: dict[int, list[tuple[Scores, Floats]]] = {int(position): [] for position in data.layout.numbers}
        for start in range(0, count, ROWS):
            at = evaluated[start : start + ROWS]
            values, known = data.values[at], data.observed[at]
            squares, both = compare.sums(values, known)
            for position, pairs in found.items():
                if not self.known_[:, position].any():
                    continue
                shared = known[:, [position]] & self.known_[:, position]
                others = squares - shared * np.square(
                    values[:, [position]].astype(np.float64) - self.values_[:, position]
                )
                distance = np.divide(others, both - shared, out=np.full(others.shape, np.inf), where=both - shared > 0)
                distance[np.arange(len(at)), at] = np.inf
                nearest, near = self._nearest(distance, self.known_[:, position])
                rows = np.flatnonzero(known[:, position] & (near > 0))
                used = np.arange(nearest.shape[1]) < near[rows, None]
                mean = (self.values_[nearest[rows], position] * used).sum(axis=1, dtype=np.float64) / near[rows]
                pairs.append((mean, values[rows, position]))
        return {
            position: (np.concatenate([mean for mean, _ in pairs]), np.concatenate([truth for _, truth in pairs]))
            for position, pairs in found.items()
            if pairs
        }


class _PartialDistances:
    """Sums of squared differences between blocks of rows and all reference rows, by one matrix product."""

    def __init__(self, values: Floats, known: Mask, data: Encoded) -> None:
        self.numbers, self.categories = data.layout.numbers, data.layout.categories
        self.sizes = [data.layout.blocks[position].size for position in self.categories]
        number, seen, same = self._parts(values, known)
        self.squares = np.concatenate([seen[:, self.numbers], np.square(number), -2 * number], axis=1).T
        self.agree, self.seen = same.T.copy(), seen.T.copy()

    def sums(self, values: Floats, known: Mask) -> tuple[Scores, Scores]:
        """Return the sums over jointly observed cells, and how many these are, each [r, reference], r <= ROWS."""
        rows = len(values)
        number, seen, same = (_padded(part) for part in self._parts(values, known))
        both = seen @ self.seen
        wide = np.concatenate([np.square(number), seen[:, self.numbers], number], axis=1)
        apart = seen[:, self.categories] @ self.seen[self.categories] - same @ self.agree
        return np.maximum(wide @ self.squares + apart, 0.0)[:rows], both[:rows]

    def _parts(self, values: Floats, known: Mask) -> tuple[Scores, Scores, Scores]:
        """Return numbers, which cells are observed, and indicators of levels, all 0 where a cell is missing."""
        number = np.where(known, values, 0.0)[:, self.numbers].astype(np.float64)
        levels = [
            (values[:, [at]] - FIRST_LEVEL == np.arange(size)) & known[:, [at]]
            for at, size in zip(self.categories, self.sizes, strict=True)
        ]
        same = np.concatenate([np.zeros((len(values), 0)), *levels], axis=1)
        return number, known.astype(np.float64), same


def _padded(part: Scores) -> Scores:
    block = np.zeros((ROWS, part.shape[1]))
    block[: len(part)] = part
    return block

"""The generator `mixture`: a mixture of components within which columns are independent."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import Encoded, Model, Parts, Run, TableTransform, param
from anomalo_baselines.subsample import subsample

ROWS = 50_000
"""Training rows that are used, at most."""
CHUNK = 4096
"""Rows that are drawn at a time."""
NARROWEST = 0.02
"""The least variance of normal scores in a component."""
PRIOR = 1.0
"""The weight, in rows, of the whole table's shares of levels in each component."""
STEADY = 1e-4
"""EM stops when the mean log likelihood rises by less, in nats per row."""

Weights = NDArray[np.float32]


@dataclass(kw_only=True)
class Mixture(Model):
    """A mixture of Gaussians and categorical distributions, by expectation maximisation.

    Numbers are normal scores of their distribution; repeated values, levels and missing values are codes. Given cells
    are exact conditions: they determine the probabilities of the components.

    Reference: Dempster, Laird and Rubin (1977), Maximum likelihood from incomplete data via the EM algorithm, Journal
    of the Royal Statistical Society B 39; Hunt and Jorgensen (2003), Mixture model clustering for mixed data with
    missing information, Computational Statistics and Data Analysis 41.

    Examples
    --------
    >>> Mixture(components=50).params()
    {'components': 50, 'rounds': 60}
    """

    name = "mixture"

    components: int = param(100, low=1, high=5_000, help="Components, but at most one for each 10 rows.")
    rounds: int = param(60, low=1, high=10_000, help="Rounds of expectation maximisation, at most.")

    def fit(self, data: Encoded, run: Run) -> Self:
        """Learn the components."""
        data = subsample(data, ROWS, run)
        transform = TableTransform.fit(data)
        self.transform_, self.columns_ = transform.pack()
        rows = _TrainingRows(transform.forward(data, run.rng), transform.sizes)
        count = max(1, min(self.components, len(data) // 10))
        chosen = run.rng.choice(len(data), count, replace=False)
        self._begin(rows, chosen)
        before = -np.inf
        for number in range(self.rounds):
            belongs, gain = self._expect(rows)
            self._maximise(rows, belongs)
            run.report(epoch=number + 1, epochs=self.rounds, done=(number + 1) / self.rounds, loss=-gain)
            if gain - before < STEADY:
                break
            before = gain
        return self

    def sample(self, given: Encoded, run: Run) -> Encoded:
        """Return rows drawn from the components, given the observed cells."""
        transform = TableTransform.unpack(self.transform_, self.columns_)
        parts = [
            self._sample(transform, given.take(slice(start, start + CHUNK)), run.rng)
            for start in range(0, max(1, len(given)), CHUNK)
        ]
        return Encoded.concatenate(parts)

    def _sample(self, transform: TableTransform, given: Encoded, rng: np.random.Generator) -> Encoded:
        known = transform.condition(given, rng, synthetic=True)
        component = _choose(_softmax(self._evidence(known, transform.sizes)), rng)
        deviation = np.sqrt(self.variance_[component]) * rng.standard_normal(known.numbers.shape, dtype=np.float32)
        numbers = np.where(known.known_numbers, known.numbers, self.mean_[component] + deviation).astype(np.float32)
        assert known.allowed is not None
        codes, start = known.codes.copy(), 0
        for at, (size, allowed) in enumerate(zip(transform.sizes, known.allowed, strict=True)):
            codes[:, at] = _choose(self.shares_[component, start : start + size] * allowed, rng)
            start += size
        return transform.complete(numbers, codes, given)

    def _evidence(self, known: Parts, sizes: tuple[int, ...]) -> Weights:
        """Return each component's log weight given scores and allowed codes, [n, components], up to a constant."""
        total = self._gaussian(known.numbers, known.known_numbers) + np.log(self.weight_)
        start = 0
        for size, allowed in zip(sizes, known.allowed or (), strict=True):
            rows = np.flatnonzero(~allowed.all(axis=1))
            chance = allowed[rows].astype(np.float32) @ self.shares_[:, start : start + size].T
            total[rows] += np.log(np.maximum(chance, 1e-30))
            start += size
        return total

    def _gaussian(self, numbers: Weights, known: NDArray[np.bool_]) -> Weights:
        """Return log densities of the known scores in each component, [n, components]."""
        inner, seen = np.where(known, numbers, np.float32(0)), known.astype(np.float32)
        constant = -0.5 * (np.square(self.mean_) / self.variance_ + np.log(2 * np.pi * self.variance_))
        density: Weights = np.square(inner) @ (-0.5 / self.variance_).T
        density += inner @ (self.mean_ / self.variance_).T + seen @ constant.T
        return density

    def _begin(self, rows: "_TrainingRows", chosen: NDArray[np.intp]) -> None:
        """Start each component at a training row, with unit variances and half of the whole table's shares."""
        self.weight_ = np.full(len(chosen), 1 / len(chosen), dtype=np.float32)
        self.mean_ = np.where(rows.known[chosen], rows.numbers[chosen], np.float32(0))
        self.variance_ = np.ones(self.mean_.shape, dtype=np.float32)
        self.shares_ = (0.5 * (rows.indicators[chosen] + rows.whole)).astype(np.float32)

    def _expect(self, rows: "_TrainingRows") -> tuple[Weights, float]:
        """Return each row's probabilities of the components, [n, components], and the mean log likelihood."""
        joint = self._gaussian(rows.numbers, rows.known)
        joint += rows.indicators @ np.log(self.shares_).T + np.log(self.weight_)
        largest = joint.max(axis=1, keepdims=True)
        belongs = np.exp(joint - largest)
        total = belongs.sum(axis=1, keepdims=True)
        return belongs / total, float((largest + np.log(total)).mean(dtype=np.float64))

    def _maximise(self, rows: "_TrainingRows", belongs: Weights) -> None:
        size = np.maximum(belongs.sum(axis=0), 1e-6)
        self.weight_ = (size / size.sum()).astype(np.float32)
        seen = np.maximum(belongs.T @ rows.known.astype(np.float32), 1e-6)
        inner = np.where(rows.known, rows.numbers, np.float32(0))
        self.mean_ = (belongs.T @ inner) / seen
        square = (belongs.T @ np.square(inner)) / seen - np.square(self.mean_)
        # As if there were one more row, with the unit variance of the whole table.
        self.variance_ = np.maximum((square * seen + 1) / (seen + 1), NARROWEST).astype(np.float32)
        self.shares_ = (belongs.T @ rows.indicators + PRIOR * rows.whole) / (size[:, None] + PRIOR)


class _TrainingRows:
    """Training rows as matrices: normal scores, which are observed [n, width], indicators of codes [n, all codes]."""

    def __init__(self, parts: Parts, sizes: tuple[int, ...]) -> None:
        self.numbers, self.known = parts.numbers, parts.known_numbers
        by_column = [(parts.codes[:, [at]] == np.arange(size)).astype(np.float32) for at, size in enumerate(sizes)]
        self.indicators = np.concatenate([np.zeros((len(self.numbers), 0), np.float32), *by_column], axis=1)
        self.whole = self.indicators.mean(axis=0)


def _softmax(logs: Weights) -> Weights:
    chance: Weights = np.exp(logs - logs.max(axis=1, keepdims=True))
    return chance


def _choose(chance: Weights, rng: np.random.Generator) -> NDArray[np.intp]:
    """Draw a column of each row in proportion to its cells [n, k], at least one of which is above 0."""
    upto = np.cumsum(chance, axis=1, dtype=np.float64)
    drawn = rng.random((len(chance), 1)) * upto[:, -1:]
    return np.asarray((upto <= drawn).sum(axis=1))

"""Chained equations with predictive mean matching: the peer that draws are measured by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from imputation_metrics import Uncertainty
from matrices import Matrix, Numbers, mean_or_mode
from numpy.typing import NDArray

RIDGE = 1e-5


@dataclass
class Match:
    """One column's regression: weights to draw with, and the predictions [donors, width] and cells of its donors."""

    drawn: Numbers
    predicted: Numbers
    cells: NDArray[np.intp]


class PMM:
    """Multiple imputation: each cell gets the value of a training row whose prediction is similar.

    Each column in turn is regressed on all others, with weights drawn from their posterior, and a missing cell takes
    the cell of one of the 5 donors whose predictions (by the estimated weights) are nearest to its prediction (by the
    drawn ones); so 20 chains of 5 rounds. A category is regressed as its indicators, and its donors are the nearest in
    all of them. New rows go through 5 rounds of each chain's last regressions. A number is filled by the mean of its
    draws, a category by the most frequent one.

    Reference: van Buuren (2018), Flexible imputation of missing data, 2nd ed., algorithms 3.1, 3.3 and 4.3 (mice's
    defaults for numbers, but for the number of chains).
    """

    def __init__(self, seed: int, chains: int = 20, rounds: int = 5, donors: int = 5) -> None:
        self.seed, self.chains, self.rounds, self.donors = seed, chains, rounds, donors

    def fit(self, train: pd.DataFrame) -> None:
        """Run the chains on the training rows, keeping the last regressions and imputed values of each."""
        self.train = train
        self.matrix = Matrix(train, standardise=True, drop=True)
        self.start = self.matrix.of(train.fillna({name: mean_or_mode(train[name]) for name in train}))
        self.order = list(train.isna().sum().sort_values(kind="stable").index)
        self.matches: list[dict[str, Match]] = []
        self.finished: list[Numbers] = []
        for chain in range(self.chains):
            rng = np.random.default_rng([self.seed, chain])
            values = _begun(self.start, train, self.matrix, self.start, train, rng)
            for _ in range(self.rounds):
                found = {}
                for name in self.order:
                    absent = train[name].isna().to_numpy()
                    found[name] = self._matched(name, values, np.flatnonzero(~absent), rng)
                    self._refill(found[name], name, values, absent, rng)
            self.matches.append(found)
            self.finished.append(values)

    def _matched(self, name: str, values: Numbers, seen: NDArray[np.intp], rng: np.random.Generator) -> Match:
        x, y = _design(self.matrix.others(values, name))[seen], values[np.ix_(seen, self.matrix.block[name])]
        gram = x.T @ x
        inverse = np.linalg.inv(gram + RIDGE * np.diag(np.diag(gram) + RIDGE))
        weights = inverse @ (x.T @ y)
        freedom = max(len(x) - x.shape[1], 1)
        deviation = np.sqrt(np.square(y - x @ weights).sum(axis=0) / rng.chisquare(freedom))
        root = np.linalg.cholesky((inverse + inverse.T) / 2)
        return Match(weights + root @ rng.standard_normal(weights.shape) * deviation, x @ weights, seen)

    def _refill(
        self, match: Match, name: str, values: Numbers, absent: NDArray[np.bool_], rng: np.random.Generator
    ) -> None:
        block = self.matrix.block[name]
        if absent.any() and len(block):
            predicted = _design(self.matrix.others(values[absent], name)) @ match.drawn
            # A donor's distance, squared, less what is the same for all donors.
            distance = np.square(match.predicted).sum(axis=1) - 2.0 * predicted @ match.predicted.T
            count = min(self.donors, len(match.cells))
            near = np.argpartition(distance, count - 1, axis=1)[:, :count]
            chosen = near[np.arange(len(near)), rng.integers(count, size=len(near))]
            values[np.ix_(absent, block)] = self.start[np.ix_(match.cells[chosen], block)]

    def draws(self, rows: pd.DataFrame) -> list[Numbers]:
        """Return new rows as matrices [n, width], one for each chain, their missing values filled by draws."""
        known, found = self.matrix.of(rows), []
        for chain, matches in enumerate(self.matches):
            rng = np.random.default_rng([self.seed, chain, 1])
            values = _begun(known, rows, self.matrix, self.start, self.train, rng)
            for _ in range(self.rounds):
                for name in self.order:
                    self._refill(matches[name], name, values, rows[name].isna().to_numpy(), rng)
            found.append(values)
        return found

    def fill(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Fill new rows by the mean of their draws, or the most frequent level."""
        return self.matrix.filled(rows, np.mean(self.draws(rows), axis=0))

    def fill_training(self, train: pd.DataFrame) -> pd.DataFrame:
        """Fill the training rows by the draws of the fit."""
        return self.matrix.filled(train, np.mean(self.finished, axis=0))

    def uncertainty(self, rows: pd.DataFrame) -> Uncertainty:
        """Return the draws of numbers."""
        found = np.full((self.chains, *rows.shape), np.nan)
        for chain, values in enumerate(self.draws(rows)):
            for at, name in enumerate(self.matrix.names):
                if self.matrix.levels[name] is None:
                    found[chain, :, at] = self.matrix.decoded(name, values[:, self.matrix.block[name]])
        return Uncertainty(draws=found)


def _design(others: Numbers) -> Numbers:
    return np.column_stack([np.ones(len(others)), others])


def _begun(
    known: Numbers, rows: pd.DataFrame, matrix: Matrix, start: Numbers, train: pd.DataFrame, rng: np.random.Generator
) -> Numbers:
    """Return a matrix whose missing cells are those of random training rows that have them."""
    values = known.copy()
    for name in matrix.names:
        absent, seen = np.flatnonzero(rows[name].isna()), np.flatnonzero(train[name].notna())
        values[np.ix_(absent, matrix.block[name])] = start[np.ix_(rng.choice(seen, len(absent)), matrix.block[name])]
    return values

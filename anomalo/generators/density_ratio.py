"""Correction of synthetic rows by density ratios: rows that are too frequent are replaced by ones that are too rare."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from anomalo.encoding.encoded import Encoded, Floats, Scores
from anomalo.models.learners.boosting import (
    MISSING_CODE,
    FittedBoosting,
    boosting_inputs,
    few_threads,
    flatten_boosting,
    missing_on_both_sides,
)
from anomalo.models.learners.trees import ROW_BLOCK, Trees

MOST_REAL, SYNTHETIC_EACH, MOST_SYNTHETIC = 20_000, 4, 20_000
"""The most real rows that the trees are fitted on, the synthetic rows for each of them, and the most synthetic rows."""
FEWEST = 100
"""With fewer real rows no ratio is estimated."""
ROUNDS, RATE, LEAVES, DEPTH, LEAF, RIDGE = 100, 0.1, 31, 8, 20, 5.0
"""Trees, what is added of each, their leaves and depth at most, rows in a leaf at least, penalty of leaves' values."""
HEAVIEST = 4.0
"""The largest ratio of a row before scaling; larger ones are clipped to it."""
HELD_OUT = 5
"""One synthetic row in this many is held out, to estimate the mean weight."""


@dataclass(frozen=True)
class DensityRatio:
    """The density of real rows over that of synthetic rows, by trees that classify rows as real or synthetic.

    Reference: Sugiyama, Suzuki and Kanamori (2012), Density ratio estimation in machine learning, chapter 4
    (probabilistic classification).

    Attributes
    ----------
    trees : Trees
        Of encoded rows, as `missing_on_both_sides` shows them.
    values : float32 [nodes]
        What each leaf adds to the logarithm of the ratio.
    scale : float
        The factor of all rows' ratios, for which synthetic rows have the ratio 1 on average.
    """

    trees: Trees
    values: Floats
    scale: float

    @classmethod
    def fit(cls, real: Encoded, synthetic: Encoded, seed: int) -> Self:
        """Learn from real rows and from synthetic ones, at least `HELD_OUT` of them."""
        from sklearn.ensemble import HistGradientBoostingClassifier

        held_out = np.arange(len(synthetic)) % HELD_OUT == 0
        matrix = np.concatenate([_matrix(real), _matrix(synthetic.take(~held_out))])
        truth = np.repeat([1, 0], [len(real), len(matrix) - len(real)])
        empty = np.isnan(matrix).all(axis=0)
        matrix[:, empty] = 0  # scikit-learn fails on empty columns
        categories = np.setdiff1d(real.layout.categories, np.flatnonzero(empty))
        levels = {int(at): np.unique(matrix[:, at][~np.isnan(matrix[:, at])]).astype(np.intp) for at in categories}
        model = HistGradientBoostingClassifier(
            max_iter=ROUNDS,
            learning_rate=RATE,
            max_leaf_nodes=LEAVES,
            max_depth=DEPTH,
            min_samples_leaf=LEAF,
            l2_regularization=RIDGE,
            categorical_features=sorted(levels) or None,
            early_stopping=False,
            random_state=seed,
        )
        with few_threads(matrix.size):
            model.fit(matrix, truth)
        trees, values = flatten_boosting([FittedBoosting(model, levels)], matrix.shape[1])
        plain = cls(trees, values, 1.0)  # the share of real rows here is in the model's start, not in its trees
        return dataclasses.replace(plain, scale=float(1 / plain.weights(synthetic.take(held_out)).mean()))

    def weights(self, rows: Encoded) -> Scores:
        """Return the ratio of each row, float64 [n]: 1 on average over synthetic rows."""
        total = np.zeros(len(rows))
        for start in range(0, len(rows), ROW_BLOCK):
            some = slice(start, start + ROW_BLOCK)
            matrix = missing_on_both_sides(_matrix(rows.take(some)), rows.layout.categories)
            for leaves in self.trees.leaves(matrix):
                total[some] += self.values[leaves]
        return self.scale * np.minimum(np.exp(total), HEAVIEST)

    def pack(self) -> tuple[Scores, dict[str, Any]]:
        """Return the ratio as one array and a JSON-ready value, for a model to keep as two attributes."""
        arrays = [np.asarray(part) for part in (*self.trees, self.values)]
        packed = np.concatenate([array.ravel() for array in arrays]).astype(np.float64)
        return packed, {"scale": self.scale, "sizes": [array.size for array in arrays]}

    @classmethod
    def unpack(cls, array: Scores, value: Mapping[str, Any]) -> Self:
        """Rebuild a ratio from `pack`."""
        parts = np.split(array, np.cumsum(value["sizes"])[:-1])
        roots, depths, feature, threshold, children, listed, sets, values = parts
        trees = Trees(
            roots.astype(np.int32),
            depths.astype(np.int32),
            feature.astype(np.int32),
            threshold.astype(np.float32),
            children.astype(np.int32).reshape(-1, 2),
            listed.astype(np.int32),
            sets.astype(np.uint8).reshape(-1, (MISSING_CODE + 1) // 8),
        )
        return cls(trees, values.astype(np.float32), value["scale"])


Draw = Callable[[Encoded, np.random.Generator], Encoded]
"""Returns as many rows as it is given, with the observed cells and the others drawn given them."""


def learn_density_ratio(real: Encoded, draw: Draw, rng: np.random.Generator) -> DensityRatio | None:
    """Return the ratio of a table's rows to those that a generator draws; None for a table of few rows."""
    if len(real) < FEWEST:
        return None
    rows = rng.permutation(len(real))[:MOST_REAL]
    nothing = np.zeros((min(SYNTHETIC_EACH * len(rows), MOST_SYNTHETIC), *real.layout.shape))
    synthetic = draw(Encoded(nothing.astype(np.float32), nothing.astype(bool), real.layout), rng)
    return DensityRatio.fit(real.take(np.sort(rows)), synthetic, int(rng.integers(2**31)))


def correct_by_density_ratio(
    given: Encoded, draw: Draw, ratio: DensityRatio, candidates: int, rng: np.random.Generator
) -> Encoded:
    """Draw rows, and replace some so that all are distributed more like real ones.

    A row of ratio w stays with probability min(1, w). For one that does not, others are drawn given the same cells, and
    one of them is taken in proportion to max(0, w - 1): of all ways to turn rows of the one distribution into rows of
    the other this changes the fewest (a maximal coupling). Given cells stay as they are, and no row is without one.

    Parameters
    ----------
    given : Encoded [n]
        What is observed stays.
    candidates : int
        How many are drawn for each row that is replaced.

    Reference: Thorisson (2000), Coupling, stationarity, and regeneration, chapter 1.4.5; Rubin (1987), The calculation
    of posterior distributions by data augmentation: comment, Journal of the American Statistical Association 82
    (drawing from some candidates by their weights).
    """
    # Separate generators, so that no row depends on how many follow it.
    first, second, chance, choice = map(np.random.default_rng, rng.integers(2**63, size=4))
    synthetic = draw(given, first)
    lost = np.flatnonzero(chance.random(len(synthetic)) >= ratio.weights(synthetic))
    if not len(lost):
        return synthetic
    others = draw(given.take(np.repeat(lost, candidates)), second)
    weights = ratio.weights(others).reshape(-1, candidates)
    excess = np.maximum(weights - 1, 0)
    cumulative = np.where(excess.any(axis=1, keepdims=True), excess, weights).cumsum(axis=1)
    taken = (cumulative <= choice.random((len(lost), 1)) * cumulative[:, -1:]).sum(axis=1)
    values, observed = synthetic.values.copy(), synthetic.observed.copy()
    values[lost], observed[lost] = (
        part[np.arange(len(lost)) * candidates + taken] for part in (others.values, others.observed)
    )
    return Encoded(values, observed, synthetic.layout)


def _matrix(rows: Encoded) -> NDArray[np.float32]:
    """Return the trees' inputs, with NaN for missing values, and for levels beyond the most that they distinguish."""
    matrix = boosting_inputs(rows)
    for at in rows.layout.categories:
        matrix[matrix[:, at] >= MISSING_CODE - 1, at] = np.nan
    return matrix

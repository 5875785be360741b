"""A random forest for one column, as arrays, with its out-of-bag predictions."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import (
    ROW_BLOCK,
    Floats,
    Scores,
    Trees,
    concatenated,
    flatten_forest,
    out_of_bag,
    round_down_to_float32,
)
from anomalo_auto.imputation.target_column import Target

TREES = 50
LEAF = {"number": 3, "category": 1}
"""The fewest rows of a leaf."""
SAMPLE = 2000
"""Rows that a tree is grown on, at most: a column's cost hardly grows with the table's rows."""
FEATURES = 1 / 3
"""Share of the inputs that a split chooses from."""


@dataclass(frozen=True)
class ColumnForest:
    """Trees laid end to end.

    Reference: Breiman (2001), Random forests, Machine Learning 45.

    Attributes
    ----------
    roots, depths : int32 [trees]
    feature : int32 [nodes]
    threshold : float32 [nodes]
    children : int32 [nodes, 2]
    values : float32 [nodes, size]
        The prediction of each node.
    marginal : float64 [size]
        The prediction without any input.
    """

    roots: NDArray[np.int32]
    depths: NDArray[np.int32]
    feature: NDArray[np.int32]
    threshold: Floats
    children: NDArray[np.int32]
    values: Floats
    marginal: Scores

    @classmethod
    def of(cls, grown: Any, target: Target) -> Self:
        """Return scikit-learn's forest as arrays."""
        flat = flatten_forest([tree.tree_ for tree in grown.estimators_])
        values = concatenated([tree.tree_.value[:, 0] for tree in grown.estimators_], np.float32)
        values = values.reshape(len(flat.feature), -1)
        return cls(
            flat.roots,
            flat.depths,
            flat.feature.astype(np.int32),
            round_down_to_float32(flat.threshold),
            flat.children.astype(np.int32),
            values if target.number else target.all_levels(values, grown.classes_),
            target.marginal(),
        )

    def _trees(self) -> Trees:
        return Trees(self.roots, self.depths, self.feature, self.threshold, self.children)

    def predict(self, inputs: Floats, target: Target) -> Floats:
        """Return predictions, float32 [k, size]."""
        predicted = np.zeros((len(inputs), self.values.shape[1]), dtype=np.float32)
        for start in range(0, len(inputs), ROW_BLOCK):
            rows = slice(start, start + ROW_BLOCK)
            for leaves in self._trees().leaves(inputs[rows]):
                predicted[rows] += self.values[leaves]
        predicted /= np.float32(len(self.roots))
        return predicted if target.number else _with_marginal(predicted, self.marginal, len(self.roots))


def unfitted(target: Target, rows: int, rng: np.random.Generator) -> Any:
    """Return scikit-learn's forest without a tree; `grow` adds trees."""
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    kind: Any = RandomForestRegressor if target.number else RandomForestClassifier
    return kind(
        max_features=FEATURES,
        min_samples_leaf=LEAF[target.block.kind],
        max_samples=min(rows, SAMPLE),
        warm_start=True,
        random_state=int(rng.integers(2**31)),
    )


def grow(forest: Any, trees: int, inputs: Floats, target: Target) -> Floats:
    """Grow a forest to so many trees on inputs [m, width]; return the out-of-bag predictions, float32 [m, size]."""
    forest.set_params(n_estimators=trees).fit(inputs, target.truth)
    predicted, unseen = out_of_bag(forest, inputs)
    if target.number:
        predicted[unseen == 0] = target.marginal()
        return predicted.astype(np.float32)
    return _with_marginal(target.all_levels(predicted, forest.classes_), target.marginal(), unseen[:, None])


def _with_marginal(shares: Floats, marginal: Scores, trees: Any) -> Floats:
    """Return levels' shares of so many trees' votes and one of the marginal, so that no level is impossible."""
    return np.asarray((shares * trees + marginal) / (trees + 1), dtype=np.float32)

"""The detector `iforest`: few random splits isolate an anomalous row."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import (
    ROW_BLOCK,
    Encoded,
    Model,
    Run,
    Scores,
    Trees,
    concatenated,
    flatten_forest,
    param,
    round_down_to_float32,
)
from anomalo_baselines.detectors.category_surprisal import code_shares, with_surprisal


def average_path_length(count: NDArray[Any]) -> NDArray[np.float64]:
    """Return c(n), the mean depth at which a search for an absent key ends in a random tree of n keys.

    c(n) = 2 H(n - 1) - 2 (n - 1) / n with H(i) = ln(i) + 0.5772 (Euler's constant); c(2) = 1, c(1) = 0.

    Reference: Liu, Ting and Zhou (2008), equation 1.

    Examples
    --------
    >>> average_path_length(np.array([1, 2, 256])).round(2).tolist()
    [0.0, 1.0, 10.24]
    """
    n = np.maximum(count.astype(np.float64), 3.0)
    length = 2.0 * (np.log(n - 1.0) + np.euler_gamma) - 2.0 * (n - 1.0) / n
    return np.where(count > 2, length, np.where(count == 2, 1.0, 0.0))


@dataclass(kw_only=True)
class IsolationForest(Model):
    """Random trees; the smaller a row's mean depth, the more anomalous it is.

    The trees split the numbers, a missing one at the centre, and one more column with the surprisal of all categories
    together: as columns of their own, rare levels would isolate normal rows. The score is
    s = 2 ** (-E[h] / c(samples)), between 0 and 1, where h is the depth of the leaf that a row falls into, plus
    c(rows in that leaf). The trees are grown by scikit-learn and kept as arrays.

    Reference: Liu, Ting and Zhou (2008), Isolation forest, ICDM.

    Examples
    --------
    >>> IsolationForest(trees=50).params()
    {'trees': 50, 'samples': 256}
    """

    name = "iforest"
    score_unit = "0 to 1"

    trees: int = param(100, low=1, high=100_000, help="Trees of the forest.")
    samples: int = param(256, low=1, high=10_000_000, help="Training rows of each tree, at most.")

    def fit(self, data: Encoded, run: Run) -> Self:
        """Grow the trees."""
        from sklearn import ensemble

        self.shares_ = code_shares(data)
        matrix = with_surprisal(data, self.shares_)
        grown: list[Any] = []
        if matrix.shape[1]:
            forest = ensemble.IsolationForest(
                n_estimators=self.trees, max_samples=min(self.samples, len(matrix)), random_state=run.seed % 2**32
            )
            grown = [tree.tree_ for tree in forest.fit(matrix).estimators_]
        self._flatten(grown)
        seen = np.array(min(self.samples, len(matrix)))
        self.longest_ = self.trees * float(average_path_length(seen))
        return self

    def _flatten(self, grown: list[Any]) -> None:
        trees = flatten_forest(grown)
        self.roots_, self.feature_, self.threshold_, self.children_ = trees.roots, *trees[2:5]
        self.length_ = concatenated([_lengths(tree) for tree in grown], np.float64)
        self.depth_ = int(trees.depths.max(initial=0))

    def score(self, data: Encoded) -> Scores:
        """Return s, float64 [n] in (0, 1]; 0 for a table without a usable column."""
        matrix = with_surprisal(data, self.shares_)
        if not len(self.roots_):
            return np.zeros(len(matrix))
        lengths, trees = np.empty(len(matrix)), self._trees()
        for start in range(0, len(matrix), ROW_BLOCK):
            rows = slice(start, start + ROW_BLOCK)
            lengths[rows] = sum(self.length_.take(leaf) for leaf in trees.leaves(matrix[rows]))
        # Trees of one row have no depth: their score is 1/2, neither anomalous nor normal.
        exponent = lengths / self.longest_ if self.longest_ else np.ones_like(lengths)
        return 2.0**-exponent

    def _trees(self) -> Trees:
        """Return the trees with thresholds of the type of the rows, which compare as the exact ones do."""
        depths = np.full(len(self.roots_), self.depth_, dtype=np.int32)
        threshold = round_down_to_float32(self.threshold_)
        return Trees(self.roots_, depths, self.feature_, threshold, self.children_)


def _lengths(tree: Any) -> NDArray[np.float64]:
    """Return the depth of each node plus c(rows in it), [nodes]; parents precede their children."""
    depth = np.zeros(tree.node_count)
    for node in np.flatnonzero(tree.children_left >= 0):
        depth[[tree.children_left[node], tree.children_right[node]]] = depth[node] + 1.0
    return depth + average_path_length(tree.n_node_samples)

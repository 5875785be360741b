"""Decision trees as plain arrays, laid end to end, and the walk down them that all forests share."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

ROW_BLOCK = 1024
"""Rows that walk down all trees together; small enough for their nodes to stay in the cache."""


class Trees(NamedTuple):
    """Trees laid end to end; a leaf leads to itself, so that all rows take the same number of steps.

    Attributes
    ----------
    roots : int32 [trees]
        Where each tree begins.
    depths : int32 [trees]
        How many steps lead to the deepest leaf of each.
    feature : int [nodes]
        The column that a node looks at; 0 for a leaf.
    threshold : float [nodes]
        A row goes left where its value is not above it.
    children : int32 [nodes, 2]
        The node on the left and on the right.
    listed : int32 [nodes] or None
        The set of codes of a node that splits a category, -1 for others.
    sets : uint8 [sets, 32] or None
        Bit c of a set, counted from the lowest of the first byte, says that code c goes left.
    """

    roots: NDArray[np.int32]
    depths: NDArray[np.int32]
    feature: NDArray[Any]
    threshold: NDArray[Any]
    children: NDArray[np.int32]
    listed: NDArray[np.int32] | None = None
    sets: NDArray[np.uint8] | None = None

    def leaves(self, matrix: NDArray[np.float32]) -> Iterator[NDArray[np.intp]]:
        """Give the leaf that each row [n, columns] falls into, tree by tree, intp [n]."""
        # Twice a node's number leads to its two children. Indices of other types would be converted each time.
        values, width = np.ascontiguousarray(matrix).ravel(), matrix.shape[1]
        first = np.arange(len(matrix), dtype=np.intp) * width
        children = 2 * self.children.ravel().astype(np.intp)
        feature, threshold = np.repeat(self.feature.astype(np.intp), 2), np.repeat(self.threshold, 2)
        at, value, limit = (
            np.empty_like(first),
            np.empty(len(first), values.dtype),
            np.empty(len(first), threshold.dtype),
        )
        for root, depth in zip(self.roots, self.depths, strict=True):
            node = np.full(len(matrix), 2 * int(root), dtype=np.intp)
            for _ in range(depth):
                np.add(feature.take(node, out=at, mode="clip"), first, out=at)
                right = values.take(at, out=value, mode="clip") > threshold.take(node, out=limit, mode="clip")
                if self.listed is not None and self.sets is not None and len(self.sets):
                    _by_sets(right, value, self.listed.take(node >> 1), self.sets)
                node += right
                children.take(node, out=at, mode="clip")
                node, at = at, node
            yield node >> 1


def flatten_forest(grown: list[Any]) -> Trees:
    """Lay scikit-learn's trees (their `tree_`) end to end; thresholds are float64."""
    sizes = [tree.node_count for tree in grown]
    roots = np.cumsum([0, *sizes], dtype=np.int32)[:-1]
    children = concatenated([_children(tree) for tree in grown], np.int32).reshape(-1, 2)
    return Trees(
        roots,
        np.array([tree.max_depth for tree in grown], dtype=np.int32),
        concatenated([np.maximum(tree.feature, 0) for tree in grown], np.int32),
        concatenated([tree.threshold for tree in grown], np.float64),
        children + np.repeat(roots, sizes)[:, None],
    )


def out_of_bag(forest: Any, inputs: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return what the trees of scikit-learn's forest that did not see a training row [n, columns] say of it.

    Returns
    -------
    float64 [n, outputs]
        Their mean: a number, or shares of the forest's classes; 0 for a row that every tree saw.
    intp [n]
        How many trees did not see the row.

    Reference: Breiman (2001), Random forests, Machine Learning 45, section 3.1.
    """
    total, count = np.zeros((len(inputs), forest.estimators_[0].tree_.value.shape[2])), np.zeros(len(inputs), np.intp)
    for grown, sample in zip(forest.estimators_, forest.estimators_samples_, strict=True):
        out = np.ones(len(inputs), dtype=np.bool_)
        out[sample] = False
        total[out] += grown.tree_.value[grown.tree_.apply(inputs[out]), 0]
        count[out] += 1
    return total / np.maximum(count, 1)[:, None], count


def concatenated(parts: list[Any], dtype: Any) -> NDArray[Any]:
    """Return the parts, flattened, as one array."""
    return np.concatenate([np.empty(0, dtype), *(np.asarray(part, dtype).ravel() for part in parts)])


def round_down_to_float32(threshold: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the largest float32 that is not above each threshold: float32 values lie on the same side of both."""
    nearest = threshold.astype(np.float32)
    return np.where(nearest > threshold, np.nextafter(nearest, np.float32(-np.inf)), nearest)


def _by_sets(
    right: NDArray[np.bool_], value: NDArray[np.float32], listed: NDArray[np.int32], sets: NDArray[np.uint8]
) -> None:
    """Send rows [n] whose node has a set to the right if it does not hold their code."""
    rows = np.flatnonzero(listed >= 0)
    code = value[rows].astype(np.uint8)
    right[rows] = (sets[listed[rows], code >> 3] >> (code & 7)) & 1 == 0


def _children(tree: Any) -> NDArray[Any]:
    """Left and right child of each node [nodes, 2], counted within the tree; a leaf's are the leaf."""
    both = np.stack([tree.children_left, tree.children_right], axis=1)
    return np.where(both < 0, np.arange(tree.node_count)[:, None], both)

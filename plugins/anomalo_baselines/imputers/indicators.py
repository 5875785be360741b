"""Encoding of categories as indicators of their levels, and probabilities from expected indicators."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from anomalo.plugin import FIRST_LEVEL, Encoded, Floats, Layout, Mask, Scores

LEVELS = 20
"""At most this many indicators for a category: the rarest levels share the last one."""
SMALLEST = 1e-6
"""The least share of a level, for levels that no training cell has."""


def source_columns(layout: Layout) -> NDArray[np.intp]:
    """Return the column of the table of each number or indicator, intp [width], ascending."""
    widths = [1 if block.kind == "number" else min(block.size, LEVELS) for block in layout.blocks]
    return np.repeat(np.arange(len(widths)), widths)


def indicator_matrix(data: Encoded) -> tuple[Scores, Mask]:
    """Return numbers and 0/1 indicators, float64 [n, width], and whether each is observed."""
    column = source_columns(data.layout)
    level = np.arange(len(column)) - np.searchsorted(column, column)
    width = np.bincount(column, minlength=len(data.layout.blocks))[column]
    values = data.values[:, column].astype(np.float64)
    category = np.isin(column, data.layout.categories)
    matrix = np.where(category, np.minimum(values - FIRST_LEVEL, width - 1) == level, values)
    return matrix, data.observed[:, column]


def level_shares(data: Encoded) -> dict[int, Scores]:
    """Return each category's shares of levels [size], by position; equal ones where nothing is observed."""
    shares = {}
    for position in data.layout.categories:
        size = data.layout.blocks[position].size
        codes = data.values[data.observed[:, position], position].astype(np.intp) - FIRST_LEVEL
        counts = np.bincount(codes, minlength=size) if len(codes) else np.ones(size)
        shares[int(position)] = counts / max(counts.sum(), 1)
    return shares


def probabilities(expected: Scores, covariance: Scores, total: Scores, shares: Scores) -> Floats:
    """Return the probabilities of levels from their indicators' conditional means and covariances, float32 [n, size].

    The expected indicators y of a row are assumed Gaussian within each level, with the means and the common
    covariance that the joint Gaussian of all columns implies. With p the levels' shares, V the total and C the
    conditional covariance of the indicators, and R = V - C what is explained, level k then has

        log p_k + (A (y - p))_k - (A R)_kk / (2 p_k) + constant,    A = (diag(p) - R)^-1:

    linear discriminant analysis of y. V includes a ridge: y and R are first transformed to the covariance of
    indicators with these shares, diag(p) - pp', which also makes diag(p) - R positive definite.

    Parameters
    ----------
    expected : float64 [n, width]
        The expected indicators minus the shares, y - p.
    covariance : float64 [n, width, width]
        C.
    total : float64 [width, width]
        V.
    shares : float64 [size]
        Of the levels in the training table.

    Reference: Hastie, Tibshirani and Buja (1994), Flexible discriminant analysis by optimal scoring, JASA 89.
    """
    width = len(total)
    clipped = np.maximum(shares, SMALLEST)
    grouped = np.append(clipped[: width - 1], clipped[width - 1 :].sum())
    grouped /= grouped.sum()
    values, vectors = np.linalg.eigh(total)
    # Element-wise sums, so that a row's result does not depend on the rows beside it.
    change = _root(np.diag(grouped) - np.outer(grouped, grouped)) @ (vectors / np.sqrt(values)) @ vectors.T
    moved = (expected[:, None, :] * change).sum(axis=2)
    explained = change @ (total - covariance) @ change.T
    sides = np.concatenate([moved[:, :, None], explained], axis=2)
    solved = np.linalg.solve(np.diag(grouped) - explained, sides)
    fit = np.diagonal(solved[:, :, 1:], axis1=1, axis2=2) / grouped
    proba = softmax(np.log(grouped) + solved[:, :, 0] - fit / 2, axis=1)
    tail = clipped[width - 1 :] / clipped[width - 1 :].sum()
    return np.concatenate([proba[:, :-1], proba[:, -1:] * tail], axis=1).astype(np.float32)


def _root(matrix: Scores) -> Scores:
    values, vectors = np.linalg.eigh(matrix)
    root: Scores = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    return root

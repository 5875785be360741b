"""scikit-learn's histogram gradient boosting as plain arrays: its splits of numbers, missing values and categories."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from anomalo.encoding.encoded import FIRST_LEVEL, Encoded, Floats
from anomalo.models.learners.trees import Trees, concatenated, round_down_to_float32

MISSING_CODE = 255
"""The code of a missing category in a tree's sets; levels count from 0."""

SMALL = 1 << 20
"""Cells of a table that one thread fits as fast as several."""


@contextmanager
def few_threads(cells: int) -> Iterator[None]:
    """Let scikit-learn's boosting use one thread inside, where the table is small.

    Its threads meet many thousand times in a fit, and wait for each other by spinning. On a busy machine one waits for
    its turn as often, and a fit of a second takes minutes.
    """
    with threadpool_limits(1 if cells < SMALL else None, user_api="openmp"):
        yield


def boosting_inputs(data: Encoded) -> Floats:
    """Return numbers and levels, float32 [n, columns], with NaN for missing values."""
    values = np.where(data.observed, data.values, np.float32(np.nan))
    values[:, data.layout.categories] -= FIRST_LEVEL
    return values


def missing_on_both_sides(values: Floats, categories: NDArray[np.intp]) -> Floats:
    """Return the trees' inputs, float32 [n, 2 * columns], with missing numbers as -inf and then as inf.

    A split that sends missing values to the left reads the first half, one that sends them to the right the second.
    """
    small, large = (np.where(np.isnan(values), np.float32(side), values) for side in (-np.inf, np.inf))
    for half in (small, large):
        half[:, categories] = np.where(np.isnan(values[:, categories]), np.float32(MISSING_CODE), values[:, categories])
    return np.concatenate([small, large], axis=1)


class FittedBoosting(NamedTuple):
    """One fitted model as scikit-learn made it.

    Attributes
    ----------
    model : HistGradientBoostingRegressor or HistGradientBoostingClassifier
    levels : dict of int to intp [k]
        By column of its inputs: the levels of a category that the model was fitted with, ascending.
    """

    model: Any
    levels: dict[int, NDArray[np.intp]]


def flatten_boosting(fitted: list[FittedBoosting], columns: int) -> tuple[Trees, NDArray[np.float32]]:
    """Return all models' trees end to end, for `missing_on_both_sides`, and the values of their nodes."""
    parts = [
        (predictor, boosting.levels, _order(boosting, columns))
        for boosting in fitted
        for step in boosting.model._predictors
        for predictor in step
    ]
    sizes = [len(predictor.nodes) for predictor, _, _ in parts]
    roots = np.cumsum([0, *sizes], dtype=np.int32)[:-1]
    sets = np.concatenate([np.zeros((0, 32), np.uint8), *(_sets(*part) for part in parts)])
    counts = [int(_splits_category(predictor).sum()) for predictor, _, _ in parts]
    firsts = np.cumsum([0, *counts])[:-1]
    trees = Trees(
        roots,
        np.array([predictor.nodes["depth"].max() for predictor, _, _ in parts], dtype=np.int32),
        concatenated([_features(predictor, order, columns) for predictor, _, order in parts], np.int32),
        round_down_to_float32(concatenated([_thresholds(predictor) for predictor, _, _ in parts], np.float64)),
        concatenated([_children(predictor) for predictor, _, _ in parts], np.int32).reshape(-1, 2)
        + np.repeat(roots, sizes)[:, None],
        concatenated(
            [_listed(predictor, first) for (predictor, _, _), first in zip(parts, firsts, strict=True)], np.int32
        ),
        sets,
    )
    return trees, concatenated([predictor.nodes["value"] for predictor, _, _ in parts], np.float32)


def _order(boosting: FittedBoosting, columns: int) -> NDArray[np.intp]:
    """Return the column of each of the model's inputs: it puts categories first."""
    categories = np.array(sorted(boosting.levels), dtype=np.intp)
    return np.concatenate([categories, np.setdiff1d(np.arange(columns), categories)])


def _splits_category(predictor: Any) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (predictor.nodes["is_categorical"] == 1) & (predictor.nodes["is_leaf"] == 0)
    return found


def _features(predictor: Any, order: NDArray[np.intp], columns: int) -> NDArray[Any]:
    nodes = predictor.nodes
    inner = nodes["is_leaf"] == 0
    return np.where(inner, order[nodes["feature_idx"]] + columns * (nodes["missing_go_to_left"] == 0), 0)


def _thresholds(predictor: Any) -> NDArray[np.float64]:
    """Return finite thresholds; an infinite one separates numbers from missing values, so it must lie between them."""
    return np.asarray(np.minimum(predictor.nodes["num_threshold"], float(np.finfo(np.float32).max)), dtype=np.float64)


def _children(predictor: Any) -> NDArray[Any]:
    nodes = predictor.nodes
    both = np.stack([nodes["left"], nodes["right"]], axis=1).astype(np.int64)
    return np.where((nodes["is_leaf"] == 1)[:, None], np.arange(len(nodes))[:, None], both)


def _listed(predictor: Any, first: int) -> NDArray[np.intp]:
    splits = _splits_category(predictor)
    return np.where(splits, first + np.cumsum(splits) - 1, -1)


def _sets(predictor: Any, levels: dict[int, NDArray[np.intp]], order: NDArray[np.intp]) -> NDArray[np.uint8]:
    """Return the sets that go left, uint8 [splits, 32]; levels unknown to the model go with missing values."""
    nodes = predictor.nodes[_splits_category(predictor)]
    left = np.zeros((len(nodes), MISSING_CODE + 1), dtype=np.bool_)
    bits = np.unpackbits(predictor.raw_left_cat_bitsets.astype("<u4").view(np.uint8), axis=1, bitorder="little")
    for number, node in enumerate(nodes):
        seen = levels[int(order[node["feature_idx"]])]
        left[number] = bool(node["missing_go_to_left"])
        left[number, seen] = bits[node["bitset_idx"], : len(seen)]
    return np.packbits(left, axis=1, bitorder="little")

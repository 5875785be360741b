"""Imputation of missing cells: their conditional expectation, intervals and draws."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anomalo.plugin import FIRST_LEVEL, Encoded, Filled, Floats, Mask, Parts, compress, expand
from anomalo_diffusion.conditional_sampling import Condition, condition_arrays, expected_rows, sample_parts
from anomalo_diffusion.denoising_model import DenoisingModel
from anomalo_diffusion.noise import row_noise
from anomalo_diffusion.training.random_conditions import draw_known_parts

NODES = 16
"""A number's distribution is represented by so many equally likely values."""
INTERVAL = (0.05, 0.95)


def imputation_error_scale(model: DenoisingModel, shares: Floats, observed: Mask) -> Floats:
    """Return the root mean squared error of expected numbers [width], in training rows with any number of parts hidden.

    Parameters
    ----------
    shares, observed : float32 [n, 2 width + codes], bool [n, parts]
        See `training_rows`.
    """
    width = model.space.width

    def squared(shares: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
        parts = model.space.jittered(shares)
        known = draw_known_parts(observed, 1.0)
        error = (expected_rows(model, parts, known)[:, :width] - parts[:, :width]).square()
        hidden = (observed & (known == 0))[:, :width].float()
        return error * hidden, hidden

    errors, hidden = model.in_chunks(squared, shares, observed)
    scale = np.sqrt(errors.sum(axis=0) / np.maximum(hidden.sum(axis=0), 1))
    return np.asarray(scale, dtype=np.float32)


def impute_rows(model: DenoisingModel, data: Encoded, draws: int, error_scale: NDArray[np.float32]) -> Filled:
    """Impute missing cells, with 90 % intervals of numbers, probabilities of categories, and draws.

    Parameters
    ----------
    error_scale : float32 [width]
        As `imputation_error_scale` returns it.
    """
    arrays = condition_arrays(_exclude_missing(model, model.table.condition(data)))

    def predict(*known: Tensor) -> tuple[Tensor]:
        condition = Condition(*known)
        rows = expected_rows(model, condition.parts, condition.known)
        shares = rows[:, model.space.width :] * condition.allowed
        return (torch.cat([rows[:, : model.space.width], shares], dim=1),)

    expected = model.in_chunks(predict, *arrays)[0]
    point, low, high = (data.values.copy() for _ in range(3))
    proba: dict[int, Any] = {}
    for column in model.table.columns:
        at, seen = column.position, data.observed[:, column.position]
        values, weights = _distribution(model, column, expected, error_scale)
        if column.nominal:
            size = max(data.layout.blocks[at].size, 1)
            proba[at] = np.zeros((len(data), size), dtype=np.float32)
            if len(column.atoms):
                proba[at][:, values[0].astype(np.int64) - FIRST_LEVEL] = weights
            point[:, at] = np.where(seen, data.values[:, at], values[0][weights.argmax(axis=1)])
            low[:, at] = high[:, at] = np.nan
        else:
            mean = compress((expand(values) * weights).sum(axis=1))
            ends = (_quantile(values, weights, share) for share in INTERVAL)
            for cells, found in zip((point, low, high), (mean, *ends), strict=True):
                cells[:, at] = np.where(seen, data.values[:, at], found)
    drawn = [
        np.where(data.observed, data.values, np.where(rows.observed, rows.values, point))
        for rows in _draws(model, data, arrays, draws)
    ]
    return Filled(point, np.stack(drawn) if drawn else None, proba, low, high)


def concatenate(parts: Sequence[Filled]) -> Filled:
    """Return the imputations of batches of rows as those of all rows."""
    ends = [np.concatenate([getattr(part, name) for part in parts]) for name in ("low", "high")]
    proba = {at: np.concatenate([part.proba[at] for part in parts]) for at in parts[0].proba}
    drawn = [part.draws for part in parts if part.draws is not None]
    draws = np.concatenate(drawn, axis=1) if drawn else None
    return Filled(np.concatenate([part.point for part in parts]), draws, proba, *ends)


def _exclude_missing(model: DenoisingModel, parts: Parts) -> Parts:
    """Return conditions under which no cell is missing."""
    assert parts.allowed is not None
    for column in model.table.columns:
        if column.has_missing and column.code >= 0:
            parts.allowed[column.code][:, -1] = False
    return parts


def _distribution(
    model: DenoisingModel, column: Any, expected: NDArray[np.float32], error_scale: NDArray[np.float32]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return a column's possible values [n or 1, k], missing left out, and their probabilities [n, k]."""
    from scipy.special import ndtri

    weights = _weights(model, column, expected)[:, : column.size - column.has_missing]
    values = np.broadcast_to(column.atoms, (len(expected) if column.rest is not None else 1, len(column.atoms)))
    if column.rest is not None:
        nodes = ndtri((np.arange(NODES) + 0.5) / NODES)
        scores = expected[:, column.number, None] + error_scale[column.number] * nodes
        values = np.concatenate([values, column.rest.inverse(scores)], axis=1)
        weights = np.concatenate([weights[:, :-1], np.repeat(weights[:, -1:] / NODES, NODES, axis=1)], axis=1)
    if not values.shape[1]:  # never observed: as good as any
        return np.zeros((1, 1)), np.ones((len(expected), 1))
    total = weights.sum(axis=1, keepdims=True)
    return values, np.where(total > 0, weights / np.where(total > 0, total, 1), 1 / max(weights.shape[1], 1))


def _weights(model: DenoisingModel, column: Any, expected: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the probabilities of a column's codes, [n, size]; a determined column has those of its root."""
    space, code = model.space, max(column.code, column.root)
    if code < 0:
        return np.ones((len(expected), column.size))
    start = space.width + int(space.first[code])
    shares = expected[:, start : start + space.sizes[code]].astype(np.float64)
    return shares if column.root < 0 else shares @ np.eye(column.size)[column.table]


def _quantile(values: NDArray[Any], weights: NDArray[Any], share: float) -> NDArray[Any]:
    """Return the values [n] below which a share of the weights lies."""
    order = np.argsort(np.broadcast_to(values, weights.shape), axis=1)
    below = np.take_along_axis(weights, order, axis=1).cumsum(axis=1)
    at = np.minimum((below < share - 1e-9).sum(axis=1, keepdims=True), weights.shape[1] - 1)
    found: NDArray[Any] = np.take_along_axis(
        np.broadcast_to(values, weights.shape), np.take_along_axis(order, at, axis=1), axis=1
    )
    return found[:, 0]


def _draws(model: DenoisingModel, data: Encoded, arrays: Any, draws: int) -> Iterator[Encoded]:
    """Yield inpainted rows [n]; the noise depends on the row's content alone."""
    space, table = model.space, model.table

    def inpainted(parts: Tensor, known: Tensor, allowed: Tensor, uniform: Tensor) -> tuple[Tensor]:
        noise = torch.special.ndtri(uniform[:, : space.entries].clamp(1e-6, 1 - 1e-6))
        codes, condition = uniform[:, space.entries :], Condition(parts, known, allowed)
        return (sample_parts(model, condition, lambda: noise, codes, deterministic=True),)

    for draw in range(draws):
        uniform = row_noise(data, model.seed_ + draw, space.entries + len(space.sizes))
        parts = model.in_chunks(inpainted, *arrays, uniform)[0]
        yield table.backward(parts[:, : table.width], parts[:, table.width :].astype(np.int64))

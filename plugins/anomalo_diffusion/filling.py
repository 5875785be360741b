"""Filling missing cells: what the network expects of them, and draws."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anomalo.plugin import FIRST_LEVEL, Encoded, Filled, Parts, compress, expand
from anomalo_diffusion.conditions import random_parts
from anomalo_diffusion.sampling import Asked, asked, drawn, expected, row_noise

if TYPE_CHECKING:
    from anomalo_diffusion.diffusion import Diffusion

NODES = 16
"""A number's distribution is summed up by so many equally likely values."""
INTERVAL = (0.05, 0.95)


def filling_errors(model: Diffusion, rows: Encoded) -> NDArray[np.float32]:
    """Return the root mean squared error of expected numbers [width], in training rows with any number of parts hidden.

    Parameters
    ----------
    rows : Encoded
        As in training.
    """
    width = model.space.width

    def squared(shares: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
        parts, observed = model.space.jittered(shares, observed)
        known = random_parts(observed, 1.0)
        error = (expected(model, parts, known)[:, :width] - parts[:, :width]).square()
        hidden = (observed & (known == 0))[:, :width].float()
        return error * hidden, hidden

    errors, hidden = model.infer(squared, rows)
    spread = np.sqrt(errors.sum(axis=0) / np.maximum(hidden.sum(axis=0), 1))
    return np.asarray(spread, dtype=np.float32)


def fills(model: Diffusion, data: Encoded, draws: int) -> Filled:
    """Return fills of missing cells, with 90 % intervals of numbers, probabilities of categories, and draws."""
    arrays = asked(_without_holes(model, model.table.condition(data)))

    def predict(*known: Tensor) -> tuple[Tensor]:
        what = Asked(*known)
        rows = expected(model, what.parts, what.known)
        shares = rows[:, model.space.width :] * what.allowed
        return (torch.cat([rows[:, : model.space.width], shares], dim=1),)

    guesses = model._in_chunks(predict, *arrays)[0]
    point, low, high = (data.values.copy() for _ in range(3))
    proba: dict[int, Any] = {}
    for column in model.table.columns:
        at, seen = column.position, data.observed[:, column.position]
        values, weights = _distribution(model, column, guesses)
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
    made = [
        np.where(data.observed, data.values, np.where(rows.observed, rows.values, point))
        for rows in _draws(model, data, arrays, draws)
    ]
    return Filled(point, np.stack(made) if made else None, proba, low, high)


def joined(parts: Sequence[Filled]) -> Filled:
    """Return the fills of batches of rows as those of all."""
    ends = [np.concatenate([getattr(part, name) for part in parts]) for name in ("low", "high")]
    proba = {at: np.concatenate([part.proba[at] for part in parts]) for at in parts[0].proba}
    drawn_ = [part.draws for part in parts if part.draws is not None]
    draws = np.concatenate(drawn_, axis=1) if drawn_ else None
    return Filled(np.concatenate([part.point for part in parts]), draws, proba, *ends)


def _without_holes(model: Diffusion, parts: Parts) -> Parts:
    """Return conditions under which no cell is a hole."""
    assert parts.allowed is not None
    for column in model.table.columns:
        if column.hole and column.code >= 0:
            parts.allowed[column.code][:, -1] = False
    return parts


def _distribution(model: Diffusion, column: Any, guesses: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return a column's possible values [n or 1, k] and their probabilities [n, k], holes left out."""
    from scipy.special import ndtri

    weights = _weights(model, column, guesses)[:, : column.size - column.hole]
    values = np.broadcast_to(column.atoms, (len(guesses) if column.rest is not None else 1, len(column.atoms)))
    if column.rest is not None:
        nodes = ndtri((np.arange(NODES) + 0.5) / NODES)
        scores = guesses[:, column.number, None] + model.spread_[column.number] * nodes
        values = np.concatenate([values, column.rest.inverse(scores)], axis=1)
        weights = np.concatenate([weights[:, :-1], np.repeat(weights[:, -1:] / NODES, NODES, axis=1)], axis=1)
    if not values.shape[1]:  # never observed: as good as any
        return np.zeros((1, 1)), np.ones((len(guesses), 1))
    total = weights.sum(axis=1, keepdims=True)
    return values, np.where(total > 0, weights / np.where(total > 0, total, 1), 1 / max(weights.shape[1], 1))


def _weights(model: Diffusion, column: Any, guesses: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the probabilities of a column's own codes, [n, size]; a determined column has those of its root."""
    space, code = model.space, max(column.code, column.root)
    if code < 0:
        return np.ones((len(guesses), column.size))
    start = space.width + int(space.first[code])
    shares = guesses[:, start : start + space.sizes[code]].astype(np.float64)
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


def _draws(model: Diffusion, data: Encoded, arrays: Any, draws: int) -> Iterator[Encoded]:
    """Yield inpainted rows [n]; the noise belongs to the row."""
    space, table = model.space, model.table

    def inpainted(parts: Tensor, known: Tensor, allowed: Tensor, uniform: Tensor) -> tuple[Tensor]:
        noise = torch.special.ndtri(uniform[:, : space.entries].clamp(1e-6, 1 - 1e-6))
        return (drawn(model, Asked(parts, known, allowed), lambda: noise, uniform[:, space.entries :], steady=True),)

    for draw in range(draws):
        uniform = row_noise(data, model.seed_ + draw, space.entries + len(space.sizes))
        parts = model._in_chunks(inpainted, *arrays, uniform)[0]
        yield table.backward(parts[:, : table.width], parts[:, table.width :].astype(np.int64))

"""How far each number is from what the rest of its row lets expect, by one linear model of all columns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from anomalo.cleaning.coded import CodedColumn, CodedTable
from anomalo.cleaning.evidence.dependency import Floats

LEVELS = 12
"""A column of texts takes part by indicators of its levels, if it has at most so many."""
WIDTH = 400
"""At most so many indicators and numbers take part."""
RIDGE = 0.02
CLIPPED = 5.0
"""Standardised numbers are clipped, so that a wrong one does not bend the model."""
LEAST = 0.05
MOST = 50.0


def residuals(table: CodedTable) -> list[Floats]:
    """Return, for each column, how far its numbers are from those expected, and the share of variance explained.

    The residual of a column given all others is the row of the inverse covariance times the data, divided by its
    diagonal; so one inverse serves all columns.

    Returns
    -------
    list of float array [n, 2]
        The residual in robust standard deviations, 0 where there is no number; and one minus the ratio of variances.

    References
    ----------
    Whittaker (1990). Graphical Models in Applied Multivariate Statistics, section 5.8.
    """
    parts = {at: _part(column) for at, column in enumerate(table.columns)}
    result = [np.zeros((table.rows, 2)) for _ in table.columns]
    used = [at for at, part in parts.items() if part.shape[1]]
    numbers = [at for at in used if table.columns[at].numeric]
    if table.rows < 10 or not numbers or len(used) < 2:
        return result
    position, data = {}, []
    width = 0
    for at in sorted(used, key=lambda at: (at not in numbers, parts[at].shape[1], table.columns[at].name)):
        if width + parts[at].shape[1] <= WIDTH:
            position[at], width = width, width + parts[at].shape[1]
            data.append(parts[at])
    matrix = np.concatenate(data, axis=1)
    covariance = matrix.T @ matrix / len(matrix) + RIDGE * np.eye(width)
    inverse = np.linalg.inv(covariance).astype(np.float64)
    for at in numbers:
        if at in position:
            result[at] = _residual(matrix, covariance, inverse, position[at], table.columns[at])
    return result


def _residual(matrix: Floats, covariance: Floats, inverse: Floats, at: int, column: CodedColumn) -> Floats:
    residual = matrix @ inverse[:, at] / inverse[at, at]
    scale = max(1.4826 * float(np.median(np.abs(residual))), LEAST)
    there = ~np.isnan(column.numbers)[column.codes]
    explained = max(1 - 1 / (inverse[at, at] * covariance[at, at]), 0.0)
    distance = np.where(there, np.minimum(np.abs(residual) / scale, MOST), 0.0)
    return np.stack([distance, np.full(len(distance), explained)], axis=1)


def _part(column: CodedColumn) -> Floats:
    """Return a column's standardised numbers or centred indicators, [n, width]; width 0 if it takes no part."""
    if column.numeric:
        return _standardised(column.numbers[column.codes])[:, None]
    if not 1 < len(column.values) <= LEVELS:
        return np.zeros((len(column.codes), 0))
    indicators = np.eye(len(column.values))[column.codes]
    return np.asarray(indicators - indicators.mean(axis=0))


def _standardised(numbers: NDArray[np.float64]) -> Floats:
    there = ~np.isnan(numbers)
    if not there.any():
        return np.zeros(len(numbers))
    signed = np.sign(numbers) * np.log1p(np.abs(numbers))
    candidates = [_scaled(values, there) for values in (numbers, signed)]
    outside = [int((np.abs(values) > CLIPPED).sum()) for values in candidates]
    return np.clip(candidates[int(np.argmin(outside))], -CLIPPED, CLIPPED)


def _scaled(values: Floats, there: NDArray[np.bool_]) -> Floats:
    low, middle, high = np.quantile(values[there], [0.25, 0.5, 0.75])
    scale = (high - low) / 1.349 or float(values[there].std()) or 1.0
    return np.where(there, (values - middle) / scale, 0.0)

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
CELLS = 100_000_000
"""In a table of many rows fewer do: so many cells are held at most."""
RIDGE = 0.02
CLIPPED = 5.0
"""Standardised numbers are clipped, so that a wrong one does not bend the model."""
LEAST = 0.05
MOST = 50.0


def residuals(table: CodedTable) -> list[Floats]:
    """Return, for each column, how far its numbers are from those expected, and the share of variance explained.

    The model and the scales come from the rows of the reference.

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
    widths = [_width(column) for column in table.columns]
    result = [np.zeros((table.rows, 2)) for _ in table.columns]
    known = table.rows if table.reference is None else table.reference
    used = [at for at, width in enumerate(widths) if width]
    numbers = [at for at in used if table.columns[at].numeric]
    if known < 10 or not numbers or len(used) < 2:
        return result
    position: dict[int, int] = {}
    width, most = 0, min(WIDTH, max(CELLS // known, 1))
    for at in sorted(used, key=lambda at: (at not in numbers, widths[at], table.columns[at].name)):
        if width + widths[at] <= most:
            position[at], width = width, width + widths[at]
    matrix = np.empty((table.rows, width))
    for at, start in position.items():
        matrix[:, start : start + widths[at]] = _part(table.columns[at])
    covariance = matrix[:known].T @ matrix[:known] / known + RIDGE * np.eye(width)
    inverse = np.linalg.inv(covariance).astype(np.float64)
    for at in numbers:
        if at in position:
            found = _residual(matrix, covariance, inverse, position[at], table.columns[at])
            result[at] = found[table.originals]
    return result


def _residual(matrix: Floats, covariance: Floats, inverse: Floats, at: int, column: CodedColumn) -> Floats:
    known = column.reference
    expected = matrix[:known] @ inverse[:, at]
    if known is not None:  # a product of matrices would depend on the rows beside
        expected = np.concatenate([expected, (matrix[known:] * inverse[:, at]).sum(axis=1)])
    residual = expected / inverse[at, at]
    scale = max(1.4826 * float(np.median(np.abs(residual[:known]))), LEAST)
    there = ~np.isnan(column.numbers)[column.codes]
    explained = max(1 - 1 / (inverse[at, at] * covariance[at, at]), 0.0)
    distance = np.where(there, np.minimum(np.abs(residual) / scale, MOST), 0.0)
    return np.stack([distance, np.full(len(distance), explained)], axis=1)


def _width(column: CodedColumn) -> int:
    """Return how many numbers or indicators a column takes part with."""
    if column.numeric:
        return 1
    return column.distinct if 1 < column.distinct <= LEVELS else 0


def _part(column: CodedColumn) -> Floats:
    """Return the standardised numbers or centred indicators of a column that takes part, [n, width]."""
    if column.numeric:
        return _standardised(column.numbers[column.codes], column.reference)[:, None]
    indicators = np.eye(len(column.values), column.distinct)[column.codes]
    return np.asarray(indicators - indicators[: column.reference].mean(axis=0))


def _standardised(numbers: NDArray[np.float64], reference: int | None) -> Floats:
    there = ~np.isnan(numbers)
    if not there[:reference].any():
        return np.zeros(len(numbers))
    signed = np.sign(numbers) * np.log1p(np.abs(numbers))
    candidates = [_scaled(values, there, reference) for values in (numbers, signed)]
    outside = [int((np.abs(values[:reference]) > CLIPPED).sum()) for values in candidates]
    return np.clip(candidates[int(np.argmin(outside))], -CLIPPED, CLIPPED)


def _scaled(values: Floats, there: NDArray[np.bool_], reference: int | None) -> Floats:
    known = values[:reference][there[:reference]]
    low, middle, high = np.quantile(known, [0.25, 0.5, 0.75])
    scale = (high - low) / 1.349 or float(known.std()) or 1.0
    return np.where(there, (values - middle) / scale, 0.0)

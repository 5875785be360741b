"""Where rows lie on the map."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomalo.tabular import quantities
from anomalo_dashboard import data, formatting, projection
from anomalo_dashboard.mapping.codes import Codes
from anomalo_dashboard.security.literal import plain

FEW = 0.005
"""A component with a smaller share of the variance is no axis: its title would say 0 %."""
FAR = 20.0
"""Scores whose largest is so many times the smallest are drawn on a logarithmic scale."""

MARGIN = 0.03
"""The part of the range of the coordinates that is left free at each side."""

Coordinates = NDArray[np.float64]


@dataclass(frozen=True)
class Cloud:
    """Rows in two dimensions.

    Attributes
    ----------
    rows : int [n]
        Which rows of the scored table, ascending.
    x, y : float64 [n]
        Their coordinates.
    axes : tuple of two str
        Titles; empty ones for coordinates that mean nothing by themselves.
    log : bool
        Whether y is drawn on a logarithmic scale.
    note : str
        What the coordinates mean, in words.
    """

    rows: data.Rows
    x: Coordinates
    y: Coordinates
    axes: tuple[str, str]
    log: bool
    note: str

    @property
    def sides(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Where the axes begin and end, x and y: no point is cut at an edge."""
        if not self.log:
            return _with_margin(self.x), _with_margin(self.y)
        low, high = _with_margin(np.log(self.y))
        return _with_margin(self.x), (math.exp(low), math.exp(high))


def by_tsne(codes: Codes, scores: data.Scores) -> Cloud:
    """Return a cloud of at most `MAX_TSNE_ROWS` rows by t-SNE; half of them may be alerts."""
    rows = _rows(codes, scores)
    order = scores.order[among(scores.order, rows, len(scores.order))]
    chosen = projection.sample(order, scores.alert, projection.MAX_TSNE_ROWS)
    found = data.tsne(codes.run, np.searchsorted(rows, chosen)).astype(np.float64)
    note = "Rows near each other have similar codes; distances between groups mean little."
    return Cloud(chosen, found[:, 0], found[:, 1], ("", ""), False, note)


def by_components(codes: Codes, scores: data.Scores, unit: str) -> Cloud | None:
    """Return a cloud of all rows by their principal components; None if all codes are equal.

    Where codes vary in one direction only, the other axis is the anomaly score.

    Parameters
    ----------
    unit : str
        Of the scores.
    """
    rows = _rows(codes, scores)
    found, shares = data.principal_components(codes.run)
    x, y = found.astype(np.float64).T
    if not shares[0] > 0:
        return None
    first, second = (
        f"{name} component, {quantities.percent(share)} of the variance"
        for name, share in zip(("First", "Second"), shares, strict=True)
    )
    if shares[1] >= FEW:
        note = f"The two principal components hold {quantities.percent(shares.sum())} of the variance of the codes."
        return Cloud(rows, x, y, (first, second), False, note)
    score = scores.score[rows]
    log = bool(score.min() > 0 and score.max() > FAR * score.min())
    note = "The codes vary in one direction, the horizontal axis."
    return Cloud(rows, x, score, (first, plain(formatting.score(unit))), log, note)


def _with_margin(values: Coordinates) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    margin = MARGIN * (high - low) or 1.0
    return low - margin, high + margin


def among(rows: data.Rows, of: data.Rows, total: int) -> data.Mask:
    """Return which of `rows` are in `of`, bool [k]; both are rows of a table of `total` rows."""
    found = np.zeros(total, dtype=bool)
    found[of] = True
    return np.asarray(found[rows])


def _rows(codes: Codes, scores: data.Scores) -> data.Rows:
    return np.arange(len(scores.score)) if codes.rows is None else codes.rows


def inside(cloud: Cloud, area: dict[str, list[float]]) -> data.Rows:
    """Return the rows in a rectangle, `x` and `y` from and to, ascending."""
    (left, right), (low, high) = sorted(area["x"]), sorted(area["y"])
    within = (cloud.x >= left) & (cloud.x <= right) & (cloud.y >= low) & (cloud.y <= high)
    return cloud.rows[within]

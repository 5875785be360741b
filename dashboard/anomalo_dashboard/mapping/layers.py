"""Which rows are drawn as points, and how many of the others lie where."""

from __future__ import annotations

import numpy as np
import pandas as pd

from anomalo_dashboard import data, projection
from anomalo_dashboard.mapping.cloud import Cloud, Coordinates, among

ACROSS, DOWN = 72, 40
"""Tiles of the layer of counts."""


def points(cloud: Cloud, scores: data.Scores, kept: data.Rows) -> data.Rows:
    """Return the rows of a cloud that are drawn as points, most anomalous first: alerts, then rows that were kept.

    All of a small cloud are; of a large one, at most `MAX_POINTS`.
    """
    total = len(scores.order)
    order = scores.order[among(scores.order, cloud.rows, total)]
    if len(order) <= projection.FEW_POINTS:
        return order
    alert = scores.alert[order]
    others = order[~alert & among(order, kept, total)]
    return np.concatenate([order[alert], others])[: projection.MAX_POINTS]


def counts(cloud: Cloud, drawn: data.Rows, alert: data.Mask) -> pd.DataFrame:
    """Return how many rows that are not drawn lie in each tile: `x`, `x2`, `y`, `y2`, `rows`, `alerts`.

    Parameters
    ----------
    alert : bool [n]
        Which rows of the table are alerts.
    """
    rest = ~among(cloud.rows, drawn, len(alert))
    columns = ["x", "x2", "y", "y2", "rows", "alerts"]
    if not rest.any():
        return pd.DataFrame(columns=columns)
    x, y = cloud.x, np.log10(cloud.y) if cloud.log else cloud.y
    sides = _edges(x, ACROSS), _edges(y, DOWN)
    number, *_ = np.histogram2d(x[rest], y[rest], sides)
    of_alerts = rest & alert[cloud.rows]
    alerts, *_ = np.histogram2d(x[of_alerts], y[of_alerts], sides)
    across, down = np.nonzero(number)
    vertical = 10 ** sides[1] if cloud.log else sides[1]
    cells = sides[0][across], sides[0][across + 1], vertical[down], vertical[down + 1]
    return pd.DataFrame(dict(zip(columns, (*cells, number[across, down], alerts[across, down]), strict=True)))


def _edges(values: Coordinates, tiles: int) -> Coordinates:
    low, high = float(values.min()), float(values.max())
    return np.linspace(low, high if high > low else low + 1, tiles + 1)

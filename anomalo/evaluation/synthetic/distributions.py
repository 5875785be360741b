"""Binned distributions of columns in several tables, small enough to plot and to store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from anomalo.evaluation.synthetic.privacy import Closeness
from anomalo.evaluation.synthetic.tables import Cells, Rows

BINS = 30
LEVELS = 8
"""How many levels are shown by name; all others are summed."""
OTHERS = "all others"


def column_distributions(tables: Mapping[str, Rows]) -> list[dict[str, Any]]:
    """Return the distribution of each column in each table, JSON-ready.

    Returns
    -------
    list of dict
        For each column `edges` of bins (of a number; the outermost bins also hold all values beyond them) or `levels`
        (of a category), and `shares`: the table's name to the share of its known cells in each.
    """
    first = next(iter(tables.values()))
    return [_number(at, tables) if not levels else _category(at, tables) for at, levels in enumerate(first.levels)]


def closeness_distribution(found: Closeness) -> dict[str, Any]:
    """Return the distributions of the distances to the closest training and holdout rows, as `column_distributions`."""
    edges = _edges([found.to_train, found.to_holdout])
    shares = {"train": _binned(found.to_train, edges), "holdout": _binned(found.to_holdout, edges)}
    return {"edges": edges.tolist(), "shares": shares}


def _number(at: int, tables: Mapping[str, Rows]) -> dict[str, Any]:
    known = {name: rows.cells[~np.isnan(rows.cells[:, at]), at] for name, rows in tables.items()}
    edges = _edges(list(known.values()))
    return {"edges": edges.tolist(), "shares": {name: _binned(values, edges) for name, values in known.items()}}


def _category(at: int, tables: Mapping[str, Rows]) -> dict[str, Any]:
    levels = next(iter(tables.values())).levels[at]
    shown = len(levels) if len(levels) <= LEVELS else LEVELS - 1
    shares = {}
    for name, rows in tables.items():
        codes = rows.cells[~np.isnan(rows.cells[:, at]), at].astype(np.intp)
        share = np.bincount(codes, minlength=len(levels)) / max(1, len(codes))
        rest = [] if shown == len(levels) else [float(share[shown:].sum())]
        shares[name] = [*share[:shown].tolist(), *rest]
    return {"levels": [*levels[:shown], *([] if shown == len(levels) else [OTHERS])], "shares": shares}


def _edges(parts: list[Cells]) -> Cells:
    """Return bins of equal width over all but the 1 % furthest out at either end; whole ones for few whole numbers."""
    values = np.concatenate(parts)
    if not len(values):
        return np.array([0.0, 1.0])
    low, high = np.quantile(values, [0.01, 0.99])
    if high <= low:
        low, high = float(values.min()), float(values.max())
    if high <= low:
        return np.array([low - 0.5, low + 0.5])
    if high - low < BINS and (values == np.round(values)).all():
        return np.arange(low, high + 2) - 0.5
    return np.linspace(low, high, BINS + 1)


def _binned(values: Cells, edges: Cells) -> list[float]:
    counts = np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0]
    return [float(share) for share in counts / max(1, len(values))]

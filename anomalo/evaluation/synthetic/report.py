"""The measures of synthetic rows as a JSON-ready report, with the numbers that its charts show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from anomalo.evaluation.synthetic.distributions import closeness_distribution, column_distributions
from anomalo.evaluation.synthetic.marginals import missing_shares
from anomalo.evaluation.synthetic.measures import Fidelity, finite
from anomalo.evaluation.synthetic.summary import assess
from anomalo.evaluation.synthetic.tables import Rows

PAIRS = 780
"""At most so many pairs are listed, those that are most strongly related: all of 40 columns."""


def report(found: Fidelity, tables: Mapping[str, Rows]) -> dict[str, Any]:
    """Return the report.

    Parameters
    ----------
    found : Fidelity
        What was measured.
    tables : mapping of str to Rows
        "train" and "synthetic" and, if they were given, "holdout" and "test".

    Returns
    -------
    dict
        `assessment` (title, reasons, unchecked), `rows`, `quality`, `shapes`, `trends`, `distinguishability` (C2ST from
        train and holdout), `usefulness` (TSTR), `closeness` (nearer_share, membership, distribution), `copied`,
        `recurring`, `columns` and `pairs`; None where something was not measured.
    """
    assessment = assess(found)
    return {
        "assessment": {
            "title": assessment.title,
            "reasons": list(assessment.reasons),
            "unchecked": list(assessment.unchecked),
        },
        "rows": {name: len(rows) for name, rows in tables.items()},
        "quality": found.quality,
        "shapes": float(np.nanmean(found.shapes)) if not np.isnan(found.shapes).all() else None,
        "trends": finite(found.pairs.trend()),
        "distinguishability": {
            "train": finite(found.distinguishability_train),
            "holdout": finite(found.distinguishability_holdout),
        },
        "usefulness": _usefulness(found),
        "closeness": _closeness(found),
        "copied": found.copied,
        "recurring": finite(found.recurring),
        "columns": _columns(found, tables),
        "pairs": _pairs(found, tables["train"].columns),
    }


def _usefulness(found: Fidelity) -> dict[str, Any] | None:
    if found.usefulness is None:
        return None
    return vars(found.usefulness) | {name: finite(getattr(found.usefulness, name)) for name in ("synthetic", "real")}


def _closeness(found: Fidelity) -> dict[str, Any] | None:
    if found.closeness is None:
        return None
    figures = {name: getattr(found.closeness, name) for name in ("nearer_share", "membership")}
    return figures | {"distribution": closeness_distribution(found.closeness)}


def _columns(found: Fidelity, tables: Mapping[str, Rows]) -> list[dict[str, Any]]:
    shown = {name: tables[name] for name in ("train", "synthetic")}
    missing = {name: missing_shares(rows) for name, rows in shown.items()}
    distributions, train = column_distributions(shown), tables["train"]
    return [
        {
            "column": name,
            "kind": "category" if train.levels[at] else "number",
            "similarity": finite(found.shapes[at]),
            "missing": {table: float(share[at]) for table, share in missing.items()},
            **distributions[at],
        }
        for at, name in enumerate(train.columns)
    ]


def _pairs(found: Fidelity, names: tuple[str, ...]) -> list[dict[str, Any]]:
    pairs = found.pairs
    strongest = np.argsort(-np.nan_to_num(pairs.strength, nan=-1.0), kind="stable")[:PAIRS]
    return [
        {
            "first": names[pairs.first[at]],
            "second": names[pairs.second[at]],
            "strength": finite(pairs.strength[at]),
            "similarity": finite(pairs.similarity[at]),
            "related": bool(pairs.related[at]),
        }
        for at in strongest
    ]

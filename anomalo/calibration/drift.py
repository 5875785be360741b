"""Drift: are the rows that are scored like the training rows, anomalies aside?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anomalo.calibration.tally import Tally
from anomalo.encoding.encoded import Scores

BULK = 0.2
"""Rows with a larger p-value are typical; the others may be anomalies, which are no drift."""
ROWS = 50
"""With fewer new rows drift is not tested."""
CHANCE = 0.001
"""The largest rate of false reports, for rows from the distribution of the training rows."""
LEAST = 0.12
"""Smaller shifts of the typical rows' p-values are negligible, however significant."""
TYPICAL = 0.6
"""A share of typical rows below this part of that in training is drift, more than anomalies."""
NAMES = 3
"""At most this many columns are named."""


def drift(new: Tally, usual: Scores, moved: Sequence[str] = ()) -> str | None:
    """Return a warning if new rows are more anomalous than the training rows, anomalies aside; else None.

    There are two criteria: among typical rows (p-value above `BULK`) small p-values are more frequent than among
    training rows, by the one-sided test of Kolmogorov and Smirnov; or far fewer rows than in training (`TYPICAL`) are
    typical. Rows that are less anomalous than in training violate no guarantee, and are no drift here.

    Parameters
    ----------
    new : Tally
        P-values of rows that were not in training.
    usual : float64 [m]
        P-values of training rows that equal no other, by models not fitted on them.
    moved : sequence of str
        Columns that changed, the most changed first.

    Reference: Smirnov (1939); Hodges (1958), The significance probability of the Smirnov two-sample test.
    """
    if len(new) < ROWS or not len(usual):
        return None
    at = _shifted(new, usual)
    if at is None:
        return None
    here, there = 100 * new.share(at), 100 * np.mean(usual <= at)
    names = ", ".join(map(repr, moved[:NAMES]))
    return (
        f"the rows have drifted: {here:.0f} % of {len(new):,} new rows are as anomalous as the most anomalous "
        f"{there:.0f} % of the training rows{f' (columns that moved most: {names})' if names else ''}; "
        "share= and fdr= guarantee nothing for them; fit on rows like these or use budget="
    )


def _shifted(new: Tally, usual: Scores) -> float | None:
    """Return the p-value up to which there are too many new rows; None if they are as in training."""
    typical, known = new.above(BULK), np.sort(usual[usual > BULK])
    if len(typical) / len(new) < TYPICAL * len(known) / len(usual):
        return BULK
    if not len(typical) or not len(known):
        return None
    distance, at = one_sided(typical, known)
    size = len(typical) * len(known) / (len(typical) + len(known))
    return at if distance >= LEAST and np.exp(-2 * size * distance**2) <= CHANCE else None


def one_sided(new: Tally, usual: Scores) -> tuple[float, float]:
    """Return by how much the share of `new` values up to some point exceeds that of `usual`, and that point.

    Parameters
    ----------
    new : Tally
        Not empty.
    usual : float64 [m]
        Ascending, not empty.

    Returns
    -------
    distance, point : float
        The largest excess, Smirnov's one-sided statistic, and where it is reached first.
    """
    here = np.cumsum(new.counts) / len(new)
    there = np.searchsorted(usual, new.values, side="right") / len(usual)
    at = int(np.argmax(here - there))
    return float(here[at] - there[at]), float(new.values[at])

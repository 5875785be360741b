"""Contamination: do the training rows' scores show a group of anomalous rows among them?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from anomalo.encoding.encoded import Scores

ROWS = 200
"""With fewer training rows the upper tail of their scores is unknown."""
FEWEST = 8
LEAST, MOST = 0.005, 0.11
"""Groups between these shares of the rows are looked for, and of at least `FEWEST` rows."""
STEPS = 20
"""Sizes that are tried, evenly spaced in their logarithm."""
BEND = 0.4
"""Scores are compared on a scale that is linear near the median and logarithmic from 1 / `BEND` scales above it on."""
JUMP = 0.35
"""The least log ratio of the slope at the group's edge to that below it."""
NOISE = 1.5
"""The additional jump required, per 1 / sqrt(rows of the group)."""
HEAVIER = 1.0
"""Within the group the log slope may exceed that at the edge by this less `JUMP`: heavier tails keep rising."""


def count_anomalous(reference: Scores) -> int:
    """Return about how many training rows look anomalous; 0 if their scores have one tail.

    Against the quantiles of the exponential distribution the upper scores of rows of one kind rise ever more steeply
    (heavy tails), or at a constant slope (exponential ones), or less and less. A group of anomalous rows makes a jump:
    a stretch of ranks that is much steeper than the one below, and not much less steep than the one above. The size
    with the most pronounced jump is taken. No distribution is fitted, and no scale or shift of the scores matters; on a
    scale that ends logarithmic, the tails of heavy-tailed columns make no jump.

    Parameters
    ----------
    reference : float64 [m]
        Out-of-fold scores of the training rows, ascending.

    Notes
    -----
    Slopes are mean excesses in the sense of quantile plots: Beirlant et al. (2004), Statistics of Extremes, ch. 1. The
    limits were set by simulation (`tests/calibration/test_promises.py`): tables without anomalous rows seldom pass
    them.
    """
    rows = len(reference)
    if rows < ROWS:
        return 0
    bent = _bend(reference)
    sizes = np.geomspace(max(FEWEST, LEAST * rows), MOST * rows, STEPS)
    jumps = np.array([_jump(bent, size) for size in sizes])
    best = int(np.argmax(jumps))
    return _edge(bent, sizes[best]) if jumps[best] > JUMP else 0


def contaminated(reference: Scores, window: int = 0) -> str | None:
    """Return a warning if the training table seems to hold anomalous rows, with what to do; else None.

    Parameters
    ----------
    reference : float64 [m]
        Out-of-fold scores of the training rows, ascending.
    window : int
        Points of a window of a series; 0 for other rows.
    """
    anomalous, rows = count_anomalous(reference), len(reference)
    if not anomalous:
        return None
    of = "points" if window else "rows"
    events = f" (one event raises all points within {window:,} of it, so that they are fewer events)" if window else ""
    return (
        f"about {anomalous:,} of {rows:,} training {of} look anomalous{events}, and new {of} are compared with them "
        f"too: fdr= and smaller shares miss {of} like them; "
        f"drop them and fit again, or use share={_round_up(anomalous / rows)} or budget="
    )


def _bend(reference: Scores) -> Scores:
    median, upper = np.quantile(reference, [0.5, 0.75])
    scale = upper - median or 1.0
    return np.asarray(np.arcsinh(BEND * (reference - median) / scale))


def _jump(reference: Scores, size: float) -> float:
    """Return how pronounced a jump is around the `size` highest scores, in log units beyond the noise."""
    inner, outer = size / np.sqrt(2), size * np.sqrt(2)
    within = min(inner, 4)
    edge = _slope(reference, outer, inner)
    below, above = _slope(reference, 4 * outer, outer), _slope(reference, inner, inner / within)
    if min(edge, below) <= 0:
        return -np.inf
    jump = np.log(edge / below)
    if above > 0:
        jump = min(jump, np.log(edge / above) + HEAVIER)
    return float(jump - NOISE / np.sqrt(size))


def _slope(reference: Scores, low: float, high: float) -> float:
    """Return the rise of the scores from one rank (1 is the highest) to a higher one, by unit of an exponential's."""
    return float(_at(reference, high) - _at(reference, low)) / float(np.log(low / high))


def _at(reference: Scores, rank: float) -> float:
    """Return the score of a rank from the top, between ranks by interpolation."""
    position = len(reference) - rank
    lower = int(position)
    upper = min(lower + 1, len(reference) - 1)
    return float(reference[lower] + (position - lower) * (reference[upper] - reference[lower]))


def _edge(reference: Scores, size: float) -> int:
    """Return the group's size: where the largest gap is, near the one that was tried."""
    ranks: NDArray[np.intp] = np.arange(int(size / np.sqrt(2)), int(size * np.sqrt(2)) + 1)
    gaps = ranks * (reference[len(reference) - ranks] - reference[len(reference) - ranks - 1])
    return int(ranks[np.argmax(gaps)])


def _round_up(share: float) -> float:
    """Return a share of two digits that is not less."""
    unit = 10.0 ** (np.floor(np.log10(share)) - 1)
    return float(f"{np.ceil(share / unit) * unit:.6g}")

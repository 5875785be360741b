"""How similar single columns are in real and synthetic rows: by cumulative distribution, or by shares of levels."""

from __future__ import annotations

import numpy as np

from anomalo.evaluation.synthetic.tables import Cells, Rows


def column_shapes(real: Rows, synthetic: Rows) -> Cells:
    """Return 1 less the distance of each column's two distributions without missing values, float64 [columns].

    For a number that distance is Kolmogorov and Smirnov's, the largest between the two cumulative distributions; for a
    category it is the total variation, half the summed differences of the levels' shares. 1 is the same distribution;
    NaN where all cells of one side are missing.

    Reference: KSComplement and TVComplement of SDMetrics, https://docs.sdv.dev/sdmetrics.
    """
    found = np.empty(len(real.columns))
    for at, levels in enumerate(real.levels):
        one, other = (rows.cells[~np.isnan(rows.cells[:, at]), at] for rows in (real, synthetic))
        if not len(one) or not len(other):
            found[at] = np.nan
        else:
            found[at] = 1 - (_total_variation(one, other, len(levels)) if levels else _largest_gap(one, other))
    return found


def missing_shares(rows: Rows) -> Cells:
    """Return the share of each column's cells that are missing, float64 [columns]."""
    shares: Cells = np.isnan(rows.cells).mean(axis=0)
    return shares


def _total_variation(one: Cells, other: Cells, size: int) -> float:
    shares = [np.bincount(codes.astype(np.intp), minlength=size) / len(codes) for codes in (one, other)]
    return float(np.abs(shares[0] - shares[1]).sum() / 2)


def _largest_gap(one: Cells, other: Cells) -> float:
    from scipy.stats import ks_2samp

    return float(ks_2samp(one, other, method="asymp").statistic)  # the p-value, which is not used, is cheapest so

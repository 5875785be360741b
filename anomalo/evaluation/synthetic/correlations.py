"""How similar the relations between pairs of columns are in real and synthetic rows."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomalo.encoding.encoded import Mask
from anomalo.evaluation.synthetic.tables import Cells, Rows

CORRELATED = 0.5
"""Two numbers are related if their correlation is further than this from 0."""
ASSOCIATED = 0.3
"""Two columns, one of them a category, are related if Cramér's V is above this."""
BINS = 10
"""A number beside a category is cut into so many parts of its table's range."""

Bins = NDArray[np.intp]


@dataclass(frozen=True)
class Pairs:
    """Relations of pairs of columns; each field is [pairs], in the order of `itertools.combinations`.

    Attributes
    ----------
    first, second : intp
        The positions of the two columns.
    strength : float64
        How strongly they are related in the real rows: the absolute correlation of two numbers, or Cramér's V; NaN if
        that is not defined.
    similarity : float64
        1 where the relation is the same in the synthetic rows, 0 where it is as different as can be: 1 less half the
        difference of two correlations, or 1 less the total variation of two tables of joint frequencies. NaN if it is
        not defined, as for a constant column.
    related : bool
        Whether the pair is related in the real rows: `strength` is above `CORRELATED` or `ASSOCIATED`.
    """

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    strength: Cells
    similarity: Cells
    related: Mask

    def trend(self) -> float:
        """Return the mean similarity of the related pairs, NaN if there are none."""
        known = self.similarity[self.related & ~np.isnan(self.similarity)]
        return float(known.mean()) if len(known) else float("nan")


def column_pairs(real: Rows, synthetic: Rows) -> Pairs:
    """Compare every pair of columns.

    A missing value counts as a level of a category. Beside a category, a missing number counts as one of the largest
    values; rows with a missing number are left out of correlations.

    Reference: CorrelationSimilarity, ContingencySimilarity and the property Column Pair Trends of SDMetrics 0.32,
    https://docs.sdv.dev/sdmetrics, bins and thresholds included.
    """
    category = real.categories
    binned = [[_bins(rows, at) for at in range(len(category))] for rows in (real, synthetic)]
    measured = []
    for one, other in itertools.combinations(range(len(category)), 2):
        if category[one] or category[other]:
            measured.append(_contingency(*(codes[at] for codes in binned for at in (one, other))))
        else:
            measured.append(_correlations(real.cells[:, [one, other]], synthetic.cells[:, [one, other]]))
    first, second = np.array(list(itertools.combinations(range(len(category)), 2)), dtype=np.intp).reshape(-1, 2).T
    strength, similarity = np.array(measured, dtype=np.float64).reshape(-1, 2).T
    related = strength > np.where(category[first] | category[second], ASSOCIATED, CORRELATED)
    return Pairs(first, second, strength, similarity, related)


def quality(shapes: Cells, pairs: Pairs) -> float:
    """Return the mean of the mean column shape and of the pairs' trend, SDMetrics' quality score, from 0 to 1."""
    known = shapes[~np.isnan(shapes)]
    parts = [float(known.mean())] if len(known) else []
    parts += [] if np.isnan(pairs.trend()) else [pairs.trend()]
    return float(np.mean(parts)) if parts else 0.0


def _bins(rows: Rows, at: int) -> Bins:
    """Return a column's codes from 0 [n]: levels and missing values, or the bins of a number."""
    values, levels = rows.cells[:, at], rows.levels[at]
    if levels:
        return np.where(np.isnan(values), len(levels), values).astype(np.intp)
    known = values[~np.isnan(values)]
    return np.digitize(values, np.histogram_bin_edges(known, BINS))


def _contingency(one: Bins, other: Bins, synthetic_one: Bins, synthetic_other: Bins) -> tuple[float, float]:
    """Return Cramér's V in the real rows, and the similarity of the two tables of joint frequencies."""
    width = 1 + max(other.max(initial=0), synthetic_other.max(initial=0))
    cells, cell_of = np.unique(
        np.concatenate([one * width + other, synthetic_one * width + synthetic_other]), return_inverse=True
    )
    counts = [np.bincount(part, minlength=len(cells)) for part in np.split(cell_of, [len(one)])]
    shares = [count / max(1, count.sum()) for count in counts]
    return _cramer(cells // width, cells % width, counts[0]), 1 - float(np.abs(shares[0] - shares[1]).sum() / 2)


def _cramer(row: Bins, column: Bins, count: Bins) -> float:
    """Return Cramér's V of a sparse table of counts; NaN if one side does not vary.

    Reference: Cramér (1946), Mathematical methods of statistics, page 282.
    """
    seen = count > 0
    row, column, count = (
        np.unique(row[seen], return_inverse=True)[1],
        np.unique(column[seen], return_inverse=True)[1],
        count[seen],
    )
    rows, columns = np.bincount(row, count), np.bincount(column, count)
    fewest = min(len(rows), len(columns))
    if fewest < 2:
        return float("nan")
    # The sum of n_ij^2 / (n_i n_j) over all cells is 1 + chi^2 / n.
    chi = float((np.square(count) / (rows[row] * columns[column])).sum()) - 1
    return float(np.sqrt(max(chi, 0.0) / (fewest - 1)))


def _correlations(real: Cells, synthetic: Cells) -> tuple[float, float]:
    """Return the absolute correlation in the real rows, and the similarity of both correlations."""
    one, other = _correlation(real), _correlation(synthetic)
    return abs(one), 1 - abs(one - other) / 2


def _correlation(cells: Cells) -> float:
    known = cells[~np.isnan(cells).any(axis=1)]
    if len(known) < 2 or (known == known[0]).all(axis=0).any():
        return float("nan")
    return float(np.corrcoef(known / np.maximum(np.abs(known).max(axis=0), 1e-300), rowvar=False)[0, 1])

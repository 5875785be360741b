"""How improbable each cell is given the rest of its row together: randomised trees, with the cell's row left out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from anomalo.cleaning.coded import CodedColumn, CodedTable

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

FEATURES = ("odds", "excess", "information")
LEVELS = 40
"""A column of more distinct texts is not predicted; what decides it is asked column by column."""
BINS = 12
"""Numbers of which one is so frequent as `ATOM` are predicted by so many intervals of equal frequency."""
ATOM = 0.2
INPUTS = 32
"""At most so many other columns predict one, those with the largest correlation of ranks."""
ROWS = 4000
"""So many rows are learnt from."""
TREES, LEAF, SHARE = 32, 2, 0.7
"""Trees, the least rows of a leaf, and the share of the columns that a split chooses from."""
LEAST_ROWS = 20
BLENDS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Weights of the column's frequencies that are tried; the one under which the rows left out are likeliest is used."""
LEAST = 0.02
"""The least scale of residuals, in standard deviations of the column."""
FREEDOM = 3
"""Residuals follow Student's distribution with so many degrees of freedom."""
MOST = 20.0
LARGEST = 1e30
"""Numbers beyond it are compared as it; minus it stands for none."""


def conditionals(table: CodedTable) -> Iterator[Floats]:
    """Yield, for each column, how improbable its cells are given the other columns, [n, 3].

    `odds`: the log-odds of the likeliest value against the observed one; `excess`: what the row takes from the
    logarithm of the observed value's probability, which is the log-odds that a cell drawn at random from the column
    replaced it; `information`: what the row adds to that logarithm on average, in nats. All 0 for a column that is
    not predicted.

    References
    ----------
    Geurts, Ernst and Wehenkel (2006). Extremely randomized trees. Machine Learning 63.
    """
    known = table.rows if table.reference is None else table.reference
    inputs = np.array([_input(column) for column in table.columns]).T
    sample = np.unique(np.linspace(0, known - 1, min(known, ROWS)).astype(np.int64))
    ranks = _ranks(inputs[sample])
    names = [column.name for column in table.columns]
    for at, column in enumerate(table.columns):
        found = np.zeros((table.rows, len(FEATURES)))
        used = _chosen(ranks, names, at)
        if len(sample) >= LEAST_ROWS and len(used):
            classes = _classes(column)
            if classes is not None:
                found = _of_classes(inputs[:, used], classes, sample)
            elif column.numeric:
                found = _of_numbers(inputs[:, used], column, sample)
        yield found[table.originals]


def _input(column: CodedColumn) -> NDArray[np.float32]:
    """Return a column by which others are predicted, [n]: its numbers, or its texts from the most frequent one on."""
    if column.numeric:
        return np.clip(np.nan_to_num(column.numbers, nan=-LARGEST), -LARGEST, LARGEST).astype(np.float32)[column.codes]
    order = sorted(np.flatnonzero(column.counts), key=lambda at: (-column.counts[at], column.values[at]))
    rank = np.full(len(column.values), len(order), dtype=np.float32)
    rank[order] = np.arange(len(order))
    return np.asarray(rank[column.codes])


def _ranks(inputs: NDArray[np.float32]) -> Floats:
    """Return the standardised ranks [rows, columns] of inputs."""
    ranks = stats.rankdata(inputs, axis=0)
    ranks -= ranks.mean(axis=0)
    return np.asarray(ranks / np.maximum(np.sqrt((ranks**2).sum(axis=0)), 1e-12))


def _chosen(ranks: Floats, names: list[str], target: int) -> list[int]:
    """Return the columns that predict a target, in the order of their names; constant ones say nothing."""
    strength = np.abs(ranks.T @ ranks[:, target])
    varying = [at for at in range(len(names)) if at != target and np.abs(ranks[:, at]).max() > 0]
    best = sorted(varying, key=lambda at: (-round(float(strength[at]), 9), names[at]))[:INPUTS]
    return sorted(best, key=lambda at: names[at])


def _classes(column: CodedColumn) -> Codes | None:
    """Return each row's class [n], -1 for one that the reference lacks; None for a column that has no classes.

    Classes are the values of a column of few, or intervals of numbers of which one is frequent.
    """
    share = column.counts.max() / column.counts.sum()
    if column.distinct <= (BINS if column.numeric else LEVELS):
        return np.where(column.counts[column.codes] > 0, column.codes, -1)
    if not column.numeric or share < ATOM:
        return None
    numbers = column.numbers[column.codes]
    edges = np.unique(np.nanquantile(numbers[: column.reference], np.arange(1, BINS) / BINS))
    return np.where(np.isnan(numbers), 0, 1 + np.searchsorted(edges, numbers, side="right")).astype(np.int64)


def _of_classes(inputs: NDArray[np.float32], classes: Codes, sample: Codes) -> Floats:
    levels, target = np.unique(classes[sample], return_inverse=True)
    if len(levels) < 2:
        return np.zeros((len(classes), len(FEATURES)))
    frequency = np.bincount(target) / len(target)
    expected = _expected(inputs, np.eye(len(levels))[target], sample)
    at = np.minimum(np.searchsorted(levels, classes), len(levels) - 1)
    rows, there = np.arange(len(classes)), levels[at] == classes
    usual = np.where(there, frequency[at], 0.5 / len(sample))
    chance = np.where(there, expected[rows, at], 0.0)
    seen = np.stack([(1 - blend) * chance + blend * usual for blend in BLENDS])
    best = int(np.argmax(np.log(seen[:, sample]).mean(axis=1)))
    chances = (1 - BLENDS[best]) * expected + BLENDS[best] * frequency
    chances[rows[there], at[there]] = 0.0
    observed = np.log(seen[best])
    excess = np.log(usual) - observed
    odds = np.log(chances.max(axis=1)) - observed
    return _stacked(odds, excess, -float(excess[sample].mean()))


def _of_numbers(inputs: NDArray[np.float32], column: CodedColumn, sample: Codes) -> Floats:
    numbers = column.numbers[column.codes]
    there = ~np.isnan(numbers)
    sample = sample[there[sample]]
    result = np.zeros((len(numbers), len(FEATURES)))
    if len(sample) < LEAST_ROWS:
        return result
    scores = _normal_scores(numbers, sample)
    residual = np.where(there, scores - _expected(inputs, scores[sample, None], sample)[:, 0], 0.0)
    scale = max(1.4826 * float(np.median(np.abs(residual[sample]))), LEAST)
    density = stats.t.logpdf(residual / scale, FREEDOM) - np.log(scale)
    excess = stats.norm.logpdf(np.where(there, scores, 0.0)) - density
    odds = stats.t.logpdf(0.0, FREEDOM) - np.log(scale) - density
    result[there] = _stacked(odds, excess, -float(excess[sample].mean()))[there]
    return result


def _expected(inputs: NDArray[np.float32], target: Floats, sample: Codes) -> Floats:
    """Return the mean prediction of a target [rows of the sample, outputs] for all rows, [n, outputs].

    A row of the sample is predicted by the trees that it was not drawn for, any other row by all of them.
    """
    from sklearn import config_context
    from sklearn.tree import ExtraTreeRegressor

    total, votes = np.zeros((len(inputs), target.shape[1])), np.zeros(len(inputs))
    random = np.random.default_rng(0)
    with config_context(assume_finite=True, skip_parameter_validation=True):
        for at in range(TREES):
            drawn = np.bincount(random.integers(len(sample), size=len(sample)), minlength=len(sample))
            tree = ExtraTreeRegressor(max_features=SHARE, min_samples_leaf=LEAF, random_state=at)
            tree.fit(inputs[sample], target, sample_weight=drawn.astype(np.float64), check_input=False)
            asked = np.ones(len(inputs), dtype=np.bool_)
            asked[sample] = drawn == 0
            total[asked] += tree.tree_.predict(inputs[asked]).reshape(-1, target.shape[1])
            votes += asked
    return np.asarray(total / np.maximum(votes, 1)[:, None])


def _normal_scores(numbers: Floats, sample: Codes) -> Floats:
    """Return the normal quantile of each number's rank among those of the sample; nan where there is none."""
    ordered = np.sort(numbers[sample])
    low, high = (np.searchsorted(ordered, numbers, side=side) for side in ("left", "right"))
    share = (low + high + 1.0) / (2 * len(ordered) + 2)
    return np.where(np.isnan(numbers), np.nan, stats.norm.ppf(share))


def _stacked(odds: Floats, excess: Floats, information: float) -> Floats:
    information = max(information, 0.0)
    columns = [np.minimum(odds, MOST), np.minimum(excess, MOST), np.full(len(odds), information)]
    return np.stack(columns, axis=1)

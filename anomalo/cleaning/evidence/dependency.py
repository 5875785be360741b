"""How well each cell agrees with the rest of its row: log-odds of the likeliest other value, with the cell left out.

All counts are those of the reference's rows; a new row is compared with all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from anomalo.cleaning.coded import CodedColumn, CodedTable

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]

PSEUDO_COUNTS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 1000.0)
"""Prior strengths that are tried; a column that decides little takes a large one."""
DETERMINANTS = 24
"""So many columns vote on a target, those that say most about it in a sample of rows."""
SAMPLE = 2000
BINS = 12
"""Numbers with more distinct values decide by so many intervals of equal frequency."""
SUSPECT = 3.0
"""A cell is suspect if the trusted column, or all on average, give its likeliest other value larger log-odds, and still
do so beyond what the frequencies of both values say.

In round two it has no vote on cells that are less suspect, and is not counted."""
ROUNDS = 2
FEATURES = (
    "best", "second", "third", "trusted", "mean", "confirmed", "lift", "agreement", "trust", "others",
    "elected", "expected", "support", "median", "excess", "excess_mean",
)  # fmt: skip
_SUSPICION = [
    (FEATURES.index("trusted"), FEATURES.index("excess")),
    (FEATURES.index("mean"), FEATURES.index("excess_mean")),
]


@dataclass(frozen=True)
class Votes:
    """What the other columns say of one column's cells.

    Attributes
    ----------
    features : float32 array [n, features]
        `best`, `second`, `third`: the largest log-odds of another value by one determinant; `trusted`: by the most
        informative one that knows the row; `mean`: weighted by information; `confirmed`: the smallest by an
        informative one; `lift`: the mean gain of the observed value over its frequency; `agreement`: the share of the
        votes that the suggestion has; `trust`: the information of the trusted one; `others`: the logarithm of the rows
        that it counts; `elected`: the suggestion's weighted sum; `expected`: the largest probability of another value
        by an informative determinant; `support`: that of the observed value; `median`: the (lower) median of the
        log-odds by informative ones; `excess`, `excess_mean`: what the trusted one, and all on average, add to the
        log-odds that the frequencies of both values alone give.
    suggestion : int array [n]
        The code of the likeliest other value; -1 where no determinant knows the row.
    odds : float array [n]
        The sum of its log-odds over the determinants, each weighted by its information.
    determinants : list of (str, float)
        The columns that vote, and the share of the target's entropy that each explains with the cell left out.
    """

    features: Floats | NDArray[np.float32]
    suggestion: Codes
    odds: Floats
    determinants: list[tuple[str, float]]

    @property
    def suspicion(self) -> Floats | NDArray[np.float32]:
        """How suspect each cell is, [n]: by the trusted column, or by all on average."""
        return np.asarray(np.max([self.features[:, pair].min(axis=1) for pair in _SUSPICION], axis=0))

    def taken(self, rows: Codes) -> Votes:
        """Return what is said of some rows."""
        return Votes(self.features[rows], self.suggestion[rows], self.odds[rows], self.determinants)


@dataclass(frozen=True)
class _Vote:
    """One determinant's vote, each array [n].

    Log-odds, the other value, the gain of the observed one, the log-odds beyond those of the frequencies, rows counted,
    and the probabilities of both values.
    """

    odds: Floats
    other: Codes
    gain: Floats
    excess: Floats
    rows: Floats
    expected: Floats
    observed: Floats
    information: float

    @property
    def known(self) -> Mask:
        return self.rows > 0


def votes(table: CodedTable) -> Iterator[Votes]:
    """Yield the votes on each column of a table."""
    sources = [_source(column) for column in table.columns]
    suspicion = np.zeros((table.rows, len(sources)))
    chosen = [_determinants(table, sources, target) for target in range(len(sources))]

    def found(target: int) -> Votes:
        votes = _on(table, sources, suspicion, target, chosen[target])
        return votes if table.reference is None else votes.taken(table.originals)

    for _ in range(ROUNDS - 1):
        suspicion = np.array([found(target).suspicion for target in range(len(sources))]).T
    for target in range(len(sources)):
        votes = found(target)
        yield replace(votes, features=votes.features.astype(np.float32))


def _source(column: CodedColumn) -> Codes:
    """Return the codes by which a column decides: -1 for an empty cell, intervals for numbers of many values."""
    empty = column.empty[column.codes]
    if column.numeric and column.distinct > 4 * BINS:
        numbers = column.numbers[column.codes]
        edges = np.unique(np.nanquantile(numbers[: column.reference], np.arange(1, BINS) / BINS))
        return np.where(np.isnan(numbers), -1, np.searchsorted(edges, numbers, side="right")).astype(np.int64)
    return np.where(empty, -1, column.codes)


def _determinants(table: CodedTable, sources: Sequence[Codes], target: int) -> list[int]:
    """Return the columns that may decide a target: the most informative ones in some rows, if there are many."""
    named = sorted(range(len(sources)), key=lambda at: table.columns[at].name)  # in any order of columns
    column, known = table.columns[target], table.reference
    found = [at for at in named if at != target and _repeats(sources[at][:known])]
    if not _repeats(column.codes[:known]) or column.distinct < 2:
        return []
    if len(found) <= DETERMINANTS:
        return found
    last = (table.rows if known is None else known) - 1
    rows = np.unique(np.linspace(0, last, SAMPLE).astype(np.int64))
    information = [_information(sources[at][rows], column.codes[rows]) for at in found]
    best = np.argsort(information, kind="stable")[::-1][:DETERMINANTS]
    return [found[at] for at in np.sort(best)]


def _information(source: Codes, target: Codes) -> float:
    """Return the share of a target's entropy that a source explains, with each cell left out."""
    frequency, known = np.bincount(target) / len(target), source >= 0
    pairs, counts = np.unique(source[known] * len(frequency) + target[known], return_counts=True)
    group = _groups(pairs // len(frequency))[1]
    sizes = np.bincount(group, weights=counts).astype(np.float64)
    return _smoothing(counts.astype(np.float64), sizes[group], frequency[pairs % len(frequency)])[1]


def _repeats(codes: Codes) -> bool:
    """Whether at least a twentieth of the rows have a value that others have, and there are two values."""
    counts = np.bincount(codes[codes >= 0]) if (codes >= 0).any() else np.zeros(1, dtype=np.int64)
    return bool(counts[counts > 1].sum() >= max(0.05 * len(codes), 4) and np.count_nonzero(counts) > 1)


def _on(table: CodedTable, sources: Sequence[Codes], suspicion: Floats, target: int, chosen: Sequence[int]) -> Votes:
    column = table.columns[target]
    ballots = list(_ballots(column, sources, suspicion, target, chosen))
    names = [(table.columns[at].name, ballot.information) for at, ballot in zip(chosen, ballots, strict=True)]
    if not ballots:
        return Votes(np.zeros((table.rows, len(FEATURES))), np.full(table.rows, -1), np.zeros(table.rows), [])
    suggestion, total, share = _elected(ballots)
    return Votes(_features(ballots, total, share), suggestion, total, sorted(names, key=lambda name: -name[1]))


def _ballots(
    column: CodedColumn, sources: Sequence[Codes], suspicion: Floats, target: int, chosen: Sequence[int]
) -> Iterator[_Vote]:
    mine = suspicion[:, target]
    for at in chosen:
        ignored = (suspicion[:, at] > SUSPECT) & (suspicion[:, at] > mine)
        yield _vote(np.where(ignored, -1, sources[at]), column.codes, mine <= SUSPECT, column.reference)


def _vote(source: Codes, target: Codes, counted: Mask, reference: int | None = None) -> _Vote:
    """Return what one column says of another's cells, from the rows of the reference that are counted.

    Each cell is left out of the counts that it is compared with. A value that only new rows have counts as one row.

    The distribution of the target within a group of the source is that of the group's other rows, smoothed by the
    target's frequencies with a weight that is chosen by the likelihood of the cells left out.
    """
    known = source >= 0
    counted = counted & known
    if reference is not None:
        counted[reference:] = False
    size = int(target.max()) + 1
    times = np.bincount(target[:reference], minlength=size)
    frequency = np.maximum(times, 1) / times.sum()
    keys = np.where(known, source, source.max() + 1) * size + target
    pairs, pair = np.unique(keys, return_inverse=True)
    counts = np.bincount(pair, weights=counted, minlength=len(pairs)).astype(np.float64)
    groups, values = pairs // size, pairs % size
    group, group_of_pair = _groups(groups)
    sizes = np.bincount(group_of_pair, weights=counts).astype(np.float64)
    pseudo, information = _smoothing(counts, sizes[group_of_pair], frequency[values])
    one = counted.astype(np.float64)
    rows = np.where(known, sizes[group_of_pair[pair]] - one, 0.0)
    observed = counts[pair] - one + pseudo * frequency[target]
    top, runner_up = _leaders(group_of_pair, counts, values, len(group))
    mine = group_of_pair[pair]
    leads = values[top[mine]] == target
    other_pair = np.where(leads, runner_up[mine], top[mine])
    there = known & (rows > 0) & (other_pair >= 0)
    other = np.where(there, values[other_pair], -1)
    expected = np.where(there, counts[other_pair] + pseudo * frequency[values[other_pair]], observed)
    gain = np.log(observed / np.maximum(rows + pseudo, 1e-9) / frequency[target])
    odds = np.log(expected / observed)
    total = np.maximum(rows + pseudo, 1e-9)
    chances = np.where(there, expected / total, 0.0), np.where(rows > 0, observed / total, 0.0)
    excess = odds - np.log(frequency[other] / frequency[target])
    votes = (np.where(known, values, 0.0) for known, values in ((there, odds), (rows > 0, gain), (there, excess)))
    log_odds, gain, excess = votes
    return _Vote(log_odds, other, gain, excess, rows, *chances, information)


def _groups(groups: Codes) -> tuple[Codes, Codes]:
    found, code = np.unique(groups, return_inverse=True)
    return found, code.astype(np.int64)


def _leaders(group: Codes, counts: Floats, values: Codes, groups: int) -> tuple[Codes, Codes]:
    """Return the pairs with the most rows in each group and with the second most; -1 where there is no second."""
    order = np.lexsort((values, -counts, group))
    starts = np.searchsorted(group[order], np.arange(groups))
    ends = np.append(starts[1:], len(order))
    second = np.where(starts + 1 < ends, order[np.minimum(starts + 1, len(order) - 1)], -1)
    return order[starts], np.where((second >= 0) & (counts[second] > 0), second, -1)


def _smoothing(counts: Floats, sizes: Floats, frequency: Floats) -> tuple[float, float]:
    """Return the prior strength under which the cells left out are likeliest, and the share of entropy explained."""
    used = (counts > 0) & (sizes > 1)
    weights, sizes, frequency = counts[used], sizes[used], frequency[used]
    if not used.any():
        return PSEUDO_COUNTS[-1], 0.0
    pseudo = np.array(PSEUDO_COUNTS)[:, None]
    likelihood = np.sum(weights * np.log((weights - 1 + pseudo * frequency) / (sizes - 1 + pseudo)), axis=1)
    best = int(np.argmax(likelihood))
    entropy = -float(np.sum(weights * np.log(frequency)))
    return PSEUDO_COUNTS[best], max(1 - float(likelihood[best]) / -entropy, 0.0) if entropy > 0 else 0.0


def _elected(ballots: Sequence[_Vote]) -> tuple[Codes, Floats, Floats]:
    """Return each row's other value with the largest weighted sum of log-odds, the sum and its share of all sums."""
    rows = len(ballots[0].odds)
    suggestion, total, share = np.full(rows, -1), np.zeros(rows), np.zeros(rows)
    weighted = [np.maximum(ballot.odds, 0.0) * ballot.information for ballot in ballots]
    voting = [(weight > 0) & (ballot.other >= 0) for weight, ballot in zip(weighted, ballots, strict=True)]
    row = np.concatenate([np.flatnonzero(mask) for mask in voting])
    if not len(row):
        return suggestion, total, share
    other = np.concatenate([ballot.other[mask] for mask, ballot in zip(voting, ballots, strict=True)])
    weight = np.concatenate([weights[mask] for mask, weights in zip(voting, weighted, strict=True)])
    size = int(other.max()) + 1
    keys, key = np.unique(row * size + other, return_inverse=True)
    sums = np.bincount(key, weights=weight)
    order = np.argsort(sums, kind="stable")  # of equal indices the last one is assigned: the largest
    suggestion[keys[order] // size], total[keys[order] // size] = keys[order] % size, sums[order]
    every = np.bincount(row, weights=weight, minlength=rows)
    return suggestion, total, np.where(every > 0, total / np.maximum(every, 1e-12), 0.0)


def _features(ballots: Sequence[_Vote], total: Floats, share: Floats) -> Floats:
    odds = np.stack([ballot.odds for ballot in ballots])
    known = np.stack([ballot.known for ballot in ballots])
    gain = np.stack([ballot.gain for ballot in ballots])
    excess = np.stack([ballot.excess for ballot in ballots])
    information = np.array([ballot.information for ballot in ballots])[:, None] * known
    ranked = np.sort(np.where(information > 0.02, odds, 0.0), axis=0)[::-1]
    second, third = (ranked[at] if len(ranked) > at else np.zeros(ranked.shape[1]) for at in (1, 2))
    trusted = information.argmax(axis=0)
    pick = np.arange(odds.shape[1])
    weight = np.maximum(information.sum(axis=0), 1e-9)
    informative = information > 0.5 * information.max(axis=0)
    confirmed = np.where(informative, odds, np.inf).min(axis=0)
    usual = np.sort(np.where(informative, odds, np.inf), axis=0)
    median = usual[np.maximum(informative.sum(axis=0) - 1, 0) // 2, pick]
    columns = [
        ranked[0],
        second,
        third,
        odds[trusted, pick],
        (information * odds).sum(axis=0) / weight,
        np.where(np.isfinite(confirmed), confirmed, 0.0),
        (information * gain).sum(axis=0) / weight,
        share,
        information.max(axis=0),
        np.log1p(np.stack([ballot.rows for ballot in ballots])[trusted, pick]),
        total,
        np.where(informative, np.stack([ballot.expected for ballot in ballots]), 0.0).max(axis=0),
        np.where(informative, np.stack([ballot.observed for ballot in ballots]), 0.0).max(axis=0),
        np.where(np.isfinite(median), median, 0.0),
        excess[trusted, pick],
        (information * excess).sum(axis=0) / weight,
    ]
    return np.stack(columns, axis=1)

"""Orders: one number or moment is never below another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import pdtrc

from anomalo.rules.acceptance import SHARE, accepted
from anomalo.rules.arithmetic.triples import MANY, Matrix
from anomalo.rules.cells import Mask, Numbers, Writer, numbers, plain
from anomalo.rules.rule import Rule
from anomalo.tabular.columns import Columns

APART = 0.1
"""The least share of rows in which the two differ."""
EDGES = (0.02, 0.05, 0.1)
"""Shares of the rows that keep an order and lie nearest to breaking it: where its edge is looked for."""
CHANCE = 0.2
"""Numbers paired at random would break an order in at least this share of rows: many are of about the same size."""
LOOSE = 0.005
"""The largest share of exceptions to an order of numbers whose difference varies nearly as much as at random."""
COUPLED = 0.3
"""Differences that vary by less than this share of what they do at random are not so."""
SPAN = 0.05
"""Moments whose difference varies by less than this share of what it does at random are the ends of one event."""
MANY_ENOUGH = 200
"""An order of numbers in fewer rows has no exceptions: one may be a tail."""
GROSS = 0.5
"""The median exception to an order of numbers is at least this share of how far the others are above as far below."""
FAR, COINCIDENCE = 5, 1e-4
"""Exceptions are no tail if they are so many times as many as that would have, with a smaller probability than this."""
APART_BY = 3
"""If most exceptions lie further below 0 than so many scales of the tail, only those are counted."""
ENOUGH = 10
"""An edge has at least so many rows on its inner side, and at most a tenth of what is expected beyond it."""


@dataclass(frozen=True, kw_only=True)
class Order(Rule):
    """A column that is never below another.

    Attributes
    ----------
    lower : str
        The other column.
    datetime : bool
        Whether both are moments.
    """

    sort: ClassVar[str] = "order"
    lower: str
    datetime: bool = False

    @property
    def kind(self) -> str:
        """An order."""
        return "order"

    @property
    def columns(self) -> tuple[str, ...]:
        """The target and the column it is not below."""
        return self.target, self.lower

    @property
    def one_way(self) -> bool:
        """No: each is a limit of the other."""
        return False

    @property
    def text(self) -> str:
        """In words."""
        return f"{self.target} is never {'before' if self.datetime else 'below'} {self.lower}"

    def applies(self, columns: Columns) -> Mask:
        """Return the rows in which both are observed."""
        return ~np.isnan(self._difference(columns))

    def broken(self, columns: Columns) -> Mask:
        """Return the rows in which the target is below the other one."""
        with np.errstate(invalid="ignore"):
            return np.asarray(self._difference(columns) < 0)

    def ways(self, broken: Columns) -> int:
        """Return 1 for numbers, all of which break an order in one way; for moments as `Rule.ways`."""
        return super().ways(broken) if self.datetime else 1

    def expected(self, columns: Columns, write: Writer = plain) -> list[str]:
        """Return the least value that the target can have, and where it comes from."""
        return [f"at least {value} ({self.lower})" for value in write(self.lower, numbers(columns, self.lower))]

    def expected_of(self, name: str, columns: Columns, write: Writer = plain) -> list[str]:
        """Return the limit, and the column that sets it."""
        if name == self.target:
            return self.expected(columns, write)
        return [f"at most {value} ({self.target})" for value in write(self.target, numbers(columns, self.target))]

    def _difference(self, columns: Columns) -> Numbers:
        return numbers(columns, self.target) - numbers(columns, self.lower)


def orders(part: Columns, matrix: Matrix, datetime: bool) -> Iterator[Order]:
    """Yield the pairs of columns of which one is never below the other, and no third one lies between."""
    few, columns = matrix.values[:MANY], len(matrix.names)
    never = np.zeros((columns, columns), dtype=np.bool_)
    for lower in range(columns):
        difference = few - few[:, [lower]]
        there = (~np.isnan(difference)).sum(axis=0)
        candidates = (difference < 0).sum(axis=0) <= 2 * SHARE * there + 3
        candidates &= (difference > 0).sum(axis=0) >= 0.5 * APART * there
        for upper in np.flatnonzero(candidates):
            if upper != lower:
                never[lower, upper] = _is_rule(matrix.values[:, lower], matrix.values[:, upper], datetime)
    between = (never.astype(np.int64) @ never.astype(np.int64)) > 0
    for lower, upper in zip(*np.nonzero(never & ~between), strict=True):
        yield Order(target=matrix.names[upper], lower=matrix.names[lower], datetime=datetime)


def _is_rule(lower: Numbers, upper: Numbers, datetime: bool) -> bool:
    there = ~np.isnan(lower) & ~np.isnan(upper)
    lower, upper = lower[there], upper[there]
    if not len(lower):
        return False
    difference, random = upper - lower, np.roll(upper, len(upper) // 2) - lower
    below, chance = int((difference < 0).sum()), float(np.mean(random < 0))
    if (difference > 0).mean() < APART or not accepted(len(lower), below, chance):
        return False
    if datetime:
        one_event = _range(difference) <= SPAN * _range(random)
        return (one_event and below <= LOOSE * len(difference)) or has_edge(difference)
    return chance >= CHANCE and _gross(difference, random) and has_edge(difference)


def _gross(difference: Numbers, random: Numbers) -> bool:
    """Return whether the exceptions to an order of numbers look like errors, not like rows just across a limit."""
    below, above = difference[difference < 0], difference[difference > 0]
    if not len(below):
        return True
    if len(difference) < MANY_ENOUGH:
        return False
    coupled = _range(difference) <= COUPLED * _range(random)
    few = coupled or len(below) <= LOOSE * len(difference)
    return few and bool(np.median(-below) >= GROSS * np.median(above))


def _range(values: Numbers) -> float:
    return float(np.subtract(*np.quantile(values, [0.9, 0.1])))


def has_edge(difference: Numbers) -> bool:
    """Return whether numbers end at 0, and those below 0, if any, are no tail of the others.

    Either many lie just above 0 and hardly any just below, by the decline that their density has already; or so few lie
    near 0 that an exponential tail, through the 1st and 5th percentile of those above, would not reach what is below.

    Parameters
    ----------
    difference : float64 [n]
        Nearly all are 0 or more.

    Examples
    --------
    >>> normal = np.random.default_rng(0).normal(size=2000)
    >>> has_edge(normal + 2.5), has_edge(np.abs(normal)), has_edge(np.append(normal + 50, -10))
    (False, True, True)
    """
    kept, below = np.sort(difference[difference >= 0]), difference[difference < 0]
    for share in EDGES:
        width = kept[int(share * (len(kept) - 1))]
        if width == 0 or kept[-1] == 0:
            width = np.min(kept[kept > 0], initial=np.inf)
        inner = np.searchsorted(kept, width, side="left") or 1
        beside = np.searchsorted(kept, 2 * width, side="left") - inner
        beyond = inner * min(inner / max(beside, 1), 1.0) ** 3
        if beyond >= ENOUGH and (below >= -width).sum() <= 0.1 * beyond:
            return True
    rate, tail = tail_below(kept)
    if not len(below):
        return tail <= 0.1
    far = int((below * rate < -APART_BY).sum())
    tail, seen = (tail * np.exp(-APART_BY), far) if 2 * far > len(below) else (tail, len(below))
    return bool(seen >= FAR * tail and pdtrc(seen - 1, tail) < COINCIDENCE)


def tail_below(kept: Numbers) -> tuple[float, float]:
    """Return the rate of an exponential tail, cut off at 0, with the 1st and 5th percentile of the numbers above.

    And how many numbers below 0 it would have without the cut; infinitely many if the density does not fall towards 0.

    Parameters
    ----------
    kept : float64 [n]
        Numbers of at least 0, ascending.
    """
    first, second = kept[int(0.01 * (len(kept) - 1))], kept[int(0.05 * (len(kept) - 1))]
    second = max(second, first * (1 + 1e-3))
    if first == 0 or second >= 5 * first:
        return 0.0, np.inf
    # (e^(r first) - 1) / (e^(r second) - e^(r first)) is 1/4 at the rate r; its logarithm falls with r.
    low, high = 0.0, np.log(5) / (second - first)
    for _ in range(50):
        rate = (low + high) / 2
        less = np.log(-np.expm1(-rate * first)) - rate * (second - first) - np.log(-np.expm1(-rate * (second - first)))
        low, high = (rate, high) if less > np.log(0.25) else (low, rate)
    with np.errstate(over="ignore"):
        return high, float(0.01 * len(kept) / np.expm1(high * first))

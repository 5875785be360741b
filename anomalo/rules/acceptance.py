"""Whether a regularity is a rule: it holds nearly always, and would not by chance."""

from __future__ import annotations

from scipy.special import bdtr

SHARE = 0.02
"""The largest share of exceptions among the rows that could break a rule."""
CHANCE = 0.1
"""Cells paired at random would break a rule in at least this share of rows."""
TIMES = 10
"""And in this many times as many as the observed ones."""
SUPPORT = 20
"""The fewest rows that could break it."""
COINCIDENCE = 1e-9
"""The largest probability of so few exceptions if cells were paired at random."""


def accepted(support: int, exceptions: int, chance: float, least: float = CHANCE) -> bool:
    """Return whether a regularity with so many exceptions is a rule.

    Parameters
    ----------
    support : int
        Rows that could break it.
    exceptions : int
        Rows that do.
    chance : float
        The share of rows that would if the cells were paired at random, from 0 to 1.
    least : float
        What that has to be at least.

    Examples
    --------
    >>> accepted(200, 2, 0.5), accepted(200, 5, 0.5), accepted(200, 0, 0.05), accepted(25, 0, 0.2)
    (True, False, False, False)
    """
    return (
        support >= SUPPORT
        and exceptions <= SHARE * support
        and chance >= least
        and exceptions * TIMES <= chance * support
        and float(bdtr(exceptions, support, min(chance, 1.0))) < COINCIDENCE
    )

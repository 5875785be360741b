"""What rows of one group say of a column's cells: each row's text counts as far as it is believed to be right.

Where several sources report on the same thing, a column that names the thing makes the groups. A source that is seldom
right by the answers hardly counts, and what a person answered counts fully.

References
----------
Dong, Berti-Equille and Srivastava (2009). Integrating conflicting data: the role of source dependence. VLDB.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomalo.cleaning.coded import CodedColumn
from anomalo.cleaning.examined import Examined

Codes = NDArray[np.int64]
Floats = NDArray[np.float64]

DOUBT = 1.0
"""A text of unknown kind counts as much in every group."""


@dataclass(frozen=True)
class GroupVotes:
    """What the other rows of each row's group say, each array [n].

    Attributes
    ----------
    for_it : float array
        The share of those that have the same text.
    against : float array
        The share of those that have the most frequent other text.
    other : int array
        The code of that text; -1 where there is none.
    """

    for_it: Floats
    against: Floats
    other: Codes


def group_votes(column: CodedColumn, key: CodedColumn, believed: Floats, counted: int) -> GroupVotes:
    """Return the votes on a column's cells within the groups that another column makes.

    Parameters
    ----------
    column, key : CodedColumn
        The voters' texts, and their groups; rows with an empty key have none.
    believed : float array [n]
        How far each row's text is believed to be right.
    counted : int
        So many rows vote, the first ones.
    """
    size = len(column.values)
    pair = key.codes * size + column.codes
    weight = np.where(key.empty[key.codes], 0.0, believed)
    pairs, position = np.unique(pair[:counted], return_inverse=True)
    sums: Floats = np.bincount(position, weights=weight[:counted], minlength=len(pairs)).astype(np.float64)
    groups = pairs // size
    total = np.bincount(groups, weights=sums, minlength=len(key.values))
    first, second = _leaders(groups, sums, len(key.values))
    mine = np.where(np.arange(len(pair)) < counted, weight, 0.0)
    at = np.minimum(np.searchsorted(pairs, pair), len(pairs) - 1)
    agreeing = np.where(pairs[at] == pair, sums[at], 0.0) - mine
    leads = first[key.codes]
    other = np.where((leads >= 0) & (pairs[leads] == pair), second[key.codes], leads)
    there = (other >= 0) & ~key.empty[key.codes]
    others = np.where(there, sums[other], 0.0)
    voters = total[key.codes] - mine + DOUBT
    return GroupVotes(agreeing / voters, others / voters, np.where(there, pairs[other] % size, -1))


def _leaders(groups: Codes, sums: Floats, size: int) -> tuple[Codes, Codes]:
    """Return the position of the largest sum of each group [size], and of the second largest; -1 for none."""
    order = np.lexsort((-sums, groups))
    starts = np.searchsorted(groups[order], np.arange(size))
    ends = np.searchsorted(groups[order], np.arange(size), side="right")
    padded = np.append(order, -1)
    first = np.where(starts < ends, padded[np.minimum(starts, len(order))], -1)
    return first, np.where(starts + 1 < ends, padded[np.minimum(starts + 1, len(order))], -1)


def votes_of(examined: Examined, at: int, key: str, right: Floats) -> GroupVotes:
    """Return the votes on a column's cells within the groups of a key, by the rows of the table's reference.

    Parameters
    ----------
    examined : Examined
        The table.
    at : int
        The column's position.
    key : str
        The column that makes the groups.
    right : float array [n, columns]
        How probably each cell is right; a row votes as far as its key is right, too.
    """
    table = examined.table
    other = table.names.index(key)
    counted = table.rows if table.reference is None else table.reference
    return group_votes(table.columns[at], table.columns[other], right[:, at] * right[:, other], counted)

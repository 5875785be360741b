"""Which column's groups know the right texts of another column: the one whose votes the answers confirm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomalo.cleaning.coded import CodedColumn
from anomalo.cleaning.examined import Examined
from anomalo.cleaning.learning.labels import Answer
from anomalo.cleaning.learning.voting import GroupVotes, votes_of

Floats = NDArray[np.float64]

MOST_TRIED = 8
"""So many columns are tried as keys of a column, the most informative ones."""
LEAST = 0.05
"""A key explains at least this share of a column's entropy."""
POOLED = 4.0
"""A key's record in all columns counts as so many votes in each."""
CONFIRMED = 3
"""A key needs so many confirmed votes."""
TRUSTED = 0.7
"""A key whose votes are right less often is not used."""


@dataclass(frozen=True)
class Key:
    """A column that makes groups for another one.

    Attributes
    ----------
    name : str
        The column that makes the groups.
    trust : float
        The probability that the most frequent other text of a wrong cell's group is the right one.
    """

    name: str
    trust: float


def best_keys(examined: Examined, answers: Mapping[str, Sequence[Answer]], right: Floats) -> dict[str, Key]:
    """Return the key of each column for which the answers confirm one.

    Parameters
    ----------
    examined : Examined
        The table.
    answers : mapping of str to sequence of Answer
        Those about each column.
    right : float array [n, columns]
        How probably each cell is right.
    """
    records: dict[tuple[str, str], tuple[int, int]] = {}
    for at, column in enumerate(examined.table.columns):
        if any(answer.wrong and answer.value is not None for answer in answers[column.name]):
            for key in _candidates(examined, at):
                votes = votes_of(examined, at, key, right)
                records[column.name, key] = _record(column, votes, answers[column.name])
    pooled: dict[str, tuple[int, int]] = {}
    for (_, key), (hits, misses) in records.items():
        known = pooled.get(key, (0, 0))
        pooled[key] = known[0] + hits, known[1] + misses
    found: dict[str, Key] = {}
    for at, name in enumerate(examined.table.names):
        tried = [key for key in _candidates(examined, at) if pooled.get(key, (0, 0))[0] >= CONFIRMED]
        rated = [Key(key, _trust(records.get((name, key), (0, 0)), pooled[key])) for key in tried]
        best = max(rated, key=lambda one: one.trust, default=None)
        if best is not None and best.trust >= TRUSTED:
            found[name] = best
    return found


def _candidates(examined: Examined, at: int) -> list[str]:
    found = examined.evidence[at].votes.determinants
    return [name for name, information in found if information > LEAST][:MOST_TRIED]


def _record(column: CodedColumn, votes: GroupVotes, answers: Sequence[Answer]) -> tuple[int, int]:
    """Return how many votes against labelled cells name the right text, and how many do not."""
    hits = misses = 0
    for answer in answers:
        code = votes.other[answer.row]
        if answer.wrong and answer.value is not None:
            right = code >= 0 and column.values[code] == answer.value
            hits, misses = hits + right, misses + (not right)
        elif not answer.wrong:
            misses += int(votes.against[answer.row] > votes.for_it[answer.row])
    return hits, misses


def _trust(record: tuple[int, int], pooled: tuple[int, int]) -> float:
    everywhere = (pooled[0] + 1) / (sum(pooled) + 2)
    return (record[0] + POOLED * everywhere) / (sum(record) + POOLED)

"""What wrong cells should have been: by rules from corrected cells, or as without labels, whichever is likelier."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from anomalo.cleaning.examined import Examined
from anomalo.cleaning.learning.calibration import Calibration, Usual
from anomalo.cleaning.learning.rulebook import WeightedRule
from anomalo.cleaning.learning.voting import GroupVotes

Codes = NDArray[np.int64]
Floats = NDArray[np.float64]
Group = tuple[GroupVotes, float]

MOST_SURE = 0.995
"""No suggestion is surer."""


@dataclass
class Ballot:
    """The texts that are suggested for one cell, with the probabilities that each is right.

    Attributes
    ----------
    by_rule, as_usual : dict of str to float
        The largest probability of each text by a rule, and without labels.
    """

    by_rule: dict[str, float] = field(default_factory=dict)
    as_usual: dict[str, float] = field(default_factory=dict)

    def elected(self) -> tuple[str | None, float]:
        """Return the likeliest text and the probability that it is right, given that one of all texts is at the most.

        Rules and suggestions without labels that agree are taken to be independent.
        """
        odds: dict[str, float] = {}
        for text in {**self.by_rule, **self.as_usual}:
            wrong = (1 - self.by_rule.get(text, 0.0)) * (1 - self.as_usual.get(text, 0.0))
            odds[text] = 1 / max(wrong, 1 - MOST_SURE) - 1
        ranked = sorted(odds.items(), key=lambda one: -one[1])
        best, most = ranked[0] if ranked else (None, 0.0)
        return best, most / (1 + sum(other for _, other in ranked[:3]))


def suggestions(
    examined: Examined,
    at: int,
    rows: Codes,
    rules: Sequence[WeightedRule],
    calibration: Calibration,
    group: Group | None,
) -> tuple[NDArray[np.object_], Floats]:
    """Return what a column's cells in some rows should have been, if they are wrong, and how probably it is right.

    Parameters
    ----------
    examined : Examined
        The table.
    at : int
        The column's position.
    rows : int array [m]
        Which rows.
    rules : sequence of WeightedRule
        The column's.
    calibration : Calibration
        How far suggestions without labels are to be believed.
    group : (GroupVotes, float) or None
        The votes on the column's cells, and how far they are trusted.

    Returns
    -------
    object array [m], float array [m]
        None and 0 where nothing is suggested.
    """
    ballots = [Ballot() for _ in rows]
    usual = Usual.of(examined, at, rows)
    believed = calibration.probability(usual, examined.table.names[at]).tolist()
    for cell, text, probability in zip(usual.row, usual.text, believed, strict=True):
        known = ballots[cell].as_usual
        known[text] = max(known.get(text, 0.0), probability)
    for rule in rules:
        position, texts = rule.rule.outputs(examined.table, examined.table.columns[at], rows)
        for row in np.flatnonzero(np.array([text is not None for text in texts], dtype=np.bool_)[position]):
            known, text = ballots[row].by_rule, str(texts[position[row]])
            known[text] = max(known.get(text, 0.0), rule.trust)
    for cell, text, probability in _voted(examined, at, rows, group):
        known = ballots[cell].by_rule
        known[text] = max(known.get(text, 0.0), probability)
    elected = [ballot.elected() for ballot in ballots]
    chosen: NDArray[np.object_] = np.array([text for text, _ in elected], dtype=object)
    return chosen, np.array([probability for _, probability in elected], dtype=np.float64)


def _voted(examined: Examined, at: int, rows: Codes, group: Group | None) -> Iterator[tuple[int, str, float]]:
    """Yield row, text and probability of the most frequent other text of each cell's group."""
    if group is None:
        return
    votes, trust = group
    values = examined.table.columns[at].values
    for cell, row in enumerate(rows):
        if votes.other[row] >= 0:
            share = votes.against[row] / max(1 - votes.for_it[row], votes.against[row], 1e-9)
            yield cell, values[votes.other[row]], trust * float(share)

"""What was learned from answers about a table's cells, applied to that table or to other rows of its columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalo.cleaning import suspects
from anomalo.cleaning.examined import Examined
from anomalo.cleaning.kinds import kinds
from anomalo.cleaning.learning.calibration import Calibration, calibration
from anomalo.cleaning.learning.correction import suggestions
from anomalo.cleaning.learning.detection import Detector, Rules, detector
from anomalo.cleaning.learning.groups import Key, best_keys
from anomalo.cleaning.learning.labels import Labels
from anomalo.cleaning.learning.rulebook import WeightedRule, rulebook
from anomalo.cleaning.learning.voting import GroupVotes, votes_of
from anomalo.cleaning.suspects import SUSPECTED, Suspects
from anomalo.errors import ArtefactError

Floats = NDArray[np.float64]

ROUNDS = 3
"""So many times votes change what is believed, and what is believed changes the votes."""


@dataclass(frozen=True)
class Learned:
    """What was learned.

    Attributes
    ----------
    detector : Detector
        Which cells are wrong.
    again : Detector or None
        Which cells are wrong once rows of one group are asked; None where no column makes groups that know it.
    keys : dict of str to Key
        Of each column that is asked so: the column that makes the groups.
    rules : dict of str to list of WeightedRule
        Of each column: what its wrong cells should have been.
    calibration : Calibration
        How far suggestions without labels are to be believed.
    threshold : float
        Cells that are more probably wrong are flagged.
    """

    detector: Detector
    again: Detector | None
    keys: dict[str, Key]
    rules: dict[str, list[WeightedRule]]
    calibration: Calibration
    threshold: float

    def suspects(self, examined: Examined, labels: Labels | None = None) -> Suspects:
        """Return what is suspected of the cells of a table.

        Parameters
        ----------
        examined : Examined
            The table: that of the answers, or other rows of its columns.
        labels : Labels, optional
            Answers about its cells, which are certain.
        """
        table = examined.table
        probability, votes = self.probabilities(examined, labels)
        suggested = np.zeros_like(probability)
        kind, suggestion = np.full(probability.shape, "", dtype=object), np.full(probability.shape, None, dtype=object)
        for at, column in enumerate(table.columns):
            rows = np.flatnonzero(probability[:, at] > SUSPECTED)
            rules = self.rules.get(column.name, [])
            group = (votes[column.name], self.keys[column.name].trust) if column.name in votes else None
            texts, chance = suggestions(examined, at, rows, rules, self.calibration, group)
            suggestion[rows, at], suggested[rows, at] = texts, chance * probability[rows, at]
            kind[rows, at] = kinds(examined.evidence[at], rows, examined.features[at], texts, suspects.model()[0])
        result = Suspects(table.names, probability, kind, suggestion, suggested, self.threshold)
        _correct(result, labels)
        return result

    def probabilities(self, examined: Examined, labels: Labels | None) -> tuple[Floats, dict[str, GroupVotes]]:
        """Return how probably each cell is wrong, [n, columns], and the votes of rows of one group by column."""
        alone = _wrong(examined, labels, self.detector, self.rules, {})
        probability, votes = alone, dict[str, GroupVotes]()
        for _ in range(ROUNDS if self.again is not None else 0):
            votes = _votes(examined, self.keys, probability)
            voted = _wrong(examined, labels, self.again or self.detector, self.rules, votes)
            probability = np.maximum(alone, voted)  # votes may take the credit of a format
        return probability, votes

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "detector": self.detector.to_json(),
            "again": None if self.again is None else self.again.to_json(),
            "keys": {name: [key.name, key.trust] for name, key in self.keys.items()},
            "rules": {name: [rule.to_json() for rule in rules] for name, rules in self.rules.items()},
            "calibration": self.calibration.to_json(),
            "threshold": self.threshold,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Learned:
        """Rebuild it from `to_json`.

        Raises
        ------
        ArtefactError
            The values are damaged, or of a later version.
        """
        try:
            return cls(
                Detector.from_json(values["detector"]),
                None if values["again"] is None else Detector.from_json(values["again"]),
                {name: Key(str(key), float(trust)) for name, (key, trust) in values["keys"].items()},
                {name: [WeightedRule.from_json(rule) for rule in rules] for name, rules in values["rules"].items()},
                Calibration.from_json(values["calibration"]),
                float(values["threshold"]),
            )
        except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
            raise ArtefactError(f"what was learned from answers is damaged, or of a later version: {error}") from error


def _wrong(
    examined: Examined, labels: Labels | None, found: Detector, rules: Rules, votes: Mapping[str, GroupVotes]
) -> Floats:
    """Return how probably each cell is wrong; what was answered is certain."""
    probability = suspects.probabilities(found.log_odds(examined, rules, votes))
    for answer in labels.answers if labels is not None else ():
        probability[answer.row, examined.table.names.index(answer.column)] = float(answer.wrong)
    return probability


def _votes(examined: Examined, keys: Mapping[str, Key], probability: Floats) -> dict[str, GroupVotes]:
    at = {name: position for position, name in enumerate(examined.table.names)}
    return {name: votes_of(examined, at[name], key.name, 1 - probability) for name, key in keys.items()}


def _correct(result: Suspects, labels: Labels | None) -> None:
    """Suggest the right value of the cells whose value was answered."""
    for answer in labels.answers if labels is not None else ():
        if answer.wrong and answer.value is not None:
            at = result.names.index(answer.column)
            result.suggestion[answer.row, at], result.suggested[answer.row, at] = answer.value, 1.0


def learn(examined: Examined, labels: Labels) -> Learned:
    """Learn from answers about a table's cells."""
    names = examined.table.names
    answers = {name: labels.of_column(name) for name in names}
    rules = {name: rulebook(examined.table, name, answers[name]) for name in names}
    first = detector(examined, labels, rules, {})
    probability = _wrong(examined, labels, first, rules, {})
    keys = best_keys(examined, answers, 1 - probability)
    again = None
    if keys:
        votes = _votes(examined, keys, probability)
        again = detector(examined, labels, rules, votes)
    found = Learned(first, again, keys, rules, calibration(examined, answers), 1.0)
    return replace(found, threshold=suspects.threshold(found.probabilities(examined, labels)[0].ravel()))

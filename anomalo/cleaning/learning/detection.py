"""Which cells are wrong, by those that a person answered for: one logistic regression over all columns of a table.

The log-odds without labels are the offset. Weights that all columns share say how far they, each kind of evidence, and
the votes of rows of one group are to be believed in this table; weights of one column say which of its texts, formats
and rewritten cells are wrong. Each has a normal prior, so that a column without answers keeps its log-odds, and one of
wrong cells only needs few.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalo.cleaning.examined import Examined
from anomalo.cleaning.features import NAMES
from anomalo.cleaning.learning.keys import ODDS, SCALES, Key, keys, weighted
from anomalo.cleaning.learning.labels import Labels
from anomalo.cleaning.learning.logistic import logistic
from anomalo.cleaning.learning.rulebook import WeightedRule
from anomalo.cleaning.learning.standard import USED, Standard
from anomalo.cleaning.learning.voting import GroupVotes

Floats = NDArray[np.float64]
Rules = Mapping[str, Sequence[WeightedRule]]
Votes = Mapping[str, GroupVotes]

SHARED = {"table": 0.5, "table odds": 0.3, "group": 2.0, **dict.fromkeys(USED, 0.4)}
"""The standard deviation of the prior of each weight that all columns share: a constant, log-odds, evidence."""
FEWEST = 0.05
"""A share of votes that is added to those for and those against a cell."""
SURE = 7.0
"""Log-odds without labels are taken to be no surer than this."""


@dataclass(frozen=True)
class Detector:
    """The weights.

    Attributes
    ----------
    standard : Standard
        Of the evidence.
    shared : float array [shared]
        The weights of `SHARED`, in every column.
    columns : dict of str to dict of key to float
        The weights of each labelled column.
    """

    standard: Standard
    shared: Floats
    columns: dict[str, dict[Key, float]]

    def log_odds(self, examined: Examined, rules: Rules, votes: Votes) -> Floats:
        """Return the log-odds that each cell is wrong, [n, columns]."""
        table = examined.table
        result = np.zeros((table.rows, len(table.columns)))
        for at, column in enumerate(table.columns):
            odds = usual_odds(examined.suspects.probability[:, at])
            evidence = self.standard.scaled(examined.features[at])
            inputs = _shared(odds, _shares(votes, column.name, np.arange(table.rows)), evidence)
            result[:, at] = odds
            for weight, values in zip(self.shared.tolist(), inputs.T, strict=True):  # one by one: each row by itself
                result[:, at] += weight * values
            weights = self.columns.get(column.name)
            if weights:
                result[:, at] += weighted(table, column, odds, weights, rules.get(column.name, ()))
        return result

    def to_json(self) -> dict[str, Any]:
        """Return the weights as plain values."""
        return {
            "standard": self.standard.to_json(),
            "shared": dict(zip(SHARED, self.shared.tolist(), strict=True)),
            "columns": {name: [[*key, by] for key, by in weights.items()] for name, weights in self.columns.items()},
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Detector:
        """Rebuild the weights from `to_json`."""
        shared = np.array([values["shared"][name] for name in SHARED], dtype=np.float64)
        columns = {
            str(name): {tuple(map(str, key)): float(by) for *key, by in weights}
            for name, weights in values["columns"].items()
        }
        return cls(Standard.from_json(values["standard"]), shared, columns)


def usual_odds(probability: Floats) -> Floats:
    """Return probabilities as log-odds, within the limits of `SURE`."""
    least = 1 / (1 + np.exp(SURE))
    inside = np.clip(probability, least, 1 - least)
    return np.asarray(np.log(inside / (1 - inside)))


def _shared(odds: Floats, shares: Floats, evidence: Floats) -> Floats:
    return np.concatenate([np.ones((len(odds), 1)), odds[:, None], shares, evidence], axis=1)


def _shares(votes: Votes, name: str, rows: NDArray[np.int64]) -> Floats:
    """Return the log-odds of votes against a column's cells in some rows, [m, 1]; 0 without votes."""
    found = votes.get(name)
    if found is None:
        return np.zeros((len(rows), 1))
    return np.asarray(np.log((found.against[rows] + FEWEST) / (found.for_it[rows] + FEWEST))[:, None])


def detector(examined: Examined, labels: Labels, rules: Rules, votes: Votes) -> Detector:
    """Return the likeliest weights given the answers.

    Parameters
    ----------
    examined : Examined
        The table.
    labels : Labels
        The answers.
    rules : mapping of str to sequence of WeightedRule
        Each column's.
    votes : mapping of str to GroupVotes
        What the rows of one group say of a column's cells, where they are asked.
    """
    standard, table = Standard.of(examined.features), examined.table
    cells = [(answer.row, table.names.index(answer.column)) for answer in labels.answers]
    odds = usual_odds(np.array([examined.suspects.probability[cell] for cell in cells], dtype=np.float64))
    evidence = np.array([examined.features[at][row] for row, at in cells], dtype=np.float32).reshape(-1, len(NAMES))
    shares = [_shares(votes, answer.column, np.array([answer.row])) for answer in labels.answers]
    common = _shared(odds, np.concatenate([np.zeros((0, 1)), *shares]), standard.scaled(evidence))
    found = [[(at, key) for key in keys(table, row, table.columns[at], rules[table.names[at]])] for row, at in cells]
    index = {one: at for at, one in enumerate(dict.fromkeys(one for mine in found for one in mine))}
    columnwise = np.zeros((len(cells), len(index)))
    for row, mine in enumerate(found):
        for one in mine:
            columnwise[row, index[one]] = odds[row] if one[1] == ODDS else 1.0
    scale = np.array([*SHARED.values(), *(SCALES[key[0]] for _, key in index)])
    target = np.array([answer.wrong for answer in labels.answers], dtype=np.float64)
    weights = logistic(np.concatenate([common, columnwise], axis=1), scale, odds, target)
    columns: dict[str, dict[Key, float]] = {}
    for (at, key), weight in zip(index, weights[len(SHARED) :].tolist(), strict=True):
        columns.setdefault(table.names[at], {})[key] = weight
    return Detector(standard, weights[: len(SHARED)], columns)

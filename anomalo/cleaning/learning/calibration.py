"""How far suggestions without labels are to be believed in a table: their log-odds, moved by what answers say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalo.cleaning import suspects
from anomalo.cleaning.candidates import FEATURES, Candidates, candidates
from anomalo.cleaning.examined import Examined
from anomalo.cleaning.features import NAMES
from anomalo.cleaning.learning.labels import Answer
from anomalo.cleaning.learning.logistic import logistic

Codes = NDArray[np.int64]
Floats = NDArray[np.float64]
Key = tuple[str, str]
"""Where suggestions come from, and for which column; empty texts for all."""

SOURCES = FEATURES[:4]
"""Where suggestions without labels come from."""
SURE = 4.0
"""Log-odds without labels are taken to be no surer than this."""
TABLE, SOURCE, COLUMN = 1.0, 0.5, 2.0
"""The prior's standard deviation of what is added in a table, for a source, and for a source in one column."""


@dataclass(frozen=True)
class Usual:
    """The suggestions without labels for some cells, each a list or array [suggestions].

    Attributes
    ----------
    row : int array
        The cell's position among those that were asked for.
    text : list of str
        What is suggested.
    source : list of str
        Where it comes from, one of `SOURCES`.
    odds : float array
        The log-odds that it is right, if the cell is wrong.
    """

    row: Codes
    text: list[str]
    source: list[str]
    odds: Floats

    @classmethod
    def of(cls, examined: Examined, at: int, rows: Codes) -> Usual:
        """Return the suggestions for a column's cells in some rows."""
        made = candidates(examined.evidence[at], rows, examined.features[at][rows])
        chance = suspects.chances(examined.evidence[at], rows, made)
        least = 1 / (1 + np.exp(SURE))
        inside = np.clip(chance, least, 1 - least)
        return cls(made.row, made.text, _sources(made), np.log(inside / (1 - inside)))


def _sources(made: Candidates) -> list[str]:
    which = made.features[:, len(NAMES) : len(NAMES) + len(SOURCES)].argmax(axis=1)
    return [SOURCES[at] for at in which]


@dataclass(frozen=True)
class Calibration:
    """What is added to the log-odds of suggestions, by source and column."""

    added: dict[Key, float]

    def probability(self, usual: Usual, column: str) -> Floats:
        """Return the probability that each suggestion for cells of a column is right, if the cell is wrong."""
        added = [sum(self.added.get(key, 0.0) for key in _keys(source, column)) for source in usual.source]
        return suspects.probabilities(usual.odds + np.array(added, dtype=np.float64))

    def to_json(self) -> list[list[Any]]:
        """Return it as plain values."""
        return [[*key, by] for key, by in self.added.items()]

    @classmethod
    def from_json(cls, values: Sequence[Sequence[Any]]) -> Calibration:
        """Rebuild it from `to_json`."""
        return cls({(str(source), str(column)): float(by) for source, column, by in values})


def _keys(source: str, column: str) -> tuple[Key, Key, Key]:
    return ("", ""), (source, ""), (source, column)


def calibration(examined: Examined, answers: Mapping[str, Sequence[Answer]]) -> Calibration:
    """Return what the corrected cells of each column say of the suggestions without labels."""
    offsets: list[float] = []
    right: list[bool] = []
    found: list[tuple[Key, Key, Key]] = []
    for at, name in enumerate(examined.table.names):
        known = [answer for answer in answers[name] if answer.wrong and answer.value is not None]
        usual = Usual.of(examined, at, np.array([answer.row for answer in known], dtype=np.int64))
        offsets += usual.odds.tolist()
        right += [text == known[row].value for row, text in zip(usual.row, usual.text, strict=True)]
        found += [_keys(source, name) for source in usual.source]
    index = {key: at for at, key in enumerate(dict.fromkeys(key for keys in found for key in keys))}
    design = np.zeros((len(found), len(index)))
    for row, keys in enumerate(found):
        design[row, [index[key] for key in keys]] = 1.0
    scale = [COLUMN if column else SOURCE if source else TABLE for source, column in index]
    weights = logistic(design, np.array(scale), np.array(offsets), np.array(right, dtype=np.float64))
    return Calibration(dict(zip(index, weights.tolist(), strict=True)))

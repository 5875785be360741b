"""How probably each cell is wrong, its kind and a suggestion, by all evidence and trees fitted on other tables."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anomalo.cleaning.budget import within_budget
from anomalo.cleaning.candidates import Candidates, candidates
from anomalo.cleaning.coded import CodedTable
from anomalo.cleaning.evidence import disguises
from anomalo.cleaning.features import ColumnEvidence
from anomalo.cleaning.features import evidence as of_columns
from anomalo.cleaning.kinds import kinds
from anomalo.cleaning.trees import Trees, read_trees

Floats = NDArray[np.float64]

MODEL = Path(__file__).with_name("cells.safetensors")
"""The trees, fitted by `benchmarks/cell_bank.py`."""
SUSPECTED = 0.05
"""Only cells with a larger probability of being wrong get a kind and a suggestion."""
LEAST = 0.4
"""The least threshold: at least two of five flags are expected to be right, however few wrong cells are found."""


@dataclass(frozen=True)
class Suspects:
    """What is suspected of every cell of a table.

    Attributes
    ----------
    names : list of str
        The columns.
    probability : float array [n, columns]
        That the cell is wrong.
    kind : object array [n, columns]
        Of a suspected cell: typo, format, unit, dependency, outlier, missing or rare; else "".
    suggestion : object array [n, columns]
        What it should have been; None where nothing is suggested.
    suggested : float array [n, columns]
        The probability that the cell is wrong and the suggestion right.
    threshold : float
        Cells with a larger probability are flagged.
    """

    names: list[str]
    probability: Floats
    kind: NDArray[np.object_]
    suggestion: NDArray[np.object_]
    suggested: Floats
    threshold: float

    @property
    def flagged(self) -> NDArray[np.bool_]:
        """The cells [n, columns] that are more probably wrong than the threshold."""
        return self.probability > self.threshold


@cache
def model() -> tuple[Trees, ...]:
    """Return the trees for "the cell is wrong" and for "the suggestion is right, if it is"."""
    return read_trees(MODEL, ("wrong", "right"))


def suspects(table: CodedTable) -> Suspects:
    """Find the wrong cells of a table by what the table itself holds; no labels are needed."""
    wrong, right = model()
    shape = (table.rows, len(table.columns))
    probability, suggested = np.zeros(shape), np.zeros(shape)
    kind, suggestion = np.full(shape, "", dtype=object), np.full(shape, None, dtype=object)
    for at, evidence in enumerate(of_columns(table)):
        cells = evidence.features()
        probability[:, at] = within_budget(evidence.column, probabilities(wrong.log_odds(cells)))
        rows = np.flatnonzero(probability[:, at] > SUSPECTED)
        found = candidates(evidence, rows, cells[rows])
        chance = probabilities(right.log_odds(found.features))
        chance = np.where(_absences(evidence, rows, found), 1.0, chance)
        for candidate in np.argsort(chance, kind="stable"):  # the likeliest one stays
            row = rows[found.row[candidate]]
            suggestion[row, at], suggested[row, at] = found.text[candidate], chance[candidate]
        suggested[:, at] *= probability[:, at]
        kind[rows, at] = kinds(evidence, rows, cells, suggestion[rows, at], wrong)
    return Suspects(table.names, probability, kind, suggestion, suggested, threshold(probability.ravel()))


def _absences(evidence: ColumnEvidence, rows: NDArray[np.int64], found: Candidates) -> NDArray[np.bool_]:
    """Return which candidates make a cell with a standard text of a missing value missing: that is what it says."""
    standard = evidence.disguised[evidence.column.codes[rows[found.row]]] == disguises.STANDARD_GRADE
    absent: NDArray[np.bool_] = np.array([not text for text in found.text], dtype=np.bool_) & standard
    return absent


def probabilities(log_odds: Floats) -> Floats:
    """Return log-odds as probabilities."""
    return np.asarray(1 / (1 + np.exp(-np.clip(log_odds, -50, 50))))


def threshold(probability: Floats) -> float:
    """Return the threshold with the largest expected F1, half of that F1 if probabilities are calibrated, or `LEAST`.

    References
    ----------
    Lipton, Elkan and Naryanaswamy (2014). Optimal thresholding of classifiers to maximize F1 measure. ECML PKDD.

    Examples
    --------
    >>> threshold(np.array([1.0, 0.0, 0.0]))
    0.5
    """
    ranked = np.sort(probability)[::-1]
    if not len(ranked) or ranked[0] <= 0:
        return 0.5
    expected = 2 * np.cumsum(ranked) / (np.arange(1, len(ranked) + 1) + ranked.sum())
    return max(float(expected.max() / 2), LEAST)

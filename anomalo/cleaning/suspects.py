"""How probably each cell is wrong, its kind and a suggestion, by all evidence and trees fitted on other tables."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anomalo.cleaning.budget import within_budget
from anomalo.cleaning.candidates import Candidates, candidates
from anomalo.cleaning.coded import CodedTable
from anomalo.cleaning.evidence import disguises
from anomalo.cleaning.features import NAMES, ColumnEvidence
from anomalo.cleaning.features import evidence as of_columns
from anomalo.cleaning.kinds import kinds
from anomalo.cleaning.trees import Trees, read_trees

Floats = NDArray[np.float64]

MODEL = Path(__file__).with_name("cells.safetensors")
"""The trees, fitted by `benchmarks/cell_bank.py`."""
SUSPECTED = 0.05
"""Only cells with a larger probability of being wrong, and standard texts of missing ones, have kind and suggestion."""
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


def suspects(
    table: CodedTable,
    columns: Iterable[tuple[ColumnEvidence, NDArray[np.float32]]] | None = None,
    only: Collection[str] | None = None,
) -> Suspects:
    """Find the wrong cells of a table by what the table itself holds; no labels are needed.

    Where a table has a reference, all statistics, the budget and the threshold come from it: what is said of a new row
    depends on no other new row.

    Parameters
    ----------
    table : CodedTable
        The cells.
    columns : iterable of (ColumnEvidence, float32 array [n, features]), optional
        The evidence about each column and its features, if they are known.
    only : collection of str, optional
        The columns whose cells are to be looked at, if not all are: nothing is suspected in the others.
    """
    wrong, _ = model()
    shape = (table.rows, len(table.columns))
    probability, suggested = np.zeros(shape), np.zeros(shape)
    kind, suggestion = np.full(shape, "", dtype=object), np.full(shape, None, dtype=object)
    for at, (evidence, cells) in enumerate(columns or _with_features(table, only)):
        if not len(cells):
            continue
        probability[:, at] = within_budget(evidence.column, probabilities(wrong.log_odds(cells)))
        tokens = evidence.disguised[evidence.column.codes] == disguises.STANDARD_GRADE
        rows = np.flatnonzero((probability[:, at] > SUSPECTED) | tokens)
        found = candidates(evidence, rows, cells[rows])
        chance = chances(evidence, rows, found)
        for candidate in np.argsort(chance, kind="stable"):  # the likeliest one stays
            row = rows[found.row[candidate]]
            suggestion[row, at], suggested[row, at] = found.text[candidate], chance[candidate]
        suggested[:, at] *= probability[:, at]
        kind[rows, at] = kinds(evidence, rows, cells, suggestion[rows, at], wrong)
    return Suspects(
        table.names, probability, kind, suggestion, suggested, threshold(probability[: table.reference].ravel())
    )


def _with_features(
    table: CodedTable, only: Collection[str] | None
) -> Iterator[tuple[ColumnEvidence, NDArray[np.float32]]]:
    """Yield the evidence about each column and its features, none for a column that is not to be looked at."""
    nothing = np.zeros((0, len(NAMES)), dtype=np.float32)
    for evidence in of_columns(table):
        yield evidence, evidence.features() if only is None or evidence.column.name in only else nothing


def chances(evidence: ColumnEvidence, rows: NDArray[np.int64], found: Candidates) -> Floats:
    """Return the probability that each suggestion [candidates] for cells of a column is right, if the cell is wrong."""
    chance = probabilities(model()[1].log_odds(found.features))
    return np.maximum(chance, _absences(evidence, rows, found))


def _absences(evidence: ColumnEvidence, rows: NDArray[np.int64], found: Candidates) -> Floats:
    """Return the probability that an empty cell is meant, [candidates], for a standard text of a missing one.

    That is what such a text says; a mark such as a question mark may be a doubt about one cell, and is a habit where
    many rows have it. It is 0 for all other candidates.
    """
    column = evidence.column
    codes = column.codes[rows[found.row]]
    marks = np.array([not any(map(str.isalnum, text)) for text in column.values], dtype=np.bool_)
    sure = np.where(marks, column.counts / (column.counts + 1.0), 1.0)
    standard = evidence.disguised == disguises.STANDARD_GRADE
    absent = np.array([not text for text in found.text], dtype=np.bool_)
    return np.where(absent & standard[codes], sure[codes], 0.0)


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

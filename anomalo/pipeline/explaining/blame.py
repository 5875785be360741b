"""Which column of a broken rule is to blame: that of which the model, and the other rules, make most."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from anomalo.calibration.conformal import Calibration
from anomalo.calibration.novelty import contributions_with_novelty
from anomalo.calibration.regimes import ComparableModel
from anomalo.encoding.encoded import Encoded, Mask, Scores
from anomalo.models.results import Cells, relative
from anomalo.rules.evidence import Evidence

REPORTED = 2.0
"""The contribution of a cell counts so many times where a rule can say what it, and no other, should be."""

LEAST = 1e-9
"""The share of a cell that contributes nothing: of such cells the most suspected one is to blame."""

Numbers = NDArray[np.intp]


def blamed_contributions(
    model: ComparableModel, data: Encoded, cells: Cells, training_rows: int, calibration: Calibration
) -> tuple[NDArray[np.float64], Mask]:
    """Return contributions that sum to the scores, and which cells are blamed for broken rules, each [n, *shape].

    What a rule adds to a row's score is a contribution of the cell that is blamed for it, the largest of the row. A
    rule between columns says that one of them is wrong, but not which.

    Parameters
    ----------
    data : Encoded [n]
    cells : Cells [n]
        The model's explanation of the rows.
    training_rows : int
        See `novelty_surprisal`.
    calibration : Calibration
        Of the model.
    """
    contribution = contributions_with_novelty(model, data, cells, training_rows, calibration)
    blamed = np.zeros(contribution.shape, dtype=np.bool_)
    if data.evidence is None:
        return contribution, blamed
    rows = np.flatnonzero(data.evidence.broken.any(axis=1))
    plain, explained = replace(data.take(rows), evidence=None), Cells(cells.contribution[rows], cells.expected[rows])
    apart = contributions_with_novelty(model, plain, explained, training_rows, calibration)
    added = contribution[rows].sum(axis=1) - apart.sum(axis=1)
    shares = blame(apart, data.evidence.take(rows))
    blamed[rows] = shares > 0
    contribution[rows] = blamed_first(apart + shares * added[:, None], blamed[rows])
    return contribution, blamed


def blame(contribution: Scores, evidence: Evidence) -> Scores:
    """Return how the evidence of each row is divided among its cells, [n, columns]; shares sum to 1.

    The first cell to blame is that with the largest product of its contribution and of the surprisal of all broken
    rules that suspect it. The evidence of these rules is its own; with the rules that remain it is done again. So one
    wrong cell has all the evidence of the rules that it breaks, whichever cells they report. Where a rule says what one
    cell should be, but not what others should, that cell is blamed unless another contributes `REPORTED` times as much.

    Parameters
    ----------
    contribution : float64 [n, columns]
        By the model; each row breaks a rule.
    evidence : Evidence [n]
    """
    rules, names = evidence.rules, evidence.names
    suspects = np.array([[name in rule.suspects for name in names] for rule in rules])
    preferred = np.array([[rule.one_way and name == rule.target for name in names] for rule in rules])
    surprisal = np.array([rule.surprisal for rule in rules])
    reported = np.array([names.index(rule.target) for rule in rules])
    weight = relative(np.where(evidence.broken @ preferred, REPORTED, 1.0) * contribution) + LEAST
    found = np.zeros(contribution.shape)
    for row, broken in enumerate(evidence.broken):
        of_cell: dict[int, tuple[float, int]] = {}
        for cell, which in _blamed(weight[row], np.flatnonzero(broken), suspects, surprisal):
            for rule in which:
                of_cell[reported[rule]] = max(of_cell.get(reported[rule], (0.0, -1)), (surprisal[rule], cell))
        for strength, cell in of_cell.values():
            found[row, cell] += strength
    return np.asarray(found / found.sum(axis=1, keepdims=True))


def _blamed(weight: Scores, left: Numbers, suspects: Mask, surprisal: Scores) -> Iterator[tuple[int, Numbers]]:
    """Yield the cells of a row that are blamed, and the broken rules that each explains."""
    while len(left):
        cell = int((weight * (surprisal[left] @ suspects[left])).argmax())
        explained = suspects[left, cell]
        yield cell, left[explained]
        left = left[~explained]


def blamed_first(contribution: Scores, blamed: Mask) -> Scores:
    """Return contributions [n, columns] of the same sums, a blamed cell's the largest of its row.

    A rule that is broken explains more than any guess at other cells: those above a common level are lowered to it, so
    far that the blamed cell reaches it. Of several such cells it is the one with the largest contribution.
    """
    raised = contribution.copy()
    for row in np.flatnonzero(blamed.any(axis=1)):
        first = int(np.where(blamed[row], raised[row], -np.inf).argmax())
        above = np.flatnonzero(raised[row] > raised[row, first])
        above = above[np.argsort(-raised[row, above], kind="stable")]
        if not len(above):
            continue
        level = (raised[row, first] + np.cumsum(raised[row, above])) / (np.arange(len(above)) + 2)
        after = np.append(raised[row, above[1:]], -np.inf)
        common = float(level[(level >= after).argmax()])
        total = raised[row].sum()
        raised[row, above] = np.minimum(raised[row, above], common * (1 - 1e-9))
        raised[row, first] += total - raised[row].sum()
    return raised

"""The kind of error of a suspected cell: by its suggestion, or by the evidence without which it is least suspected."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from anomalo.cleaning.coded import CodedColumn
from anomalo.cleaning.evidence.formats import affix, shape
from anomalo.cleaning.evidence.numbers import numbers_of
from anomalo.cleaning.evidence.spelling import edit_distances
from anomalo.cleaning.features import GROUPS, NAMES, ColumnEvidence
from anomalo.cleaning.trees import Trees

KINDS = ("typo", "format", "unit", "dependency", "outlier", "missing", "rare")
NEAR = 0.5
"""A suggestion that shares more than this part of the characters makes a typo likelier than another value."""
LONGEST = 128


def kinds(
    evidence: ColumnEvidence,
    rows: NDArray[np.int64],
    cells: NDArray[np.float32],
    suggestions: NDArray[np.object_],
    wrong: Trees,
) -> NDArray[np.object_]:
    """Return the kind of error of a column's cells in some rows, [m].

    Parameters
    ----------
    evidence : ColumnEvidence
        The column's.
    rows : int array [m]
        Which rows.
    cells : float32 array [n, features]
        The features of all rows.
    suggestions : object array [m]
        What each cell should have been; None if nothing is suggested.
    wrong : Trees
        The log-odds that a cell is wrong.
    """
    column, codes = evidence.column, evidence.column.codes[rows]
    found = _by_evidence(cells[rows], np.median(cells[: column.reference], axis=0), wrong)
    plain = _plain_numbers(column)
    for at, (code, suggestion) in enumerate(zip(codes, suggestions, strict=True)):
        observed = column.values[code]
        if not observed or evidence.disguised[code] > 1 or (evidence.disguised[code] == 1 and suggestion == ""):
            found[at] = "missing"
        elif plain[code] and found[at] in ("format", "rare", "outlier") and not _same_number(observed, suggestion):
            found[at] = "outlier"
        elif suggestion:
            found[at] = _by_suggestion(observed, str(suggestion), str(found[at]))
    return found


def _plain_numbers(column: CodedColumn) -> NDArray[np.bool_]:
    """Return which distinct texts [k] of a column of numbers are numbers with the column's most frequent unit."""
    if not column.numeric:
        return np.zeros(len(column.values), dtype=np.bool_)
    affixes = [affix(value) for value in column.short]
    counts: dict[str, int] = {}
    for mark, count in zip(affixes, column.counts.tolist(), strict=True):
        counts[mark] = counts.get(mark, 0) + count
    usual = max(counts, key=lambda mark: (counts[mark], mark))
    return np.array([mark == usual for mark in affixes], dtype=np.bool_) & ~np.isnan(column.numbers)


def _by_evidence(cells: NDArray[np.float32], usual: NDArray[np.float32], wrong: Trees) -> NDArray[np.object_]:
    """Return the kind of the group of features without which, at the column's median, the log-odds are least."""
    without = []
    for kind in KINDS:
        changed = cells.copy()
        columns = [NAMES.index(name) for name in GROUPS[kind]]
        changed[:, columns] = usual[columns]
        without.append(changed)
    odds = wrong.log_odds(np.concatenate(without)).reshape(len(KINDS), len(cells))
    found: NDArray[np.object_] = np.array(KINDS, dtype=object)[np.argmin(odds, axis=0)]
    return found


def _by_suggestion(observed: str, suggestion: str, evident: str) -> str:
    if _same_number(observed, suggestion):
        return "unit" if affix(observed).strip() != affix(suggestion).strip() else "format"
    if _bare(observed) == _bare(suggestion):
        return "format"
    length = max(len(observed), len(suggestion))
    if length <= LONGEST and edit_distances([observed], [suggestion])[0] <= NEAR * length and shape(observed):
        return "typo" if evident not in ("outlier", "unit") else evident
    return evident


def _same_number(observed: str, suggestion: str | None) -> bool:
    one, other = numbers_of([observed, suggestion or ""])
    return bool(np.isfinite(one) and one == other)


def _bare(text: str) -> str:
    return "".join(character for character in text.lower() if character.isalnum())

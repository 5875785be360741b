"""What a wrong cell should have been: values that other columns, a near spelling or the usual format suggest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomalo.cleaning.evidence import formats
from anomalo.cleaning.evidence.disguises import STANDARD_GRADE
from anomalo.cleaning.evidence.spelling import edit_distances
from anomalo.cleaning.features import NAMES, ColumnEvidence
from anomalo.cleaning.rewriting import rewritten

Codes = NDArray[np.int64]
Floats = NDArray[np.float64]

FEATURES = (
    "by_dependency", "by_spelling", "by_format", "by_absence",
    "odds", "similarity", "log_count", "format_gain", "agree",
)  # fmt: skip
"""What is known of a candidate, besides the features of its cell."""
LONGEST = 128


@dataclass(frozen=True)
class Candidates:
    """Suggestions for cells of a column, several for each.

    Attributes
    ----------
    row : int array [candidates]
        The position of the cell among those that were asked for.
    text : list of str
        The suggested text.
    features : float32 array [candidates, cell features + `FEATURES`]
        What speaks for it.
    """

    row: Codes
    text: list[str]
    features: NDArray[np.float32]


def candidates(evidence: ColumnEvidence, rows: Codes, cells: NDArray[np.float32]) -> Candidates:
    """Return the suggestions for a column's cells in some rows.

    Parameters
    ----------
    evidence : ColumnEvidence
        The column's.
    rows : int array [m]
        Which rows.
    cells : float32 array [m, features]
        The features of their cells, in the order of `features.NAMES`.
    """
    column, codes = evidence.column, evidence.column.codes[rows]
    by_vote, near = evidence.votes.suggestion[rows], evidence.spelling.nearest[codes]
    values = [
        "" if grade == STANDARD_GRADE else text for text, grade in zip(column.values, evidence.disguised, strict=True)
    ]
    found: list[tuple[int, str, int]] = []  # row, text, source
    for at, code in enumerate(codes):
        observed = column.values[code]
        suggested = [values[by_vote[at]] if by_vote[at] >= 0 else None]
        suggested.append(values[near[at]] if near[at] >= 0 else None)
        suggested.append(rewritten(observed, evidence.formats) if observed and len(observed) <= LONGEST else None)
        suggested.append("" if evidence.disguised[code] > 0 else None)
        found += [(at, text, source) for source, text in enumerate(suggested) if text is not None and text != observed]
    row = np.array([at for at, _, _ in found], dtype=np.int64)
    texts = [text for _, text, _ in found]
    return Candidates(row, texts, _features(evidence, rows, cells, found))


def _features(
    evidence: ColumnEvidence, rows: Codes, cells: NDArray[np.float32], found: list[tuple[int, str, int]]
) -> NDArray[np.float32]:
    if not found:
        return np.zeros((0, len(NAMES) + len(FEATURES)), dtype=np.float32)
    column, codes = evidence.column, evidence.column.codes[rows]
    row = np.array([at for at, _, _ in found])
    counts = dict(zip(column.values, column.counts.tolist(), strict=True))
    observed = [column.values[codes[at]] for at in row]
    texts = [text for _, text, _ in found]
    source = np.array([source for _, _, source in found])
    votes = [(at, column.values[code]) for at, code in enumerate(evidence.votes.suggestion[rows]) if code >= 0]
    elected = _elected(found, votes)
    times: dict[tuple[int, str], int] = {}
    for at, text, _ in found:
        times[at, text] = times.get((at, text), 0) + 1
    columns = [source == at for at in range(4)]
    columns += [
        np.where(elected, evidence.votes.odds[rows][row], 0.0),
        _similarity(observed, texts),
        np.log1p([counts.get(text, 0) for text in texts]),
        _format_gain(evidence, observed, texts),
        np.array([times[at, text] for at, text, _ in found]),
    ]
    return np.concatenate([cells[row], np.stack(columns, axis=1)], axis=1).astype(np.float32)


def _elected(found: list[tuple[int, str, int]], votes: list[tuple[int, str]]) -> NDArray[np.bool_]:
    known = set(votes)
    return np.array([(at, text) in known for at, text, _ in found], dtype=np.bool_)


def _similarity(observed: list[str], texts: list[str]) -> Floats:
    pairs = sorted({(one[:LONGEST], other[:LONGEST]) for one, other in zip(observed, texts, strict=True)}, key=_length)
    edits: dict[tuple[str, str], float] = {}
    for start in range(0, len(pairs), 1024):
        part = pairs[start : start + 1024]
        distances = edit_distances([one for one, _ in part], [other for _, other in part])
        edits.update(zip(part, distances.tolist(), strict=True))
    keys = [(one[:LONGEST], other[:LONGEST]) for one, other in zip(observed, texts, strict=True)]
    return np.array([1 - edits[key] / max(_length(key), 1) for key in keys])


def _length(pair: tuple[str, str]) -> int:
    return max(len(pair[0]), len(pair[1]))


def _format_gain(evidence: ColumnEvidence, observed: list[str], texts: list[str]) -> Floats:
    """Return how much more frequent the suggestion's format is than the observed one's, as a logarithm of the ratio."""
    counts = evidence.formats
    return np.array(
        [
            np.log1p(counts.get(formats.runs(text), 0)) - np.log1p(max(counts.get(formats.runs(other), 0), 1))
            for other, text in zip(observed, texts, strict=True)
        ]
    )

"""Which rows' answers teach most: those whose cells stand for many and uncertain ones, each kind asked for once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from anomalo.cleaning.coded import CodedTable
from anomalo.cleaning.examined import Examined
from anomalo.cleaning.learning.marks import marks

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

MOST_ROWS = 20_000
"""Of more rows, so many are looked at."""
LEVELS = ("text", "runs", "shape", "signature", "affix", "repeats", "number", "empty")
"""Marks whose cells are alike."""
BANDS = (0.02, 0.1, 0.3, 0.5, 0.7, 0.9)
"""Limits of the probabilities that are asked for separately."""
SYSTEMATIC = 0.05
"""The probability that cells of one kind are wrong without looking so."""
AGAIN = 0.5
"""The worth of every further answer about one kind of cell, times that of the one before."""

NEARLY = 0.1
"""Rows whose worth differs by less than this share teach nearly as much."""


def ask(examined: Examined, rows: int = 20, seed: int = 0) -> Codes:
    """Return the rows to be asked for, in the order of the table.

    Parameters
    ----------
    examined : Examined
        The table.
    rows : int
        How many; all of them if the table has fewer.
    seed : int
        Decides between rows that teach nearly as much.
    """
    table = examined.table
    random = np.random.default_rng(seed)
    shuffled = random.permutation(table.rows)[:MOST_ROWS]
    favour = random.uniform(1 - NEARLY, 1, len(shuffled))
    kinds, worth = _kinds(examined, shuffled)
    chosen: list[int] = []
    left = np.ones(len(shuffled), dtype=np.bool_)
    for _ in range(min(rows, len(shuffled))):
        gain = np.where(left, worth[kinds].sum(axis=1) * favour, -1.0)
        best = int(np.argmax(gain))
        chosen.append(best)
        left[best] = False
        worth[kinds[best]] *= AGAIN
    return np.sort(shuffled[np.array(chosen, dtype=np.int64)])


def _kinds(examined: Examined, rows: Codes) -> tuple[Codes, Floats]:
    """Return the kinds of cells that each row has [rows, kinds of a row], and what an answer about each is worth."""
    found, worth = [], [np.zeros(1)]  # the first kind is of nothing
    size = 1
    for at, column in enumerate(examined.table.columns):
        probability = examined.suspects.probability[rows, at]
        for codes in (*_by_mark(column.values, column.codes[rows]), np.searchsorted(BANDS, probability)):
            counts = np.bincount(codes)
            wrong = np.bincount(codes, weights=probability)
            share = wrong / np.maximum(counts, 1)
            uncertain = SYSTEMATIC + share * (1 - share)
            worth.append(np.log1p(counts) * uncertain * (counts > 0))
            found.append(codes + size)
            size += len(counts)
    return np.stack(found, axis=1) if found else np.zeros((len(rows), 1), np.int64), np.concatenate(worth)


def _by_mark(values: list[str], codes: Codes) -> list[Codes]:
    """Return the kinds [rows] of a column's texts by each level of marks."""
    result = []
    for level in LEVELS:
        index: dict[str, int] = {}
        by_text = []
        for text in values:
            mark = " ".join(mark for name, mark in marks(text) if name == level)
            by_text.append(index.setdefault(mark, len(index)))
        result.append(np.array(by_text, dtype=np.int64)[codes])
    return result


def ask_file(examined: Examined, rows: Codes) -> CodedTable:
    """Return a table to be filled in, with a row for each cell of the rows that are asked for.

    `wrong` and `value` are empty; `suggestion` and `probability` say what is suspected without labels.
    """
    table, suspects = examined.table, examined.suspects
    cells = [(int(row), at) for row in rows for at in range(len(table.columns))]
    suggested = [suspects.suggestion[row, at] for row, at in cells]
    return CodedTable.of_texts(
        {
            "row": [str(row) for row, _ in cells],
            "column": [table.columns[at].name for _, at in cells],
            "observed": [table.columns[at].values[table.columns[at].codes[row]] for row, at in cells],
            "wrong": [""] * len(cells),
            "value": [""] * len(cells),
            "suggestion": ["" if text is None else text or "(empty)" for text in suggested],
            "probability": [f"{suspects.probability[row, at]:.2f}" for row, at in cells],
        }
    )

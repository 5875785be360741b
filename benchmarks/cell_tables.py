"""Clean tables to put errors into: rows of public tables, in several formats, alone or joined as in a database."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from cell_errors import FORMATS
from cell_writing import untidy, with_default, written
from numpy.typing import NDArray

from anomalo.tabular.parsing import MISSING_TEXTS

Texts = NDArray[np.object_]
Random = np.random.Generator

ROWS, COLUMNS = 1200, 20
WRITTEN, NOTED, OWN_WORD = 0.4, 0.25, 0.1
"""Shares of tables with columns made of others, of columns with notes, and of columns with a word for no value."""
AFFIXES = (
    ("", "%"),
    ("$", ""),
    ("", " people"),
    ("", " kg"),
    ("", " min"),
    ("A-", ""),
    ("No. ", ""),
    ("id", ""),
    ("", "th"),
)
OWN_WORDS = (
    "empty",
    "unknown",
    "none",
    "not available",
    "not applicable",
    "missing",
    "unspecified",
    "other",
    "no data",
)
"""A table may have a word of its own for cells that are not known; it is no error there."""


def clean_table(path: Path, random: Random) -> Texts:
    """Return a sample of the rows as texts, usual texts of missing cells as empty ones."""
    frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding_errors="replace")
    frame = frame.loc[:, [name for name in frame if frame[name].nunique() > 1 and name != "rownames"]]
    if frame.shape[1] > COLUMNS:
        frame = frame.iloc[:, np.sort(random.choice(frame.shape[1], COLUMNS, replace=False))]
    size = int(min(len(frame), random.integers(ROWS // 3, ROWS + 1)))
    start = int(random.integers(len(frame) - size + 1))
    picked = np.arange(start, start + size) if random.random() < 0.5 else np.sort(random.permutation(len(frame))[:size])
    texts = frame.iloc[picked].map(str.strip)
    texts = texts.where(~texts.isin(_missing(texts)), "")
    for name in texts:
        if random.random() < 0.5:
            texts[name] = texts[name].where(texts[name] != "", str(random.choice(OWN_WORDS)))
    columns = [_formatted(texts[name].to_numpy(dtype=object), random) for name in texts]
    more = int(random.integers(1, 5)) if random.random() < WRITTEN else 0
    columns += [written(np.stack(columns, axis=1), random) for _ in range(more)]
    return np.stack([columns[at] for at in random.permutation(len(columns))], axis=1)


def _formatted(column: Texts, random: Random) -> Texts:
    """Return some columns in another format, as other tables do: with notes, a unit, a code, padded."""
    several = len(np.unique(column.astype(str))) > 0.3 * len(column)
    if several and random.random() < NOTED:
        return untidy(column, random)
    if random.random() < (NOTED if several else OWN_WORD):
        return with_default(column, random)
    if random.random() < 0.08:
        ways = random.choice(len(FORMATS), size=8)
        return np.array(
            [FORMATS[random.choice(ways)](text) if random.random() < 0.5 else text for text in column], object
        )
    if random.random() > 0.2 or not all(text.isdigit() for text in column if text):
        return column
    width = max(map(len, column))
    before, after = random.choice(AFFIXES)
    if random.random() < 0.3:
        return np.array([f"{before}{text.zfill(width)}{after}" if text else text for text in column], dtype=object)
    return np.array([f"{before}{text}{after}" if text else text for text in column], dtype=object)


def joined_table(one: Texts, other: Texts, random: Random) -> Texts:
    """Return rows of a first table, each with several rows of a second one, as a database's join has them."""
    parts = []
    for table in (one, other):
        rows = random.permutation(len(table))[: int(random.integers(8, 90))]
        columns = np.sort(random.permutation(table.shape[1])[: int(random.integers(2, 10))])
        parts.append(table[np.ix_(rows, columns)])
    pairs = np.array([(at, to) for at in range(len(parts[0])) for to in range(len(parts[1]))])
    kept = pairs[np.sort(random.permutation(len(pairs))[: int(random.integers(ROWS // 3, ROWS + 1))])]
    joined = np.concatenate([parts[0][kept[:, 0]], parts[1][kept[:, 1]]], axis=1)
    for _ in range(int(random.integers(3))):
        joined = np.concatenate([joined, _coarse(joined[:, random.integers(joined.shape[1])], random)[:, None]], axis=1)
    return joined[:, [len(np.unique(column.astype(str))) > 1 for column in joined.T]]


def _missing(texts: pd.DataFrame) -> list[str]:
    found = pd.unique(texts.to_numpy().ravel())
    return [text for text in found if text.lower() in MISSING_TEXTS]


def _coarse(column: Texts, random: Random) -> Texts:
    """Return a code of few levels that the column decides, such as the region of a city."""
    levels, codes = np.unique(column.astype(str), return_inverse=True)
    width, size = int(random.integers(1, 5)), int(random.integers(2, 9))
    letters = list("ABCDEFGHIJKLMNOPQRSTUVWXYZ" if random.random() < 0.5 else "abcdefghijklmnopqrstuvwxyz")
    names = ["".join(random.choice(letters, width)) for _ in range(size)] if random.random() < 0.7 else ["yes", "no"]
    of_level = random.choice(len(names), size=len(levels), p=random.dirichlet(np.full(len(names), 0.7)))
    return np.array(names, dtype=object)[of_level[codes]]

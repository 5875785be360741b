"""Answers about a few rows, taken from the true table, and what the cleaner learns from them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from anomalo.cleaning.coded import CodedTable
from anomalo.cleaning.examined import Examined
from anomalo.cleaning.learning.asking import ask
from anomalo.cleaning.learning.labels import Answer, Labels
from anomalo.cleaning.learning.learned import learn
from anomalo.cleaning.suspects import Suspects

Texts = NDArray[np.object_]


@dataclass(frozen=True)
class Taught:
    """What is suspected of the rows that were not asked for, without and with the answers.

    Attributes
    ----------
    before, after : Suspects
        Of those rows.
    rows : int array
        Which rows they are.
    seconds : float
        CPU seconds of asking and learning.
    """

    before: Suspects
    after: Suspects
    rows: NDArray[np.int64]
    seconds: float


def taught(observed: Texts, truth: Texts, names: list[str], rows: int, seeds: list[int]) -> Iterator[Taught]:
    """Yield what is learned from so many rows' answers, for each seed of asking."""
    table = CodedTable.of_texts(dict(zip(names, observed.T.tolist(), strict=True)))
    examined = Examined.of(table)
    for seed in seeds:
        start = time.process_time()
        chosen = ask(examined, rows, seed)
        labels = answers(table, chosen, observed, truth)
        found = learn(examined, labels).suspects(examined, labels)
        seconds = time.process_time() - start
        others = np.setdiff1d(np.arange(table.rows), chosen)
        yield Taught(of_rows(examined.suspects, others), of_rows(found, others), others, seconds)


def answers(table: CodedTable, rows: NDArray[np.int64], observed: Texts, truth: Texts) -> Labels:
    """Return the answers about all cells of some rows."""
    wrong = observed != truth
    cells = [(int(row), at) for row in rows for at in range(len(table.columns))]
    given = [
        Answer(row, table.names[at], bool(wrong[row, at]), truth[row, at] if wrong[row, at] else None)
        for row, at in cells
    ]
    return Labels.of(given, table)


def of_rows(found: Suspects, rows: NDArray[np.int64]) -> Suspects:
    """Return what is suspected of some rows."""
    parts = (found.probability, found.kind, found.suggestion, found.suggested)
    return Suspects(found.names, *(part[rows] for part in parts), found.threshold)


def mean(figures: list[object]) -> dict[str, float]:
    """Return the mean of each field of several figures."""
    return pd.DataFrame([vars(one) for one in figures]).mean().to_dict()

"""The evidence about one column's cells as a matrix of features that mean the same in every table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from anomalo.cleaning.coded import CodedColumn, CodedTable
from anomalo.cleaning.evidence import dependency, formats, ngrams, numbers
from anomalo.cleaning.evidence.dependency import Votes, votes
from anomalo.cleaning.evidence.disguises import disguises
from anomalo.cleaning.evidence.rarity import rarity
from anomalo.cleaning.evidence.regression import residuals
from anomalo.cleaning.evidence.spelling import Spelling, spelling

Floats = NDArray[np.float64]

GROUPS: dict[str, tuple[str, ...]] = {
    "dependency": tuple(f"dependency_{name}" for name in dependency.FEATURES),
    "format": tuple(f"format_{level.__name__}" for level in formats.LEVELS),
    "typo": ("ngram_largest", "ngram_mean", "spelling_similarity", "spelling_edits", "spelling_ratio"),
    "outlier": ("residual", "residual_explained", "number_extreme", "number_gap"),
    "missing": ("disguise", "disguise_share", "empty", "empty_share"),
    "rare": ("log_count", "surprisal"),
    "unit": ("no_number", "affix_surprisal"),
    "column": (
        "distinct_share",
        "log_distinct",
        "entropy",
        "numeric_share",
        "length",
        "words",
        "format_entropy",
        "shape_entropy",
    ),
}
"""Features by the kind of error that they speak for; those of `column` say what column a cell is in."""
NAMES = tuple(name for names in GROUPS.values() for name in names)


@dataclass(frozen=True)
class ColumnEvidence:
    """What speaks for and against each cell of a column.

    Attributes
    ----------
    column : CodedColumn
        Its cells.
    votes : Votes
        What the other columns say of them.
    residuals : float array [n, 2]
        How far its numbers are from those that the row lets expect; see `regression`.
    """

    column: CodedColumn
    votes: Votes
    residuals: Floats

    @cached_property
    def spelling(self) -> Spelling:
        """The nearest more frequent text of each distinct text."""
        return spelling(self.column.short, self.column.counts)

    @cached_property
    def disguised(self) -> Floats:
        """The grade of disguise of each distinct text; see `disguises`."""
        return disguises(self.column.short)

    @cached_property
    def formats(self) -> dict[str, int]:
        """How many rows have each format, at the level of `formats.runs`."""
        found: dict[str, int] = {}
        for value, count in zip(self.column.short, self.column.counts.tolist(), strict=True):
            found[formats.runs(value)] = found.get(formats.runs(value), 0) + count
        return found

    def features(self) -> NDArray[np.float32]:
        """Return the features of each row's cell, [n, features] in the order of `NAMES`."""
        by_value = np.concatenate([self._of_texts(), self._of_numbers(), self._of_column()], axis=1)[self.column.codes]
        texts, others = np.split(by_value, [len(GROUPS["format"]) + len(GROUPS["typo"])], axis=1)
        return np.concatenate([self.votes.features, texts, self.residuals, others], axis=1).astype(np.float32)

    def _of_texts(self) -> Floats:
        column, near = self.column, self.spelling
        return np.concatenate(
            [
                formats.surprisals(column.short, column.counts),
                ngrams.surprisals(column.short, column.counts),
                np.stack([near.similarity, np.minimum(near.edits, 50.0), near.ratio], axis=1),
            ],
            axis=1,
        )

    def _of_numbers(self) -> Floats:
        column, counts = self.column, self.column.counts
        found = column.numbers if column.numeric else np.full(len(counts), np.nan)
        empty, rows = column.empty, counts.sum()
        plain = np.where(self.disguised == 1.0, column.numeric, self.disguised > 0) > 0
        grade = np.where(plain, self.disguised, 0.0)
        shares = (counts * plain).sum() / rows, (counts * empty).sum() / rows
        return np.stack(
            [
                numbers.extremes(found, counts),
                numbers.gaps(found, counts),
                grade,
                np.where(plain, shares[0], 0.0),
                empty.astype(np.float64),
                np.full(len(counts), shares[1]),
            ],
            axis=1,
        )

    def _of_column(self) -> Floats:
        column, counts = self.column, self.column.counts
        rows, size = counts.sum(), len(counts)
        lengths = np.array([len(value) for value in column.short], dtype=np.float64)
        words = np.array([len(value.split()) for value in column.short], dtype=np.float64)
        log_count, surprisal, entropy = rarity(counts)
        affixes = [formats.affix(value) for value in column.short]
        misfit = np.where(np.isnan(column.numbers) & ~column.empty, column.numeric_share, 0.0)
        usual = [len(counts) / rows, np.log1p(size), entropy, column.numeric_share]
        means = [np.average(lengths, weights=counts), np.average(words, weights=counts)]
        forms = [
            formats.entropy([level(value) for value in column.short], counts) for level in (formats.runs, formats.shape)
        ]
        of_column = np.broadcast_to(np.array([*usual, *means, *forms]), (size, len(GROUPS["column"])))
        parts = [log_count, surprisal, misfit, column.numeric_share * formats.rareness(affixes, counts)]
        return np.concatenate([np.stack(parts, axis=1), of_column], axis=1)


def evidence(table: CodedTable) -> Iterator[ColumnEvidence]:
    """Yield the evidence about each column of a table; of none if there are no rows."""
    if not table.rows:
        return
    for column, vote, residual in zip(table.columns, votes(table), residuals(table), strict=True):
        yield ColumnEvidence(column, vote, residual)

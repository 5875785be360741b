"""The evidence about one column's cells as a matrix of features that mean the same in every table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from anomalo.cleaning.coded import CodedColumn, CodedTable
from anomalo.cleaning.evidence import conditional, dependency, formats, ngrams, numbers
from anomalo.cleaning.evidence.conditional import conditionals
from anomalo.cleaning.evidence.damage import damage
from anomalo.cleaning.evidence.dependency import Votes, votes
from anomalo.cleaning.evidence.disguises import disguises
from anomalo.cleaning.evidence.rarity import rarity
from anomalo.cleaning.evidence.regression import residuals
from anomalo.cleaning.evidence.spelling import Spelling, spelling

Floats = NDArray[np.float64]
Characters = Callable[[CodedColumn], Floats]
"""Returns the largest and the mean surprisal of a character, in nats, of each distinct text of a column, [k, 2]."""

GROUPS: dict[str, tuple[str, ...]] = {
    "dependency": (
        *(f"dependency_{name}" for name in dependency.FEATURES),
        *(f"conditional_{name}" for name in conditional.FEATURES),
    ),
    "format": tuple(f"format_{level.__name__}" for level in formats.LEVELS),
    "typo": (
        *("ngram_largest", "ngram_mean", "ngram_excess"),
        *("spelling_similarity", "spelling_edits", "spelling_ratio", "damage"),
    ),
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
        "format_rare",
        "spelling_usual",
        "contradicted",
    ),
}
"""Features by the kind of error that they speak for; those of `column` say what column a cell is in."""
RARE = 0.01
"""A format of at most this share of the rows is a rare one."""
_TRUSTED = dependency.FEATURES.index("trusted")
NAMES = tuple(name for names in GROUPS.values() for name in names)


def trigrams(column: CodedColumn) -> Floats:
    """Return the surprisals [k, 2] of the characters of a column's texts by its trigrams; see `ngrams`."""
    return ngrams.surprisals(column.short, column.counts)


@dataclass(frozen=True)
class ColumnEvidence:
    """What speaks for and against each cell of a column.

    Attributes
    ----------
    column : CodedColumn
        Its cells.
    votes : Votes
        What the other columns say of them, one by one.
    conditional : float array [n, 3]
        What the other columns say of them together; see `conditional`.
    residuals : float array [n, 2]
        How far its numbers are from those that the row lets expect; see `regression`.
    characters : Characters
        How improbable the characters of its texts are.
    """

    column: CodedColumn
    votes: Votes
    conditional: Floats
    residuals: Floats
    characters: Characters = trigrams

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
        """How many rows of the reference have each format, at the level of `formats.runs`."""
        found: dict[str, int] = {}
        for value, count in zip(self.column.short, self.column.counts.tolist(), strict=True):
            form = formats.runs(value)
            found[form] = found.get(form, 0) + count
        return found

    def features(self) -> NDArray[np.float32]:
        """Return the features of each row's cell, [n, features] in the order of `NAMES`."""
        by_value = np.concatenate([self._of_texts(), self._of_numbers(), self._of_column()], axis=1).astype(np.float32)
        texts, others = np.split(by_value, [len(GROUPS["format"]) + len(GROUPS["typo"])], axis=1)
        codes, residuals = self.column.codes, self.residuals.astype(np.float32)
        conditional = self.conditional.astype(np.float32)
        return np.concatenate([self.votes.features, conditional, texts[codes], residuals, others[codes]], axis=1)

    def _of_texts(self) -> Floats:
        column, near = self.column, self.spelling
        surprisals = self.characters(column)
        excess = numbers.standardised(surprisals[:, 0], column.counts)
        by_spelling = [near.similarity, np.minimum(near.edits, 50.0), near.ratio, damage(column.short)]
        return np.concatenate(
            [
                formats.surprisals(column.short, column.counts),
                np.column_stack([surprisals, excess]),
                np.stack(by_spelling, axis=1),
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
        rows, size, there = counts.sum(), column.distinct, counts > 0
        lengths = np.array([len(value) for value in column.short], dtype=np.float64)
        words = np.array([len(value.split()) for value in column.short], dtype=np.float64)
        log_count, surprisal, entropy = rarity(counts)
        affixes = [formats.affix(value) for value in column.short]
        misfit = np.where(np.isnan(column.numbers) & ~column.empty, column.numeric_share, 0.0)
        usual = [size / rows, np.log1p(size), entropy, column.numeric_share]
        means = [np.average(values[there], weights=counts[there]) for values in (lengths, words)]
        forms = [
            formats.entropy([level(value) for value in column.short], counts) for level in (formats.runs, formats.shape)
        ]
        rare = sum(times for times in self.formats.values() if times <= RARE * rows) / rows
        near = np.average(self.spelling.similarity[there], weights=counts[there])
        contradicted = float(np.mean(self.votes.features[: column.reference, _TRUSTED] > 0))
        of_column = np.broadcast_to(
            np.array([*usual, *means, *forms, rare, near, contradicted]), (len(counts), len(GROUPS["column"]))
        )
        parts = [log_count, surprisal, misfit, column.numeric_share * formats.rareness(affixes, counts)]
        return np.concatenate([np.stack(parts, axis=1), of_column], axis=1)


def evidence(table: CodedTable, characters: Characters = trigrams) -> Iterator[ColumnEvidence]:
    """Yield the evidence about each column of a table; of none if the reference has no rows.

    The surprisals of characters are those of the column's trigrams, or others.
    """
    if not table.rows or table.reference == 0:
        return
    parts = zip(table.columns, votes(table), conditionals(table), residuals(table), strict=True)
    yield from (ColumnEvidence(*of_column, characters) for of_column in parts)

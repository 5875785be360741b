"""Repairs of columns that no model reads: suspected texts of anomalous rows replaced by the cleaner's suggestions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from anomalo.cleaning.coded import CodedTable
from anomalo.encoding.encoded import Encoded, Floats, Mask
from anomalo.pipeline.repair import Start
from anomalo.pipeline.text_evidence import TextEvidence
from anomalo.tabular.writing.replacing import Replacements, replaced, writable


@dataclass(frozen=True)
class TextRepairs:
    """What suspected texts of some rows are replaced by.

    Attributes
    ----------
    columns : tuple of str
        The columns of texts.
    cells : bool [n, columns]
        Which cells are replaced.
    after : object [n, columns]
        What these cells are to hold, a text, or None for a missing cell; None elsewhere too.
    """

    columns: tuple[str, ...]
    cells: Mask
    after: NDArray[np.object_]

    @classmethod
    def none(cls, columns: tuple[str, ...], rows: int) -> TextRepairs:
        """Return that no cell is replaced."""
        shape = rows, len(columns)
        return cls(columns, np.zeros(shape, dtype=np.bool_), np.full(shape, None, dtype=object))

    def only(self, cells: Mask) -> TextRepairs:
        """Return the replacements under a mask, bool [n, columns] or [n, 1]."""
        kept, after = self.cells & cells, self.after.copy()
        after[~kept] = None
        return TextRepairs(self.columns, kept, after)

    def written(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the rows [n] with the cells replaced."""
        changes = {}
        for at, name in enumerate(self.columns):
            rows = np.flatnonzero(self.cells[:, at])
            if len(rows):
                changes[name] = Replacements(rows, self.after[rows, at].tolist())
        return replaced(batch, 0, changes)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the replacements as arrays that a shard holds."""
        texts = [["" if text is None else text for text in column] for column in self.after.T]
        coded = CodedTable.of_texts(dict(zip(self.columns, texts, strict=True)))
        return {"text_cells": self.cells, "text_after": coded.to_bytes()}

    @classmethod
    def restored(cls, columns: tuple[str, ...], arrays: Mapping[str, NDArray[Any]]) -> TextRepairs:
        """Rebuild the replacements from `arrays` and the columns of texts."""
        cells = arrays["text_cells"].astype(np.bool_)
        after = np.full(cells.shape, None, dtype=object)
        for at, column in enumerate(CodedTable.of_bytes(arrays["text_after"]).columns):
            values = np.array([text or None for text in column.values], dtype=object)
            after[:, at] = values[column.codes]
        return cls(columns, cells, after)


def repair_texts(
    evidence: TextEvidence | None, batch: pa.RecordBatch, data: Encoded, most: int
) -> tuple[TextRepairs, Start]:
    """Replace the suspected texts of rows for which the cleaner has a suggestion that is itself not suspected.

    A suggestion that cannot be written in the type of its column is none. Each row's replacements are its own.

    Parameters
    ----------
    evidence : TextEvidence or None
        Of the model; None if its table has no columns of texts.
    batch : RecordBatch [n]
        The raw rows.
    data : Encoded [n]
        The same rows, encoded.
    most : int
        So many texts of a row are replaced at most, those that add the most to its score.

    Returns
    -------
    repairs : TextRepairs [n]
        What is replaced.
    start : Start [n]
        The rows then, from which other cells to replace are searched.
    """
    columns = () if evidence is None else evidence.columns
    found = TextRepairs.none(columns, len(data))
    if evidence is None or data.texts is None or not data.texts.any():
        return found, Start(found.cells.sum(axis=1), data.texts)
    rows = np.flatnonzero(data.texts.any(axis=1))
    part, surprisal = batch.take(pa.array(rows)), data.texts[rows]
    suggested = _suggested(evidence, part, surprisal, most)
    after = evidence.of(suggested.written(part))
    kept = suggested.only(after == 0)
    again = np.flatnonzero((kept.cells != suggested.cells).any(axis=1))
    if len(again):
        after[again] = evidence.of(kept.written(part).take(pa.array(again)))
    texts = data.texts.copy()
    texts[rows] = np.where(kept.cells.any(axis=1, keepdims=True), after, surprisal)
    found.cells[rows], found.after[rows] = kept.cells, kept.after
    return found, Start(found.cells.sum(axis=1), texts)


def _suggested(evidence: TextEvidence, batch: pa.RecordBatch, surprisal: Floats, most: int) -> TextRepairs:
    """Return the suggestions for the suspected texts of rows; of each row's, those of the largest surprisal."""
    after = np.full(surprisal.shape, None, dtype=object)
    cells = np.zeros(surprisal.shape, dtype=np.bool_)
    for at, texts in enumerate(evidence.suggestions(batch)):
        rows = np.flatnonzero((surprisal[:, at] > 0) & np.array([text is not None for text in texts], dtype=np.bool_))
        if len(rows):
            proposed = [texts[row] or None for row in rows]
            kind = batch.schema.field(evidence.columns[at]).type
            after[rows, at], cells[rows, at] = proposed, writable(proposed, kind)
    order = np.argsort(np.where(cells, -surprisal, np.inf), axis=1, kind="stable")
    first = np.argsort(order, axis=1, kind="stable") < most
    return TextRepairs(evidence.columns, cells, after).only(first)

"""Evidence from columns that no model reads, identifiers and free text: which of their cells are probably wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from anomalo.cleaning.coded import CodedColumn, CodedTable
from anomalo.cleaning.suspects import suspects
from anomalo.encoding.encoded import Floats
from anomalo.tabular.cells import is_plain
from anomalo.tabular.columns import ParsedTable
from anomalo.tabular.schema import Schema

SUSPECTED = 0.5
"""A cell that is less probably wrong is no evidence."""
SUREST = 1 - 1e-4
FEWEST = 20
"""Fewer rows say nothing of what is common."""


@dataclass(frozen=True)
class TextEvidence:
    """The training rows as texts, with which the texts of others are compared.

    Attributes
    ----------
    reference : CodedTable
        The columns that a model reads, and those of texts.
    columns : tuple of str
        The columns of texts.
    """

    reference: CodedTable
    columns: tuple[str, ...]

    @classmethod
    def fit(cls, table: ParsedTable, schema: Schema) -> tuple[TextEvidence | None, Floats | None]:
        """Return the evidence of a table, and the surprisal of its own texts; None where it has no columns of texts."""
        texts = tuple(name for name in schema.texts if is_plain(table.table.schema.field(name).type))
        if not texts or table.rows < FEWEST:
            return None, None
        read = [column.name for column in schema.features if column.role == "feature"]
        coded = CodedTable(table.rows, [CodedColumn.of_cells(name, table.cells(name)) for name in (*read, *texts)])
        order = coded.by_content()
        ordered = coded.taken(order)
        found = np.empty((table.rows, len(texts)), dtype=np.float32)
        found[order] = _surprisal(ordered, texts)
        return cls(ordered.sampled(), texts), found

    def of(self, batch: pa.RecordBatch | pa.Table | ParsedTable) -> Floats:
        """Return the surprisal of the texts of a batch, float32 [n, columns]; each row's is its own."""
        joined = self._joined(batch)
        return _surprisal(joined, self.columns)[self.reference.rows :]

    def suggestions(self, batch: pa.RecordBatch) -> list[list[str | None]]:
        """Return what each suspected text of a batch should have been, [columns][n]; None where nothing is known."""
        joined = self._joined(batch)
        found, first = suspects(joined, only=self.columns), self.reference.rows
        at = [joined.names.index(name) for name in self.columns]
        suggestion = found.suggestion.copy()
        suggestion[found.suggested <= SUSPECTED * found.probability] = None
        return [suggestion[first:, column].tolist() for column in at]

    def _joined(self, batch: pa.RecordBatch | pa.Table | ParsedTable) -> CodedTable:
        """Return the reference with the batch behind it; a column that the batch lacks is empty there."""
        parsed = ParsedTable.of(batch)
        there = set(parsed.names)
        new = [
            CodedColumn.of_cells(name, parsed.cells(name))
            if name in there
            else CodedColumn.of(name, [""] * parsed.rows)
            for name in self.reference.names
        ]
        return CodedTable.joined(self.reference, CodedTable(parsed.rows, new))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the reference as arrays that an artefact holds."""
        return {"reference": self.reference.to_bytes()}

    @classmethod
    def restored(cls, arrays: Mapping[str, NDArray[Any]], columns: list[str]) -> TextEvidence:
        """Rebuild the evidence from `arrays` and the columns of texts."""
        return cls(CodedTable.of_bytes(arrays["reference"]), tuple(columns))


def _surprisal(table: CodedTable, columns: tuple[str, ...]) -> Floats:
    """Return how much likelier suspected cells of some columns are if they are wrong, in nats, float32 [n, columns].

    That is the log-odds of being wrong beyond those of the column's mean probability; 0 for cells that are not
    suspected, and for missing ones.
    """
    found = suspects(table, only=columns)
    at = [table.names.index(name) for name in columns]
    probability = np.clip(found.probability[:, at], 1 - SUREST, SUREST)
    rows = table.rows if table.reference is None else table.reference
    usual = np.clip(probability[:rows].mean(axis=0), 1 / (rows + 1), SUSPECTED)
    there = np.stack([~table.columns[column].empty[table.columns[column].codes] for column in at], axis=1)
    return np.where(there & (probability > SUSPECTED), _logit(probability) - _logit(usual), 0.0).astype(np.float32)


def _logit(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.log(probability) - np.log1p(-probability)

"""A table that does not fit into memory: its rows on disk, a random sample of them, and what is learned from both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from anomalo.encoding.encoded import Encoded
from anomalo.encoding.encoder import Encoder
from anomalo.encoding.target import Target
from anomalo.models.guarded import GuardedModel
from anomalo.pipeline.out_of_core.counterexamples import Counterexamples
from anomalo.pipeline.out_of_core.encoded_rows import EncodedRows
from anomalo.pipeline.out_of_core.spool import Spool
from anomalo.tabular.columns import ParsedTable
from anomalo.tabular.schema import Schema


@dataclass(frozen=True)
class LargeTable:
    """The rows of a table on disk, and a sample of them in memory.

    Attributes
    ----------
    spool : Spool
        All rows.
    sample : Table [n]
        Uniformly drawn rows, in the table's order.
    numbers : int64 [n]
        Their positions in the table.
    held : bool [n]
        Those that no model learns from.
    """

    spool: Spool
    sample: pa.Table
    numbers: NDArray[np.int64]
    held: NDArray[np.bool_]

    @property
    def rows(self) -> int:
        """How many rows the table has."""
        return self.spool.rows

    def with_counterexamples(self, schema: Schema) -> pa.Table:
        """Return the sample, and behind it the rows that show what it misses."""
        counterexamples = Counterexamples(schema, schema.parse(self.sample, label=True))
        for first, batch in self._numbered():
            counterexamples.see(batch, schema.parse(batch, first, label=True))
        further = counterexamples.table()
        return self.sample if further is None else pa.concat_tables([self.sample, further])

    def training_rows(
        self,
        encoder: Encoder,
        schema: Schema,
        model: GuardedModel,
        goals: frozenset[str],
        target: Target | None,
        order: NDArray[np.intp],
    ) -> TrainingRows:
        """Return what a model is fitted on for these goals, and calibrated by.

        Parameters
        ----------
        target : Target, optional
            The sample's classes.
        order : intp [n]
            Of the sample's rows, those without a class left out, in a fit.
        """
        held = self.held if target is None else self.held[target.known]
        every = self._encoded(encoder, schema, model, goals) if model.model.out_of_core and target is None else None
        return TrainingRows(self.rows, held[order], every)

    def _encoded(self, encoder: Encoder, schema: Schema, model: GuardedModel, goals: frozenset[str]) -> EncodedRows:
        """Write all rows but those held, as a fit of the model for these goals sees them."""
        held = self.numbers[self.held]
        found: EncodedRows | None = None
        for first, batch in self._numbered():
            learned = ~np.isin(np.arange(first, first + batch.num_rows), held)
            data = encoder.encode(schema.parse(batch, first, label=True), label=True).take(np.flatnonzero(learned))
            seen = model.seen_in_fit(data, goals)
            if found is None:
                found = EncodedRows(self.spool.path.with_name("encoded"), seen.layout, self.rows)
            found.add(seen)
        assert found is not None, "a table that does not fit into memory has rows"
        return found

    def _numbered(self) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Yield the batches with the numbers of their first rows."""
        first = 0
        for batch in self.spool.batches():
            yield first, batch
            first += batch.num_rows


@dataclass(frozen=True)
class TrainingRows:
    """What a model is fitted on where the table does not fit into memory, and which rows of the sample calibrate it.

    Attributes
    ----------
    count : int
        The rows of the table.
    held : bool [n]
        The rows of the sample that no model learns from.
    every : EncodedRows or None
        All other rows of the table, for a model that reads them in parts; None for one that learns from the sample.
    """

    count: int
    held: NDArray[np.bool_]
    every: EncodedRows | None


def encoded(
    table: ParsedTable, schema: Schema, kind: type[Encoder], fitted: Encoder | None, large: LargeTable | None
) -> tuple[Encoder, Encoded]:
    """Return the encoder of a training table, which is `fitted` or learns from it, and the table's encoded rows.

    Of a large table they are those of the sample, and the encoder learns from the rows that show what it misses too.
    """
    shown = table if large is None or fitted is not None else ParsedTable(large.with_counterexamples(schema))
    columns = schema.parse(shown, label=True)
    encoder = kind().fit(columns, schema) if fitted is None else fitted
    data = encoder.encode(columns, label=True)
    return encoder, data if len(data) == table.rows else data.take(slice(0, table.rows))

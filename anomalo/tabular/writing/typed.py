"""Write a table by its types, as Parquet or Arrow."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from anomalo.tabular.column import METADATA, read_notes
from anomalo.tabular.formatting import arrow_type

REPEATING = 0.25
"""A column of which so large a share of cells is distinct is written without a dictionary."""


class Typed:
    """What is common to typed formats: strings get the type that they had before they were read as dictionaries."""

    def __init__(self, schema: pa.Schema) -> None:
        strings = read_notes(schema).get("strings", {})
        metadata = {key: value for key, value in (schema.metadata or {}).items() if key != METADATA}
        fields = [
            field.with_type(arrow_type(strings[field.name])) if field.name in strings else field for field in schema
        ]
        self.schema = pa.schema(fields, metadata)

    def cast(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return a batch with the types that are written."""
        types = zip(batch.schema, self.schema, strict=True)
        if any(old.type != new.type for old, new in types):
            batch = batch.cast(self.schema)
        return batch.replace_schema_metadata(self.schema.metadata)


class ParquetFormat(Typed):
    """Writes batches to a Parquet file."""

    def __init__(self, path: Path, schema: pa.Schema, stack: ExitStack) -> None:
        super().__init__(schema)
        self._path = path
        self._writer: pq.ParquetWriter | None = None
        stack.callback(self._close)

    def write(self, batch: pa.RecordBatch) -> None:
        """Append a batch."""
        batch = self.cast(batch)
        (self._writer or self._open(_plain_columns(batch))).write_batch(batch)

    def _open(self, plain: set[str]) -> pq.ParquetWriter:
        dictionaries = _leaves(self.schema, plain) if plain else True
        self._writer = pq.ParquetWriter(self._path, self.schema, use_dictionary=dictionaries)
        return self._writer

    def _close(self) -> None:
        (self._writer or self._open(set())).close()


def _plain_columns(batch: pa.RecordBatch) -> set[str]:
    """Return the columns of numbers that hardly repeat: a dictionary of them takes time and makes the file larger."""
    numbers = [field for field in batch.schema if pa.types.is_floating(field.type) or pa.types.is_integer(field.type)]
    names = [field.name for field in numbers if batch.schema.names.count(field.name) == 1]
    return {name for name in names if pc.count_distinct(batch.column(name)).as_py() > REPEATING * batch.num_rows}


def _leaves(schema: pa.Schema, but: set[str]) -> list[str]:
    """Return the paths of the stored columns of all columns but some."""
    with pa.BufferOutputStream() as empty:
        pq.ParquetWriter(empty, schema).close()
        stored = pq.ParquetFile(empty.getvalue()).schema
    paths = [stored.column(at).path for at in range(len(stored))]
    return [path for path in paths if path not in but]


class ArrowFormat(Typed):
    """Writes batches to an Arrow file, which is Feather of the second version."""

    def __init__(self, path: Path, schema: pa.Schema, stack: ExitStack) -> None:
        super().__init__(schema)
        fields = [_plain(field) for field in self.schema]
        self.schema = pa.schema(fields, self.schema.metadata)
        self._writer = stack.enter_context(pa.ipc.new_file(str(path), self.schema))

    def write(self, batch: pa.RecordBatch) -> None:
        """Append a batch."""
        self._writer.write_batch(self.cast(batch))


def _plain(field: pa.Field) -> pa.Field:
    # The dictionary of a file in this format cannot change from batch to batch.
    return field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field

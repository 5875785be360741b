"""Write a table by its types, as Parquet or Arrow."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from anomalo.tabular.column import METADATA, read_notes
from anomalo.tabular.formatting import arrow_type


class _Typed:
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


class ParquetFormat(_Typed):
    """Writes batches to a Parquet file."""

    def __init__(self, path: Path, schema: pa.Schema, stack: ExitStack) -> None:
        super().__init__(schema)
        self._writer = stack.enter_context(pq.ParquetWriter(path, self.schema))

    def write(self, batch: pa.RecordBatch) -> None:
        """Append a batch."""
        self._writer.write_batch(self.cast(batch))


class ArrowFormat(_Typed):
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

"""What typed tables have in common: their names, structs in flat columns, and texts that are stored as bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from anomalo.errors import SourceError
from anomalo.tabular.column import write_notes
from anomalo.tabular.reading.batches import slices
from anomalo.tabular.reading.names import renamed, unique


def is_binary(kind: pa.DataType) -> bool:
    """Whether an Arrow type holds bytes."""
    types = pa.types
    return bool(types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind))


def texts_in_bytes(schema: pa.Schema, batches: Callable[[list[str]], Iterator[pa.RecordBatch]]) -> list[str]:
    """Return the binary columns all of whose cells are UTF-8.

    Parameters
    ----------
    schema : Schema
        Of the file.
    batches : callable
        Reads only the columns of these names.
    """
    names = [field.name for field in schema if is_binary(field.type)]
    found = dict.fromkeys(name for name in names if names.count(name) == 1)
    if not found:
        return []
    for batch in batches(list(found)):
        for name in [name for name in found if not _is_utf8(batch.column(name))]:
            del found[name]
    return list(found)


def flat_batches(
    source: str, batches: Iterator[pa.RecordBatch], texts: Sequence[str], notes: dict[str, Any]
) -> Iterator[pa.RecordBatch]:
    """Yield batches with flat columns of different names, and notes on how they were read.

    Parameters
    ----------
    source : str
        What messages call the file.
    batches : iterator of RecordBatch
        As the file has them.
    texts : sequence of str
        Binary columns that hold texts.
    notes : dict
        The reader's notes.

    Raises
    ------
    SourceError
        There are no columns.
    """
    metadata, names = None, None
    for batch in filter(len, batches):
        flat = _flat(_decoded(batch, texts))
        if names is None:
            if not flat.schema.names:
                raise SourceError(f"{source} has no columns; give a table with at least one")
            names = unique(flat.schema.names)
            warnings = renamed(source, names, flat.schema.names)
            noted = {"text": False, **notes} | ({"warnings": warnings} if warnings else {})
            metadata = write_notes(batch.schema, noted).metadata
        yield from slices(flat.rename_columns(names).replace_schema_metadata(metadata))


def _is_utf8(cells: pa.Array) -> bool:
    try:
        _as_text(cells)
    except pa.ArrowInvalid:
        return False
    return True


def _as_text(cells: pa.Array) -> pa.Array:
    if pa.types.is_fixed_size_binary(cells.type):
        cells = cells.cast(pa.binary())
    return cells.cast(pa.large_string() if pa.types.is_large_binary(cells.type) else pa.string())


def _decoded(batch: pa.RecordBatch, texts: Sequence[str]) -> pa.RecordBatch:
    for name in texts:
        at = batch.schema.get_field_index(name)
        cells = _as_text(batch.column(at))
        batch = batch.set_column(at, pa.field(name, cells.type), cells)
    return batch


def _flat(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return a batch whose structs are columns of their own, one level deep: "address.city"."""
    if not any(pa.types.is_struct(field.type) for field in batch.schema):
        return batch
    (flat,) = pa.Table.from_batches([batch]).flatten().combine_chunks().to_batches()
    return flat

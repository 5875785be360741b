"""What the files of one table must have in common: their columns, and types that one type holds."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import Any

import pyarrow as pa

from anomalo.errors import SourceError
from anomalo.tabular.column import read_notes, write_notes
from anomalo.tabular.reading.batches import is_text


def require_same_columns(first: str, expected: pa.Schema, name: str, found: pa.Schema) -> None:
    """Check that a file has the columns of the first one, in any order.

    Raises
    ------
    SourceError
        It has not; the file and a column that differs are named. Or one of the two is a text file, the other is not.
    """
    if is_text(expected) != is_text(found):
        text, typed = (first, name) if is_text(expected) else (name, first)
        raise SourceError(f"{text} is a text file, and {typed} is not: the files of one table are all of one sort")
    for column in expected.names:
        if column not in found.names:
            raise SourceError(f"{name} has no column {column!r}, which {first} has; the files of a table agree")
    for column in found.names:
        if column not in expected.names:
            raise SourceError(f"{name} has a column {column!r}, which {first} has not; the files of a table agree")


def common_schema(schemas: Iterable[tuple[str, pa.Schema]]) -> pa.Schema:
    """Return the schema that all files of a table can be read in, with the notes of their readers.

    Parameters
    ----------
    schemas : iterable of (str, Schema)
        What messages call each file, and its schema; at least one.

    Raises
    ------
    SourceError
        The columns or their types do not agree; the file and the column are named.
    """
    (first, schema), *others = schemas

    def joined(known: pa.Schema, other: tuple[str, pa.Schema]) -> pa.Schema:
        name, found = other
        require_same_columns(first, known, name, found)
        fields = [_common(first, field, name, found.field(field.name)) for field in known]
        return write_notes(pa.schema(fields, known.metadata), _joined_notes(known, found))

    schema = reduce(joined, others, schema)
    notes = read_notes(schema)
    # A string that is read as such in one of the files is not one that was read as a dictionary.
    words = {
        name: kind for name, kind in notes.get("strings", {}).items() if pa.types.is_dictionary(schema.field(name).type)
    }
    return write_notes(schema, {**notes, "strings": words} if "strings" in notes else notes)


def _joined_notes(known: pa.Schema, found: pa.Schema) -> dict[str, Any]:
    notes, other = read_notes(known), read_notes(found)
    lists: dict[str, Any] = {
        key: list(dict.fromkeys([*notes.get(key, []), *other.get(key, [])]))
        for key in ("warnings", "text_columns")
        if key in notes or key in other
    }
    return {**notes, **lists}


def _common(first: str, field: pa.Field, name: str, other: pa.Field) -> pa.Field:
    if field.type == other.type:
        return field
    plain = [pa.schema([("x", _values(one.type))]) for one in (field, other)]
    try:
        return field.with_type(pa.unify_schemas(plain, promote_options="permissive").field("x").type)
    except pa.ArrowException:
        raise SourceError(
            f"column {field.name!r} is {_values(field.type)} in {first} and {_values(other.type)} in {name}; "
            "the files of a table agree in their types"
        ) from None


def _values(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def in_schema(name: str, batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return a batch of one file with the columns, their order and types of the whole table.

    Raises
    ------
    SourceError
        A value does not fit its column's type; the file and the column are named.
    """
    columns = []
    for field in schema:
        cells = batch.column(field.name)
        if cells.type != field.type:
            plain = cells.dictionary_decode() if pa.types.is_dictionary(cells.type) else cells
            try:
                cells = plain.cast(field.type)
            except pa.ArrowException as error:
                reason = str(error).splitlines()[0]
                raise SourceError(f"{name}, column {field.name!r}: not {field.type} as in others: {reason}") from error
        columns.append(cells)
    return pa.RecordBatch.from_arrays(columns, schema=schema)

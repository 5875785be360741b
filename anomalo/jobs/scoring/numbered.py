"""Raw rows with their numbers in front, under a name that no column has."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from anomalo.jobs.part import Part


def free_name(name: str, taken: Iterable[str]) -> str:
    """Return a column's name, with underscores at its end where it is taken.

    Examples
    --------
    >>> free_name("score", ["row", "score"])
    'score_'
    """
    names = set(taken)
    while name in names:
        name += "_"
    return name


def numbered_schema(schema: pa.Schema) -> pa.Schema:
    """Put a column for the rows' numbers before the others."""
    fields = [field.with_name(free_name(field.name, ["row"])) for field in schema]
    return pa.schema([pa.field("row", pa.int64()), *fields], schema.metadata)


def numbered(part: Part) -> pa.RecordBatch:
    """Return a part's raw rows with their numbers."""
    columns = [pa.array(part.rows), *part.batch.columns]
    return pa.RecordBatch.from_arrays(columns, schema=numbered_schema(part.batch.schema))

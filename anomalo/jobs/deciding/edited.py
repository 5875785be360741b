"""Values that people give for cells, checked against what their columns hold."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from anomalo.errors import ArtefactError, SourceError, UnknownModelError, UsageError
from anomalo.jobs.context import JobContext
from anomalo.jobs.describing.preview import preview
from anomalo.tabular.cells import Cells
from anomalo.tabular.column import MEASURED, TEXT, Column
from anomalo.tabular.formatting import arrow_type
from anomalo.tabular.parsing import a_kind, is_missing, levels, measured
from anomalo.tabular.read_options import ReadOptions
from anomalo.tabular.schema import Schema, SchemaOptions
from anomalo.tabular.understanding.reading import Reading
from anomalo.tabular.writing.replacing import writable
from anomalo.workspace.records import RunRecord


def schema_of(context: JobContext, run: RunRecord) -> Schema | None:
    """Return how the columns of a run's table are understood: as its model does, else by its first rows.

    None where the model is gone and the table cannot be read.
    """
    try:
        if run.model is not None and run.verb != "clean":
            return Schema.from_json(context.store.manifest(context.store.model(run.model))["schema"])
        reading = ReadOptions.from_json(run.summary.get("reading"))
        return preview(JobContext(context.registry, context.store, reading=reading), run.source, SchemaOptions()).schema
    except (UnknownModelError, ArtefactError, SourceError):
        return None


def edited(schema: Schema | None, name: str, text: str, like: str | None = None) -> str | None:
    """Return what is written into a cell of a column for a text that a person gave; None for a missing cell.

    Parameters
    ----------
    schema : Schema or None
        How the columns are understood; None: any text is taken.
    name : str
        The column.
    text : str
        As it was typed.
    like : str, optional
        A value of the column, for the message.

    Raises
    ------
    UsageError
        The column does not hold such values; the message says which.
    """
    text = text.strip()
    column = None if schema is None else next((one for one in schema.columns if one.name == name), None)
    if schema is None or column is None or is_missing_text(column, text, schema.reading):
        return text or None
    written = _number(column, text, schema.reading) if column.kind in MEASURED else _level(column, text, schema.reading)
    typed = column.storage != TEXT
    if written is None or (typed and not writable([written], arrow_type(column.storage))[0]):
        example = "" if like is None else f", such as {like!r}"
        raise UsageError(f"column {name!r} takes {_what(column)}{example}; got {text!r}")
    return written


def is_missing_text(column: Column, text: str, reading: Reading) -> bool:
    """Whether a trimmed text stands for a missing cell of a column."""
    usual = column.storage == TEXT or not column.typed_text
    found = is_missing(pa.array([text]), column.kind, reading.of(column.name), usual)
    return not text or bool(found[0].as_py())


def _number(column: Column, text: str, reading: Reading) -> str | None:
    """Return a number as it is written in the column, with its unit; None if it is none."""
    before, after = column.unit
    candidates = [text] if column.numbers.bare or not (before or after) else [f"{before}{text}{after}", text]
    for candidate in candidates:
        try:
            (value,) = measured(column, Cells(pa.array([candidate]), text=True), reading)[0].tolist()
        except SourceError:  # infinite
            return None
        if not np.isnan(value) and (column.kind != "integer" or float(value).is_integer()):
            return candidate
    return None


def _level(column: Column, text: str, reading: Reading) -> str | None:
    """Return a text as the column spells it: a boolean by its two spellings, others as they are."""
    if column.kind != "boolean":
        return text
    found = levels(column, Cells(pa.array([text]), text=True), reading).distinct[0].as_py()
    return str(found) if found in column.tokens else None


def _what(column: Column) -> str:
    if column.kind == "boolean":
        return f"{column.tokens[0]} or {column.tokens[1]}"
    return {"number": "numbers", "integer": "whole numbers", "datetime": "dates or times"}.get(
        column.kind, f"{a_kind(column.kind)} as {column.storage}"
    )

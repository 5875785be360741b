"""Read JSON lines, or a JSON list: one object for each row."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from anomalo.errors import SourceError
from anomalo.tabular.column import write_notes
from anomalo.tabular.read_options import ReadOptions
from anomalo.tabular.reading.names import renamed, unique
from anomalo.tabular.reading.source import LocalFile
from anomalo.tabular.reading.values import Kinds, to_array
from anomalo.tabular.text.encodings import recognise
from anomalo.tabular.text.lines import decoded, lines

_BATCH = 8_192
_MOST = 1 << 28  # characters of a list, which is read in one piece
_DATE = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$"

Record = dict[str, Any]


def read_json(file: LocalFile, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """Yield the batches of a file with a JSON object on each line, or with one list of objects.

    The file is read twice: for the columns, then for the rows. An object inside an object gives columns of its own, one
    level deep; lists and deeper objects stay JSON text.

    Raises
    ------
    SourceError
        It is not JSON, holds something else than objects, or a list is too long; the line is named.
    """
    encoding = options.encoding or recognise(file)
    kinds: dict[str, Kinds] = {}
    dated: dict[str, bool] = {}
    rows = 0
    for records in _batches(file, encoding):
        rows += len(records)
        for name in dict.fromkeys(name for record in records for name in record):
            values = [record.get(name) for record in records]
            kinds.setdefault(name, Kinds()).see(values)
            texts = [value for value in values if isinstance(value, str)]
            dated[name] = dated.get(name, True) and all(re.match(_DATE, text) for text in texts)
    if rows == 0 or not kinds:
        raise SourceError(f"{file} has no rows; expected a JSON object on each line")
    names = unique(list(kinds))
    texts = [
        new
        for new, (name, kind) in zip(names, kinds.items(), strict=True)
        if kind.type == pa.string() and (kind.mixed or dated[name])
    ]
    notes = {"text": False, "text_columns": texts, "warnings": _warnings(file, names, kinds)}
    schema = pa.schema([(new, kind.type) for new, kind in zip(names, kinds.values(), strict=True)])
    schema = write_notes(schema, {key: value for key, value in notes.items() if value or key == "text"})
    for records in _batches(file, encoding):
        arrays = [to_array([record.get(name) for record in records], kind.type) for name, kind in kinds.items()]
        filled = [
            pc.fill_null(cells, "") if name in texts else cells for name, cells in zip(names, arrays, strict=True)
        ]
        yield pa.RecordBatch.from_arrays(filled, schema=schema)


def _warnings(file: LocalFile, names: list[str], kinds: dict[str, Kinds]) -> list[str]:
    found = renamed(str(file), names, list(kinds))
    nested = [name for name, kind in kinds.items() if "nested" in kind.found]
    if nested:
        listed = ", ".join(map(repr, nested[:5])) + (f" and {len(nested) - 5} more" if len(nested) > 5 else "")
        found.append(f"{file}: lists and nested objects are kept as JSON text, in {listed}")
    return found


def _batches(file: LocalFile, encoding: str) -> Iterator[list[Record]]:
    records = _records(file, encoding)
    while batch := list(itertools.islice(records, _BATCH)):
        yield batch


def _records(file: LocalFile, encoding: str) -> Iterator[Record]:
    with decoded(file, encoding) as text:
        found, first = lines(file, text), True
        for number, line in enumerate(found, 1):
            if not line.strip():
                continue
            if first and line.lstrip().startswith("[") and not line.rstrip().endswith("}"):
                yield from _list(file, itertools.chain([line], found))
                return
            first = False
            yield _flat(file, number, _parsed(file, number, line))


def _list(file: LocalFile, found: Iterator[str]) -> Iterator[Record]:
    """Yield the objects of one list."""
    parts, size = [], 0
    for part in found:
        parts.append(part)
        size += len(part)
        if size > _MOST:
            raise SourceError(
                f"{file}: a JSON list of more than {_MOST:,} characters; write JSON lines, an object each"
            )
    value = _parsed(file, 1, "".join(parts))
    for at, item in enumerate(value if isinstance(value, list) else [value], 1):
        yield _flat(file, at, item, "item")


def _parsed(file: LocalFile, number: int, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        line = number + getattr(error, "lineno", 1) - 1
        reason = getattr(error, "msg", str(error))
        raise SourceError(
            f"{file}, line {line}: not JSON: {reason}; expected an object on each line, or one list of objects"
        ) from error


def _flat(file: LocalFile, number: int, value: Any, what: str = "line") -> Record:
    if not isinstance(value, dict):
        raise SourceError(f"{file}, {what} {number}: {type(value).__name__}; expected an object with the row's cells")
    flat: Record = {}
    for name, cell in value.items():
        if isinstance(cell, dict) and cell:
            flat |= {f"{name}.{inner}": inside for inner, inside in cell.items()}
        else:
            flat[name] = cell
    return flat

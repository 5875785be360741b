"""Write a table as text: cells as they were read, quoted where they need it."""

from __future__ import annotations

import csv
import io
import json
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.compute as pc

from anomalo.tabular.column import read_notes
from anomalo.tabular.safe_csv import safe, safe_name


class TextFormat:
    """Writes batches as lines; columns that were named by position get the names of their file back."""

    def __init__(self, file: BinaryIO, schema: pa.Schema, separator: str, safe_csv: bool) -> None:
        self._file, self._separator, self._safe = file, separator, safe_csv
        self._special = f'["\r\n{separator}]'
        header, originals = io.StringIO(), read_notes(schema).get("names", {})
        names = [self._name(originals.get(name, name)) for name in schema.names]
        csv.writer(header, delimiter=separator, lineterminator="\n").writerow(names)
        file.write(header.getvalue().encode())

    def write(self, batch: pa.RecordBatch) -> None:
        """Quote the cells that need it, join them to lines, and write the lines' bytes without copying them."""
        cells = [self._quoted(self._text(column)) for column in batch.columns]
        if len(cells) == 1:
            # Without quotes an empty cell would be an empty line, which readers skip.
            cells = [pc.if_else(pc.equal(cells[0], ""), '""', cells[0])]
        for lines in _lines(cells, self._separator):
            self._file.write(lines)

    def _name(self, name: str) -> str:
        return safe_name(name) if self._safe else name

    def _text(self, cells: pa.Array) -> pa.StringArray:
        texts = as_text(cells)
        return safe(texts) if self._safe and not pa.types.is_primitive(cells.type) else texts

    def _quoted(self, cells: pa.StringArray) -> pa.StringArray:
        special = pc.match_substring_regex(cells, self._special)
        if not pc.any(special).as_py():
            return cells
        quoted = pc.binary_join_element_wise('"', pc.replace_substring(cells, '"', '""'), '"', "")
        return pc.if_else(special, quoted, cells)


def as_text(cells: pa.Array) -> pa.StringArray:
    """Return cells as a CSV file has them: null is empty, lists and structs are JSON."""
    if pa.types.is_nested(cells.type):
        texts = [
            None if value is None else json.dumps(value, ensure_ascii=False, default=str) for value in _listed(cells)
        ]
        return pa.array(texts, pa.string()).fill_null("")
    if pa.types.is_floating(cells.type):
        cells = pc.if_else(pc.is_nan(cells), None, cells)
    return cells.cast(pa.string()).fill_null("")


def _listed(cells: pa.Array) -> list[Any]:
    return cast("list[Any]", cells.to_pylist())


def _lines(cells: list[pa.StringArray], separator: str) -> list[memoryview]:
    if not cells or len(cells[0]) == 0:
        return []
    lines = pc.binary_join_element_wise(pc.binary_join_element_wise(*cells, separator), "\n", "")
    _, offsets, data = lines.buffers()
    first, last = memoryview(offsets).cast("i")[lines.offset], memoryview(offsets).cast("i")[lines.offset + len(lines)]
    return [memoryview(data)[first:last]]

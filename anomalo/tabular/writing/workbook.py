"""Write a table as a workbook: typed cells on one sheet, and no formulas."""

from __future__ import annotations

import datetime
import decimal
import math
import re
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
from openpyxl.cell import WriteOnlyCell

from anomalo.errors import OutputError

_ROWS, _COLUMNS, _LONGEST = 1_048_576, 16_384, 32_767
"""The most that a sheet, and a cell, can hold."""
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")


class WorkbookFormat:
    """Writes batches to the only sheet of a workbook, row by row.

    Raises
    ------
    OutputError
        The table has more columns or rows than a sheet can have, or a text that is too long for a cell.
    """

    def __init__(self, path: Path, schema: pa.Schema, stack: ExitStack, name: str) -> None:
        self._name, self._rows = name, 1
        if len(schema.names) > _COLUMNS:
            raise self._too_large(f"{len(schema.names):,} columns, but a sheet has at most {_COLUMNS:,}")
        self._book = openpyxl.Workbook(write_only=True)
        self._sheet = self._book.create_sheet("Table")
        stack.push(lambda kind, error, trace: self._save(path) if kind is None else self._drop())
        self._sheet.append([self._cell(name) for name in schema.names])

    def write(self, batch: pa.RecordBatch) -> None:
        """Append a batch."""
        self._rows += batch.num_rows
        if self._rows > _ROWS:
            raise self._too_large(f"more than {_ROWS - 1:,} rows, which is the most below the header of a sheet")
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            self._sheet.append([self._cell(value) for value in row])

    def _save(self, path: Path) -> None:
        self._book.save(path)

    def _drop(self) -> None:
        """Delete what the library has written to a temporary file of its own."""
        self._sheet.close()
        self._sheet._writer.cleanup()

    def _cell(self, value: Any) -> Any:
        """Return what the library writes for a value."""
        if value is None or isinstance(value, bool | int):
            # A sheet's numbers are floats: a longer whole number is text, with all its digits.
            return str(value) if isinstance(value, int) and abs(value) > 2**53 else value
        if isinstance(value, float | decimal.Decimal):
            return float(value) if math.isfinite(value) else None
        if isinstance(value, datetime.datetime) and value.tzinfo is not None:
            value = value.isoformat(sep=" ")
        if isinstance(value, datetime.date | datetime.time | datetime.timedelta):
            return value if not isinstance(value, datetime.date) or value.year >= 1900 else value.isoformat()
        return self._text(str(value))

    def _text(self, text: str) -> Any:
        if text == "":
            return None
        if len(text) > _LONGEST:
            raise self._too_large(f"a text of {len(text):,} characters, but a cell has at most {_LONGEST:,}")
        cell = WriteOnlyCell(self._sheet, value="")
        # Set after the value: a text that begins with = stays text.
        cell._value, cell.data_type = _FORBIDDEN.sub("", text), "s"
        return cell

    def _too_large(self, what: str) -> OutputError:
        return OutputError(f"cannot write {self._name}: the table has {what}; write .csv or .parquet")

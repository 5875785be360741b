"""Write a table as JSON lines: one object for each row."""

from __future__ import annotations

import datetime
import decimal
import json
import math
from typing import Any, BinaryIO

import pyarrow as pa


class JsonFormat:
    """Writes each row as an object; a missing cell is null."""

    def __init__(self, file: BinaryIO, schema: pa.Schema) -> None:
        self._file = file

    def write(self, batch: pa.RecordBatch) -> None:
        """Append a batch."""
        lines = (json.dumps(_finite(row), ensure_ascii=False, default=_plain) for row in batch.to_pylist())
        self._file.write("".join(f"{line}\n" for line in lines).encode())


def _finite(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row without numbers that JSON does not have."""
    return {name: None if isinstance(cell, float) and not math.isfinite(cell) else cell for name, cell in row.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, decimal.Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, datetime.date | datetime.time) else str(value)

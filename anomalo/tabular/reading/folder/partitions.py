"""Columns that are in the names of folders: `year=2024/month=1`, as Hive writes them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import unquote

import pyarrow as pa

NULL = "__HIVE_DEFAULT_PARTITION__"
"""How a folder is named that holds the rows whose cell is missing."""

Keys = dict[str, str | None]


def partition_keys(below: str) -> Keys:
    """Return the keys in the folders of a path, and their values; None for a missing one.

    Examples
    --------
    >>> partition_keys("year=2024/town=New%20York/part-0.parquet"), partition_keys("raw/x=1.csv")
    ({'year': '2024', 'town': 'New York'}, {})
    """
    pairs = [folder.split("=", 1) for folder in below.split("/")[:-1] if re.fullmatch("[^=]+=.*", folder)]
    return {unquote(key): None if value == NULL else unquote(value) for key, value in pairs}


def partition_types(parts: Sequence[Keys]) -> dict[str, pa.DataType]:
    """Return the type of each key: whole numbers where all its values are written as such, else strings.

    Examples
    --------
    >>> partition_types([{"year": "2024", "code": "01"}, {"year": None, "code": "2"}])
    {'year': DataType(int64), 'code': DataType(string)}
    """
    return {name: _type([keys.get(name) for keys in parts]) for name in parts[0]}


def _type(values: list[str | None]) -> pa.DataType:
    given = [value for value in values if value is not None]
    whole = bool(given) and all(re.fullmatch(r"-?(0|[1-9]\d{0,17})", value) for value in given)
    return pa.int64() if whole else pa.string()


def with_partitions(batch: pa.RecordBatch, keys: Keys, types: dict[str, pa.DataType], text: bool) -> pa.RecordBatch:
    """Return a batch with the columns that its folder's name holds, after its own.

    A column that the file has itself is left as it is. In a text file all columns are texts, a missing cell is empty.
    """
    for name in [name for name in types if name not in batch.schema.names]:
        value, kind = keys[name], pa.string() if text else types[name]
        cell: object = value or "" if text else value
        if value is not None and pa.types.is_integer(kind):
            cell = int(value)
        batch = batch.append_column(pa.field(name, kind), pa.repeat(pa.scalar(cell, kind), batch.num_rows))
    return batch

"""Numbers and labels written in a column's Arrow type or text format."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from anomalo.errors import SchemaError
from anomalo.tabular import datetimes
from anomalo.tabular.cells import is_number, is_string
from anomalo.tabular.column import TEXT, Column
from anomalo.tabular.understanding.number_parts import Numbers, to_floats
from anomalo.tabular.understanding.number_style import write

_TICKS = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}


def arrow_type(storage: str) -> pa.DataType:
    """Return the Arrow type whose `str` is `storage`; a string type for text files.

    Examples
    --------
    >>> str(arrow_type("dictionary<values=string, indices=int8, ordered=0>"))
    'dictionary<values=string, indices=int8, ordered=0>'
    """
    if storage == TEXT:
        return pa.string()
    if match := re.fullmatch(r"dictionary<values=(.+), indices=(\w+), ordered=(\d)>", storage):
        return pa.dictionary(arrow_type(match[2]), arrow_type(match[1]), ordered=match[3] == "1")
    if match := re.fullmatch(r"timestamp\[(\w+), tz=(.+)\]", storage):
        return pa.timestamp(match[1], match[2])
    if match := re.fullmatch(r"(decimal\d+)\((\d+), (-?\d+)\)", storage):
        return getattr(pa, match[1])(int(match[2]), int(match[3]))
    return pa.type_for_alias(storage)


def render_numbers(column: Column, values: Numbers, kind: pa.DataType, whole: bool, round: bool = True) -> pa.Array:
    """Write numbers (seconds, for datetimes) as cells of an Arrow type.

    Parameters
    ----------
    column : Column
        What the cells belong to; its text format is used where `kind` is a string type.
    values : float64 [n]
        Finite numbers; nan becomes null.
    kind : DataType
        The type of the result; whole-number types become float64 if `round` is false.
    whole : bool
        Whether the column holds whole numbers only.
    round : bool
        Round to whole numbers, or to the decimals of a text column.
    """
    if pa.types.is_dictionary(kind):
        return as_dictionary(render_numbers(column, values, kind.value_type, whole, round), kind)
    if column.kind != "datetime" and whole and round:
        values = np.round(values)
    if is_string(kind):
        return pa.array(_number_texts(column, values, whole, round), pa.string()).cast(kind)
    if column.kind == "datetime" and is_number(kind):
        return pa.array(_number_texts(column, values, whole, True), pa.string()).cast(pa.int64()).cast(kind)
    if pa.types.is_temporal(kind):
        return _from_seconds(values, kind)
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return _integers(np.round(values), kind) if round else pa.array(values, from_pandas=True)
    if pa.types.is_decimal(kind):
        return pc.round(pa.array(values, from_pandas=True), kind.scale).cast(kind, safe=False)
    return pa.array(values, from_pandas=True).cast(pa.float64() if pa.types.is_null(kind) else kind)


def render_labels(column: Column, labels: pa.StringArray, kind: pa.DataType) -> pa.Array:
    """Write labels (canonical texts, null where there is none) as cells of an Arrow type.

    Raises
    ------
    SchemaError
        A label cannot be written as that type.
    """
    if pa.types.is_dictionary(kind):
        return as_dictionary(render_labels(column, labels, kind.value_type), kind)
    try:
        if pa.types.is_null(kind) or is_string(kind):
            texts = _padded_constant(column, labels) if column.kind == "constant" else labels
            return texts.cast(pa.string() if pa.types.is_null(kind) else kind)
        if column.kind == "boolean" and (pa.types.is_boolean(kind) or is_number(kind)):
            return pc.equal(labels, column.tokens[1]).cast(pa.uint8()).cast(kind)
        if pa.types.is_integer(kind):
            exact = pc.all(pc.match_substring_regex(labels, r"^-?\d+$")).as_py()
            return labels.cast(kind) if exact else labels.cast(pa.float64()).cast(kind)
        if pa.types.is_decimal(kind) or pa.types.is_float16(kind):
            return labels.cast(pa.float64()).cast(kind, safe=False)
        if pa.types.is_duration(kind):
            return labels.cast(pa.int64()).cast(kind)
        return labels.cast(kind)
    except pa.ArrowInvalid as error:
        raise SchemaError(
            f"column {column.name!r} holds {kind} here, but was fitted on other values: {error}"
        ) from error


def as_dictionary(values: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return plain values as a dictionary type has them, each distinct one once."""
    coded = values.dictionary_encode()
    return pa.DictionaryArray.from_arrays(
        coded.indices.cast(kind.index_type), coded.dictionary, ordered=bool(kind.ordered)
    )


def _number_texts(column: Column, values: Numbers, whole: bool, round: bool) -> list[str | None]:
    if column.kind == "datetime":
        form = (*column.date_format, "%Y-%m-%dT%H:%M:%S")[0]
        seen = ~np.isnan(values)
        texts = datetimes.from_seconds(np.where(seen, values, 0.0), form, round)
        return [text if there else None for text, there in zip(texts.to_pylist(), seen, strict=True)]
    style = column.numbers
    return write(values, replace(style, decimals=style.least) if whole else style, round)


def _padded_constant(column: Column, labels: pa.StringArray) -> pa.StringArray:
    if column.storage != TEXT or not column.numbers.decimals or np.isnan(to_floats(labels)).any():
        return labels
    return pa.array(_number_texts(column, to_floats(labels), False, True), pa.string())


def _from_seconds(seconds: Numbers, kind: pa.DataType) -> pa.Array:
    if pa.types.is_date(kind):
        days = _integers(np.round(seconds / 86_400), pa.int32())
        return days.cast(pa.date32()).cast(kind)
    ticks = _integers(np.round(seconds * _TICKS[kind.unit]), pa.int64())
    return ticks.cast(pa.int32()).cast(kind) if pa.types.is_time32(kind) else ticks.cast(kind)


def _integers(values: Numbers, kind: pa.DataType) -> pa.Array:
    """Return whole float64 numbers as an integer type, clipped to its range."""
    if pa.types.is_boolean(kind):
        return pa.array(values, from_pandas=True).cast(pa.bool_())
    limits = np.iinfo(kind.to_pandas_dtype())
    # The largest int64 is no float64: the next float64 above it would overflow.
    top = float(limits.max)
    top = top if int(top) <= limits.max else float(np.nextafter(top, 0.0))
    seen: NDArray[Any] = ~np.isnan(values)
    whole = np.clip(np.where(seen, values, 0.0), float(limits.min), top).astype(kind.to_pandas_dtype())
    return pa.array(whole, mask=~seen, type=kind)

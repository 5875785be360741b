"""One column of any batch, text or typed, as float64 numbers or as trimmed texts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from anomalo.errors import SchemaError, SourceError
from anomalo.tabular import datetimes
from anomalo.tabular.column import MEASURED, Column, Infinite, Kind, missing_texts

Numbers = NDArray[np.float64]

MISSING_TEXTS = ("", "?", "-", "na", "n/a", "#n/a", "<na>", "nan", "null", "(null)")
"""Texts that stand for a missing cell, in any case of letters; "None" does too, but "none" is a value."""
MISSING_NUMBERS = (*MISSING_TEXTS, ".", "--", "n.a.", "nat", "nil", "none", "missing", "unknown")
"""The same for columns of numbers and datetimes."""
BOOLEANS = (("false", "true"), ("f", "t"), ("no", "yes"), ("n", "y"), ("0", "1"), ("off", "on"), ("-", "+"))
"""Spellings of false and true, in lower case."""

_PER_SECOND = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
_WORDS = {word: value for pair in BOOLEANS for value, word in enumerate(pair)} | {"0.0": 0, "1.0": 1}
_DECIMAL_POINT = r"^[+-]?(\d+\.?\d*|\.\d+|\d{1,3}(,\d{3})+(\.\d+)?)([eE][+-]?\d+)?$|^[+-]?(?i:inf|infinity)$"
_DECIMAL_COMMA = r"^[+-]?(\d+,?\d*|,\d+|\d{1,3}(\.\d{3})+(,\d+)?)([eE][+-]?\d+)?$|^[+-]?(?i:inf|infinity)$"


@dataclass(frozen=True)
class Texts:
    """A column of texts as its distinct texts and each row's index among them.

    Attributes
    ----------
    distinct : string array [k]
        Trimmed; null where the text stands for a missing cell.
    index : int32 [n]
        The position in `distinct` of each row's text; -1 where the cell is null.
    """

    distinct: pa.StringArray
    index: NDArray[np.int32]

    def expand(self) -> pa.StringArray:
        """Return the texts row by row, [n]."""
        return self.distinct.take(pa.array(self.index, mask=self.index < 0))


def parse(
    column: Column,
    array: pa.Array,
    missing: Sequence[str] = (),
    infinite: Infinite = "error",
    first_row: int = 0,
) -> pa.Array:
    """Read one batch of a column, whatever its source.

    Parameters
    ----------
    column : Column
        What the column is.
    array : Array [n]
        Its cells, as text or as typed values.
    missing, infinite
        As `SchemaOptions` has them.
    first_row : int
        The position in the table of the batch's first row, for messages.

    Returns
    -------
    Array [n]
        float64 for numbers, integers and datetimes (seconds since 1970, UTC), else trimmed strings; null
        where a cell is missing.

    Raises
    ------
    SchemaError
        A cell does not fit the column's kind.
    SourceError
        A number is infinite and `infinite` is "error".
    """
    if column.kind in MEASURED:
        return pa.array(numbers(column, array, missing, infinite, first_row), from_pandas=True)
    return levels(column, array, missing).expand()


def numbers(
    column: Column,
    array: pa.Array,
    missing: Sequence[str] = (),
    infinite: Infinite = "error",
    first_row: int = 0,
) -> Numbers:
    """Return the numbers of a measured column, float64 [n], nan where a cell is missing; see `parse`."""
    user_missing = missing_texts(column.name, missing)
    if pa.types.is_dictionary(array.type) or is_string(array.type):
        texts, index = distinct(array)
        if is_string(texts.type):
            values, bad = _text_numbers(column, texts, user_missing)
            _reject_text(column, texts, index, bad, first_row)
        else:
            values = _typed_numbers(column, texts)
        values = np.append(values, np.nan)[index]
    else:
        values = _typed_numbers(column, array)
    for sentinel in _sentinels(column, user_missing):
        values = np.where(values == sentinel, np.nan, values)
    return _without_infinite(column, values, infinite, first_row)


def levels(column: Column, array: pa.Array, missing: Sequence[str] = ()) -> Texts:
    """Return the texts of any other column, by its distinct texts; see `parse`.

    Typed values take one canonical spelling, so that 1, 1.0 and "1" are the same level; a boolean takes
    the spelling that its column was fitted with.

    Raises
    ------
    SchemaError
        The cells are of a type that has no levels, such as lists.
    """
    if not is_plain(array.type):
        raise SchemaError(f"column {column.name!r} holds {array.type}; expected {_a(column.kind)}; cast it or drop it")
    values, index = distinct(array)
    texts = pc.utf8_trim_whitespace(canonical(values))
    absent = pc.fill_null(is_missing(texts, column.kind, missing_texts(column.name, missing)), True)
    if column.kind == "boolean":
        absent = pc.and_(absent, pc.invert(pc.is_in(texts, pa.array(column.tokens))))
        texts = pa.array([_spelled(text, column.tokens) for text in texts.to_pylist()], pa.string())
    elif column.kind == "constant":
        texts = pa.array([_shortest(text) for text in texts.to_pylist()], pa.string())
    return Texts(pc.if_else(absent, None, texts), index)


def distinct(array: pa.Array) -> tuple[pa.Array, NDArray[np.int32]]:
    """Return the distinct values [k], and each row's position among them [n], -1 for null."""
    coded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
    values = coded.dictionary
    if is_string(values.type):
        values = values.cast(pa.string())
    index: NDArray[np.int32] = pc.fill_null(coded.indices.cast(pa.int32()), -1).to_numpy(zero_copy_only=False)
    return values, index


def whole(column: pa.ChunkedArray) -> pa.Array:
    """Return a table's column in one piece, strings by their distinct values."""
    if is_string(column.type):
        column = column.dictionary_encode()
    if pa.types.is_dictionary(column.type):
        column = column.unify_dictionaries()
    return column.combine_chunks()


def is_missing(texts: pa.StringArray, kind: Kind, user_missing: Sequence[str] = ()) -> pa.BooleanArray:
    """Return which trimmed texts stand for a missing cell of a column of that kind, `user_missing` among them."""
    known = pa.array(MISSING_NUMBERS if kind in MEASURED else MISSING_TEXTS)
    exact = pa.array(["None", *user_missing], pa.string())
    return pc.or_(pc.is_in(pc.utf8_lower(texts), known), pc.is_in(texts, exact))


def to_floats(texts: pa.StringArray, decimal_comma: bool = False) -> Numbers:
    """Return trimmed texts as numbers [n], nan where a text is none. Thousands may be separated."""
    fits = pc.match_substring_regex(texts, _DECIMAL_COMMA if decimal_comma else _DECIMAL_POINT)
    plain = pc.replace_substring(pc.if_else(fits, texts, None), "." if decimal_comma else ",", "")
    plain = pc.utf8_ltrim(pc.replace_substring(plain, ",", "."), "+")
    return np.array(plain.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)


def is_string(kind: pa.DataType) -> bool:
    """Whether an Arrow type holds text."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def is_plain(kind: pa.DataType) -> bool:
    """Whether an Arrow type holds single values, which a column can be read from."""
    if pa.types.is_dictionary(kind):
        return is_plain(kind.value_type)
    plain = is_string(kind) or pa.types.is_temporal(kind) or is_number(kind)
    return bool((plain and not pa.types.is_interval(kind)) or pa.types.is_boolean(kind) or pa.types.is_null(kind))


def is_number(kind: pa.DataType) -> bool:
    """Whether an Arrow type holds numbers."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def canonical(values: pa.Array) -> pa.StringArray:
    """Return typed values as text: whole numbers without a point, booleans as false and true."""
    if pa.types.is_decimal(values.type) or pa.types.is_float16(values.type):
        values = values.cast(pa.float64())
    return values.cast(pa.string())


def to_seconds(array: pa.Array) -> Numbers:
    """Return dates, timestamps, times or durations as seconds [n], nan for null."""
    kind = array.type
    if pa.types.is_date32(kind):
        ticks, per_second = array.cast(pa.int32()), 1 / 86_400
    elif pa.types.is_time32(kind):
        ticks, per_second = array.cast(pa.int32()), _PER_SECOND[kind.unit]
    else:
        ticks, per_second = array.cast(pa.int64()), _PER_SECOND[getattr(kind, "unit", "ms")]
    return np.array(ticks.to_numpy(zero_copy_only=False), dtype=np.float64) / per_second


def _a(kind: Kind) -> str:
    return f"{'an' if kind == 'integer' else 'a'} {kind}"


def _typed_numbers(column: Column, array: pa.Array) -> Numbers:
    kind = array.type
    if pa.types.is_null(kind):
        return np.full(len(array), np.nan)
    if column.kind == "datetime" and pa.types.is_temporal(kind):
        return to_seconds(array)
    if column.kind != "datetime" and pa.types.is_boolean(kind):
        array = array.cast(pa.uint8())
    elif column.kind != "datetime" and pa.types.is_decimal(kind):
        array = array.cast(pa.float64())
    elif column.kind == "datetime" or not is_number(kind):
        raise SchemaError(f"column {column.name!r} holds {kind}; expected {_a(column.kind)}; cast it first")
    return np.asarray(array.to_numpy(zero_copy_only=False), dtype=np.float64)


def _text_numbers(
    column: Column, texts: pa.StringArray, user_missing: Sequence[str]
) -> tuple[Numbers, NDArray[np.bool_]]:
    """Numbers of distinct texts, nan where there is none, and whether that is because the text is not a number."""
    trimmed = pc.utf8_trim_whitespace(texts)
    absent = pc.fill_null(is_missing(trimmed, column.kind, user_missing), True).to_numpy(zero_copy_only=False)
    if column.kind == "datetime":
        values = datetimes.to_seconds(trimmed, column.date_format or datetimes.guess_format(trimmed.filter(~absent)))
    else:
        values = to_floats(trimmed, column.decimal_comma)
    return np.where(absent, np.nan, values), np.isnan(values) & ~absent


def _reject_text(
    column: Column, texts: pa.Array, index: NDArray[np.int32], bad: NDArray[np.bool_], first_row: int
) -> None:
    rows = np.flatnonzero(np.append(bad, False)[index])
    if len(rows):
        value = texts[int(index[rows[0]])].as_py().strip()
        raise SchemaError(
            f"column {column.name!r} holds {value!r} in row {first_row + rows[0]}, "
            f"where {_a(column.kind)} is expected; correct it, or fit with it as a missing cell: "
            f"--missing '{column.name}={value}'"
        )


def _sentinels(column: Column, user_missing: Sequence[str]) -> Numbers:
    """The user's texts for a missing cell as numbers, so that -999 is also found where it is -999.0."""
    if not user_missing:
        return np.array([])
    texts = pa.array(list(user_missing), pa.string())
    if column.kind == "datetime":
        found = datetimes.to_seconds(texts, column.date_format)
    else:
        found = to_floats(texts, column.decimal_comma)
    return found[~np.isnan(found)]


def _without_infinite(column: Column, values: Numbers, infinite: Infinite, first_row: int) -> Numbers:
    endless = np.isinf(values)
    if not endless.any():
        return values
    if infinite == "error":
        row = first_row + int(np.argmax(endless))
        raise SourceError(
            f"column {column.name!r} holds an infinite number in row {row}; "
            "correct it, or fit with --inf missing to treat infinite numbers as missing cells"
        )
    return np.where(endless, np.nan, values)


def _spelled(text: str | None, tokens: tuple[str, str]) -> Any:
    if text is None or text in tokens:
        return text
    lowered = text.lower()
    same = [token for token in tokens if token.lower() == lowered]
    return same[0] if same else tokens[_WORDS[lowered]] if lowered in _WORDS else text


def _shortest(text: str | None) -> str | None:
    """A number with a point or an exponent in its shortest form: a constant 1.0 equals a typed 1."""
    if text is None or not re.fullmatch(r"[+-]?(0|[1-9]\d*)(\.\d*)?([eE][+-]?\d+)?", text) or text.isdigit():
        return text
    value = float(text)
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)

"""One column of any batch, text or typed, as float64 numbers or as trimmed texts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from anomalo.errors import SchemaError, SourceError
from anomalo.tabular import datetimes
from anomalo.tabular.cells import Cells, is_number, is_plain, is_string
from anomalo.tabular.column import MEASURED, Column, Kind
from anomalo.tabular.understanding.names import option
from anomalo.tabular.understanding.number_parts import Numbers
from anomalo.tabular.understanding.reading import PLAIN, Reading

MISSING_TEXTS = ("", "?", "-", "na", "n/a", "#n/a", "<na>", "nan", "null", "(null)")
"""Texts that stand for a missing cell, in any case of letters; "None" does too, but "none" is a value."""
MISSING_NUMBERS = (*MISSING_TEXTS, ".", "--", "n.a.", "nat", "nil", "none", "missing", "unknown")
"""The same for columns of numbers and datetimes."""
BOOLEANS = (("false", "true"), ("f", "t"), ("no", "yes"), ("n", "y"), ("0", "1"), ("off", "on"), ("-", "+"))
"""Spellings of false and true, in lower case."""

Mask = NDArray[np.bool_]

_FEW, _ENOUGH = 2, 20
_PER_SECOND = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
_WORDS = {word: value for pair in BOOLEANS for value, word in enumerate(pair)} | {"0.0": 0, "1.0": 1}


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


def read(
    column: Column,
    cells: Cells | pa.Array,
    reading: Reading = PLAIN,
    first_row: int = 0,
) -> Numbers | Texts:
    """Read one batch of a column, whatever its source.

    Parameters
    ----------
    column : Column
        What the column is.
    cells : Cells or Array [n]
        As text or as typed values.
    reading : Reading
        The user's decisions.
    first_row : int
        The position in the table of the batch's first row, for messages.

    Returns
    -------
    Numbers or Texts [n]
        float64 for numbers, integers and datetimes (seconds since 1970, UTC), nan where a cell is missing or cannot be
        read as one; else trimmed texts, null where a cell is missing.

    Raises
    ------
    SchemaError
        The cells are of a type that does not fit the column's kind.
    SourceError
        A number is infinite, and the user did not decide that it is a missing cell.
    """
    if column.kind in MEASURED:
        return numbers(column, cells, reading, first_row)
    return levels(column, cells, reading)


def parse(
    column: Column,
    cells: Cells | pa.Array,
    reading: Reading = PLAIN,
    first_row: int = 0,
) -> pa.Array:
    """Return what `read` does, as an array."""
    return as_array(read(column, cells, reading, first_row))


def as_array(values: Numbers | Texts) -> pa.Array:
    """Return values as an array [n]: float64, or strings; null where a cell is missing."""
    return values.expand() if isinstance(values, Texts) else pa.array(values, from_pandas=True)


def numbers(column: Column, cells: Cells | pa.Array, reading: Reading = PLAIN, first_row: int = 0) -> Numbers:
    """Return the numbers of a measured column, float64 [n], nan where there is none; see `read`."""
    cells = Cells.of(cells)
    values, unreadable = measured(column, cells, reading, first_row)
    require_readable(column, cells, values, unreadable, first_row)
    return values


def measured(
    column: Column, cells: Cells | pa.Array, reading: Reading = PLAIN, first_row: int = 0
) -> tuple[Numbers, Mask | None]:
    """Return what `numbers` does, and the cells [n] that are not missing and cannot be read; None if there are none."""
    cells, mine = Cells.of(cells), reading.of(column.name)
    kind = cells.array.type
    unreadable: Mask | None = None
    written = column.kind == "datetime" and is_number(kind) and column.date_format  # 20190105 is a date
    if pa.types.is_dictionary(kind) or is_string(kind) or written:
        distinct, index = cells.distinct
        if is_string(distinct.type) or written:
            values, bad = _text_numbers(column, cells, mine)
            unreadable = np.append(bad, False)[index] if bad.any() else None
        else:
            values = _typed_numbers(column, distinct)
        values = np.append(values, np.nan)[index]
    else:
        values = _typed_numbers(column, cells.array)
    for sentinel in _sentinels(column, mine):
        values = np.where(values == sentinel, np.nan, values)
    found = unreadable is not None and unreadable.any()  # a dictionary may hold texts that no row has
    return _without_infinite(column, values, reading.infinite, first_row), unreadable if found else None


def mostly_unreadable(unreadable: int, present: int) -> bool:
    """Whether so many of a column's cells that are not missing are unreadable that it is another column.

    One row says nothing about a column.

    Examples
    --------
    >>> mostly_unreadable(3, 5), mostly_unreadable(5, 5), mostly_unreadable(11, 20), mostly_unreadable(1, 1)
    (False, True, True, False)
    """
    return unreadable > present / 2 and present >= (_FEW if unreadable == present else _ENOUGH)


def require_readable(
    column: Column, cells: Cells, values: Numbers, unreadable: Mask | None, first_row: int = 0, strict: bool = False
) -> None:
    """Check that not most of a measured column's cells are unreadable, or with `strict` that none is.

    Raises
    ------
    SchemaError
        They are; the first one is named.
    """
    if unreadable is None:
        return
    bad = int(unreadable.sum())
    if not strict and not mostly_unreadable(bad, bad + int(np.count_nonzero(~np.isnan(values)))):
        return
    row = int(np.argmax(unreadable))
    value = cells.texts[int(cells.distinct[1][row])].as_py()
    raise SchemaError(
        f"column {column.name!r} holds {value!r} in row {first_row + row}, "
        f"where {a_kind(column.kind)} is expected; correct it, or fit with it as a missing cell: "
        f"{option('--missing', f'{column.name}={value}')}"
    )


def levels(column: Column, cells: Cells | pa.Array, reading: Reading = PLAIN) -> Texts:
    """Return the texts of any other column, by its distinct texts; see `read`.

    Typed values take one canonical spelling, so that 1, 1.0 and "1" are the same level; a boolean takes
    the spelling that its column was fitted with.

    Raises
    ------
    SchemaError
        The cells are of a type that has no levels, such as lists.
    """
    cells = Cells.of(cells)
    kind = cells.array.type
    if not is_plain(kind):
        raise SchemaError(f"column {column.name!r} holds {kind}; expected {a_kind(column.kind)}; cast it or drop it")
    texts = cells.texts
    usual = cells.text or not column.typed_text
    missing = pc.fill_null(absent(column, texts, reading.of(column.name), usual), True)
    if column.kind == "boolean":
        texts = pa.array([_spelled(text, column.tokens) for text in texts.to_pylist()], pa.string())
    elif column.kind == "constant":
        texts = pa.array([_shortest(text) for text in texts.to_pylist()], pa.string())
    return Texts(pc.if_else(missing, None, texts), cells.distinct[1])


def absent(column: Column, texts: pa.StringArray, mine: Reading, usual: bool) -> pa.BooleanArray:
    """Return which trimmed texts stand for a missing cell of a column; see `is_missing`."""
    found = is_missing(texts, column.kind, mine, usual)
    return pc.and_(found, pc.invert(pc.is_in(texts, pa.array(column.tokens)))) if column.kind == "boolean" else found


def is_missing(texts: pa.StringArray, kind: Kind, mine: Reading = PLAIN, usual: bool = True) -> pa.BooleanArray:
    """Return which trimmed texts stand for a missing cell of a column of that kind.

    Parameters
    ----------
    texts : StringArray [k]
        Trimmed.
    kind : Kind
        The column's.
    mine : Reading
        `Reading.of` the column.
    usual : bool
        Whether the usual texts do too: not those of a typed column of levels, where null is there for that.
    """
    if not usual and kind not in MEASURED:
        return pc.is_in(texts, pa.array(mine.missing, pa.string()))
    known = pa.array(MISSING_NUMBERS if kind in MEASURED else MISSING_TEXTS)
    usual = pc.or_(pc.is_in(pc.utf8_lower(texts), known), pc.equal(texts, "None"))
    if mine.keep:
        usual = pc.and_(usual, pc.invert(pc.is_in(texts, pa.array(mine.keep, pa.string()))))
    return pc.or_(usual, pc.is_in(texts, pa.array(mine.missing, pa.string()))) if mine.missing else usual


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


def a_kind(kind: Kind) -> str:
    """Return a kind with its article."""
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
        raise SchemaError(f"column {column.name!r} holds {kind}; expected {a_kind(column.kind)}; cast it first")
    return np.asarray(array.to_numpy(zero_copy_only=False), dtype=np.float64)


def _text_numbers(column: Column, cells: Cells, mine: Reading) -> tuple[Numbers, Mask]:
    """Numbers of distinct texts, nan where there is none, and whether that is because the text is not a number."""
    missing = pc.fill_null(is_missing(cells.texts, column.kind, mine), True).to_numpy(zero_copy_only=False)
    if column.kind == "datetime":
        values = datetimes.to_seconds(column.date_format or _formats(cells, missing), cells.seconds)
    else:
        values = cells.numbers(column.numbers, missing)
    return np.where(missing, np.nan, values), np.isnan(values) & ~missing


def _formats(cells: Cells, missing: Mask) -> tuple[str, ...]:
    texts = cells.texts.filter(pa.array(~missing))
    return datetimes.guess_formats(
        texts, np.ones(len(texts), dtype=np.intp), lambda form: cells.seconds(form)[~missing]
    )


def _sentinels(column: Column, mine: Reading) -> Numbers:
    """The user's texts for a missing cell as numbers, so that -999 is also found where it is -999.0."""
    if not mine.missing:
        return np.array([])
    texts = pa.array(mine.missing, pa.string())
    if column.kind == "datetime":
        found = datetimes.to_seconds(column.date_format, Cells(texts).seconds)
    else:
        found = Cells(texts).numbers(column.numbers, np.zeros(len(texts), dtype=np.bool_))
    return found[~np.isnan(found)]


def _without_infinite(column: Column, values: Numbers, infinite: str, first_row: int) -> Numbers:
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

"""The cells of one column as Arrow has them: their distinct texts, and each conversion of these made once."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from anomalo.tabular import datetimes
from anomalo.tabular.understanding.number_parts import Numbers, to_floats
from anomalo.tabular.understanding.number_style import NumberStyle, read_styled


class Cells:
    """A column's cells; what is read of its distinct texts is kept.

    Parameters
    ----------
    array : Array [n]
        As text or as typed values.
    text : bool
        Whether they come from a text file.
    """

    def __init__(self, array: pa.Array, text: bool = False) -> None:
        self.array = array
        self.text = text
        self._plain: dict[bool, Numbers] = {}
        self._numbers: dict[tuple[bool, str, str], Numbers] = {}
        self._seconds: dict[str, Numbers] = {}

    @cached_property
    def distinct(self) -> tuple[pa.Array, NDArray[np.int32]]:
        """The distinct values [k], and each row's position among them [n], -1 for null."""
        return distinct(self.array)

    @cached_property
    def texts(self) -> pa.StringArray:
        """The distinct values as trimmed texts [k], of which several may be equal."""
        return pc.utf8_trim_whitespace(canonical(self.distinct[0]))

    @classmethod
    def of(cls, cells: Cells | pa.Array) -> Cells:
        """Return the cells of an array, or those that are given."""
        return cells if isinstance(cells, Cells) else cls(cells)

    def plain_numbers(self, decimal_comma: bool = False) -> Numbers:
        """Return the texts as numbers [k]; see `to_floats`."""
        if decimal_comma not in self._plain:
            self._plain[decimal_comma] = to_floats(self.texts, decimal_comma)
        return self._plain[decimal_comma]

    def numbers(self, style: NumberStyle, absent: NDArray[np.bool_]) -> Numbers:
        """Return the texts as numbers [k] in a style; those that are `absent` [k] are not read beyond plain numbers."""
        if style.reading not in self._numbers:
            values = self.plain_numbers(style.comma)
            other = np.isnan(values) & ~absent
            if other.any():
                values = values.copy()
                values[other] = read_styled(self.texts.filter(pa.array(other)), style)
            self._numbers[style.reading] = values
        return self._numbers[style.reading]

    def seconds(self, form: str) -> Numbers:
        """Return the texts as seconds since 1970 [k]; see `datetimes.exact`."""
        if form not in self._seconds:
            self._seconds[form] = datetimes.exact(self.texts, form)
        return self._seconds[form]


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

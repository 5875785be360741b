"""Putting fills into a column's cells: the type that holds them, and the text around them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anomalo.encoding.encoded import Mask
from anomalo.tabular.cells import is_string
from anomalo.tabular.column import MEASURED, Column
from anomalo.tabular.formatting import arrow_type


def filled_type(column: Column, kind: pa.DataType, round: bool) -> pa.DataType:
    """The type of a filled column: that of its cells, except where that cannot hold a fill."""
    if pa.types.is_null(kind):
        kind = arrow_type(column.storage)
    return pa.float64() if column.kind in MEASURED and pa.types.is_integer(kind) and not round else kind


def with_fills(cells: pa.Array, absent: Mask, fills: pa.Array) -> pa.Array:
    """Put the fills, in order, where the mask says; text keeps the spaces around it."""
    kind = fills.type
    if is_string(kind):
        # Arrow has few functions for the other types of strings.
        cells, fills = cells.cast(pa.string()), fills.cast(pa.string())
        old = cells.filter(pa.array(absent)).fill_null("")
        before = pc.replace_substring_regex(old, r"\S[\s\S]*$", "")
        after = pc.replace_substring_regex(old, r"^[\s\S]*\S|^\s+$", "")
        fills = pc.binary_join_element_wise(before, fills, after, "")
    order = np.arange(len(cells))
    order[absent] = len(cells) + np.arange(len(fills))
    return pa.concat_arrays([cells.cast(fills.type), fills]).take(pa.array(order)).cast(kind)

"""Expected values as cells that their columns can hold, with intervals that contain them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from anomalo.encoding.encoded import FIRST_LEVEL, Floats, Mask
from anomalo.encoding.encoder import Encoder, WritesRows
from anomalo.encoding.layout import Block
from anomalo.encoding.scaling import expand

ROUNDING = 1e-6
"""Encoded values have seven digits: an end of a column's range this near to 0, in units of its scale, is 0."""
NEARLY_UNIQUE = 0.5
"""A category with at least so many levels for each cell names its rows."""
MANY_LEVELS = 10
"""A category with at most so many levels names none."""

Ends = NDArray[np.float64]


@dataclass(frozen=True)
class ExpectedCells:
    """What is expected of a column's cells.

    Attributes
    ----------
    text : StringArray [n]
        Trimmed, as the column writes it; null where no value is more probable than others.
    low, high : float64 [n]
        A 90 % interval that contains the value, in original units; NaN where there is none.
    """

    text: pa.StringArray
    low: Ends
    high: Ends


def expected_cells(encoder: Encoder, block: Block, rows: int, values: Floats, low: Ends, high: Ends) -> ExpectedCells:
    """Return a block's expected values as cells.

    Numbers become the nearest that the column can hold, and ends of intervals possible values outside of them: whole
    numbers, or where few values were observed, those. The name of another row is expected of none: of a category that
    names its rows, and of its rare levels, nothing is expected.

    Parameters
    ----------
    rows : int
        In the training table.
    values : float32 [n]
        Encoded expected values.
    low, high : float64 [n]
        The ends of their intervals, in original units.
    """
    if block.kind == "category":
        unknown = unforeseeable(block, rows, values)
        texts = text(encoder.decode(values, block.position))
        return ExpectedCells(pc.if_else(pa.array(unknown), None, texts), low, high)
    if not isinstance(encoder, WritesRows):
        inside = np.clip(values, block.low, block.high)
        return ExpectedCells(text(encoder.decode(inside, block.position)), *(_clipped(low, high, block)))
    numbers = encoder.possible(values, block.position)
    low, high = containing(encoder, block, numbers, low, high)
    return ExpectedCells(text(encoder.numbers_as_cells(numbers, block.position)), low, high)


def containing(encoder: WritesRows, block: Block, numbers: Ends, low: Ends, high: Ends) -> tuple[Ends, Ends]:
    """Return intervals [n] with possible ends that contain the numbers [n], all in original units; NaN stays."""
    first, last = encoder.possible_interval(np.fmin(low, numbers), np.fmax(high, numbers), block.position)
    return np.where(np.isnan(low), np.nan, first), np.where(np.isnan(high), np.nan, last)


def interval_of_fills(encoder: Encoder, block: Block, values: Floats, low: Floats, high: Floats) -> tuple[Ends, Ends]:
    """Return intervals [k] of a block's imputed values [k], all encoded, in original units; NaN for a category."""
    if block.kind == "category":
        nothing = np.full(len(values), np.nan)
        return nothing, nothing
    first, last = (expand(end, block.offset, block.scale) for end in (low, high))
    if not isinstance(encoder, WritesRows):
        return _clipped(first, last, block)
    return containing(encoder, block, encoder.possible(values, block.position), first, last)


def unforeseeable(block: Block, rows: int, codes: Floats) -> Mask:
    """Return for which encoded expected values [n] of a category there is no level to name, given the training rows.

    It has nearly as many levels as cells, and each names a row rather than a kind of rows; or the code is that of all
    rare levels together.
    """
    levels = len(block.levels) + len(block.rare)
    names_rows = levels > MANY_LEVELS and levels >= NEARLY_UNIQUE * rows * (1 - block.missing)
    shared = len(block.levels) + FIRST_LEVEL if block.rare else np.inf
    return np.asarray((codes >= shared) | names_rows)


def text(array: pa.Array) -> pa.Array:
    """Return an array as trimmed strings; a moment has no fraction of a second that is zero."""
    if pa.types.is_dictionary(array.type):
        array = pc.cast(array, array.type.value_type)
    trimmed = pc.utf8_trim_whitespace(pc.cast(array, pa.string()))
    return pc.replace_substring_regex(trimmed, r"\.0+(Z?)$", r"\1") if pa.types.is_temporal(array.type) else trimmed


def range_of(block: Block) -> tuple[float, float]:
    """Return the ends of a number's range in training, in original units; NaN for a category."""
    if block.kind != "number":
        return np.nan, np.nan
    ends = expand([block.low, block.high], block.offset, block.scale)
    low, high = np.where(np.abs(ends) < ROUNDING * block.scale, 0.0, ends)
    return float(low), float(high)


def _clipped(low: Ends, high: Ends, block: Block) -> tuple[Ends, Ends]:
    return np.clip(low, *range_of(block)), np.clip(high, *range_of(block))

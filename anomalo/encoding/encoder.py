"""The protocols of encoders, which turn the columns of one modality into numbers and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np
import pyarrow as pa

from anomalo.encoding.encoded import Encoded, Floats, Mask, Scores
from anomalo.encoding.layout import Layout
from anomalo.errors import UsageError
from anomalo.tabular.columns import Columns
from anomalo.tabular.schema import Schema


class Encoder(Protocol):
    """Turns the parsed columns of one modality into `Encoded`, and back; a row's cells may have any shape."""

    modality: ClassVar[str]

    @property
    def layout(self) -> Layout:
        """The layout learned by `fit`."""

    def fit(self, columns: Columns, schema: Schema) -> Self:
        """Learn levels, centres and scales."""

    def encode(self, columns: Columns, label: bool = False) -> Encoded:
        """Encode one batch as the schema parsed it; a label that the model learns is hidden unless `label`."""

    def decode(self, values: Floats, position: int, round: bool = True) -> pa.Array:
        """Turn encoded values [n] of one block back into their original type and format."""

    def fill(self, batch: pa.RecordBatch, point: Floats, where: Mask, round: bool = True) -> pa.RecordBatch:
        """Return the batch with the cells under `where` taken from encoded values [n, *shape]."""

    def to_json(self) -> dict[str, Any]:
        """Return what `fit` learned as JSON-ready values."""

    @classmethod
    def from_json(cls, value: Mapping[str, Any], schema: Schema) -> Self:
        """Rebuild an encoder from `to_json`."""


@runtime_checkable
class WritesRows(Protocol):
    """An encoder that writes new rows: what synthetic rows and repairs take beside `Encoder`."""

    def to_original_units(self, data: Encoded) -> Scores:
        """Return cells [n, *shape] as they are written: numbers in original units, codes, nan where missing."""

    def write(self, cells: Scores, rng: np.random.Generator) -> pa.RecordBatch:
        """Return cells in original units as a batch of the columns that a model reads; rare levels are drawn."""

    def clip_to_domain(self, cells: Scores) -> Scores:
        """Return the nearest cells, in original units, that their columns can hold."""

    def derive_again(self, data: Encoded, rows: Mask) -> Encoded:
        """Return the rows with what is derived from their points in time computed anew for those under the mask [n]."""

    def round_trip(self, values: Floats, position: int) -> Floats:
        """Return what encoded values [n] of one block become when they are written to cells and read again."""

    def possible(self, values: Floats, position: int) -> Scores:
        """Return the numbers that a block's cells can hold nearest to encoded values [n], in original units."""

    def possible_interval(self, low: Scores, high: Scores, position: int) -> tuple[Scores, Scores]:
        """Return the ends of intervals [n] of a block of numbers, in original units, moved outward to possible ones."""

    def numbers_as_cells(self, numbers: Scores, position: int) -> pa.Array:
        """Return numbers [n] of one block, in original units, in their original type and format."""


def writing(encoder: Encoder, points: bool = False) -> WritesRows:
    """Return an encoder that writes new rows; those of series only where single `points` are meant.

    Raises
    ------
    UsageError
        It does not.
    """
    if not isinstance(encoder, WritesRows) or (encoder.layout.window and not points):
        raise UsageError(f"rows of modality {encoder.modality!r} cannot be written; expected a model of a table")
    return encoder

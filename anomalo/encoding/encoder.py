"""The protocol of encoders, which turn the columns of one modality into numbers and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, Self

import numpy as np
import pyarrow as pa

from anomalo.encoding.encoded import Encoded, Floats, Layout, Mask, Scores
from anomalo.tabular.columns import Columns
from anomalo.tabular.schema import Schema


class Encoder(Protocol):
    """Turns the parsed columns of one modality into `Encoded`, and back."""

    modality: ClassVar[str]

    @property
    def layout(self) -> Layout:
        """The layout learned by `fit`."""

    def fit(self, columns: Columns, schema: Schema) -> Self:
        """Learn levels, centres and scales."""

    def encode(self, columns: Columns, label: bool = False) -> Encoded:
        """Encode one batch as the schema parsed it; a label that the model learns is hidden unless `label`."""

    def decode(self, values: Floats, position: int, round: bool = True) -> pa.Array:
        """Turn encoded values [n] of one position back into the column's type and format."""

    def round_trip(self, values: Floats, position: int) -> Floats:
        """Return what encoded values [n] of one position become when they are written to cells and read again."""

    def fill(self, batch: pa.RecordBatch, point: Floats, where: Mask, round: bool = True) -> pa.RecordBatch:
        """Return the batch with the cells under `where` taken from encoded values [n, columns]."""

    def to_original_units(self, data: Encoded) -> Scores:
        """Return cells [n, columns] as they are written: numbers in original units, codes, nan where missing."""

    def write(self, cells: Scores, rng: np.random.Generator) -> pa.RecordBatch:
        """Return cells in original units as a table of the columns that a model reads; rare levels are drawn."""

    def clip_to_domain(self, cells: Scores) -> Scores:
        """Return the nearest cells, in original units, that their columns can hold."""

    def to_json(self) -> dict[str, Any]:
        """Return what `fit` learned as JSON-ready values."""

    @classmethod
    def from_json(cls, value: Mapping[str, Any], schema: Schema) -> Self:
        """Rebuild an encoder from `to_json`."""

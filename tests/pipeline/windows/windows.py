"""A plugin with another modality than tables: windows of a series, one a row, [n, T, C]."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from torch import Tensor, nn

from anomalo.neural import NeuralModel
from anomalo.plugin import (
    Block,
    Columns,
    Encoded,
    Encoder,
    Filled,
    Floats,
    Layout,
    Mask,
    Model,
    Run,
    Schema,
    Scores,
    compress,
    expand,
    hookimpl,
    param,
    with_modality,
)

MODALITY = "windows"


class WindowEncoder:
    """Windows written one a row, in columns such as `speed_0`, `heat_0`, `speed_1`, …: channel and time."""

    modality: ClassVar[str] = MODALITY

    def __init__(self, layout: Layout | None = None) -> None:
        self._layout = layout or Layout(MODALITY, (0, 0), ())

    @property
    def layout(self) -> Layout:
        return self._layout

    def fit(self, columns: Columns, schema: Schema) -> Self:
        names = [column.name for column in schema.features]
        channels = list(dict.fromkeys(name.rpartition("_")[0] for name in names))
        steps = len(names) // len(channels)
        ordered = tuple(f"{channel}_{step}" for step in range(steps) for channel in channels)
        values = np.stack([columns.values[name] for name in ordered], axis=1)
        blocks = []
        for at, channel in enumerate(channels):
            cells = values[:, at :: len(channels)]
            offset, scale = float(np.nanmedian(cells)), float(np.nanstd(cells))
            low, high = (float(end) for end in compress([np.nanmin(cells), np.nanmax(cells)], offset, scale))
            missing = float(np.isnan(cells).mean())
            number = {"offset": offset, "scale": scale, "low": low, "high": high, "missing": missing}
            blocks.append(Block(channel, "number", at, **number))
        self._layout = Layout(MODALITY, (steps, len(channels)), tuple(blocks), names=ordered)
        return self

    def encode(self, columns: Columns, label: bool = False) -> Encoded:
        layout = self._layout
        blocks = [layout.blocks[at] for at in layout.block_of_cell]
        cells = zip(layout.names, blocks, strict=True)
        scaled = np.stack([compress(columns.values[name], b.offset, b.scale) for name, b in cells], axis=1)
        seen = ~np.isnan(scaled)
        shape = (columns.rows, *layout.shape)
        return Encoded(np.where(seen, scaled, 0).astype(np.float32).reshape(shape), seen.reshape(shape), layout)

    def decode(self, values: Floats, position: int, round: bool = True) -> pa.Array:
        block = self._layout.blocks[position]
        return pa.array(np.round(expand(values, block.offset, block.scale), 6))

    def fill(self, batch: pa.RecordBatch, point: Floats, where: Mask, round: bool = True) -> pa.RecordBatch:
        cells, filled = point.reshape(len(point), -1), {name: batch.column(name) for name in batch.schema.names}
        for at, name in enumerate(self._layout.names):
            fills = self.decode(cells[:, at], int(self._layout.block_of_cell[at]))
            filled[name] = pc.if_else(pa.array(where.reshape(cells.shape)[:, at]), fills, filled[name])
        return pa.RecordBatch.from_pydict(filled)

    def to_json(self) -> dict[str, Any]:
        return self._layout.to_json()

    @classmethod
    def from_json(cls, value: Mapping[str, Any], schema: Schema) -> Self:
        return cls(Layout.from_json(value))


@dataclass(kw_only=True)
class WindowMean(Model):
    """Each channel's mean at each time: a model named as one of those for tables is."""

    name = "mean"
    modalities = (MODALITY,)
    shrink: float = param(1.0, low=0.0, high=1.0, help="What the means are multiplied by.")

    def fit(self, data: Encoded, run: Run) -> Self:
        cells = np.where(data.observed, data.values, np.nan)
        self.mean_ = (np.nanmean(cells, axis=0) * self.shrink).astype(np.float32)
        self.variance_ = np.nanvar(cells, axis=0)
        return self

    def score(self, data: Encoded) -> Scores:
        distance = np.where(data.observed, (data.values - self.mean_) ** 2 / self.variance_, 0)
        return distance.astype(np.float64).sum(axis=(1, 2))

    def impute(self, data: Encoded, draws: int = 0) -> Filled:
        return Filled(np.where(data.observed, data.values, self.mean_))


@dataclass(kw_only=True)
class WindowNetwork(NeuralModel):
    """A linear autoencoder of windows, trained as networks for tables are."""

    name = "window-net"
    modalities = (MODALITY,)
    latent: int = param(3, low=1, help="Width of the code.")

    def build(self, layout: Layout) -> nn.Module:
        cells = int(np.prod(layout.shape))
        return nn.Sequential(nn.Linear(cells, self.latent), nn.Linear(self.latent, cells))

    def loss(self, net: nn.Module, x: Tensor, observed: Tensor) -> Tensor:
        return ((self.expected(net, x, observed) - x).square() * observed).sum() / observed.sum().clamp(min=1)

    def expected(self, net: nn.Module, x: Tensor, observed: Tensor) -> Tensor:
        output: Tensor = net((x * observed).flatten(1))
        return output.view(x.shape)

    def score(self, data: Encoded) -> Scores:
        def squared(x: Tensor, observed: Tensor) -> Sequence[Tensor]:
            return (((self.expected(self.net, x, observed) - x).square() * observed).flatten(1).sum(dim=1),)

        return self.infer(squared, data)[0].astype(np.float64)

    def impute(self, data: Encoded, draws: int = 0) -> Filled:
        expected = self.infer(lambda x, observed: (self.expected(self.net, x, observed),), data)[0]
        return Filled(np.where(data.observed, data.values, expected))


@hookimpl
def anomalo_encoders() -> Iterable[type[Encoder]]:
    return [WindowEncoder]


@hookimpl
def anomalo_models() -> Iterable[type[Model]]:
    return [WindowMean, WindowNetwork]


@hookimpl
def anomalo_read(source: str) -> Iterator[pa.RecordBatch] | None:
    if not source.startswith("windows://"):
        return None
    table = pq.read_table(source.removeprefix("windows://"))
    return iter(table.cast(with_modality(table.schema, MODALITY)).to_batches(max_chunksize=64))

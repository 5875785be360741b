"""The points of a source of series as its run keeps them: time, slot, channels of numbers, and those of categories."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from anomalo.encoding.encoded import Encoded
from anomalo.encoding.layout import Block, Layout
from anomalo.encoding.scaling import expand
from anomalo.encoding.series.sampling import in_order, is_ordered
from anomalo.jobs.part import Part
from anomalo.jobs.scoring.numbered import free_name
from anomalo.jobs.scoring.spool import Spool
from anomalo.jobs.series.places import Keys
from anomalo.jobs.series.surroundings import Stamps
from anomalo.pipeline.explaining.expected_cells import text
from anomalo.pipeline.fitted import Fitted
from anomalo.tabular.writing.writer import TableWriter

FILE = "points.parquet"
FIXED = ("row", "entity", "series", "time", "slot")
"""The columns before the channels."""
CHANNELS = "channels"
"""The name of their numbers among the results of rows."""
MOMENT = pa.timestamp("us")

Numbers = NDArray[np.float32]


def channels_of(layout: Layout) -> list[Block]:
    """Return the channels of numbers, which can be drawn and can change in level."""
    return [block for block in layout.blocks if block.kind == "number" and not block.moment and not block.label]


def categories_of(layout: Layout) -> list[Block]:
    """Return the channels of categories, which can be drawn."""
    return [block for block in layout.blocks if block.kind == "category" and not block.label]


def numbers_of(data: Encoded) -> Numbers:
    """Return the numbers of points in original units, float32 [n, channels of numbers]; nan where missing."""
    blocks, largest = channels_of(data.layout), np.finfo(np.float32).max
    found = np.empty((len(data), len(blocks)), dtype=np.float32)
    for at, block in enumerate(blocks):
        numbers = np.clip(expand(data.values[:, block.position], block.offset, block.scale), -largest, largest)
        found[:, at] = np.where(data.observed[:, block.position], numbers, np.nan)
    return found


def points_schema(fitted: Fitted) -> pa.Schema:
    """Return the Arrow schema of the file."""
    schema = fitted.schema
    time = MOMENT if schema.column(str(schema.time)).kind == "datetime" else pa.float64()
    fixed = [
        ("row", pa.int64()),
        ("entity", pa.string()),
        ("series", pa.int32()),
        ("time", time),
        ("slot", pa.int64()),
    ]
    channels = [(free_name(block.name, FIXED), pa.float32()) for block in channels_of(fitted.encoder.layout)]
    categories = [(free_name(block.name, FIXED), pa.string()) for block in categories_of(fitted.encoder.layout)]
    return pa.schema([*fixed, *channels, *categories])


def seconds(times: pa.Array) -> NDArray[np.float64]:
    """Return times of the file as seconds since 1970, or as the numbers that they are, [n]."""
    if times.type == MOMENT:
        return np.asarray(times.cast(pa.int64()).to_numpy() / 1e6)
    return np.asarray(times.to_numpy())


def known_series(fitted: Fitted) -> Stamps:
    """Return what reads times and series, those of the training table by the numbers that they have there."""
    return Stamps(fitted.schema, getattr(fitted.encoder, "series", {}))


class SeenPoints:
    """Keeps the points of a source on disk as they are read, until the run's folder is there.

    Parameters
    ----------
    fitted : Fitted
        A model of series.
    path : Path
        The file.

    Attributes
    ----------
    ordered : bool
        Whether no point was earlier than one before it of the same series.
    """

    def __init__(self, fitted: Fitted, path: Path) -> None:
        self._spool, self._stamps = Spool(path), known_series(fitted)
        self._schema = points_schema(fitted)
        self._categories = [block.name for block in categories_of(fitted.encoder.layout)]
        self._last: dict[int, float] = {}
        self.ordered = True

    def see(self, part: Part, slots: Keys, entity: pa.Array) -> None:
        """Add the next part of the source, with its results."""
        times, series = self._stamps.read(part.batch)
        self.ordered = self.ordered and self._continues(times, series)
        kind = self._schema.field("time").type
        shown = pa.array(np.round(times * 1e6).astype(np.int64)).cast(kind) if kind == MOMENT else pa.array(times)
        channels = part.arrays[CHANNELS]
        columns = [pa.array(part.rows), entity, pa.array(series.astype(np.int32)), shown, pa.array(slots)]
        columns += [pa.array(channels[:, at]) for at in range(channels.shape[1])]
        columns += [text(part.batch.column(name)) for name in self._categories]
        self._spool.write(pa.RecordBatch.from_arrays(columns, schema=self._schema))

    def _continues(self, times: NDArray[np.float64], series: NDArray[np.intp]) -> bool:
        for number in np.unique(series).tolist():
            mine = times[series == number]
            if mine[0] < self._last.get(number, -np.inf):
                return False
            self._last[number] = float(mine[-1])
        return is_ordered(times, series)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the points in the order of time within each series; as a whole where that is not the source's order."""
        if self.ordered:
            yield from self._spool.read()
            return
        table = pa.Table.from_batches(list(self._spool.read())).combine_chunks()
        order = in_order(seconds(table["time"].combine_chunks()), table["series"].to_numpy())
        yield from table.take(pa.array(order)).combine_chunks().to_batches()

    def write(self, folder: Path) -> None:
        """Write the points to the run's folder."""
        with TableWriter(folder / FILE, self._schema) as file:
            for batch in self._spool.read():
                file.write(batch)

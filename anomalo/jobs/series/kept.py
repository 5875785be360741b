"""What a run of series keeps, read back column by column: points in the order of time, intervals, changes, bands."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from anomalo.jobs.series.changes import FILE as CHANGES
from anomalo.jobs.series.changes import SCHEMA as OF_CHANGES
from anomalo.jobs.series.points import FILE, FIXED

INTERVALS, CELLS = "intervals.parquet", "cells.parquet"

Numbers = NDArray[np.floating]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Timeline:
    """The points of all series of a run, one series after the other, each in the order of time.

    Attributes
    ----------
    names : tuple of str
        The series; one empty name where no column names them.
    starts : int64 [series + 1]
        Where each begins, and where the last one ends.
    row : int64 [n]
        The row of each point.
    time : float64 [n]
        In milliseconds since 1970 (UTC), or numbers.
    slot : int64 [n]
        Points whose slots differ by 1 follow each other; else points are missing between them.
    dated : bool
        Whether times are dates and times.
    """

    names: tuple[str, ...]
    starts: Indices
    row: Indices
    time: NDArray[np.float64]
    slot: Indices
    dated: bool

    def of(self, series: int) -> slice:
        """Return where the points of a series are."""
        return slice(int(self.starts[series]), int(self.starts[series + 1]))

    @cached_property
    def position(self) -> Indices:
        """The position of each row among all points, [n]."""
        found = np.empty(len(self.row), dtype=np.int64)
        found[self.row] = np.arange(len(self.row))
        return found

    def series_of(self, row: int) -> int:
        """Return the number of the series that a row is of."""
        return int(np.searchsorted(self.starts, self.position[row], side="right")) - 1


def has_points(run: Path) -> bool:
    """Whether a run, by its folder, keeps points of series."""
    return (run / FILE).is_file()


def channels(run: Path) -> list[str]:
    """Return the names of the channels of numbers that a run keeps."""
    return [field.name for field in _channels(run) if pa.types.is_floating(field.type)]


def categories(run: Path) -> list[str]:
    """Return the names of the channels of categories that a run keeps."""
    return [field.name for field in _channels(run) if pa.types.is_string(field.type)]


def _channels(run: Path) -> list[pa.Field]:
    return list(pq.read_schema(run / FILE))[len(FIXED) :]


def timeline(run: Path) -> Timeline:
    """Read when the points of a run were, and of which series."""
    table = pq.read_table(run / FILE, columns=list(FIXED)).combine_chunks()
    series, slot = table["series"].to_numpy(), table["slot"].to_numpy()
    time, dated = table["time"], pa.types.is_timestamp(table.schema.field("time").type)
    times = time.cast(pa.int64()).to_numpy() / 1000.0 if dated else time.to_numpy()
    order = np.lexsort((slot, series))
    numbers, starts = np.unique(series[order], return_index=True)
    names = table["entity"].take(pa.array(order[starts])).to_pylist()
    ends = np.append(starts, len(order)).astype(np.int64)
    assert len(numbers) == len(names)
    return Timeline(
        tuple(name or "" for name in names), ends, table["row"].to_numpy()[order], times[order], slot[order], dated
    )


def channel(run: Path, name: str) -> Numbers:
    """Read the numbers of one channel, by row; nan where missing."""
    found: Numbers = pq.read_table(run / FILE, columns=[name])[name].to_numpy()
    return found


@dataclass(frozen=True)
class Category:
    """One channel of categories: its levels, and for each row the number of its level, -1 where it is missing."""

    levels: tuple[str, ...]
    code: NDArray[np.int32]


def category(run: Path, name: str) -> Category:
    """Read the levels of one channel, by row."""
    found = pq.read_table(run / FILE, columns=[name])[name].combine_chunks().dictionary_encode()
    codes = found.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
    return Category(tuple(found.dictionary.to_pylist()), codes)


def intervals(run: Path) -> pd.DataFrame:
    """Read the intervals of alerts, the most anomalous first."""
    found: pd.DataFrame = pq.read_table(run / INTERVALS).to_pandas()
    return found.sort_values(["p_value", "score"], ascending=[True, False], ignore_index=True, kind="stable")


def changes(run: Path) -> pd.DataFrame:
    """Read the changes, in the order of their rows; empty where none were looked for."""
    table = pq.read_table(run / CHANGES) if (run / CHANGES).is_file() else OF_CHANGES.empty_table()
    found: pd.DataFrame = table.to_pandas()
    return found


@dataclass(frozen=True)
class Bands:
    """What was expected of a channel at the rows that were explained, which are ascending; each [k]."""

    row: Indices
    expected: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def bands(run: Path, name: str) -> Bands:
    """Read what was expected of a channel; an expected text that is no number of its interval becomes its middle."""
    table = pq.read_table(run / CELLS, columns=["row", "expected", "low", "high"], filters=pc.field("column") == name)
    found = table.to_pandas().dropna(subset=["low", "high"]).sort_values("row")
    low, high = found["low"].to_numpy(), found["high"].to_numpy()
    expected = pd.to_numeric(found["expected"], errors="coerce").to_numpy(dtype=np.float64)
    inside = (expected >= low) & (expected <= high)
    middle = low / 2 + high / 2
    return Bands(found["row"].to_numpy(), np.where(inside, expected, middle), low, high)

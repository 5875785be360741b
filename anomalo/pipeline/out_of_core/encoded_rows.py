"""Encoded rows in files, ordered by their content: what a model that reads its rows in parts is fitted on."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalo.encoding.encoded import Encoded
from anomalo.encoding.layout import Layout
from anomalo.encoding.mapped import release
from anomalo.pipeline.out_of_core.spool import writing

BUCKET = 64 * 2**20
"""Bytes of the rows that are ordered at a time, about."""
MOST_BUCKETS = 256
WRITTEN = 65_536
"""Rows that are written at a time."""


@dataclass
class EncodedRows:
    """Rows that are written to disk batch by batch, and then ordered by the hashes of their content.

    The order is as good as a random one, so that any stretch of the rows is a random sample, and it does not depend on
    the order of the table (see `row_order`). It is found by distribution: the hashes' first bits say which bucket a row
    is in, and each bucket is sorted by itself (Knuth 1998, The Art of Computer Programming, volume 3, section 5.2.5).

    Parameters
    ----------
    folder : Path
        A folder for the files, which is made.
    layout : Layout
        Of the rows as a model sees them.
    rows : int
        About how many there will be.
    """

    folder: Path
    layout: Layout
    rows: int
    count: int = field(default=0, init=False)
    checksum: int = field(default=0, init=False)
    """The sum of the rows' hashes, modulo 2**64."""

    def __post_init__(self) -> None:
        shape = self.layout.shape
        self._record = np.dtype([("hash", "<u8"), ("values", "<f4", shape), ("observed", "?", shape)])
        buckets = self.rows * self._record.itemsize // BUCKET
        self._bits = min(int(buckets).bit_length(), MOST_BUCKETS.bit_length() - 1)
        with writing(self.folder):
            self.folder.mkdir()

    def add(self, seen: Encoded) -> None:
        """Write some rows; raises OutputError if the disk is full."""
        records = np.empty(len(seen), dtype=self._record)
        records["hash"], records["values"], records["observed"] = seen.hashes(), seen.values, seen.observed
        self.count += len(seen)
        self.checksum = (self.checksum + int(records["hash"].sum())) % 2**64
        bucket = self._bucket(records["hash"])
        order = np.argsort(bucket, kind="stable")
        ends = np.searchsorted(bucket[order], np.arange(2**self._bits + 1))
        with writing(self.folder):
            for number in np.flatnonzero(np.diff(ends)).tolist():
                with open(self._path(number), "ab") as file:
                    records[order[ends[number] : ends[number + 1]]].tofile(file)

    def _bucket(self, hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
        if not self._bits:
            return np.zeros_like(hashes)
        found: NDArray[np.uint64] = hashes >> np.uint64(64 - self._bits)
        return found

    def _path(self, number: int) -> Path:
        return self.folder / f"bucket-{number:03}"

    def ordered(self) -> Encoded:
        """Return the rows in order, in files that are mapped into memory; raises OutputError if the disk is full."""
        names = self.folder / "values", self.folder / "observed"
        with writing(self.folder), open(names[0], "wb") as values, open(names[1], "wb") as observed:
            for path in map(self._path, range(2**self._bits)):
                if path.exists():
                    self._append(path, values, observed)
                    path.unlink()
        return Encoded(self._mapped("values", np.float32), self._mapped("observed", np.bool_), self.layout)

    def _append(self, path: Path, values: Any, observed: Any) -> None:
        records = np.memmap(path, dtype=self._record, mode="r")
        order = np.argsort(records["hash"], kind="stable")
        for start in range(0, len(order), WRITTEN):
            some = records[order[start : start + WRITTEN]]
            np.ascontiguousarray(some["values"]).tofile(values)
            np.ascontiguousarray(some["observed"]).tofile(observed)
        release(records)

    def _mapped(self, name: str, kind: Any) -> NDArray[Any]:
        shape = (self.count, *self.layout.shape)
        return np.memmap(self.folder / name, dtype=kind, mode="r", shape=shape)

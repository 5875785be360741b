"""Some rows of a job's table, and what finds their results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from anomalo.encoding.encoded import Encoded
from anomalo.jobs.context import Counts
from anomalo.persistence.resume import Arrays
from anomalo.pipeline.fitted import Fitted

Rows = NDArray[np.int64]
Found = tuple[Arrays, Counts]


@dataclass(frozen=True)
class Part:
    """Some rows of the input, in one shard.

    Attributes
    ----------
    rows : int64 [n]
        Their numbers in the input, ascending.
    batch : RecordBatch [n]
        The same rows, raw.
    data : Encoded [n] or None
        The same rows, encoded; None if they are not, since their results were kept.
    arrays, counts
        Their results, once they are there.
    begins : bool
        Whether they are the first rows of the input: a column is refused if most of its cells cannot be read there.
    before, after : RecordBatch or None
        Of a series, the raw points before and after them that windows of theirs reach, until they are encoded.
    """

    rows: Rows
    batch: pa.RecordBatch
    data: Encoded | None = None
    arrays: Arrays = field(default_factory=dict)
    counts: Counts = field(default_factory=dict)
    begins: bool = False
    before: pa.RecordBatch | None = None
    after: pa.RecordBatch | None = None

    def take(self, at: NDArray[np.intp]) -> Part:
        """Return the rows at these positions, by copy and without results."""
        data = None if self.data is None else self.data.take(at)
        return Part(self.rows[at], self.batch.take(pa.array(at)), data)

    def encoded(self, fitted: Fitted, strict: bool) -> Encoded:
        """Return the rows, encoded as `Fitted.encode` does."""
        first, (batch, rows) = 0 if self.begins else max(int(self.rows[0]), 1), self.among
        return fitted.encode(batch, first, strict=strict, rows=rows)

    @property
    def among(self) -> tuple[pa.RecordBatch, slice]:
        """The rows among those around them, as one batch, and which of it they are."""
        around = [each for each in (self.before, self.batch, self.after) if each is not None]
        start = 0 if self.before is None else self.before.num_rows
        batch = self.batch if len(around) == 1 else pa.concat_batches(around)
        return batch, slice(start, start + self.batch.num_rows)


Find = Callable[[Fitted, Encoded, Part], Found]
"""Computes the results of rows, encoded and as they were read, with a model. It is pickled for workers: a function of a
module, or an instance of a dataclass with the parameters."""


def numbered_parts(batches: Iterable[pa.RecordBatch]) -> Iterator[Part]:
    """Yield batches that have rows as parts, with the numbers of their rows."""
    first = 0
    for batch in batches:
        if batch.num_rows:
            yield Part(np.arange(first, first + batch.num_rows), batch, begins=first == 0)
        first += batch.num_rows

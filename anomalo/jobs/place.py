"""What every job works with: the registry, the workspace, and someone to tell."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
from threadpoolctl import threadpool_limits

from anomalo.engines.local import ahead
from anomalo.errors import SourceError
from anomalo.fitted import Fitted
from anomalo.plugin import Encoded
from anomalo.registry import Registry
from anomalo.runs import Progress
from anomalo.store import ModelRecord, Store


@dataclass
class Place:
    """The surroundings of a job.

    Parameters
    ----------
    registry : Registry
        The plugins.
    store : Store
        The workspace.
    progress : callable, optional
        Told the share that is done, and a text.
    """

    registry: Registry
    store: Store
    progress: Progress | None = None

    @classmethod
    def at(cls, workspace: Path, progress: Progress | None = None) -> Place:
        """Return the place of a workspace folder, with the installed plugins."""
        return cls(Registry.load(), Store(workspace), progress)

    def table(self, source: str) -> pa.Table:
        """Read a whole table.

        Raises
        ------
        SourceError
            It cannot be read, or has no rows.
        """
        batches = list(self.registry.read(source))
        if not batches:
            raise SourceError(f"{source} has no rows; give a table with at least one")
        return pa.Table.from_batches(batches)

    def load(self, reference: str, device: str) -> tuple[ModelRecord, Fitted]:
        """Load the saved model that `ID`, `ID@3` or `ID@tag` names."""
        record = self.store.model(reference)
        return record, Fitted.load(record.path, self.registry, device)

    def encoded(self, source: str, fitted: Fitted) -> Iterator[tuple[pa.RecordBatch, Encoded]]:
        """Read and encode a source batch by batch, one batch ahead of the caller."""
        return ahead(self._encoded(source, fitted))

    def _encoded(self, source: str, fitted: Fitted) -> Iterator[tuple[pa.RecordBatch, Encoded]]:
        first = 0
        for batch in self.registry.read(source):
            fitted.schema.check(batch.schema.names)
            yield batch, fitted.encoder.encode(batch, first)
            first += batch.num_rows


@contextmanager
def threads(limit: int | None) -> Iterator[None]:
    """Limit the numerical libraries to `limit` threads inside, and give the old limits back."""
    with threadpool_limits(limit):
        yield


@dataclass
class Watch:
    """Notices, batch by batch, where scored data differs from the training table.

    Attributes
    ----------
    rows : int
        Rows seen so far.
    """

    fitted: Fitted
    rows: int = 0
    unseen: dict[str, int] = field(default_factory=dict)
    holes: dict[str, int] = field(default_factory=dict)
    outside: dict[str, int] = field(default_factory=dict)

    def see(self, data: Encoded) -> None:
        """Count unseen levels, holes and values outside the training range."""
        self.rows += len(data)
        for block in data.layout.blocks:
            values, seen = data.values[:, block.position], data.observed[:, block.position]
            missing = ~seen & (values == 0)
            _count(self.unseen, block.name, (~seen & ~missing).sum())
            _count(self.holes, block.name, missing.sum())
            if block.kind == "number":
                _count(self.outside, block.name, (seen & ((values < block.low) | (values > block.high))).sum())

    def warnings(self) -> list[str]:
        """Return one sentence for each thing worth knowing."""
        blocks = {block.name: block for block in self.fitted.encoder.layout.blocks}
        found = [
            f"column {name!r}: {count} of {self.rows} cells hold a level that the model never saw"
            for name, count in self.unseen.items()
        ]
        for name, count in self.holes.items():
            if count == self.rows:
                found.append(f"column {name!r} is empty here; the model scores without it")
            elif blocks[name].missing == 0:
                found.append(f"column {name!r}: {count} of {self.rows} cells are missing, none was in training")
        found += [
            f"column {name!r}: {count} of {self.rows} values lie outside the training range; is it the same column?"
            for name, count in self.outside.items()
            if count > self.rows / 4
        ]
        return found


def _count(counts: dict[str, int], name: str, more: int) -> None:
    if more:
        counts[name] = counts.get(name, 0) + int(more)

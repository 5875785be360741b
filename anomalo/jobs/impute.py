"""Fill the missing cells of a table; observed cells stay as they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from anomalo.cells import absent, text
from anomalo.jobs.place import Place, Watch
from anomalo.plugin import Encoded
from anomalo.sources import TableWriter, is_text
from anomalo.store import RunRecord

FILLS = pa.schema([("row", pa.int64()), ("column", pa.string()), ("value", pa.string())])


@dataclass(frozen=True)
class ImputeResult:
    """What was filled: cells by column, the stored run, and what there is to warn of."""

    run: RunRecord
    rows: int
    filled: dict[str, int]
    warnings: tuple[str, ...]


@dataclass
class _Tally:
    filled: dict[str, int] = field(default_factory=dict)

    def fills(self, data: Encoded, batch: pa.RecordBatch, start: int) -> pa.Table:
        """List the filled cells of a batch, and count them."""
        parts = [FILLS.empty_table()]
        for block in data.layout.blocks:
            at = np.flatnonzero(absent(data, block.position))
            if not len(at):
                continue
            self.filled[block.name] = self.filled.get(block.name, 0) + len(at)
            values = text(batch.column(block.name).take(pa.array(at)))
            columns = [pa.array(start + at, pa.int64()), pa.array([block.name] * len(at)), values]
            parts.append(pa.table(columns, schema=FILLS))
        return pa.concat_tables(parts)


def impute(
    place: Place, source: str, reference: str, *, output: Path | None = None, device: str = "auto"
) -> ImputeResult:
    """Fill `source` with the saved model `reference`, store the run and write `output`.

    Raises
    ------
    SchemaError
        The table does not fit the model's schema.
    SourceError, OutputError
        The table cannot be read, or the output not written.
    UsageError
        There is no such model, or it cannot impute.
    """
    place.check_output(output, source)
    record, fitted = place.load(reference, "impute", device)
    watch, tally = Watch(fitted), _Tally()

    def write(folder: Path) -> dict[str, Any]:
        like = next(iter(place.registry.read(source))).schema
        table = output or folder / f"filled{'.csv' if is_text(like) else '.parquet'}"
        with TableWriter(table, like) as writer, TableWriter(folder / "fills.parquet", None) as fills:
            for batch, data in place.encoded(source, fitted):
                filled = fitted.encoder.fill(batch, fitted.impute(data).point)
                writer.write(filled)
                for part in tally.fills(data, filled, watch.rows).to_batches():
                    fills.write(part)
                watch.see(data)
                place.tell(watch.rows)
        return {
            "rows": watch.rows,
            "filled": tally.filled,
            "output": None if output is None else str(output),
            "warnings": watch.warnings(),
        }

    run = place.store.add_run("impute", write, model=record, source=source)
    place.registry.run_saved(place.store, run.id)
    return ImputeResult(run, watch.rows, tally.filled, tuple(watch.warnings()))

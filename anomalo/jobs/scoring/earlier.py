"""Earlier scores of what a row is about: the rows of other runs that have the same id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from anomalo.jobs.scoring.score import FILE
from anomalo.workspace.workspace import RunRecord

ROWS = 3_000_000
"""So many rows of runs are searched at most, the newest runs first."""
LISTED = 20
"""So many rows are returned at most, the newest ones."""
_COLUMNS = ("row", "score", "p_value", "alert")


@dataclass(frozen=True)
class EarlierScore:
    """One row of another run with the same id.

    Attributes
    ----------
    run, created, model : str
        The run, when it was, and the version of the model.
    row : int
        The row's number in that run.
    score, p_value : float
        Of the row there.
    alert : bool
        Whether it was an alert.
    """

    run: str
    created: str
    model: str
    row: int
    score: float
    p_value: float
    alert: bool


def earlier_scores(runs: Sequence[RunRecord], name: str, value: str) -> list[EarlierScore]:
    """Return the rows that have `value` in the id column `name`, the newest first.

    Parameters
    ----------
    runs : sequence of RunRecord
        Runs of `score`, newest first; those whose scores do not have the column are passed over.
    """
    found: list[EarlierScore] = []
    left = ROWS
    for run in runs:
        left -= int(run.summary.get("rows", 0))
        if left < 0 or len(found) >= LISTED:
            break
        found += [
            EarlierScore(run.id, run.created, str(run.model), **line) for line in _lines(run, name, value).to_pylist()
        ]
    return found[:LISTED]


def _lines(run: RunRecord, name: str, value: str) -> pa.Table:
    nothing = pa.table({column: [] for column in _COLUMNS})
    try:
        file = pq.ParquetFile(run.path / FILE)
        if name not in file.schema_arrow.names:
            return nothing
        kind = file.schema_arrow.field(name).type
        asked = pa.scalar(value).cast(kind) if not pa.types.is_dictionary(kind) else pa.scalar(value)
        return pq.read_table(run.path / FILE, columns=list(_COLUMNS), filters=pc.field(name) == asked)
    except (OSError, pa.ArrowException):  # the run was removed, or its ids are of another type
        return nothing

"""Score the rows that are appended to a file of series, as they come."""

from __future__ import annotations

import io
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv

from anomalo.calibration.thresholds import Threshold
from anomalo.errors import OutputError, SourceError, UsageError
from anomalo.jobs.context import JobContext
from anomalo.jobs.part import Part, numbered_parts
from anomalo.jobs.scoring.score_rows import REASONS
from anomalo.jobs.series.followed_changes import FollowedChanges
from anomalo.jobs.series.surroundings import TimeOrder
from anomalo.jobs.series.waiting import Waiting
from anomalo.persistence.atomic import append_bytes, require_writable
from anomalo.pipeline.cell_tables import absent, explained_cells, shown_cells
from anomalo.pipeline.explaining.reasons import reasons
from anomalo.pipeline.fitted import Fitted
from anomalo.tabular.writing.json_lines import JsonFormat
from anomalo.tabular.writing.text import TextFormat

SECONDS = 1.0
"""So long it is waited for further rows."""
SUFFIXES = (".csv", ".jsonl")


@dataclass(frozen=True)
class Followed:
    """How many rows were scored, are alerts, and wait for later ones, since the start; and how many changes there are.

    Changes are those in all rows of the source.
    """

    rows: int = 0
    alerts: int = 0
    waiting: int = 0
    changes: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the numbers, JSON-ready."""
        return asdict(self)


def follow(
    context: JobContext,
    source: str,
    reference: str,
    output: Path,
    threshold: Threshold,
    *,
    device: str = "auto",
    resume: bool = False,
    wait: Callable[[], bool] | None = None,
    say: Callable[[list[str]], None] | None = None,
) -> Followed:
    """Score the rows of a CSV file, and those that are appended to it, and append a line for each to `output`.

    A line is written when its score is final: at once where windows end at their points; where a score is the mean of
    the windows with a point, a window later in its series, or after a gap. Rows that wait at the end are not written.

    Parameters
    ----------
    output : Path
        A CSV or JSON-lines file; lines are whole.
    threshold : Threshold
        A share: alerts that depend on later rows cannot be given now.
    resume : bool
        Continue with the rows that have no line in `output`.
    wait : callable, optional
        Waits until the file may have grown, and returns whether to continue; by default for ever, until Ctrl-C.
    say : callable, optional
        Gets sentences on lasting changes, apart from alerts, as soon as they are found; with `resume` those in rows
        that were scored before, too.

    Raises
    ------
    UsageError
        The model is not of series; the threshold is no share; or the output exists.
    SourceError
        The source is no CSV file, was cut, or has points that are not in the order of time.
    OutputError
        The output cannot be written, or has other lines.
    """
    _, fitted = context.load(reference, "score", device)
    _check(fitted, threshold, source, output)
    lines = _Lines(output, fitted.schema.id, resume)
    job, order = _Following(context, fitted, threshold.value, lines), TimeOrder(fitted.schema)
    waiting, changes = Waiting(fitted, order.stamps, context.strict), FollowedChanges(fitted)
    with suppress(KeyboardInterrupt):
        for part in numbered_parts(_in_order(_appended(context, Path(source), wait or _sleep), order)):
            settled = waiting.settled(part)
            job.see(settled)
            said = changes.see(settled)
            if said and say is not None:
                say(said)
    return Followed(job.rows, job.alerts, len(waiting), changes.count)


def _sleep() -> bool:
    time.sleep(SECONDS)
    return True


def _check(fitted: Fitted, threshold: Threshold, source: str, output: Path) -> None:
    if fitted.schema.time is None:
        raise UsageError("--follow is for series: fit a model with --time COL")
    if threshold.kind != "share":
        raise UsageError(f"--follow cannot apply {threshold}, which depends on rows to come; give share=…")
    if output.suffix not in SUFFIXES:
        raise UsageError(f"{output}: --follow appends to a file that ends in {' or '.join(SUFFIXES)}")
    if not Path(source).is_file():
        raise SourceError(f"no such file: {source}; --follow reads a CSV file of this machine")
    require_writable(output)


def _in_order(batches: Iterator[pa.RecordBatch], order: TimeOrder) -> Iterator[pa.RecordBatch]:
    row = 0
    for batch in batches:
        if not order.keeps(batch):
            raise SourceError(
                f"a row from {row} to {row + batch.num_rows - 1} is earlier than one before it: "
                "--follow takes rows in the order of time; score the file without it"
            )
        row += batch.num_rows
        yield batch


def _appended(context: JobContext, source: Path, wait: Callable[[], bool]) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a CSV file as they are appended, whole lines only."""
    header, position = b"", 0
    while True:
        if source.stat().st_size < position:
            raise SourceError(f"{source} was cut while it was followed; start again, with another output")
        with source.open("rb") as file:
            file.seek(position)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        position += len(whole)
        if not header and whole:
            end = whole.index(b"\n") + 1
            header, whole = whole[:end], whole[end:]
        if whole.strip():
            yield from _read(context, header + whole, source)
        if not wait():
            return


def _read(context: JobContext, content: bytes, source: Path) -> Iterator[pa.RecordBatch]:
    """Read new lines, behind the header, as a file of their own."""
    with tempfile.NamedTemporaryFile(suffix=source.suffix) as file:
        file.write(content)
        file.flush()
        try:
            yield from context.read(file.name)
        except SourceError as error:
            raise SourceError(str(error).replace(file.name, f"{source}, its header and new lines")) from error


class _Lines:
    """The lines of an output that grows."""

    def __init__(self, path: Path, identifier: str | None, resume: bool) -> None:
        self._path, self._id = path, identifier
        self._is_csv = path.suffix == ".csv"
        self.rows = np.zeros(0, dtype=np.int64)
        self._begun = False
        if path.exists():
            if not resume:
                raise UsageError(f"{path} exists; continue behind its lines with --resume, or give another name")
            self._continue()

    def _continue(self) -> None:
        """Cut an incomplete last line, and read which rows the others are of."""
        content = self._path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            with self._path.open("rb+") as file:
                file.truncate(whole)
        self._begun = whole > 0
        if not whole:
            return
        try:
            self.rows = _rows_of(content[:whole], self._is_csv)
        except (pa.ArrowException, ValueError, KeyError, TypeError) as error:
            raise OutputError(f"{self._path} has other lines than scores; give another name") from error

    def append(self, batch: pa.RecordBatch) -> None:
        """Append rows."""
        buffer = io.BytesIO()
        if self._is_csv:
            TextFormat(buffer, batch.schema, ",", False).write(batch)
            content = buffer.getvalue()
            content = content[content.index(b"\n") + 1 :] if self._begun else content
        else:
            JsonFormat(buffer, batch.schema).write(batch)
            content = buffer.getvalue()
        append_bytes(self._path, content)
        self._begun = True


def _rows_of(content: bytes, is_csv: bool) -> NDArray[np.int64]:
    """Return the numbers of the rows that lines are of."""
    if not is_csv:
        return np.array([json.loads(line)["row"] for line in content.splitlines()], dtype=np.int64)
    whole = csv.ParseOptions(newlines_in_values=True)
    column = csv.ConvertOptions(include_columns=["row"], column_types={"row": pa.int64()})
    table = csv.read_csv(io.BytesIO(content), parse_options=whole, convert_options=column)
    return np.asarray(table.column("row"), dtype=np.int64)


class _Following:
    """Scores parts, and appends what is not in the output yet."""

    def __init__(self, context: JobContext, fitted: Fitted, share: float, lines: _Lines) -> None:
        self._context, self._fitted, self._share, self._lines = context, fitted, share, lines
        self._done = lines.rows
        self.rows = self.alerts = 0

    def see(self, part: Part) -> None:
        """Score the rows of a part, which is encoded, that are not in the output."""
        new = part.take(np.flatnonzero(~np.isin(part.rows, self._done)))
        if not len(new.rows) or new.data is None:
            return
        fitted, rows, batch = self._fitted, new.rows, new.batch
        scored = fitted.score(new.data)
        alert = scored.p_value <= self._share
        columns: dict[str, Any] = {"row": pa.array(rows)}
        if fitted.schema.id in batch.schema.names:
            columns[str(fitted.schema.id)] = batch.column(fitted.schema.id)
        columns |= {"score": pa.array(scored.score), "p_value": pa.array(scored.p_value), "alert": pa.array(alert)}
        columns["reasons"] = self._reasons(new.take(np.flatnonzero(alert)), rows)
        self._lines.append(pa.RecordBatch.from_pydict(columns))
        self.rows, self.alerts = self.rows + len(rows), self.alerts + int(alert.sum())
        self._context.report_rows(self.rows)

    def _reasons(self, part: Part, rows: Any) -> pa.Array:
        """Return the reasons of rows, which those have that are alerts."""
        found: dict[int, list[dict[str, Any]]] = {}
        if len(part.rows) and part.data is not None:
            explained = self._fitted.explain(part.data)
            cells = explained_cells(self._fitted, part.batch, part.rows, explained, absent(part.data))
            near = explained.near.reshape(len(part.rows), -1)[:, shown_cells(self._fitted.encoder.layout)]
            found = reasons(cells, part.rows, near)
        return pa.array([found.get(row, []) for row in rows.tolist()], REASONS)

"""Reviews as CSV files: written for other tools, and read from them."""

from __future__ import annotations

import csv
from pathlib import Path

import pyarrow as pa

from anomalo.errors import SourceError, UsageError
from anomalo.tabular.safe_csv import safe
from anomalo.tabular.writing.writer import TableWriter
from anomalo.workspace.reviews import STATES, Part
from anomalo.workspace.workspace import RunRecord, Workspace

PARTS: tuple[Part, ...] = ("state", "assignee", "comment")
COLUMNS = ("run", "row", *PARTS)


def export_reviews(store: Workspace, run: RunRecord, file: Path) -> int:
    """Write what is said of a run's rows as CSV, a line for each row; return how many rows there are.

    A spreadsheet finds no formulas in it. The comments of a row are in one cell, each on a line.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    said = sorted(store.reviews.of(run.id).items())
    columns: dict[str, list[str] | list[int]] = {
        "run": [run.id] * len(said),
        "row": [row for row, _ in said],
        "state": [review.state for _, review in said],
        "assignee": [review.assignee for _, review in said],
        "comment": ["\n".join(review.comments) for _, review in said],
    }
    schema = pa.schema([(name, pa.int64() if name == "row" else pa.string()) for name in COLUMNS])
    with TableWriter(file, schema, safe_csv=True) as writer:
        writer.write(pa.RecordBatch.from_pydict(columns, schema))
    return len(said)


def import_reviews(store: Workspace, run: RunRecord, file: Path, who: str) -> int:
    """Take in what a CSV file says of a run's rows, in one step that can be undone; return how many rows changed.

    It has the columns `row` and `state`, and may have `assignee`, `comment` and `run`. What a row says already is left
    out, and so are empty cells.

    Raises
    ------
    SourceError
        The file cannot be read, or has other columns.
    UsageError
        A line of it cannot be taken in; nothing is changed then.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            lines = list(csv.DictReader(opened, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(
            f"cannot read {file}: {getattr(error, 'strerror', None) or error}; give a CSV file"
        ) from error
    if not lines or not {"row", "state"} <= set(lines[0]):
        raise SourceError(f"{file}: expected lines with the columns row and state; see `anomalo feedback RUN --export`")
    before, said = store.reviews.of(run.id), dict[int, dict[Part, str]]()
    for number, line in enumerate(lines, start=2):
        row = _row(line, run, f"{file}, line {number}")
        if row in said:
            raise UsageError(f"{file}, line {number}: row {row} stands there twice; leave one line")
        said[row] = {part: value for part in PARTS if (value := (line.get(part) or "").strip())}
        known = before.get(row)
        if known is not None:
            old = {"state": known.state, "assignee": known.assignee, "comment": "\n".join(known.comments)}
            said[row] = {part: value for part, value in said[row].items() if value not in (old[part], _safe(old[part]))}
    changed = {row: parts for row, parts in said.items() if parts}
    if changed:
        store.reviews.change_each(run.id, changed, who)
    return len(changed)


def _safe(text: str) -> str:
    """Return a text as `export_reviews` writes it."""
    return str(safe(pa.array([text]))[0].as_py())


def _row(line: dict[str, str], run: RunRecord, where: str) -> int:
    """Return the row that a line is about, once the line is checked."""
    text, rows = (line["row"] or "").strip(), int(run.summary.get("rows", 0))
    if not text.isdecimal() or int(text) >= rows:
        raise UsageError(f"{where}: row {text!r}: expected a number from 0 to {rows - 1:,}, as {run.id} has rows")
    if (line.get("run") or run.id) != run.id:
        raise UsageError(f"{where}: it is of run {line['run']!r}, not of {run.id}; give the run that it is of")
    if (line["state"] or "").strip() not in ("", *STATES):
        raise UsageError(f"{where}: state {line['state']!r}: expected one of {', '.join(STATES)}")
    return int(text)

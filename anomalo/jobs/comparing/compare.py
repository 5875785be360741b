"""Compare a table with an earlier one: two sources, two runs, or a run with the table that its model was fitted on."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anomalo.errors import ArtefactError, UsageError, without_passwords
from anomalo.evaluation.comparison.compare import LEVEL, compare
from anomalo.evaluation.comparison.profile import Profile
from anomalo.evaluation.comparison.result import Comparison
from anomalo.jobs.comparing.profiles import profile_of_model, profile_of_source, read_profile, write_profile
from anomalo.jobs.comparing.report_page import page
from anomalo.jobs.context import JobContext
from anomalo.persistence.atomic import atomic_file, require_writable
from anomalo.tabular.reading.folder.listing import local_files
from anomalo.tabular.reading.stdin import STDIN
from anomalo.tabular.schema import SchemaOptions
from anomalo.workspace.workspace import RunRecord

FILE = "comparison.json"
NAMED = 3
"""Columns that a run's summary names, at most."""


@dataclass(frozen=True)
class CompareResult:
    """The result of a comparison.

    Attributes
    ----------
    run : RunRecord
        The stored run.
    comparison : Comparison
        What differs.
    reference, current : str
        What was compared.
    """

    run: RunRecord
    comparison: Comparison
    reference: str
    current: str

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON-ready values."""
        return {"run": self.run.id, "reference": self.reference, "current": self.current} | self.comparison.to_json()


def compare_tables(
    context: JobContext,
    reference: str,
    current: str | None = None,
    *,
    options: SchemaOptions | None = None,
    level: float = LEVEL,
    page_file: Path | None = None,
) -> CompareResult:
    """Compare two tables, store the comparison as a run, and write a page about it.

    Parameters
    ----------
    reference : str
        A source, the id of a run, or a saved model, which stands for its training table.
    current : str, optional
        Likewise. Without it `reference` is a run, which is compared with the training table of its model.
    options : SchemaOptions, optional
        What the user decided about the columns of `reference`, if that is a source.
    level : float
        The largest p-value that is called a difference.
    page_file : Path, optional
        An HTML file to write.

    Raises
    ------
    SourceError
        A table cannot be read, or has no rows.
    SchemaError
        They have no column in common.
    UsageError
        There is no such run or model, or it has no profile and its table is not there any more.
    OutputError
        The page or the run cannot be written.
    """
    if page_file is not None:
        require_writable(page_file)
    if current is None:
        reference, current = _training_table(context, reference), reference
    before, after = _profiles(context, reference, current, options)
    found = compare(before, after, level=level, now=time.time())
    shown = without_passwords(reference), without_passwords(current)
    text = page(found, *shown) if page_file is not None else None

    def write(folder: Path) -> dict[str, Any]:
        write_profile(after, folder)
        _write(found, folder)
        return {"rows": after.rows, "reference": shown[0], "drift": _facts(found)} | context.read_facts

    run = context.store.add_run("compare", write, model=None, source=current)
    if page_file is not None and text is not None:
        with atomic_file(page_file) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return CompareResult(run, found, *shown)


def compared(reference: Profile, current: Profile, folder: Path) -> dict[str, Any]:
    """Compare a table that was scored with the training table, write the files of `compare_tables`, and return facts.

    Only what `compare` needs the time for is not in it: the age of the latest row.
    """
    found = compare(reference, current)
    write_profile(current, folder)
    _write(found, folder)
    return _facts(found)


def read_comparison(folder: Path) -> dict[str, Any] | None:
    """Return the comparison in the folder of a run, as `Comparison.to_json` wrote it; None if it has none.

    Raises
    ------
    ArtefactError
        It is damaged.
    """
    path = folder / FILE
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if "columns" not in found:
            raise ValueError("it is no comparison")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise ArtefactError(f"{path} is damaged: {error}; score the table again") from error
    return found


def _write(found: Comparison, folder: Path) -> None:
    (folder / FILE).write_text(json.dumps(found.to_json(), ensure_ascii=False, allow_nan=False), encoding="utf-8")


def _facts(found: Comparison) -> dict[str, Any]:
    """Return what the summary of a run has of its comparison."""
    return {
        "p_value": found.p_value,
        "differs": found.differs,
        "summary": found.summary,
        "columns": [column.column for column in found.columns if column.differs][:NAMED],
        "auroc": found.auroc,
        "missing": found.missing[1],
    }


def _training_table(context: JobContext, reference: str) -> str:
    """Return the model of a run, which stands for the table that it was fitted on."""
    run = _run(context, reference)
    if run is None:
        raise UsageError(
            f"{reference!r} is no run: give two tables to compare, or one run, such as 0012-score, for the table that "
            "its model was fitted on"
        )
    if run.model is None:
        raise UsageError(f"run {reference} used no model: give a second table, run or model to compare it with")
    return run.model


def _profiles(
    context: JobContext, reference: str, current: str, options: SchemaOptions | None
) -> tuple[Profile, Profile]:
    """Return the profiles of both: one that is stored decides how the cells of the other one are read."""
    before, after = (_stored(context, name) for name in (reference, current))
    schema = None if after is None or before is not None else after.schema
    before = before or profile_of_source(context, _source(context, reference), schema, options)
    return before, after or profile_of_source(context, _source(context, current), before.schema)


def _stored(context: JobContext, name: str) -> Profile | None:
    """Return the profile that is stored under a name; None if it is that of a source."""
    run = _run(context, name)
    if run is not None:
        return read_profile(run.path)
    if not _is_model(context, name):
        return None
    record = context.store.model(name)
    found = profile_of_model(record.path)
    if found is None:
        raise UsageError(
            f"model {record.reference} has no profile of its training table, since an earlier version fitted it; "
            f"fit it again, or compare with {record.source}"
        )
    return found


def _is_model(context: JobContext, name: str) -> bool:
    if name == STDIN or "://" in name or os.path.exists(name) or local_files(name):
        return False
    return name.partition("@")[0] in {record.name for record in context.store.models()}


def _source(context: JobContext, name: str) -> str:
    """Return the source to read: for a run without a profile, the table that it read."""
    run = _run(context, name)
    return name if run is None else run.source


def _run(context: JobContext, name: str) -> RunRecord | None:
    return next((run for run in context.store.runs() if run.id == name), None)

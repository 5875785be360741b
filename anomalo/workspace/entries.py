"""Entries of models and runs: their common columns, the numbers that are taken, and those that killed jobs left."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from anomalo.persistence.resume import ResumableState
from anomalo.tabular.reading.source import recorded
from anomalo.workspace.artifacts import json_ready
from anomalo.workspace.authorship import now, who
from anomalo.workspace.database import WRITING, ModelRow, RunRow
from anomalo.workspace.records import ModelRecord, RunRecord

Row = TypeVar("Row", ModelRow, RunRow)


def entry_facts(source: str, seconds: float, summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns that models and runs share, of an entry whose folder is not written yet."""
    facts = {"source": recorded(source), "seconds": float(seconds), "summary": json_ready(summary, "summary")}
    return facts | {"status": WRITING, "created": now(), "who": who()}


def model_record(row: ModelRow, tags: Iterable[str], root: Path) -> ModelRecord:
    """Return what an entry of the workspace in folder `root` says of a model."""
    facts = (row.name, row.version, row.model, row.plugin, row.source, row.rows, row.columns, row.seconds, row.summary)
    return ModelRecord(*facts, row.created, tuple(tags), root / row.path, row.who, row.threshold, row.retired)


def run_record(row: RunRow, root: Path) -> RunRecord:
    """Return what an entry of the workspace in folder `root` says of a run."""
    facts = (row.id, row.verb, row.model, row.source, row.seconds, row.summary, row.status, row.created)
    return RunRecord(*facts, root / row.path, row.who)


def killed_entry(session: Session, kind: type[Row], part: str, job: ResumableState | None) -> Row | None:
    """Return the entry that a job was writing when it was killed; its number alone may be another's by now."""
    kept = job and job.load(part)
    return session.scalar(select(kind).filter_by(**kept[1])) if kept else None


def highest_number(folder: Path) -> int:
    """The highest number that a sub-folder's name begins with: it is taken even if the database was lost."""
    numbers = (re.match(r"[0-9]+", path.name) for path in folder.glob("[0-9]*"))
    return max((int(match.group()) for match in numbers if match), default=0)

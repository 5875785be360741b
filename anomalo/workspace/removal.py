"""Removal of saved models and runs: an entry is hidden first, then its folder is removed.

The entry of what was removed stays in the database without its facts, so that its version or number is never another's.
A process that is killed in between leaves a folder that no list shows; the next removal takes it away.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from anomalo.errors import OutputError, UsageError
from anomalo.workspace.activity import note
from anomalo.workspace.database import DONE, REMOVED, WRITING, Database, ModelRow, RunRow, TagRow
from anomalo.workspace.decisions import DecisionRow
from anomalo.workspace.records import ModelRecord, RunRecord
from anomalo.workspace.reviews import ReviewRow
from anomalo.workspace.versions import in_use


def remove(database: Database, root: Path, records: Sequence[ModelRecord | RunRecord]) -> None:
    """Remove saved models or runs, all or, if one of them is refused, none.

    Raises
    ------
    UsageError
        A version has a tag.
    OutputError
        The database cannot be written, or a folder not be removed; its entry is hidden all the same.
    """
    with database.writing() as session:
        rows = [row for record in records if (row := _row(session, record)) is not None]
        for row in rows:
            row.status, row.summary = REMOVED, {}
            note(session, "rm", row.id if isinstance(row, RunRow) else f"{row.name}@{row.version}")
            if isinstance(row, RunRow):
                for said in (ReviewRow, DecisionRow):
                    session.execute(delete(said).where(said.run == row.id))
    sweep(database, root)


def sweep(database: Database, root: Path) -> None:
    """Remove the folders of hidden entries, those of earlier removals that were killed too.

    Raises
    ------
    OutputError
        One cannot be removed.
    """
    with database.reading() as session:
        hidden = [
            root / path
            for kind in (ModelRow, RunRow)
            for path in (session.scalars(select(kind.path).where(kind.status == REMOVED)) if session else ())
        ]
    for folder in hidden:
        if os.path.lexists(folder):
            _remove_folder(folder)


def is_being_written(database: Database, identity: str) -> bool:
    """Whether a run has its number, but its folder is not complete."""
    with database.reading() as session:
        query = select(RunRow).filter_by(id=identity, status=WRITING)
        return session is not None and session.scalar(query) is not None


def _row(session: Session, record: ModelRecord | RunRecord) -> ModelRow | RunRow | None:
    """Return the entry of a record; None if another process has removed it."""
    if isinstance(record, RunRecord):
        return session.scalar(select(RunRow).filter_by(id=record.id, status=DONE))
    tagged = select(TagRow.tag).filter_by(name=record.name, version=record.version).order_by(TagRow.tag)
    tag = session.scalar(tagged)
    if tag is not None:
        raise UsageError(in_use(record.reference, tag))
    return session.scalar(select(ModelRow).filter_by(name=record.name, version=record.version, status=DONE))


def _remove_folder(folder: Path) -> None:
    try:
        if folder.is_symlink():
            folder.unlink()
        else:
            shutil.rmtree(folder)
    except FileNotFoundError:
        pass  # another process removes it
    except OSError as error:
        raise OutputError(
            f"cannot remove {folder}: {error.strerror or error}; it is in no list any more, "
            "and the next `anomalo rm` tries again"
        ) from error
    with suppress(OSError):
        folder.parent.rmdir()

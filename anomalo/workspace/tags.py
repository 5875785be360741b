"""Tags of saved models: which version has which, and the history of their moves."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from anomalo.errors import UnknownModelError, UsageError
from anomalo.workspace.activity import note
from anomalo.workspace.authorship import now, who
from anomalo.workspace.database import DONE, ModelRow, TagMoveRow, TagRow
from anomalo.workspace.records import ModelRecord, TagMove


def move_tag(session: Session, record: ModelRecord, tag: str, *, remove: bool = False) -> TagMove:
    """Give a version a tag, or remove it from that version; what was so already is not recorded as a move.

    Raises
    ------
    UnknownModelError
        The version was removed meanwhile.
    UsageError
        The version has not the tag that is to be removed.
    """
    version = select(ModelRow).filter_by(name=record.name, version=record.version, status=DONE)
    if session.scalar(version) is None:
        raise UnknownModelError(f"{record.reference} was removed meanwhile; see `anomalo models {record.name}`")
    row = session.get(TagRow, (record.name, tag))
    before, after = None if row is None else row.version, None if remove else record.version
    if remove and before != record.version:
        has = f"{record.name}@{before} has it" if before else "no version has it"
        raise UsageError(f"{record.reference} has no tag {tag!r}: {has}; see `anomalo models {record.name}`")
    move = TagMove(record.name, tag, before, after, who(), now())
    if before != after:
        if remove:
            session.delete(row)
        else:
            session.merge(TagRow(name=record.name, tag=tag, version=record.version))
        session.add(TagMoveRow(**vars(move)))
        note(session, "tag", record.reference, f"{tag} removed" if remove else tag, move.who)
    return move


def tag_moves(session: Session, name: str) -> list[TagMove]:
    """Return the moves of all tags of a model, oldest first."""
    rows = session.scalars(select(TagMoveRow).where(TagMoveRow.name == name).order_by(TagMoveRow.number))
    return [TagMove(row.name, row.tag, row.before, row.after, row.who, row.created) for row in rows]

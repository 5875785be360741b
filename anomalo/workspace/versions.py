"""What people decide about versions of saved models: their tags, the threshold to score with, and which are retired."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from anomalo.errors import UnknownModelError, UsageError
from anomalo.workspace.activity import note
from anomalo.workspace.authorship import now, who
from anomalo.workspace.database import DONE, Database, ModelRow, TagMoveRow, TagRow
from anomalo.workspace.records import ModelRecord, TagMove


@dataclass(frozen=True)
class SavedThreshold:
    """A change of the threshold that is saved with a version; empty texts stand for none.

    Attributes
    ----------
    reference : str
        The version.
    before, after : str
        The rules, as `--threshold` takes them.
    """

    reference: str
    before: str
    after: str


class Versions:
    """The versions of a workspace's models; several processes may change them at once.

    Parameters
    ----------
    database : Database
        The workspace's. Methods raise what its transactions do, and UnknownModelError for a version that was removed.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def save_threshold(self, record: ModelRecord, rule: str) -> SavedThreshold:
        """Save the threshold that a version is scored with where no other is given; an empty rule takes it away.

        The rule is one that `Threshold.parse` takes; what was so already is not recorded.
        """
        with self._database.writing() as session:
            row = _row(session, record)
            before, row.threshold = row.threshold, rule
            if before != rule:
                note(session, "threshold", record.reference, rule or f"{before} removed")
        return SavedThreshold(record.reference, before, rule)

    def retire(self, record: ModelRecord) -> None:
        """Mark a version as no longer to be used, unless it is named.

        Raises
        ------
        UsageError
            It has a tag, or is retired already.
        """
        with self._database.writing() as session:
            row = _row(session, record)
            tagged = select(TagRow.tag).filter_by(name=record.name, version=record.version).order_by(TagRow.tag)
            tag = session.scalar(tagged)
            if tag is not None:
                raise UsageError(in_use(record.reference, tag))
            if row.retired:
                raise UsageError(f"{record.reference} is retired already, since {row.retired}")
            row.retired = now()
            note(session, "retire", record.reference)

    def restore(self, record: ModelRecord) -> None:
        """Take the retirement of a version back.

        Raises
        ------
        UsageError
            It is not retired.
        """
        with self._database.writing() as session:
            row = _row(session, record)
            if not row.retired:
                raise UsageError(f"{record.reference} is not retired; there is nothing to undo")
            row.retired = ""
            note(session, "retire", record.reference, "undone")


def in_use(reference: str, tag: str) -> str:
    """Return why a version that has a tag is neither removed nor retired."""
    return f"{reference} is in use: it is tagged {tag!r}; move the tag, or `anomalo tag {reference} {tag} --remove`"


def latest_in_use(versions: Sequence[ModelRecord]) -> ModelRecord:
    """Return the latest of the versions of one model, at least one, that is not retired.

    Raises
    ------
    UnknownModelError
        All are.
    """
    used = [record for record in versions if not record.retired]
    if not used:
        last = versions[-1].reference
        every = "all versions" if len(versions) > 1 else "the only version"
        raise UnknownModelError(
            f"{every} of {versions[-1].name!r} {'are' if len(versions) > 1 else 'is'} retired; name one, such as "
            f"{last}, fit the next version, or `anomalo retire {last} --undo`"
        )
    return used[-1]


def inherited_threshold(session: Session, name: str) -> str:
    """Return the threshold that the next version of a model begins with: that of the latest one in use, if any."""
    query = select(ModelRow.threshold).where(ModelRow.name == name, ModelRow.status == DONE, ModelRow.retired == "")
    return session.scalar(query.order_by(ModelRow.version.desc()).limit(1)) or ""


def move_tag(session: Session, record: ModelRecord, tag: str, *, remove: bool = False) -> TagMove:
    """Give a version a tag, or remove it from that version; what was so already is not recorded as a move.

    Raises
    ------
    UnknownModelError
        The version was removed meanwhile.
    UsageError
        The version is retired, or has not the tag that is to be removed.
    """
    if _row(session, record).retired and not remove:
        raise UsageError(f"{record.reference} is retired; `anomalo retire {record.reference} --undo`, then tag it")
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


def _row(session: Session, record: ModelRecord) -> ModelRow:
    row = session.scalar(select(ModelRow).filter_by(name=record.name, version=record.version, status=DONE))
    if row is None:
        raise UnknownModelError(f"{record.reference} was removed meanwhile; see `anomalo models {record.name}`")
    return row

"""Who did what in a workspace: a log to which every change adds a line, and from which none is taken."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Mapped, Session, mapped_column

from anomalo.workspace.authorship import now, who
from anomalo.workspace.database import Table


class ActivityRow(Table):
    """One change; the number says in which order."""

    __tablename__ = "activity"

    number: Mapped[int] = mapped_column(primary_key=True)
    created: Mapped[str]
    who: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    details: Mapped[str]


@dataclass(frozen=True)
class Activity:
    """One change of a workspace.

    Attributes
    ----------
    created : str
        UTC, ISO 8601.
    who : str
        Who made it.
    action : str
        What was done: a verb of the command line such as `fit`, `score` or `rm`, `review` or `decide`.
    subject : str
        The model, such as `fraud@3`, or the run, such as `0007-score`.
    details : str
        A few words for people, which may be empty; never what a cell holds.
    """

    created: str
    who: str
    action: str
    subject: str
    details: str

    def to_json(self) -> dict[str, Any]:
        """Return the change as JSON-ready values."""
        return asdict(self)


def note(session: Session, action: str, subject: str, details: str = "", by: str | None = None) -> None:
    """Add a line to the log, in the transaction of the change that it describes.

    Parameters
    ----------
    action, subject, details
        As in `Activity`.
    by : str, optional
        Who made the change; default: `authorship.who`.
    """
    session.add(ActivityRow(created=now(), who=by or who(), action=action, subject=subject, details=details))


def latest(session: Session, limit: int) -> list[Activity]:
    """Return the last changes, newest first."""
    rows = session.scalars(select(ActivityRow).order_by(ActivityRow.number.desc()).limit(limit))
    return [Activity(row.created, row.who, row.action, row.subject, row.details) for row in rows]

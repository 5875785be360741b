"""What analysts say of the rows of runs: states, assignees, comments. Every change is kept and can be undone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from sqlalchemy import func, select
from sqlalchemy.orm import Mapped, mapped_column

from anomalo.errors import UsageError
from anomalo.tabular.quantities import count
from anomalo.workspace.activity import note
from anomalo.workspace.authorship import now
from anomalo.workspace.database import Database, Table

State = Literal["new", "acknowledged", "expected", "false alarm", "fixed"]
STATES: tuple[State, ...] = get_args(State)
Part = Literal["state", "assignee", "comment"]
LONGEST = 2000
"""Characters of a comment, at most."""
AT_ONCE = 10_000
"""Rows that one action changes, at most."""


class ReviewRow(Table):
    """One change of one row of a run; the number says in which order, the action which changes were made together."""

    __tablename__ = "reviews"

    number: Mapped[int] = mapped_column(primary_key=True)
    action: Mapped[int] = mapped_column(index=True)
    run: Mapped[str] = mapped_column(index=True)
    row: Mapped[int]
    part: Mapped[str]
    value: Mapped[str]
    who: Mapped[str]
    created: Mapped[str]
    undone: Mapped[str]


@dataclass(frozen=True)
class Change:
    """One change of what is said of a row.

    Attributes
    ----------
    action : int
        Which changes were made together, and are undone together.
    run, row : str, int
        The row of a run.
    part : {"state", "assignee", "comment"}
        What was changed.
    value : str
        The state, the comment, or who looks after it; empty if nobody does any more.
    who, created : str
        Who made it, and when: UTC, ISO 8601.
    undone : str
        Who has undone it; empty if nobody has.
    """

    action: int
    run: str
    row: int
    part: str
    value: str
    who: str
    created: str
    undone: str


@dataclass(frozen=True)
class Review:
    """What is said of a row now.

    Attributes
    ----------
    state : str
        One of `STATES`.
    assignee : str
        Who looks after it; empty if nobody does.
    comments : tuple of str
        Oldest first.
    """

    state: str = "new"
    assignee: str = ""
    comments: tuple[str, ...] = ()


class Reviews:
    """The reviews of a workspace's runs; several processes may change them at once.

    Parameters
    ----------
    database : Database
        The workspace's. Methods raise what its transactions do.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def change(
        self,
        run: str,
        rows: Sequence[int],
        who: str,
        *,
        state: State | None = None,
        assignee: str | None = None,
        comment: str | None = None,
    ) -> int:
        """Change what is said of rows of a run, in one step; return the number of the action.

        Raises
        ------
        UsageError
            There is nothing to change or nobody who does it, the state is not known, or a text is too long.
        """
        parts: dict[Part, str | None] = {"state": state, "assignee": assignee, "comment": comment}
        said = {part: value.strip() for part, value in parts.items() if value is not None}
        return self.change_each(run, dict.fromkeys(rows, said), who)

    def change_each(self, run: str, said: Mapping[int, Mapping[Part, str]], who: str) -> int:
        """Change what is said of rows of a run, of each something else, in one step; return the number of the action.

        Raises
        ------
        UsageError
            As `change` does; nothing is changed then.
        """
        _check(said, who)
        with self._database.writing() as session:
            action = 1 + (session.scalar(select(func.max(ReviewRow.action))) or 0)
            session.add_all(
                ReviewRow(action=action, run=run, row=row, part=part, value=value, who=who, created=now(), undone="")
                for row, parts in said.items()
                for part, value in parts.items()
            )
            states = sorted({parts["state"] for parts in said.values() if "state" in parts})
            other = "a comment" if any("comment" in parts for parts in said.values()) else "assigned"
            note(session, "review", run, f"{count(len(said), 'row')}: {', '.join(states) or other}", who)
        return action

    def undo(self, action: int, who: str) -> None:
        """Take the changes of an action back: what was said before holds again.

        Raises
        ------
        UsageError
            There is no such action, or it is undone already.
        """
        with self._database.writing() as session:
            rows = list(session.scalars(select(ReviewRow).where(ReviewRow.action == action, ReviewRow.undone == "")))
            if not rows:
                raise UsageError(f"there is no action {action} to undo; it may be undone already")
            for row in rows:
                row.undone = who
            note(session, "review", rows[0].run, f"{count(len({row.row for row in rows}), 'row')}: undone", who)

    def of(self, run: str) -> dict[int, Review]:
        """Return what is said of the rows of a run; rows that nobody has looked at are left out."""
        found: dict[int, Review] = {}
        for change in self.changes(run):
            if not change.undone:
                found[change.row] = _after(found.get(change.row, Review()), change)
        return found

    def counts(self) -> dict[str, Counter[str]]:
        """Return for each run how many of its rows are in each state; rows that nobody has looked at are left out."""
        query = select(ReviewRow.run, ReviewRow.row, ReviewRow.value).where(
            ReviewRow.part == "state", ReviewRow.undone == ""
        )
        with self._database.reading() as session:
            if session is None:
                return {}
            last = {(run, row): state for run, row, state in session.execute(query.order_by(ReviewRow.number))}
        found: dict[str, Counter[str]] = {}
        for (run, _), state in last.items():
            found.setdefault(run, Counter())[state] += 1
        return found

    def state(self) -> tuple[int, int]:
        """Return two numbers of which one is another after any change: changes, and changes that were undone."""
        query = select(func.count(), func.count().filter(ReviewRow.undone != "")).select_from(ReviewRow)
        with self._database.reading() as session:
            if session is None:
                return 0, 0
            made, undone = session.execute(query).one()
            return int(made), int(undone)

    def changes(self, run: str, row: int | None = None) -> list[Change]:
        """Return all changes of a run or of one row of it, also those that were undone, oldest first."""
        query = select(ReviewRow).where(ReviewRow.run == run).order_by(ReviewRow.number)
        with self._database.reading() as session:
            if session is None:
                return []
            rows: Iterable[ReviewRow] = session.scalars(query if row is None else query.where(ReviewRow.row == row))
            names = tuple(Change.__dataclass_fields__)
            return [Change(*(getattr(each, name) for name in names)) for each in rows]


def _check(said: Mapping[int, Mapping[Part, str]], who: str) -> None:
    if not who.strip():
        raise UsageError("nobody is named who makes this change; give a name")
    if not said or any(not parts or parts.get("comment") == "" for parts in said.values()):
        raise UsageError("nothing to change: choose rows, and a state, somebody who looks after them or a comment")
    if len(said) > AT_ONCE:
        raise UsageError(f"{len(said):,} rows at once; at most {AT_ONCE:,} are changed by one action")
    for parts in said.values():
        if parts.get("state", "new") not in STATES:
            raise UsageError(f"state {parts['state']!r}: expected one of {', '.join(STATES)}")
        if any(len(value) > LONGEST for value in parts.values()):
            raise UsageError(f"a text of more than {LONGEST:,} characters; shorten it")


def _after(review: Review, change: Change) -> Review:
    if change.part == "comment":
        return replace(review, comments=(*review.comments, change.value))
    if change.part == "assignee":
        return replace(review, assignee=change.value)
    return replace(review, state=change.value)

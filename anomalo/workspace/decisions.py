"""What people decide about the cells that runs suggest to change. Every decision is kept and can be undone."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Mapped, mapped_column

from anomalo.errors import UsageError
from anomalo.tabular.quantities import count
from anomalo.workspace.activity import note
from anomalo.workspace.authorship import now
from anomalo.workspace.database import Database, Table
from anomalo.workspace.reviews import LONGEST

What = Literal["undecided", "accepted", "edited", "rejected"]
WHAT: tuple[What, ...] = get_args(What)
Lines = NDArray[np.int64]


class DecisionRow(Table):
    """One decision about cells of a run; the number of the action says in which order."""

    __tablename__ = "decisions"

    action: Mapped[int] = mapped_column(primary_key=True)
    run: Mapped[str] = mapped_column(index=True)
    what: Mapped[str]
    value: Mapped[str | None]
    lines: Mapped[bytes]
    who: Mapped[str]
    created: Mapped[str]
    undone: Mapped[str]


@dataclass(frozen=True)
class Decision:
    """One decision about suggestions of a run.

    Attributes
    ----------
    action : int
        Its number, for `Decisions.undo`.
    what : str
        One of `WHAT`.
    value : str or None
        What an edited cell is to hold; None for a missing cell.
    lines : int64 array [m]
        The suggestions, by their lines in the run's file, ascending.
    who, created : str
        Who made it, and when: UTC, ISO 8601.
    undone : str
        Who has undone it; empty if nobody has.
    """

    action: int
    what: str
    value: str | None
    lines: Lines
    who: str
    created: str
    undone: str


@dataclass(frozen=True)
class Decided:
    """What holds for each suggestion of a run: the last decision about it that is not undone.

    Attributes
    ----------
    state : int8 array [n]
        The position in `WHAT`.
    by : int64 array [n]
        The position of the decision in `decisions`; -1 where there is none.
    decisions : list of Decision
        All of the run, oldest first.
    """

    state: NDArray[np.int8]
    by: Lines
    decisions: list[Decision]

    @classmethod
    def of(cls, decisions: Sequence[Decision], total: int) -> Decided:
        """Return what holds for `total` suggestions."""
        state, by = np.zeros(total, dtype=np.int8), np.full(total, -1, dtype=np.int64)
        for at, decision in enumerate(decisions):
            if not decision.undone:
                lines = decision.lines[decision.lines < total]
                state[lines], by[lines] = WHAT.index(decision.what), at
        return cls(state, by, list(decisions))

    def which(self, *what: What) -> NDArray[np.bool_]:
        """Return which suggestions [n] are in one of some states."""
        return np.isin(self.state, [WHAT.index(each) for each in what])

    def count(self, what: What) -> int:
        """Return how many suggestions are in a state."""
        return int(np.count_nonzero(self.state == WHAT.index(what)))

    def decision(self, line: int) -> Decision | None:
        """Return the decision that holds for a suggestion; None if there is none."""
        return None if self.by[line] < 0 else self.decisions[self.by[line]]


class Decisions:
    """The decisions about the cells of a workspace's runs; several processes may make them at once.

    Parameters
    ----------
    database : Database
        The workspace's. Methods raise what its transactions do.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def decide(self, run: str, lines: Sequence[int] | Lines, what: What, who: str, *, value: str | None = None) -> int:
        """Decide about suggestions of a run, in one step; return the number of the action.

        Parameters
        ----------
        lines : sequence of int
            Their lines in the run's file, which never changes.
        value : str, optional
            If they are edited, what the cells are to hold; None for missing cells.

        Raises
        ------
        UsageError
            There is no cell, nobody who decides, the decision is not known, or the text is too long.
        """
        chosen = np.unique(np.asarray(lines, dtype=np.int64))
        _check(chosen, what, who, value)
        with self._database.writing() as session:
            action = 1 + (session.scalar(select(func.max(DecisionRow.action))) or 0)
            facts: dict[str, Any] = {"action": action, "run": run, "what": what, "value": value, "who": who}
            session.add(DecisionRow(**facts, lines=_packed(chosen), created=now(), undone=""))
            note(session, "decide", run, f"{count(len(chosen), 'cell')}: {what}", who)
        return action

    def undo(self, action: int, who: str) -> None:
        """Take a decision back: what was decided before holds again.

        Raises
        ------
        UsageError
            There is no such action, or it is undone already.
        """
        with self._database.writing() as session:
            row = session.scalar(select(DecisionRow).where(DecisionRow.action == action, DecisionRow.undone == ""))
            if row is None:
                raise UsageError(f"there is no decision {action} to undo; it may be undone already")
            row.undone = who
            note(session, "decide", row.run, f"{count(len(_unpacked(row.lines)), 'cell')}: undone", who)

    def of(self, run: str) -> list[Decision]:
        """Return all decisions about cells of a run, also those that were undone, oldest first."""
        query = select(DecisionRow).where(DecisionRow.run == run).order_by(DecisionRow.action)
        with self._database.reading() as session:
            if session is None:
                return []
            return [
                Decision(row.action, row.what, row.value, _unpacked(row.lines), row.who, row.created, row.undone)
                for row in session.scalars(query)
            ]

    def latest(self, run: str) -> tuple[int, int]:
        """Return how many decisions a run has, and how many are undone: the same as long as nothing is decided."""
        query = select(func.count(), func.count().filter(DecisionRow.undone != "")).where(DecisionRow.run == run)
        with self._database.reading() as session:
            if session is None:
                return 0, 0
            made, undone = session.execute(query).one()
            return int(made), int(undone)


def _check(lines: Lines, what: str, who: str, value: str | None) -> None:
    if not who.strip():
        raise UsageError("nobody is named who makes this decision; give a name")
    if not len(lines) or lines[0] < 0:
        raise UsageError("nothing to decide: choose at least one cell")
    if what not in WHAT:
        raise UsageError(f"decision {what!r}: expected one of {', '.join(WHAT)}")
    if value is not None and (what != "edited" or len(value) > LONGEST):
        raise UsageError(
            f"a text of more than {LONGEST:,} characters; shorten it"
            if what == "edited"
            else f"a value is for edited cells, not for {what} ones"
        )


def _packed(lines: Lines) -> bytes:
    """Return ascending numbers as their differences, compressed: a million in a row take a few kilobytes."""
    return zlib.compress(np.diff(lines, prepend=0).astype("<i8").tobytes())


def _unpacked(content: bytes) -> Lines:
    return np.cumsum(np.frombuffer(zlib.decompress(content), dtype="<i8")).astype(np.int64)

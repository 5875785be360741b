"""What people decided about cells of earlier runs of a table, as answers that a cleaner learns from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from anomalo.cleaning.coded import CodedTable
from anomalo.cleaning.learning.labels import Answer, Labels, observed_text
from anomalo.errors import SourceError, UsageError
from anomalo.jobs.deciding.suggestions import suggestions_of
from anomalo.tabular.quantities import count
from anomalo.tabular.reading.source import recorded
from anomalo.workspace.decisions import Decided
from anomalo.workspace.records import RunRecord
from anomalo.workspace.workspace import Workspace

VERBS = ("clean", "repair")
"""The verbs that suspect cells: `impute` fills missing values, and says nothing of what a table holds."""


@dataclass(frozen=True)
class DecidedCell:
    """A cell that somebody decided about.

    Attributes
    ----------
    answer : Answer
        What that says: an accepted or edited cell is wrong, a rejected one is right.
    observed : str
        What the cell held then, trimmed; empty if it was missing.
    run, who : str
        The run that suspected it, and who decided.
    action : int
        The number of the decision; later ones have larger ones.
    """

    answer: Answer
    observed: str
    run: str
    who: str
    action: int


@dataclass(frozen=True)
class Learned:
    """The answers that a cleaner learns from.

    Attributes
    ----------
    labels : Labels
        About cells that hold what they held when they were decided about.
    runs : list of str
        The runs that suspected them.
    changed : int
        Decisions that are left out, as their cells hold something else by now or are not read.
    """

    labels: Labels
    runs: list[str]
    changed: int

    def facts(self) -> dict[str, object]:
        """Return what the summary of a run says of this."""
        wrong = sum(answer.wrong for answer in self.labels.answers)
        return {"wrong": wrong, "right": len(self.labels.answers) - wrong, "changed": self.changed, "runs": self.runs}


def decided_cells(store: Workspace, source: str) -> list[DecidedCell]:
    """Return the cells of a table that people decided about, the last decision about each, by row and column.

    Raises
    ------
    SourceError
        The files of a run are missing or damaged.
    """
    source, found = recorded(source), dict[tuple[int, str], DecidedCell]()
    every = [cell for run in store.runs() if run.verb in VERBS and run.source == source for cell in _of(store, run)]
    for cell in sorted(every, key=lambda cell: cell.action):
        found[cell.answer.row, cell.answer.column] = cell
    return [found[key] for key in sorted(found)]


def learned(cells: Sequence[DecidedCell], table: CodedTable) -> Learned:
    """Return the answers about cells of a table.

    Raises
    ------
    UsageError
        There are none.
    """
    if not cells:
        raise UsageError(
            "nobody has decided about cells of this table; accept, edit or reject some on the dashboard's page "
            "Repairs, or give answers with --labels FILE"
        )
    fitting = [cell for cell in cells if _holds(cell, table)]
    if not fitting:
        raise UsageError(
            f"{count(len(cells), 'decision')} {'is' if len(cells) == 1 else 'are'} about cells that hold something "
            "else by now or are not read; decide about cells of a new run"
        )
    runs = list(dict.fromkeys(cell.run for cell in sorted(fitting, key=lambda cell: cell.run)))
    labels = Labels.of([_consistent(cell.answer, table) for cell in fitting], table)
    return Learned(labels, runs, len(cells) - len(fitting))


def _of(store: Workspace, run: RunRecord) -> list[DecidedCell]:
    """Return the cells of a run that are decided."""
    decisions = store.decisions.of(run.id)
    if not decisions:
        return []
    try:
        suggestions = suggestions_of(run)
    except (OSError, pa.ArrowException, KeyError) as error:
        raise SourceError(
            f"the files of run {run.id} are missing or damaged; restore its folder, or `anomalo rm run {run.id}`"
        ) from error
    decided = Decided.of(decisions, len(suggestions))
    lines = np.flatnonzero(decided.which("accepted", "edited", "rejected"))
    found = []
    for line, cell in zip(lines.tolist(), suggestions.take(pa.array(lines)).to_pylist(), strict=True):
        decision = decisions[decided.by[line]]
        offer = (cell["after"] or "") if cell["offered"] else None
        value = {"accepted": offer, "edited": decision.value or "", "rejected": None}[decision.what]
        answer = Answer(cell["row"], cell["column"], decision.what != "rejected", value)
        found.append(DecidedCell(answer, (cell["before"] or "").strip(), run.id, decision.who, decision.action))
    return found


def _holds(cell: DecidedCell, table: CodedTable) -> bool:
    there = cell.answer.column in table.names and 0 <= cell.answer.row < table.rows
    return there and observed_text(table, cell.answer).strip() == cell.observed


def _consistent(answer: Answer, table: CodedTable) -> Answer:
    """Return an answer as it is; that a cell is right, where it was edited to what it holds."""
    if answer.wrong and answer.value == observed_text(table, answer):
        return Answer(answer.row, answer.column, False)
    return answer

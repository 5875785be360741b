"""Which cells were changed, what they held, and who decided it when: as a file, and as a column of the table."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from anomalo.jobs.deciding.suggestions import id_of
from anomalo.tabular.writing.destination import Sink
from anomalo.tabular.writing.replacing import Replacements, replaced
from anomalo.workspace.decisions import Decided, Decision
from anomalo.workspace.records import RunRecord


@dataclass(frozen=True)
class Chosen:
    """Cells that are to be changed [m], and the decisions about them.

    Attributes
    ----------
    rows : int64 array [m]
        Their rows.
    columns : list of str
        Their columns.
    before, after : list of str or None
        What they held when the run read them, trimmed, and what they are to hold; None for a missing cell.
    names : Array [m] or None
        The rows' ids, and what their column is called.
    id : str or None
        That column.
    decisions : list of Decision
        The decision about each.
    """

    rows: NDArray[np.int64]
    columns: list[str]
    before: list[str | None]
    after: list[str | None]
    names: pa.Array | None
    id: str | None
    decisions: list[Decision]

    @classmethod
    def of(cls, suggestions: pa.Table, lines: NDArray[np.int64], decided: Decided) -> Self:
        """Return what was decided about some lines of suggestions, column by column, each in the order of rows."""
        part = suggestions.take(pa.array(lines))
        columns = np.array(part["column"].to_pylist(), dtype=object)
        order = np.lexsort((part["row"].to_numpy(), columns.astype(str)))
        part = part.take(pa.array(order))
        decisions = [decided.decisions[decided.by[line]] for line in lines[order]]
        after = [
            decision.value if decision.what == "edited" else offer
            for decision, offer in zip(decisions, part["after"].to_pylist(), strict=True)
        ]
        name = id_of(suggestions)
        names = None if name is None else part[name].combine_chunks()
        return cls(
            part["row"].to_numpy(), columns[order].tolist(), part["before"].to_pylist(), after, names, name, decisions
        )

    @property
    def what(self) -> list[str]:
        """Whether each is accepted or edited."""
        return [decision.what for decision in self.decisions]

    def counts(self) -> list[tuple[str, int]]:
        """Return how many cells of each column are changed, most first."""
        return Counter(self.columns).most_common()

    def by_column(self) -> dict[str, NDArray[np.int64]]:
        """Return the positions of each column's cells."""
        names = np.array(self.columns, dtype=object)
        return {name: np.flatnonzero(names == name) for name, _ in self.counts()}

    def with_decisions(self, cells: pa.Table, run: RunRecord) -> pa.Table:
        """Return the cells that were changed, in the order of these, with who decided, when, and from which run."""
        order = np.lexsort((cells["row"].to_numpy(), np.array(cells["column"].to_pylist(), dtype=str)))
        found = cells.take(pa.array(order))
        further = {
            "decision": self.what,
            "who": [decision.who for decision in self.decisions],
            "created": [decision.created for decision in self.decisions],
            "run": [run.id] * len(found),
            "model": [run.model] * len(found),
        }
        for name, values in further.items():
            found = found.append_column(name, pa.array(values, pa.string()))
        return (
            found if self.names is None or self.id in found.column_names else found.add_column(1, self.id, self.names)
        )


def notes(chosen: Chosen, run: RunRecord) -> Replacements:
    """Return for each changed row what is said about it in the column of the audit."""
    said: dict[int, list[str]] = {}
    for row, column, before, after, decision in zip(
        chosen.rows.tolist(), chosen.columns, chosen.before, chosen.after, chosen.decisions, strict=True
    ):
        change = f"{column}: {before or 'missing'} → {after or 'missing'}"
        said.setdefault(row, []).append(f"{change} ({decision.what} by {decision.who}, {decision.created}, {run.id})")
    return Replacements.of(list(said), ["; ".join(texts) for texts in said.values()])


class WithNotes:
    """Takes the rows of a table, and writes them with a further column of notes.

    Parameters
    ----------
    writer : Sink
        Takes the longer rows.
    name : str
        The column.
    said : Replacements
        The notes; other rows have none.
    """

    def __init__(self, writer: Sink, name: str, said: Replacements) -> None:
        self._writer, self._name, self._said, self._first = writer, name, said, 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Append a batch; all have the same columns."""
        longer = pa.RecordBatch.from_arrays(
            [*batch.columns, pa.nulls(batch.num_rows, pa.string())],
            schema=batch.schema.append(pa.field(self._name, pa.string())),
        )
        self._writer.write(replaced(longer, self._first, {self._name: self._said}))
        self._first += batch.num_rows

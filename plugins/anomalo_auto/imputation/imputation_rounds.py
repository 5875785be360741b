"""Rounds: what predicts every column in one of them completes the rows that the next one learns from."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import Block, Encoded, Floats, Mask
from anomalo_auto.imputation.column_model import ColumnModel
from anomalo_auto.imputation.completed_rows import Base, View, batches, without
from anomalo_auto.imputation.target_column import Target

LEARNERS = (("forest", "kernel", "boosting"), ("forest", "kernel"))
"""What learns in each round; boosting reads the holes as they are, and would learn the same again."""
MOST = 3_000_000
"""A round is left out if it takes more predictions of cells than this to complete the rows for it."""


@dataclass(frozen=True)
class Learned:
    """What a fit finds out about one column.

    Attributes
    ----------
    target : Target
        The truth of the training cells.
    mixed : float32 [m, size]
        Predictions of these by predictors that did not see them.
    holes : float32 [k, size]
        Predictions of the cells that are missing in training.
    """

    target: Target
    mixed: Floats
    holes: Floats


@dataclass(frozen=True)
class Round:
    """The predictors of all columns."""

    columns: Sequence[ColumnModel]

    def told(
        self, view: View, data: Encoded, completed: Sequence[Floats], cells: Mask
    ) -> Iterator[tuple[int, NDArray[np.intp], Floats]]:
        """Give for each column its position, the rows of `cells` [n, columns] and their predictions [k, size]."""
        for column in self.columns:
            at = column.block.position
            rows = np.flatnonzero(cells[:, at])
            if len(rows):
                yield at, rows, column.predict(view, data.take(rows), [part[rows] for part in completed])

    def complete(self, view: View, data: Encoded, completed: Sequence[Floats], cells: Mask) -> Floats:
        """Return rows as they were completed [n, width], the `cells` [n, columns] of them predicted anew."""
        found: Floats = np.mean(completed, axis=0, dtype=np.float32)
        for at, rows, told in self.told(view, data, completed, cells):
            own = np.flatnonzero(view.owner == at)
            found[np.ix_(rows, own)] = told[:, : len(own)]
        return found


@dataclass
class Rounds:
    """Fits rounds one by one.

    Attributes
    ----------
    bases : list of Base
        What completes the rows for the first round.
    data : Encoded [n]
        The training rows.
    folds : intp [n]
        Which of a base's models did not see each row.
    """

    view: View
    bases: Sequence[Base]
    data: Encoded
    folds: NDArray[np.intp]

    def fit(self, rng: np.random.Generator, report: Callable[[float], None]) -> tuple[list[Round], list[Learned]]:
        """Fit the rounds; return also what the last one found out, by column.

        A round completes only cells that are missing in training, whose rows taught its column nothing; the cell that
        is to be predicted is hidden meanwhile. So no row is completed with knowledge of its own cell.
        """
        rounds: list[Round] = []
        learned: list[Learned] = []
        while len(rounds) < len(LEARNERS) and (not rounds or self._worthwhile()):
            columns, found = [], []
            for block, completed in zip(self.data.layout.blocks, self._completed(rounds, learned), strict=True):
                column, told = self._fit_column(block, completed, LEARNERS[len(rounds)], rng)
                columns.append(column)
                found.append(told)
                report((len(rounds) + len(columns) / len(self.data.layout.blocks)) / len(LEARNERS))
            rounds, learned = [*rounds, Round(columns)], found
        return rounds, learned

    def _worthwhile(self) -> bool:
        """Whether there are cells to complete, and not too many."""
        return 0 < int((~self.data.observed).sum()) * len(self.data.layout.blocks) <= MOST

    def _completed(self, rounds: Sequence[Round], learned: Sequence[Learned]) -> Iterator[list[Floats]]:
        """Give for each column the rows [n, width] completed with it hidden, by each base or the last round."""
        columns, rows = len(self.data.layout.blocks), len(self.data)
        for positions in batches(columns, rows):
            completed = [base.held_out(self.view, self.data, self.folds, positions) for base in self.bases]
            if rounds:
                hidden, cells = without(self.data, positions), np.tile(~self.data.observed, (len(positions), 1))
                for done in rounds:
                    completed = [done.complete(self.view, hidden, completed, cells)]
            parts = [part.reshape(len(positions), rows, -1) for part in completed]
            for number, at in enumerate(positions):
                mine = [part[number] for part in parts]
                if rounds:
                    self._tell(mine[0], learned[at])
                yield mine

    def _tell(self, completed: Floats, learned: Learned) -> None:
        """Put into rows [n, width] what the last round predicts of their own hidden cells."""
        own = np.flatnonzero(self.view.owner == learned.target.block.position)
        completed[np.ix_(learned.target.seen, own)] = learned.mixed[:, : len(own)]

    def _fit_column(
        self, block: Block, completed: Sequence[Floats], learners: Sequence[str], rng: np.random.Generator
    ) -> tuple[ColumnModel, Learned]:
        column, target, mixed = ColumnModel.fit(self.view, self.data, completed, block, learners, rng)
        open_ = np.flatnonzero(~target.seen)
        holes = column.predict(self.view, self.data.take(open_), [part[open_] for part in completed])
        return column, Learned(target, mixed, holes)

"""Rounds of imputation: the predictors of all columns in one round complete the rows that the next is fitted on."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import Block, Encoded, Floats, Mask
from anomalo_auto.imputation.column_model import ColumnModel
from anomalo_auto.imputation.completed_rows import CrossFittedImputer, EntryLayout, column_batches, hide_each, mean_of
from anomalo_auto.imputation.target_column import Target

LEARNERS = (("forest", "kernel", "boosting"), ("forest", "kernel"))
"""The learners of each round; boosting reads missing values as such, and would learn the same again."""
MOST = 3_000_000
"""A further round is left out if completing the rows for it takes more predictions of cells than this."""


@dataclass(frozen=True)
class ColumnFit:
    """The predictions of one column in a fit.

    Attributes
    ----------
    target : Target
        The truth of the training cells.
    held_out : float32 [m, size]
        Held-out predictions of these.
    missing : float32 [k, size]
        Predictions of the cells that are missing in training.
    """

    target: Target
    held_out: Floats
    missing: Floats


@dataclass(frozen=True)
class ImputationRound:
    """The predictors of all columns."""

    columns: Sequence[ColumnModel]

    def predict(
        self, entry_layout: EntryLayout, data: Encoded, completed: Sequence[Floats], cells: Mask
    ) -> Iterator[tuple[int, NDArray[np.intp], Floats]]:
        """Yield for each column its position, the rows of `cells` [n, columns] and their predictions [k, size]."""
        for column in self.columns:
            at = column.block.position
            rows = np.flatnonzero(cells[:, at])
            if len(rows):
                yield at, rows, column.predict(entry_layout, data.take(rows), [part[rows] for part in completed])

    def complete(self, entry_layout: EntryLayout, data: Encoded, completed: Sequence[Floats], cells: Mask) -> Floats:
        """Return completed rows [n, width] in which the `cells` [n, columns] are predicted again."""
        found = mean_of(completed)
        for at, rows, predicted in self.predict(entry_layout, data, completed, cells):
            entries = np.flatnonzero(entry_layout.position == at)
            found[np.ix_(rows, entries)] = predicted[:, : len(entries)]
        return found


@dataclass
class RoundFitter:
    """Fits rounds one by one.

    Attributes
    ----------
    bases : list of CrossFittedImputer
        The imputers that complete the rows for the first round.
    data : Encoded [n]
        The training rows.
    folds : intp [n]
        Which of a base's models was fitted without each row.
    sizes : dict of dict of int
        How large each learner is, by name: what its `fit` takes.
    """

    entry_layout: EntryLayout
    bases: Sequence[CrossFittedImputer]
    data: Encoded
    folds: NDArray[np.intp]
    sizes: Mapping[str, Mapping[str, int]]

    def fit(
        self, rng: np.random.Generator, report: Callable[[float], None]
    ) -> tuple[list[ImputationRound], list[ColumnFit]]:
        """Fit the rounds; return also the predictions of the last one, by column.

        A round completes only cells that are missing in training, and the predictors of a column are not fitted on rows
        in which it is missing; the cell to predict is hidden meanwhile. So no completed row depends on its own cell.
        """
        rounds: list[ImputationRound] = []
        learned: list[ColumnFit] = []
        while len(rounds) < len(LEARNERS) and (not rounds or self._worthwhile()):
            columns, found = [], []
            for block, completed in zip(self.data.layout.blocks, self._completed(rounds, learned), strict=True):
                column, fitted = self._fit_column(block, completed, LEARNERS[len(rounds)], rng)
                columns.append(column)
                found.append(fitted)
                report((len(rounds) + len(columns) / len(self.data.layout.blocks)) / len(LEARNERS))
            rounds, learned = [*rounds, ImputationRound(columns)], found
        return rounds, learned

    def _worthwhile(self) -> bool:
        """Return whether there are missing values, and not too many."""
        return 0 < int((~self.data.observed).sum()) * len(self.data.layout.blocks) <= MOST

    def _completed(self, rounds: Sequence[ImputationRound], learned: Sequence[ColumnFit]) -> Iterator[list[Floats]]:
        """Yield for each column the rows [n, width] completed with it hidden, by each base or the last round."""
        columns, rows = len(self.data.layout.blocks), len(self.data)
        for positions in column_batches(columns, rows):
            completed = [base.held_out(self.entry_layout, self.data, self.folds, positions) for base in self.bases]
            if rounds:
                hidden, cells = hide_each(self.data, positions), np.tile(~self.data.observed, (len(positions), 1))
                for done in rounds:
                    completed = [done.complete(self.entry_layout, hidden, completed, cells)]
            parts = [part.reshape(len(positions), rows, -1) for part in completed]
            for number, at in enumerate(positions):
                rows_of_column = [part[number] for part in parts]
                if rounds:
                    self._put_held_out(rows_of_column[0], learned[at])
                yield rows_of_column

    def _put_held_out(self, completed: Floats, learned: ColumnFit) -> None:
        """Put the last round's held-out predictions of the hidden cells into rows [n, width]."""
        entries = np.flatnonzero(self.entry_layout.position == learned.target.block.position)
        completed[np.ix_(learned.target.seen, entries)] = learned.held_out[:, : len(entries)]

    def _fit_column(
        self, block: Block, completed: Sequence[Floats], learners: Sequence[str], rng: np.random.Generator
    ) -> tuple[ColumnModel, ColumnFit]:
        column, target, held_out = ColumnModel.fit(
            self.entry_layout, self.data, completed, block, learners, rng, self.sizes
        )
        rows = np.flatnonzero(~target.seen)
        missing = column.predict(self.entry_layout, self.data.take(rows), [part[rows] for part in completed])
        return column, ColumnFit(target, held_out, missing)

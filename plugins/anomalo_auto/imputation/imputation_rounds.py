"""Rounds of imputation: the predictors of all columns in one round complete the rows that the next is fitted on."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import Block, Encoded, Floats, Mask, Scores
from anomalo_auto.imputation.column_model import LEARNERS, ColumnModel
from anomalo_auto.imputation.entry_layout import EntryLayout
from anomalo_auto.imputation.gaussian_base import HeldOutRows
from anomalo_auto.imputation.target_column import Target

CHEAP = ("discriminant",)
"""The learners of columns without missing values in training."""
INPUTS = 60
"""Entries of completed rows that a column is predicted from, at most about: the most correlated columns'."""
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
        self, entry_layout: EntryLayout, completed: Floats, cells: Mask
    ) -> Iterator[tuple[Block, NDArray[np.intp], Floats]]:
        """Yield for each column the rows of `cells` [n, columns] and their predictions, [k, size]."""
        for column in self.columns:
            rows = np.flatnonzero(cells[:, column.block.position])
            if len(rows):
                base = completed[rows, entry_layout.of(column.block.position)]
                yield column.block, rows, column.predict(entry_layout, completed[np.ix_(rows, column.inputs)], base)

    def complete(self, entry_layout: EntryLayout, completed: Floats, cells: Mask) -> Floats:
        """Return completed rows [n, width] in which the `cells` [n, columns] are predicted again."""
        found = completed.copy()
        for block, rows, predicted in self.predict(entry_layout, completed, cells):
            found[rows, entry_layout.of(block.position)] = entry_layout.entries(predicted, block)
        return found


@dataclass
class RoundFitter:
    """Fits rounds one by one.

    Attributes
    ----------
    data : Encoded [n]
        The training rows.
    rows : HeldOutRows
        The same, completed by the base.
    correlation : float64 [width, width]
        Of the entries.
    learned : bool [columns]
        The columns that get learners; the others are predicted by the marginal and the base.
    sizes : dict of int
        How large the learners are: `trees` and `landmarks`.
    """

    entry_layout: EntryLayout
    data: Encoded
    rows: HeldOutRows
    correlation: Scores
    learned: Mask
    sizes: Mapping[str, int]

    def fit(
        self, rounds: int, rng: np.random.Generator, report: Callable[[float], None]
    ) -> tuple[list[ImputationRound], list[ColumnFit]]:
        """Fit the rounds; return also the predictions of the last one, by column.

        A round completes only cells that are missing in training, and the predictors of a column are not fitted on rows
        in which it is missing; the cell to predict is hidden meanwhile. So no row depends on the cell to predict.
        A learner without a weight in one round is not fitted in the next.
        """
        done: list[ImputationRound] = []
        found: list[ColumnFit] = []
        total = rounds if self._worthwhile() else 1
        blocks = self.data.layout.blocks
        for number in range(total):
            columns: list[ColumnModel] = []
            fits: list[ColumnFit] = []
            for block in blocks:
                names = [*LEARNERS] if self.learned[block.position] else [*CHEAP]
                if done:
                    names = [name for name in names if name in done[-1].columns[block.position].learners]
                column, fit = self._fit_column(block, names, done, found, rng)
                columns.append(column)
                fits.append(fit)
                report((number + len(columns) / len(blocks)) / total)
            done, found = [*done, ImputationRound(columns)], fits
        return done, found

    def _worthwhile(self) -> bool:
        """Return whether there are missing values, and not too many."""
        return 0 < int((~self.data.observed).sum()) * int(self.learned.sum()) <= MOST

    def _fit_column(
        self,
        block: Block,
        names: Collection[str],
        done: Sequence[ImputationRound],
        found: Sequence[ColumnFit],
        rng: np.random.Generator,
    ) -> tuple[ColumnModel, ColumnFit]:
        if done and not {*names} - {*CHEAP}:
            return done[-1].columns[block.position].kept(), found[block.position]
        target, inputs = Target.of(self.data, block), self._inputs(block)
        if done:
            completed = self._completed_again(block, done, found[block.position])
            others, base = completed[:, inputs], completed[:, self.entry_layout.of(block.position)]
        else:
            others, base = self.rows.without(self.entry_layout.of(block.position), inputs)
        seen = target.seen
        column, held_out = ColumnModel.fit(
            self.entry_layout, target, inputs, others[seen], base[seen], names, rng, self.sizes
        )
        return column, ColumnFit(target, held_out, column.predict(self.entry_layout, others[~seen], base[~seen]))

    def _completed_again(self, block: Block, done: Sequence[ImputationRound], found: ColumnFit) -> Floats:
        """Return rows [n, width] as the rounds complete them with a column hidden, which has held-out predictions."""
        here = self.entry_layout.of(block.position)
        completed = np.empty((len(self.data), len(self.entry_layout.position)), dtype=np.float32)
        others = np.delete(np.arange(completed.shape[1]), here)
        completed[:, others], completed[:, here] = self.rows.without(here, others)
        for number in done:
            completed = number.complete(self.entry_layout, completed, ~self.data.observed)
        completed[found.target.seen, here] = self.entry_layout.entries(found.held_out, block)
        return completed

    def _inputs(self, block: Block) -> NDArray[np.intp]:
        """Return the entries that predict a column: all of the most correlated columns, about `INPUTS`."""
        position, here = self.entry_layout.position, self.entry_layout.of(block.position)
        others = np.flatnonzero(position != block.position)
        if len(others) <= INPUTS or here.start == here.stop:
            return others
        strength = np.zeros(len(self.data.layout.blocks))
        np.maximum.at(strength, position, np.abs(self.correlation[here]).max(axis=0))
        strength[block.position] = -1
        width = np.bincount(position, minlength=len(strength))
        order = np.argsort(-strength, kind="stable")
        chosen = order[np.cumsum(width[order]) <= max(INPUTS, width[order[0]])]
        return np.flatnonzero(np.isin(position, chosen) & (position != block.position))

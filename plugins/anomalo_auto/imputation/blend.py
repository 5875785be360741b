"""The imputer `blend`: for each column a mixture of linear equations, kernel regression and trees."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import (
    Block,
    ConditionalImputer,
    Encoded,
    Floats,
    HiddenCells,
    Mask,
    Model,
    ModelState,
    Run,
    param,
)
from anomalo_auto.imputation.column_model import ColumnModel
from anomalo_auto.imputation.entry_layout import EntryLayout, compressed
from anomalo_auto.imputation.forest import TREES
from anomalo_auto.imputation.gaussian_base import GaussianBase, HeldOutRows
from anomalo_auto.imputation.imputation_rounds import ColumnFit, ImputationRound, RoundFitter
from anomalo_auto.imputation.kernel_ridge import LANDMARKS
from anomalo_auto.imputation.missingness_notes import MissingnessTest, unpredictable_columns
from anomalo_auto.imputation.target_column import Target

ROWS = 20_000
"""Training rows that are used, at most."""
CELLS = 1_000_000
"""Training cells that are used, at most: of wide tables fewer rows, but no fewer than `FEWEST_ROWS`."""
FEWEST_ROWS = 500
WORK, COLUMN = 500_000, 2000
"""Learners are fitted for so many columns that their number times the training rows plus `COLUMN` is at most `WORK`."""
LEVEL = 0.9
"""Coverage of the intervals whose width is reported."""


@dataclass(kw_only=True)
class Blend(ConditionalImputer):
    """A mixture of predictors for each column, with weights learned on held-out predictions.

    A joint Gaussian of all columns, levels as indicators, completes the rows: each as it is expected by a Gaussian
    that was fitted without the row's fold, with the column that is to be predicted hidden as well. Of the completed
    rows, kernel ridge regression, a random forest and, for a category, a linear discriminant learn that column.
    The marginal, the Gaussian and these learners are mixed by non-negative weights that sum to 1, learned on held-out
    predictions of training cells: leave-one-out for the kernel, out-of-bag for the forest. A forest begins with a
    fifth of its trees, and ends with them if they get no weight. Learners are fitted for columns with missing values
    in training only, or, if there are none and the fit is to impute, for all; other columns are predicted by the
    Gaussian. In wide tables learners are fitted for the columns with the most missing values only, and the Gaussian has
    fewer entries of a category, a larger ridge and takes fewer steps. With `quality=best` a second round of learners,
    those that had a weight, is fitted on rows that the first completes. The last held-out predictions also give the
    expected error of each column and the width of intervals and draws.

    Reference: Breiman (1996), Stacked regressions, Machine Learning 24; van der Laan, Polley and Hubbard (2007), Super
    learner, Statistical Applications in Genetics and Molecular Biology 6; Stekhoven and Buehlmann (2012), MissForest,
    Bioinformatics 28.

    Examples
    --------
    >>> Blend(quality="best").params()["quality"]
    'best'
    """

    name = "blend"

    quality: str = param("fast", choices=("fast", "best"), help="best learns twice, from completed rows again.")
    folds: int = param(3, low=2, high=20, help="Parts of the rows; the base is fitted once without each.")
    trees: int = param(TREES, low=1, high=10_000, help="Trees of each random forest.")
    landmarks: int = param(LANDMARKS, low=1, high=5_000, help="Rows that carry a kernel function, at most.")
    epochs: int = param(0, low=0, high=100_000, help="Has no effect: nothing here trains in passes over the rows.")

    def fit(self, data: Encoded, run: Run) -> Self:
        """Fit the Gaussians, then the columns' learners and weights."""
        most = max(FEWEST_ROWS, min(ROWS, CELLS // max(1, len(data.layout.blocks))))
        data = data.take(np.sort(run.rng.permutation(len(data))[:most]))
        self.layout_ = data.layout
        entry_layout = EntryLayout(data.layout)
        matrix, seen = entry_layout.matrix(data)
        folds = _folds(data, run.rng, self.folds)
        self._base = GaussianBase.fit(matrix, seen, entry_layout.number)
        rows = HeldOutRows(matrix, seen, self._base.without_each(matrix, seen, folds), folds)
        learned = _learned(data, entry_layout, run)
        sizes = {"trees": self.trees, "landmarks": self.landmarks}
        fitter = RoundFitter(entry_layout, data, rows, self._base.correlation(), learned, sizes)
        rounds = 2 if self.quality == "best" else 1
        self._rounds, fits = fitter.fit(rounds, run.rng, lambda share: run.report(done=share))
        self._remember_errors(data, run, fits)
        return self

    def _remember_errors(self, data: Encoded, run: Run, fits: Sequence[ColumnFit]) -> None:
        pairs: dict[int, tuple[Floats, Floats]] = {}
        error, baseline, width = np.full((3, len(data.layout.blocks)), np.nan)
        missingness = MissingnessTest()
        for at, fit in enumerate(fits):
            if not len(fit.target.truth):
                continue
            error[at], baseline[at] = _errors(fit.target, fit.held_out)
            if fit.target.number:
                pairs[at] = compressed(fit.held_out[:, 0]), compressed(fit.target.truth)
                width[at] = np.quantile(np.abs(pairs[at][0] - pairs[at][1]), LEVEL, method="weibull")
            missingness.compare(fit.target, fit.held_out, fit.missing)
        self.error_, self.baseline_, self.width_ = error, baseline, width
        self.notes_ = [*unpredictable_columns(data.layout, error, baseline), *missingness.notes()]
        self.remember(data, run, pairs)

    def predict(self, data: Encoded) -> tuple[Floats, dict[int, Floats]]:
        """Return predictions of missing cells, float32 [n, columns], and probabilities by position."""
        layout, blocks = EntryLayout(self.layout_), self.layout_.blocks
        predicted = np.zeros(data.values.shape, dtype=np.float32)
        proba = {int(at): np.zeros((len(data), blocks[at].size), np.float32) for at in self.layout_.categories}
        incomplete = np.flatnonzero(~data.observed.all(axis=1))
        rows = data.take(incomplete)
        completed = self._base.complete(*layout.matrix(rows)).astype(np.float32)
        for done in self._rounds[:-1]:
            completed = done.complete(layout, completed, ~rows.observed)
        for block, here, found in self._rounds[-1].predict(layout, completed, ~rows.observed):
            if block.position in proba:
                proba[block.position][incomplete[here]] = found
            else:
                predicted[incomplete[here], block.position] = compressed(found[:, 0])
        return predicted, proba

    def hidden_cells(self) -> HiddenCells | None:
        """Return how well held-out cells of each column are predicted."""
        return HiddenCells(self.width_, self.error_, self.baseline_, tuple(self.notes_))

    def state(self) -> ModelState:
        """Return what was learned."""
        state = super().state()
        state.arrays |= {f"base.{name}": array for name, array in vars(self._base).items() if name[-1] != "_"}
        state.values["rounds_"] = len(self._rounds)
        for number, done in enumerate(self._rounds):
            for column in done.columns:
                name = _name(number, column.block)
                state.arrays |= {f"{name}.{part}": array for part, array in column.arrays().items()}
        return state

    def restore(self, state: ModelState, create: Callable[..., Model] | None = None) -> Self:
        """Restore what `state` returned."""
        parts = _grouped(state.arrays)
        super().restore(
            ModelState({name: array for name, array in state.arrays.items() if "." not in name}, state.values)
        )
        self._base = GaussianBase(**parts["base"])
        self._rounds = [
            ImputationRound([ColumnModel.of(block, parts[_name(number, block)]) for block in self.layout_.blocks])
            for number in range(state.values["rounds_"])
        ]
        return self


def _folds(data: Encoded, rng: np.random.Generator, folds: int) -> NDArray[np.intp]:
    """Assign each row a fold, [n]; equal rows share one."""
    _, which = np.unique(data.hashes(), return_inverse=True)
    count = int(which.max(initial=0)) + 1
    fold: NDArray[np.intp] = rng.permutation(count)[which] % min(folds, count)
    return fold


def _learned(data: Encoded, entry_layout: EntryLayout, run: Run) -> Mask:
    """Return which columns get learners, bool [columns]: those with the most missing values, as `WORK` allows."""
    missing = (~data.observed).sum(axis=0)
    everywhere = run.goals == {"impute"} and not missing.any()
    chosen = np.argsort(-missing, kind="stable")[: max(1, WORK // (len(data) + COLUMN))]
    first = np.isin(np.arange(len(missing)), chosen)
    return np.asarray(first & ((missing > 0) | everywhere) & (entry_layout.sizes > 0))


def _errors(target: Target, predicted: Floats) -> tuple[float, float]:
    """Return the errors of predictions and of the mean or mode: RMSE in column units or shares of wrong levels."""
    if target.number:
        error, deviation = np.sqrt(np.mean((predicted[:, 0] - target.truth) ** 2)), target.truth.std()
        return float(error * target.block.scale), float(deviation * target.block.scale)
    most = np.bincount(target.levels).argmax()
    return float(np.mean(predicted.argmax(axis=1) != target.levels)), float(np.mean(target.levels != most))


def _name(number: int, block: Block) -> str:
    return f"round_{number}_column_{block.position}"


def _grouped(arrays: dict[str, NDArray[Any]]) -> dict[str, dict[str, NDArray[Any]]]:
    """Return the arrays of each part, by its name before the first dot."""
    found: dict[str, dict[str, NDArray[Any]]] = {}
    for name, array in arrays.items():
        part, _, rest = name.partition(".")
        found.setdefault(part, {})[rest] = array
    return found

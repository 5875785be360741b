"""The best imputer for each column: a mixture of linear equations, a network, trees and kernels."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from anomalo.errors import ParameterError
from anomalo.plugin import (
    Block,
    CanImpute,
    Encoded,
    Floats,
    HiddenCells,
    Layout,
    Model,
    ModelState,
    Run,
    param,
)
from anomalo.predictive import PredictiveImputer
from anomalo_auto.imputation.column_model import ColumnModel
from anomalo_auto.imputation.completed_rows import Base, View, encoded
from anomalo_auto.imputation.imputation_rounds import Round, Rounds
from anomalo_auto.imputation.missingness_notes import Holes, beyond_reach
from anomalo_auto.imputation.target_column import Target
from anomalo_auto.member_run import AsMember

ROWS = 20_000
"""Training rows to learn from, at most."""
FOLDS = 3
LEVEL = 0.9


@dataclass(kw_only=True)
class Blend(PredictiveImputer):
    """A mixture for each column, chosen on cells that none of its parts saw.

    First `bases` complete the rows, each fitted on folds, so that it completes rows that it did not see. Then, for each
    column, a random forest, kernel ridge regression and gradient boosting learn to predict it from the other columns
    as the bases complete them without it (boosting sees the holes as they are). The marginal, the bases and these
    learners are mixed by non-negative weights that sum to 1, learned on predictions of training cells by parts that
    did not see them, with the row's own holes besides. In a second round forests and kernels learn from rows that
    the first one completes, and are mixed with it. The last predictions also tell the expected error of each column
    and the spread of intervals and draws.

    Reference: Breiman (1996), Stacked regressions, Machine Learning 24; van der Laan, Polley and Hubbard (2007), Super
    learner, Statistical Applications in Genetics and Molecular Biology 6; Stekhoven and Buehlmann (2012), MissForest,
    Bioinformatics 28.

    Examples
    --------
    >>> Blend(quality="best").params()["quality"]
    'best'
    """

    name = "blend"

    quality: str = param("fast", choices=("fast", "best"), help="best adds networks, which take longer.")
    bases: str = param("chained", help="The models that complete rows first, by name, separated by commas.")
    networks: str = param("denoising", help="More of them, if quality is best.")
    epochs: int = param(0, low=0, high=100_000, help="Passes over the rows, where a base trains so; 0 leaves it to it.")

    def fit(self, data: Encoded, run: Run) -> Self:
        """Fit the bases, then the columns' predictors and weights.

        Raises
        ------
        ParameterError
            No base is left, or one cannot impute.
        UsageError
            No model is registered under a base's name.
        """
        data = data.take(np.sort(run.rng.permutation(len(data))[:ROWS]))
        names = self._names()
        folds = _folds(data, run.rng)
        self.folds_, self.layout_ = int(folds.max()) + 1, data.layout
        self._bases = [self._fit_base(name, data, folds, run, number, len(names)) for number, name in enumerate(names)]
        self._fit_rounds(data, folds, run)
        return self

    def _names(self) -> list[str]:
        listed = self.bases if self.quality == "fast" else f"{self.bases},{self.networks}"
        names = [name.strip() for name in listed.split(",") if name.strip()]
        if not names or len(set(names)) < len(names):
            raise ParameterError(f"bases={listed!r}: expected different models' names separated by commas")
        return names

    def _fit_base(self, name: str, data: Encoded, folds: NDArray[np.intp], run: Run, number: int, total: int) -> Base:
        models = []
        for fold in range(self.folds_):
            model = self._create(name, run)
            rows = data.take(np.flatnonzero(folds != fold)) if self.folds_ > 1 else data
            models.append(model.fit(rows, AsMember(run, name, number * self.folds_ + fold, (total + 1) * self.folds_)))
        return Base(models)

    def _create(self, name: str, run: Run) -> Any:
        model: Any = run.create(name)
        if not isinstance(model, CanImpute) or isinstance(model, Blend):
            raise ParameterError(f"bases: model {name!r} cannot be one, it does not impute")
        return run.create(name, epochs=self.epochs) if self.epochs and hasattr(model, "epochs") else model

    def _fit_rounds(self, data: Encoded, folds: NDArray[np.intp], run: Run) -> None:
        done = len(self._bases) / (len(self._bases) + 1)
        fit = Rounds(View(data.layout), self._bases, data, folds)
        self._rounds, learned = fit.fit(run.rng, lambda share: run.report(done=done + (1 - done) * share))
        pairs: dict[int, tuple[Floats, Floats]] = {}
        error, baseline, width = np.full((3, len(data.layout.blocks)), np.nan)
        holes = Holes()
        for at, column in enumerate(learned):
            if not len(column.target.truth):
                continue
            error[at], baseline[at] = _errors(column.target, column.mixed)
            if column.target.number:
                pairs[at] = encoded(column.mixed[:, 0]), encoded(column.target.truth)
                width[at] = np.quantile(np.abs(pairs[at][0] - pairs[at][1]), LEVEL, method="weibull")
            holes.see(column.target, column.mixed, column.holes)
        self.error_, self.baseline_, self.width_ = error, baseline, width
        self.notes_ = [*beyond_reach(data.layout, error, baseline), *holes.notes()]
        self.remember(data, run, pairs)

    def predict(self, data: Encoded) -> tuple[Floats, dict[int, Floats]]:
        """Return predictions of missing cells, float32 [n, columns], and probabilities by position."""
        view, cells = View(self.layout_), ~data.observed
        completed = [base.complete(view, data) for base in self._bases]
        for done in self._rounds[:-1]:
            completed = [done.complete(view, data, completed, cells)]
        predicted = np.zeros(data.values.shape, dtype=np.float32)
        blocks = self.layout_.blocks
        proba = {int(at): np.zeros((len(data), blocks[at].size), np.float32) for at in self.layout_.categories}
        for at, rows, told in self._rounds[-1].told(view, data, completed, cells):
            if at in proba:
                proba[at][rows] = told
            else:
                predicted[rows, at] = encoded(told[:, 0])
        return predicted, proba

    def hidden_cells(self) -> HiddenCells | None:
        """Return how well each column's cells are predicted, from cells that the parts did not see."""
        return HiddenCells(self.width_, self.error_, self.baseline_, tuple(self.notes_))

    def use(self, device: str) -> None:
        """Do inference on this device from now on."""
        for base in self._bases:
            for model in base.models:
                model.use(device)

    def state(self) -> ModelState:
        """Return what was learned, the bases inside."""
        state = super().state()
        state.values["names_"] = [base.models[0].name for base in self._bases]
        for base in self._bases:
            for fold, model in enumerate(base.models):
                state.models[f"{model.name}_{fold}"] = (model.name, model.params(), model.state())
        state.values["rounds_"] = len(self._rounds)
        for number, done in enumerate(self._rounds):
            for column in done.columns:
                name = _name(number, column.block)
                state.arrays |= {f"{name}.{part}": array for part, array in column.arrays().items()}
        return state

    def restore(self, state: ModelState, create: Callable[..., Model] | None = None) -> Self:
        """Take back what `state` returned; `create(name, **params)` makes the bases."""
        assert create is not None, "blend is made of other models: restore needs `create`"
        arrays = {name: array for name, array in state.arrays.items() if not name.startswith("round_")}
        super().restore(ModelState(arrays, state.values))
        layout: Layout = self.layout_
        self._bases = []
        for base in state.values["names_"]:
            stored = [state.models[f"{base}_{fold}"] for fold in range(self.folds_)]
            self._bases.append(Base([create(name, **params).restore(inner, create) for name, params, inner in stored]))
        parts = _grouped(state.arrays)
        self._rounds = [
            Round([ColumnModel.of(block, parts[_name(number, block)]) for block in layout.blocks])
            for number in range(state.values["rounds_"])
        ]
        return self


def _folds(data: Encoded, rng: np.random.Generator) -> NDArray[np.intp]:
    """Assign each row a fold, [n]; equal rows share one."""
    _, which = np.unique(data.hashes(), return_inverse=True)
    count = int(which.max(initial=0)) + 1
    fold: NDArray[np.intp] = rng.permutation(count)[which] % min(FOLDS, count)
    return fold


def _errors(target: Target, mixed: Floats) -> tuple[float, float]:
    """Return the error of predictions and that of the mean or mode: RMSE in own units, or the share of wrong levels."""
    if target.number:
        error, spread = np.sqrt(np.mean((mixed[:, 0] - target.truth) ** 2)), target.truth.std()
        return float(error * target.block.scale), float(spread * target.block.scale)
    most = np.bincount(target.levels).argmax()
    return float(np.mean(mixed.argmax(axis=1) != target.levels)), float(np.mean(target.levels != most))


def _name(number: int, block: Block) -> str:
    return f"round_{number}.column_{block.position}"


def _grouped(arrays: dict[str, NDArray[Any]]) -> dict[str, dict[str, NDArray[Any]]]:
    """Return the arrays of each round and column, by its `_name`."""
    found: dict[str, dict[str, NDArray[Any]]] = {}
    for name, array in arrays.items():
        if name.startswith("round_"):
            number, column, part = name.split(".", 2)
            found.setdefault(f"{number}.{column}", {})[part] = array
    return found

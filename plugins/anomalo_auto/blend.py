"""The best imputer for each column: a mixture of linear equations, a network, trees and kernels."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from anomalo.errors import ParameterError
from anomalo.plugin import (
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
from anomalo_auto.column import LEARNERS, ColumnModel
from anomalo_auto.holes import Holes, beyond_reach
from anomalo_auto.member import AsMember
from anomalo_auto.targets import Target
from anomalo_auto.views import Base, View, encoded

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
    did not see them, with the row's own holes besides. These predictions also tell the expected error of each column
    and the spread of intervals and draws.

    Reference: Breiman (1996), Stacked regressions, Machine Learning 24; van der Laan, Polley and Hubbard (2007), Super
    learner, Statistical Applications in Genetics and Molecular Biology 6; Stekhoven and Buehlmann (2012), MissForest,
    Bioinformatics 28.

    Examples
    --------
    >>> Blend(quality="fast").params()["quality"]
    'fast'
    """

    name = "blend"

    quality: str = param("best", choices=("fast", "best"), help="fast leaves the networks out.")
    bases: str = param("chained", help="The models that complete rows first, by name, separated by commas.")
    networks: str = param("denoising", help="More of them, left out if quality is fast.")
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
        self._fit_columns(data, folds, run)
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

    def _fit_columns(self, data: Encoded, folds: NDArray[np.intp], run: Run) -> None:
        view = View(data.layout)
        held_out = zip(*(base.held_out(view, data, folds) for base in self._bases), strict=True)
        self._columns: list[ColumnModel] = []
        pairs: dict[int, tuple[Floats, Floats]] = {}
        error, baseline, width = np.full((3, len(data.layout.blocks)), np.nan)
        holes = Holes()
        for block, completed in zip(data.layout.blocks, held_out, strict=True):
            column, target, mixed = ColumnModel.fit(view, data, completed, block, run.rng)
            self._columns.append(column)
            at = block.position
            if not len(target.truth):
                continue
            error[at], baseline[at] = _errors(target, mixed)
            if target.number:
                pairs[at] = encoded(mixed[:, 0]), encoded(target.truth)
                width[at] = np.quantile(np.abs(pairs[at][0] - pairs[at][1]), LEVEL, method="weibull")
            open_ = np.flatnonzero(~target.seen)
            holes.see(target, mixed, column.predict(view, data.take(open_), [part[open_] for part in completed]))
            run.report(done=(len(self._bases) + (at + 1) / len(data.layout.blocks)) / (len(self._bases) + 1))
        self.error_, self.baseline_, self.width_ = error, baseline, width
        self.notes_ = [*beyond_reach(data.layout, error, baseline), *holes.notes()]
        self.remember(data, run, pairs)

    def predict(self, data: Encoded) -> tuple[Floats, dict[int, Floats]]:
        """Return predictions of missing cells, float32 [n, columns], and probabilities by position."""
        view = View(self.layout_)
        completed = [base.complete(view, data) for base in self._bases]
        predicted = np.zeros(data.values.shape, dtype=np.float32)
        proba: dict[int, Floats] = {}
        for column in self._columns:
            at = column.block.position
            rows = np.flatnonzero(~data.observed[:, at])
            told = column.predict(view, data.take(rows), [part[rows] for part in completed])
            if column.block.kind == "number":
                predicted[rows, at] = encoded(told[:, 0])
            else:
                proba[at] = np.zeros((len(data), column.block.size), dtype=np.float32)
                proba[at][rows] = told
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
        for column in self._columns:
            prefix = f"column_{column.block.position}"
            for name in ("entries", "marginal", "weights"):
                state.arrays[f"{prefix}.{name}"] = getattr(column, name)
            for learner, fitted in column.learners.items():
                state.arrays |= {f"{prefix}.{learner}.{name}": array for name, array in vars(fitted).items()}
        return state

    def restore(self, state: ModelState, create: Callable[..., Model] | None = None) -> Self:
        """Take back what `state` returned; `create(name, **params)` makes the bases."""
        assert create is not None, "blend is made of other models: restore needs `create`"
        arrays = {name: array for name, array in state.arrays.items() if not name.startswith("column_")}
        super().restore(ModelState(arrays, state.values))
        layout: Layout = self.layout_
        self._bases = []
        for base in state.values["names_"]:
            stored = [state.models[f"{base}_{fold}"] for fold in range(self.folds_)]
            self._bases.append(Base([create(name, **params).restore(inner, create) for name, params, inner in stored]))
        self._columns = [_column(block, state.arrays) for block in layout.blocks]
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


def _column(block: Any, arrays: dict[str, NDArray[Any]]) -> ColumnModel:
    prefix = f"column_{block.position}."
    own = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
    learners = {}
    for name, learner in LEARNERS.items():
        parts = {key.removeprefix(f"{name}."): array for key, array in own.items() if key.startswith(f"{name}.")}
        if parts:
            learners[name] = learner(**parts)
    return ColumnModel(block, own["entries"], own["marginal"], own["weights"], learners)

"""The imputer `blend`: for each column a mixture of linear equations, a network, trees and kernel regression."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from anomalo.errors import ParameterError
from anomalo.plugin import (
    Block,
    CanImpute,
    ConditionalImputer,
    Encoded,
    Floats,
    HiddenCells,
    Layout,
    Model,
    ModelState,
    Run,
    param,
)
from anomalo_auto.imputation.boosting import STEPS
from anomalo_auto.imputation.column_model import ColumnModel
from anomalo_auto.imputation.completed_rows import CrossFittedImputer, EntryLayout, compressed
from anomalo_auto.imputation.forest import TREES
from anomalo_auto.imputation.imputation_rounds import ImputationRound, RoundFitter
from anomalo_auto.imputation.kernel_ridge import LANDMARKS
from anomalo_auto.imputation.missingness_notes import MissingnessTest, unpredictable_columns
from anomalo_auto.imputation.target_column import Target
from anomalo_auto.member_run import MemberRun

ROWS = 20_000
"""Training rows that are used, at most."""
LEVEL = 0.9
"""Coverage of the intervals whose width is reported."""


@dataclass(kw_only=True)
class Blend(ConditionalImputer):
    """A mixture of imputers for each column, with weights learned on held-out predictions.

    First `bases` complete the rows, each cross-fitted on folds, so that it completes rows that it was not fitted on.
    Then, for each column, a random forest, kernel ridge regression and gradient boosting are fitted to predict it from
    the other columns as the bases complete them without it (boosting reads missing values as such). The marginal, the
    bases and these learners are mixed by non-negative weights that sum to 1, learned on held-out predictions of
    training cells, with the row's other missing values missing as well. In a second round forests and kernel regression
    are fitted on rows that the first one completes, and are mixed with it. The last held-out predictions also give the
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

    quality: str = param("fast", choices=("fast", "best"), help="best adds networks, which take longer.")
    bases: str = param("chained", help="The imputers that complete rows first, by name, separated by commas.")
    networks: str = param("denoising", help="Further ones, if quality is best.")
    folds: int = param(3, low=2, high=20, help="Parts of the rows; bases and boosting are fitted once without each.")
    trees: int = param(TREES, low=1, high=10_000, help="Trees of each random forest.")
    landmarks: int = param(LANDMARKS, low=1, high=20_000, help="Rows that carry a kernel function, at most.")
    steps: int = param(STEPS, low=5, high=10_000, help="Steps of gradient boosting, at most.")
    epochs: int = param(
        0, low=0, high=100_000, help="Passes over the rows, for bases that train so; 0 keeps their defaults."
    )

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
        folds = _folds(data, run.rng, self.folds)
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

    def _fit_base(
        self, name: str, data: Encoded, folds: NDArray[np.intp], run: Run, number: int, total: int
    ) -> CrossFittedImputer:
        models = []
        for fold in range(self.folds_):
            model = self._create(name, run)
            rows = data.take(np.flatnonzero(folds != fold)) if self.folds_ > 1 else data
            models.append(model.fit(rows, MemberRun(run, name, number * self.folds_ + fold, (total + 1) * self.folds_)))
        return CrossFittedImputer(models)

    def _create(self, name: str, run: Run) -> Any:
        model: Any = run.create(name)
        if not isinstance(model, CanImpute) or isinstance(model, Blend):
            raise ParameterError(f"bases: model {name!r} cannot be one, it does not impute")
        return run.create(name, epochs=self.epochs) if self.epochs and hasattr(model, "epochs") else model

    def _fit_rounds(self, data: Encoded, folds: NDArray[np.intp], run: Run) -> None:
        done = len(self._bases) / (len(self._bases) + 1)
        sizes = {
            "forest": {"trees": self.trees},
            "kernel": {"landmarks": self.landmarks},
            "boosting": {"count": self.folds, "steps": self.steps},
        }
        fit = RoundFitter(EntryLayout(data.layout), self._bases, data, folds, sizes)
        self._rounds, learned = fit.fit(run.rng, lambda share: run.report(done=done + (1 - done) * share))
        pairs: dict[int, tuple[Floats, Floats]] = {}
        error, baseline, width = np.full((3, len(data.layout.blocks)), np.nan)
        missingness = MissingnessTest()
        for at, column in enumerate(learned):
            if not len(column.target.truth):
                continue
            error[at], baseline[at] = _errors(column.target, column.held_out)
            if column.target.number:
                pairs[at] = compressed(column.held_out[:, 0]), compressed(column.target.truth)
                width[at] = np.quantile(np.abs(pairs[at][0] - pairs[at][1]), LEVEL, method="weibull")
            missingness.compare(column.target, column.held_out, column.missing)
        self.error_, self.baseline_, self.width_ = error, baseline, width
        self.notes_ = [*unpredictable_columns(data.layout, error, baseline), *missingness.notes()]
        self.remember(data, run, pairs)

    def predict(self, data: Encoded) -> tuple[Floats, dict[int, Floats]]:
        """Return predictions of missing cells, float32 [n, columns], and probabilities by position."""
        entry_layout, cells = EntryLayout(self.layout_), ~data.observed
        completed = [base.complete(entry_layout, data) for base in self._bases]
        for done in self._rounds[:-1]:
            completed = [done.complete(entry_layout, data, completed, cells)]
        predicted = np.zeros(data.values.shape, dtype=np.float32)
        blocks = self.layout_.blocks
        proba = {int(at): np.zeros((len(data), blocks[at].size), np.float32) for at in self.layout_.categories}
        for at, rows, found in self._rounds[-1].predict(entry_layout, data, completed, cells):
            if at in proba:
                proba[at][rows] = found
            else:
                predicted[rows, at] = compressed(found[:, 0])
        return predicted, proba

    def hidden_cells(self) -> HiddenCells | None:
        """Return how well held-out cells of each column are predicted."""
        return HiddenCells(self.width_, self.error_, self.baseline_, tuple(self.notes_))

    def use(self, device: str) -> None:
        """Run inference on this device."""
        for base in self._bases:
            for model in base.models:
                model.use(device)

    def state(self) -> ModelState:
        """Return what was learned, with the bases' states."""
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
        """Restore what `state` returned; `create(name, **params)` creates the bases."""
        assert create is not None, "blend consists of other models: restore needs `create`"
        arrays = {name: array for name, array in state.arrays.items() if not name.startswith("round_")}
        super().restore(ModelState(arrays, state.values))
        layout: Layout = self.layout_
        self._bases = []
        for base in state.values["names_"]:
            stored = [state.models[f"{base}_{fold}"] for fold in range(self.folds_)]
            models = [create(name, **params).restore(inner, create) for name, params, inner in stored]
            self._bases.append(CrossFittedImputer(models))
        parts = _grouped(state.arrays)
        self._rounds = [
            ImputationRound([ColumnModel.of(block, parts[_name(number, block)]) for block in layout.blocks])
            for number in range(state.values["rounds_"])
        ]
        return self


def _folds(data: Encoded, rng: np.random.Generator, folds: int) -> NDArray[np.intp]:
    """Assign each row a fold, [n]; equal rows share one."""
    _, which = np.unique(data.hashes(), return_inverse=True)
    count = int(which.max(initial=0)) + 1
    fold: NDArray[np.intp] = rng.permutation(count)[which] % min(folds, count)
    return fold


def _errors(target: Target, predicted: Floats) -> tuple[float, float]:
    """Return the errors of predictions and of the mean or mode: RMSE in column units or shares of wrong levels."""
    if target.number:
        error, deviation = np.sqrt(np.mean((predicted[:, 0] - target.truth) ** 2)), target.truth.std()
        return float(error * target.block.scale), float(deviation * target.block.scale)
    most = np.bincount(target.levels).argmax()
    return float(np.mean(predicted.argmax(axis=1) != target.levels)), float(np.mean(target.levels != most))


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

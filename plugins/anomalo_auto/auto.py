"""The detector `auto`: several detectors on a common scale, weighted by agreement, combined by p-values."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from anomalo.errors import ParameterError, UsageError
from anomalo.plugin import (
    CanEmbed,
    CanExplain,
    CanScore,
    Cells,
    Encoded,
    Filled,
    Floats,
    HiddenCells,
    Model,
    ModelState,
    Run,
    Scores,
    is_goal,
    param,
)
from anomalo_auto.contamination import least_suspicious, masking_effect, robust_score, robust_weight
from anomalo_auto.fusion import agreement, power_mean
from anomalo_auto.imputation.completed_rows import expected_values
from anomalo_auto.member_run import MemberRun
from anomalo_auto.tail_probability import fit_tail, surprisal


@dataclass(kw_only=True)
class Auto(Model):
    """Neighbours, robust covariance, isolation forest and networks, combined without labels.

    Every member is fitted on all rows; its score becomes a surprisal e = -log p, with p the share of training rows
    that score at least as high, extrapolated beyond them. The score is -log of a weighted power mean of the members'
    p-values,

        s = 2 log sum_m w_m exp(e_m / 2)   [nats],

    so that one member alone can raise the score and several raise it further. A member's weight is its rank
    correlation, over the training rows, with the mean rank that the others give. Anomalies in the training table mask
    each other from neighbours and networks. The robust members detect them all the same, as they look at each column
    alone or trim the most anomalous quarter of the rows, but are less precise elsewhere. Their weight rises with the
    masking effect: how typical their most anomalous training rows are to the reference model, nearest neighbours. If
    the rows are assumed clean, the robust members are left out; if assumed contaminated, they count fully, and the
    others are fitted without the 15 % of the rows that they score highest.

    Fitted to impute, it imputes by `blend`, which also predicts the expected value of an anomalous cell.

    Reference: Vovk and Wang (2020), Combining p-values via averaging, Biometrika 107; Aggarwal and Sathe (2015),
    Theoretical foundations and algorithms for outlier ensembles, SIGKDD Explorations 17.

    Examples
    --------
    >>> Auto(members="knn,covariance", assume="clean").params()["assume"]
    'clean'
    """

    name = "auto"
    score_unit = "nats"

    members: str = param("knn,covariance,iforest,undercomplete,masked", help="The models to combine, by name.")
    assume: str = param(
        "auto",
        choices=("auto", "clean", "contaminated"),
        help="Whether the training rows contain anomalies: clean leaves out the robust members, contaminated fits the "
        "others without the most suspicious rows, auto weighs them by evidence from the rows.",
    )
    robust_members: str = param(
        "covariance,iforest", help="The robust members: anomalies in training hardly mislead them."
    )
    reference_model: str = param(
        "knn",
        help="The reference model, which anomalies mislead: those that only robust members detect count as evidence.",
    )
    neighbours: int = param(
        0, low=0, high=10_000, help="Nearest rows, for members with such a parameter; 0 keeps their defaults."
    )
    quality: str = param(
        "fast", choices=("fast", "best"), help="How missing values are imputed: best adds networks, which take longer."
    )
    epochs: int = param(
        0, low=0, high=100_000, help="Passes over the rows, for members that train so; 0 keeps their defaults."
    )

    def fit(self, data: Encoded, run: Run) -> Self:
        """Fit the members to score and embed, and the imputer to impute.

        Raises
        ------
        ParameterError
            No member is left, one is named twice or cannot score, none explains, or the reference model cannot score.
        UsageError
            No model is registered under a member's name.
        """
        self._models: list[Any] = []
        self._imputer: Any = None
        self.names_ = self._chosen() if is_goal(run.goals, "score") or is_goal(run.goals, "embed") else []
        parts = len(self.names_) + is_goal(run.goals, "impute")
        if self.names_:
            self._fit_members(data, run, parts)
        if len(self.names_) < parts:
            imputer = run.create("blend", quality=self.quality, epochs=self.epochs)
            self._imputer = imputer.fit(data, MemberRun(run, "blend", len(self.names_), parts))
        return self

    def _fit_members(self, data: Encoded, run: Run, parts: int) -> None:
        self._models = [self._create(name, run) for name in self.names_]
        if not any(isinstance(model, CanExplain) for model in self._models):
            raise ParameterError(
                f"members={self.members!r}: none of them explains its scores; add knn, covariance or a network"
            )
        robust = np.isin(self.names_, _list(self.robust_members))
        rows = data
        for number, at in enumerate(np.argsort(~robust, kind="stable")):  # robust members first
            if self.assume == "contaminated" and robust.any() and number == robust.sum():
                rows = data.take(least_suspicious(self._robust_score(data, robust)))
            model = self._models[at]
            self._models[at] = model.fit(rows, MemberRun(run, model.name, number, parts))
        scores = [model.score(data) for model in self._models]
        self.tails_ = np.stack([fit_tail(member) for member in scores])
        surprisals = np.stack([surprisal(member, tail) for member, tail in zip(scores, self.tails_, strict=True)])
        relative = np.where(robust, self._robust_weight(data, surprisals, robust, run), 1.0)
        self.weights_ = relative * agreement(surprisals)
        self.weights_ /= self.weights_.sum()

    def _robust_score(self, data: Encoded, robust: NDArray[np.bool_]) -> Scores:
        scores = [model.score(data) for model, chosen in zip(self._models, robust, strict=True) if chosen]
        return robust_score(np.stack([surprisal(member, fit_tail(member)) for member in scores]))

    def _robust_weight(self, data: Encoded, surprisals: Scores, robust: NDArray[np.bool_], run: Run) -> float:
        """Return the weight of a robust member relative to another member."""
        if self.assume == "contaminated" or robust.all() or not robust.any():
            return 1.0
        reference = run.create(self.reference_model)
        if not isinstance(reference, CanScore) or isinstance(reference, Auto):
            raise ParameterError(f"reference_model={self.reference_model!r}: expected a model that scores, such as knn")
        masking = masking_effect(robust_score(surprisals[robust]), reference.fit(data, run).score(data))
        return robust_weight(masking)

    def _chosen(self) -> list[str]:
        left_out = _list(self.robust_members) if self.assume == "clean" else []
        names = [name for name in _list(self.members) if name not in left_out]
        if not names or len(set(names)) < len(names):
            raise ParameterError(f"members={self.members!r}: expected different models' names separated by commas")
        return names

    def _create(self, name: str, run: Run) -> Any:
        model: Any = run.create(name)
        passed = {"epochs": self.epochs, "neighbours": self.neighbours}
        passed = {key: value for key, value in passed.items() if value and hasattr(model, key)}
        model = run.create(name, **passed) if passed else model
        if not isinstance(model, CanScore) or isinstance(model, Auto):
            raise ParameterError(f"members={self.members!r}: model {name!r} cannot be a member, it does not score")
        return model

    def _surprisals(self, data: Encoded) -> Scores:
        """Return the surprisals of the members' scores, float64 [members, n] in nats."""
        members = zip(self._models, self.tails_, strict=True)
        return np.stack([surprisal(model.score(data), tail) for model, tail in members])

    def score(self, data: Encoded) -> Scores:
        """Return the rows' anomaly scores in nats, float64 [n] >= 0."""
        return power_mean(self._surprisals(data), self.weights_)

    def explain(self, data: Encoded) -> Cells:
        """Return the weighted mean of the members' contributions, by the members' weights.

        Members that do not explain are skipped. The expected value of a cell is that of the imputer, or, if there is
        none, of the last member that explains.
        """
        members = zip(self._models, self.weights_, strict=True)
        explained = [(model.explain(data), weight) for model, weight in members if isinstance(model, CanExplain)]
        cells = sum(_relative(cells.contribution) * weight for cells, weight in explained)
        expected = explained[-1][0].expected if self._imputer is None else expected_values(self._imputer, data)
        return Cells(_relative(np.asarray(cells)) * self.score(data)[:, None], expected)

    def impute(self, data: Encoded, draws: int = 0) -> Filled:
        """Impute missing values by `blend`; if not fitted to impute, by the last explaining member's expected values.

        Raises
        ------
        UsageError
            `draws` is not 0, and it was not fitted to impute.
        """
        if self._imputer is not None:
            filled: Filled = self._imputer.impute(data, draws)
            return filled
        if draws:
            raise UsageError(f"draws={draws}: this model was not fitted to impute, and gives no draws; ask for draws=0")
        explaining = [model for model in self._models if isinstance(model, CanExplain)]
        return Filled(np.where(data.observed, data.values, explaining[-1].explain(data).expected))

    def hidden_cells(self) -> HiddenCells | None:
        """Return how well the imputer predicts held-out cells."""
        if self._imputer is None:
            return None
        hidden: HiddenCells | None = self._imputer.hidden_cells()
        return hidden

    def embed(self, data: Encoded) -> Floats:
        """Return the codes of the first member that embeds, float32 [n, latent].

        Raises
        ------
        UsageError
            No member embeds.
        """
        return self._embedding().embed(data)

    def decode(self, codes: Floats) -> Floats:
        """Return that member's encoded rows for codes [n, latent], float32 [n, columns]."""
        return self._embedding().decode(codes)

    def _embedding(self) -> CanEmbed:
        found = next((model for model in self._models if isinstance(model, CanEmbed)), None)
        if found is None:
            raise UsageError(f"members={self.members!r}: none of them can embed")
        return found

    def use(self, device: str) -> None:
        """Run inference on this device."""
        for model in (*self._models, *([] if self._imputer is None else [self._imputer])):
            model.use(device)

    def state(self) -> ModelState:
        """Return what was learned, with the members' states."""
        state = super().state()
        for number, (name, model) in enumerate(zip(self.names_, self._models, strict=True)):
            state.models[f"member_{number}"] = (name, model.params(), model.state())
        if self._imputer is not None:
            state.models["imputer"] = (self._imputer.name, self._imputer.params(), self._imputer.state())
        return state

    def restore(self, state: ModelState, create: Callable[..., Model] | None = None) -> Self:
        """Restore what `state` returned; `create(name, **params)` creates the members."""
        assert create is not None, "auto consists of other models: restore needs `create`"
        super().restore(ModelState(state.arrays, state.values))
        nested = {
            key: create(name, **params).restore(inner, create) for key, (name, params, inner) in state.models.items()
        }
        self._models = [nested[f"member_{number}"] for number in range(len(self.names_))]
        self._imputer = nested.get("imputer")
        return self


def _relative(contribution: Scores) -> Scores:
    """Return the positive parts of contributions [n, columns] as shares that sum to 1 (equal ones if none is)."""
    positive = np.maximum(contribution, 0)
    total = positive.sum(axis=1, keepdims=True)
    shares: Scores = np.full(positive.shape, 1 / max(1, positive.shape[1]))
    np.divide(positive, total, out=shares, where=total > 0)
    return shares


def _list(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]

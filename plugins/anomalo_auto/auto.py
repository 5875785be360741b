"""The default model `auto`: several detectors, cross-fitted and combined by p-values, and an imputer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from anomalo.errors import ParameterError, UsageError
from anomalo.plugin import (
    CanEmbed,
    CanExplain,
    CanImpute,
    CanScore,
    Cells,
    Encoded,
    Filled,
    Floats,
    HiddenCells,
    Layout,
    Model,
    ModelState,
    Plan,
    Run,
    Scores,
    is_goal,
    param,
    relative,
)
from anomalo_auto.contamination import least_suspicious
from anomalo_auto.cross_fitted_member import CrossFittedMember, members_of, state_of
from anomalo_auto.effort import EFFORTS, plan
from anomalo_auto.fusion import harmonic_mean, shares
from anomalo_auto.learning_curve import learning_curve
from anomalo_auto.member_run import MemberRun
from anomalo_auto.reasons import Reasons

NEIGHBOURS = "knn"
"""The model whose nearest rows are a view of reasons, whether it is a member or not."""
REFERENCE, EXPLAINED = 2_000, 200
"""Training rows that it keeps, and those from which the usual contributions of each column are learned."""
WIDEST = 100
"""Columns of a table whose nearest rows are looked for, without each of them in turn."""
MARGINAL = ("ecod", "hbos")
"""Members that score each column by itself: no views of a row, they only count by how much they raise its score."""


@dataclass(kw_only=True)
class Auto(Model):
    """A denoising network, tails and histograms of the columns, and a robust covariance, combined without labels.

    Every member is fitted on all rows, and once without each fold of them. By its scores of the training rows its score
    becomes a surprisal e = -log p, with p the share of rows that score at least as high; beyond the 85th percentile it
    is extrapolated. The score is -log of the harmonic mean of the M members' p-values,

        s = log (1/M sum_m exp(e_m))   [nats],

    so that one member alone can raise the score and several raise it further.

    Whether anomalies are among the training rows cannot be seen from the rows. The members differ in what misleads
    them, and the extrapolation does not depend on the highest scores. Only if the rows are assumed contaminated, those
    that are not robust are fitted again, on the 85 % that have the least scores by all members together.

    Fitted to impute, it imputes by `blend`.

    Reference: Wilson (2019), The harmonic mean p-value for combining dependent tests, PNAS 116; Aggarwal and Sathe
    (2015), Theoretical foundations and algorithms for outlier ensembles, SIGKDD Explorations 17.

    Examples
    --------
    >>> Auto(members="knn,ecod", assume="clean").params()["assume"]
    'clean'
    """

    name = "auto"
    score_unit = "nats"

    effort: str = param(
        "default",
        choices=tuple(EFFORTS),
        help="How much work a fit may take: rows that are learned from, folds, sizes of networks.",
    )
    members: str = param("denoising,ecod,hbos,covariance", help="The models to combine, by name.")
    assume: str = param(
        "auto",
        choices=("auto", "clean", "contaminated"),
        help="Whether the training rows contain anomalies: if contaminated, members learn without the most suspicious "
        "rows.",
    )
    robust: str = param(
        "ecod,hbos,iforest,covariance",
        help="Members that anomalies in training hardly mislead: they always learn from all rows.",
    )
    epochs: int = param(
        0, low=0, high=100_000, help="Passes over the rows, for members that train so; 0 keeps their defaults."
    )

    def fit(self, data: Encoded, run: Run) -> Self:
        """Fit the members to score and embed, and the imputer to impute.

        Raises
        ------
        ParameterError
            No member is left, one is named twice or cannot score, or none explains.
        UsageError
            No model is registered under a member's name.
        """
        self._members: list[CrossFittedMember] = []
        self._imputer: Any = None
        self._neighbours: Any = None
        self.folds_, self.notes_ = np.full(len(data), -1), list[str]()
        with threadpool_limits(1):  # at these sizes more threads take more time, and no less until the end
            if is_goal(run.goals, "score") or is_goal(run.goals, "embed"):
                self._fit_members(data, run)
            if is_goal(run.goals, "impute"):
                self._fit_imputer(data, run, 0.5 if self._members else 0.0)
        return self

    def extend(self, data: Encoded, run: Run) -> Self:
        """Fit the imputer as well."""
        with threadpool_limits(1):
            self._fit_imputer(data, run, 0.0)
        return self

    def _fit_imputer(self, data: Encoded, run: Run, start: float) -> None:
        """Fit the imputer; progress goes from `start` to the end."""
        quality = EFFORTS[self.effort].quality(data.values.size)
        imputer = run.create("blend", quality=quality, epochs=self.epochs)
        self._imputer = imputer.fit(data, MemberRun(run, "blend", start, 1 - start))

    def plan(self, layout: Layout, rows: int, goals: frozenset[str]) -> Plan:
        """Return what a fit of so many rows for these goals is going to do."""
        return plan(EFFORTS[self.effort], _list(self.members), layout, rows, goals)

    def _fit_members(self, data: Encoded, run: Run) -> None:
        names = self._checked(run)
        effort, every = EFFORTS[self.effort], max(len(data), run.table_rows)
        rows = np.sort(np.random.default_rng([run.seed, 17]).permutation(len(data))[: effort.rows])
        data = data.take(rows)
        self.folds_[rows] = folds = run.folds(data, effort.folds)
        misled = [name for name in names if name not in _list(self.robust)] if self.assume == "contaminated" else []
        share = (0.5 if is_goal(run.goals, "impute") else 1.0) / (len(names) + len(misled))
        trusted = np.ones(len(data), dtype=np.bool_)
        for number, name in enumerate(names):
            self._members.append(self._fit_member(name, data, folds, trusted, run, number * share, share))
        if misled:
            trusted = least_suspicious(harmonic_mean(np.stack([member.out_of_fold for member in self._members])))
            for number, name in enumerate(misled, start=len(names)):
                again = self._fit_member(name, data, folds, trusted, run, number * share, share)
                self._members[names.index(name)] = again
        self._fit_reasons(data, run)
        if every > len(data):
            self.notes_.append(learning_curve(self._members, data, folds, every, run))

    def _fit_reasons(self, data: Encoded, run: Run) -> None:
        few = data.take(np.sort(np.random.default_rng([run.seed, 23]).permutation(len(data))[:EXPLAINED]))
        if len(data.layout.blocks) <= WIDEST:
            neighbours = run.create(NEIGHBOURS, reference=REFERENCE)
            self._neighbours = neighbours.fit(data, MemberRun(run, NEIGHBOURS, 0.0, 0.0))
        self._reasons = Reasons.fit(_views(self._explained(few)))

    def _checked(self, run: Run) -> list[str]:
        names = _list(self.members)
        if not names or len(set(names)) < len(names):
            raise ParameterError(f"members={self.members!r}: expected different models' names separated by commas")
        if not any(isinstance(self._create(name, run), CanExplain) for name in names):
            raise ParameterError(
                f"members={self.members!r}: none of them explains its scores; add knn, covariance or a network"
            )
        return names

    def _fit_member(
        self,
        name: str,
        data: Encoded,
        folds: NDArray[np.intp],
        trusted: NDArray[np.bool_],
        run: Run,
        start: float,
        share: float,
    ) -> CrossFittedMember:
        """Fit a member; the progress goes from `start` on by `share`."""
        part = share / (folds.max() + 2)

        def fit(rows: Encoded, number: int) -> Any:
            return self._create(name, run).fit(rows, MemberRun(run, name, start + number * part, part))

        return CrossFittedMember.fit(name, data, folds, trusted, fit)

    def _create(self, name: str, run: Run) -> Any:
        model: Any = run.create(name)
        passed = dict(EFFORTS[self.effort].sizes.get(name, {}))
        if self.epochs and hasattr(model, "epochs"):
            passed["epochs"] = self.epochs
        model = run.create(name, **passed) if passed else model
        if not isinstance(model, CanScore) or isinstance(model, Auto):
            raise ParameterError(f"members={self.members!r}: model {name!r} cannot be a member, it does not score")
        return model

    def folds(self) -> NDArray[np.intp]:
        """Return the fold of each training row, [n]; -1 for a row that no member learned from."""
        several = bool(self._members) and bool(self._members[0].parts)
        return self.folds_ if several else np.full(len(self.folds_), -1)

    def without(self, fold: int) -> "Auto":
        """Return the part that was fitted without the rows of a fold; it has no imputer."""
        part = type(self)(**self.params())
        part._members, part._imputer = [member.without(fold) for member in self._members], None
        part._neighbours, part._reasons = self._neighbours, self._reasons
        return part

    def score(self, data: Encoded) -> Scores:
        """Return the rows' anomaly scores in nats, float64 [n] >= 0."""
        return harmonic_mean(self._surprisals(data))

    def _surprisals(self, data: Encoded) -> Scores:
        """Return the members' surprisals, float64 [members, n] in nats."""
        return np.stack([member.surprisal(data) for member in self._members])

    def explain(self, data: Encoded) -> Cells:
        """Return the shares of the score of the cells that the members and the nearest rows agree on; see `Reasons`.

        One view is the mean of the members' contributions, weighted by how much each raises the row's score. Members
        that do not explain are left out. The expected value of a cell is that of the first one that does.
        """
        surprisals, explained = self._surprisals(data), self._explained(data)
        total = np.zeros(data.values.shape)
        for name, raised in zip((member.name for member in self._members), shares(surprisals), strict=True):
            if name in explained:
                total += relative(explained[name].contribution) * raised[:, None]
        found = self._reasons.shares(relative(total), _views(explained))
        return Cells(found * harmonic_mean(surprisals)[:, None], next(iter(explained.values())).expected)

    def _explained(self, data: Encoded) -> dict[str, Cells]:
        """Return the explanations of the members that explain, and of the nearest rows but in wide tables, by name."""
        models = {member.name: member.model for member in self._members if member.can(CanExplain)}
        if self._neighbours is not None:
            models[NEIGHBOURS] = self._neighbours
        return {name: model.explain(data) for name, model in models.items()}

    def impute(self, data: Encoded, draws: int = 0) -> Filled:
        """Impute missing values by `blend`; if not fitted to impute, by the first member that imputes or explains.

        Raises
        ------
        UsageError
            `draws` is not 0, it was not fitted to impute, and no member imputes.
        """
        imputer = self._imputer or next((m.model for m in self._members if m.can(CanImpute)), None)
        if imputer is not None:
            filled: Filled = imputer.impute(data, draws)
            return filled
        if draws:
            raise UsageError(f"draws={draws}: this model was not fitted to impute, and gives no draws; ask for draws=0")
        first = next(member.model for member in self._members if member.can(CanExplain))
        return Filled(np.where(data.observed, data.values, first.explain(data).expected))

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
        found: CanEmbed | None = next((m.model for m in self._members if m.can(CanEmbed)), None)
        if found is None:
            raise UsageError(f"members={self.members!r}: none of them can embed")
        return found

    def use(self, device: str) -> None:
        """Run inference on this device."""
        nested = [member.model for member in self._members] + [self._neighbours, self._imputer]
        for model in filter(None, nested):
            model.use(device)

    def state(self) -> ModelState:
        """Return what was learned, with the members' states."""
        state = state_of(super().state(), self._members)
        del state.arrays["folds_"]
        if self._members:
            state.arrays["usual"] = self._reasons.usual
        if self._neighbours is not None:
            state.models[NEIGHBOURS] = (NEIGHBOURS, self._neighbours.params(), self._neighbours.state())
        if self._imputer is not None:
            state.models["imputer"] = (self._imputer.name, self._imputer.params(), self._imputer.state())
        return state

    def restore(self, state: ModelState, create: Callable[..., Model] | None = None) -> Self:
        """Restore what `state` returned; `create(name, **params)` creates the members."""
        assert create is not None, "auto consists of other models: restore needs `create`"
        super().restore(ModelState({}, {"notes_": state.values["notes_"]}))
        nested = {
            key: create(name, **params).restore(inner, create) for key, (name, params, inner) in state.models.items()
        }
        self._imputer, self._neighbours = nested.pop("imputer", None), nested.pop(NEIGHBOURS, None)
        if "usual" in state.arrays:
            self._reasons = Reasons(state.arrays["usual"])
        self._members = members_of(state, nested)
        self.folds_ = np.zeros(0, dtype=np.intp)
        return self


def _views(explained: dict[str, Cells]) -> list[Scores]:
    """Return the contributions of the models that evaluate a row by all of its columns together."""
    return [cells.contribution for name, cells in explained.items() if name not in MARGINAL]


def _list(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]

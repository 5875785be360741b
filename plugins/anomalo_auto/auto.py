"""Several detectors as one: each brought to a common scale, weighted by agreement, combined by p-values."""

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
    param,
    wanted,
)
from anomalo_auto.contamination import hidden, suspicion, trust, unsuspected
from anomalo_auto.fusion import agreement, power_mean
from anomalo_auto.imputation.completed_rows import expectations
from anomalo_auto.member_run import AsMember
from anomalo_auto.tail_probability import energy, tail


@dataclass(kw_only=True)
class Auto(Model):
    """Neighbours, robust covariance, isolation forest and networks, combined without labels.

    Every member is fitted on all rows; its score becomes an energy e = -log p, with p the share of training rows at
    least as strange, extrapolated beyond them. The score is -log of a weighted power mean of the members' p-values,

        s = 2 log sum_m w_m exp(e_m / 2)   [nats],

    so that one alarmed member is heard and several count for more. A member's weight is its rank correlation, over the
    training rows, with the mean rank that the others give. Strange rows in the training table hide behind each other
    from neighbours and networks; the guards see them all the same, as they look at each column alone or trim the
    strangest quarter off themselves, but are blunter elsewhere. They count the more, the more ordinary their strangest
    training rows are to the witness, neighbours. If the rows are said to be clean, they do not count at all; if
    said not to be, they count fully, and the others are fitted without the 15 % of the rows that they suspect most.

    Fitted to impute, it fills holes by `blend`, whose expectations also say what a strange cell should have been.

    Reference: Vovk and Wang (2020), Combining p-values via averaging, Biometrika 107; Aggarwal and Sathe (2015),
    Theoretical foundations and algorithms for outlier ensembles, SIGKDD Explorations 17.

    Examples
    --------
    >>> Auto(members="knn,covariance", clean="yes").params()["clean"]
    'yes'
    """

    name = "auto"

    members: str = param("knn,covariance,iforest,undercomplete,masked", help="The models to combine, by name.")
    clean: str = param(
        "auto",
        choices=("auto", "yes", "no"),
        help="Whether the training rows hold no strange ones: yes leaves out what guards against them, "
        "no fits the others without the most suspicious rows, auto weighs by evidence from the rows.",
    )
    guards: str = param("covariance,iforest", help="Members that strange training rows hardly deceive.")
    witness: str = param("knn", help="A model that they deceive; what guards see and it does not is evidence of them.")
    neighbours: int = param(
        0, low=0, high=10_000, help="Nearest rows of a member that takes such a number; 0 leaves it to it."
    )
    quality: str = param(
        "fast", choices=("fast", "best"), help="How holes are filled: best adds networks, which take longer."
    )
    epochs: int = param(
        0, low=0, high=100_000, help="Passes over the rows, where a member trains so; 0 leaves it to it."
    )

    def fit(self, data: Encoded, run: Run) -> Self:
        """Fit the members to score and embed, and the imputer to impute.

        Raises
        ------
        ParameterError
            No member is left, one is named twice or cannot score, none explains, or the witness cannot score.
        UsageError
            No model is registered under a member's name.
        """
        self._models: list[Any] = []
        self._imputer: Any = None
        self.names_ = self._chosen() if wanted(run.goals, "score") or wanted(run.goals, "embed") else []
        parts = len(self.names_) + wanted(run.goals, "impute")
        if self.names_:
            self._fit_members(data, run, parts)
        if len(self.names_) < parts:
            imputer = run.create("blend", quality=self.quality, epochs=self.epochs)
            self._imputer = imputer.fit(data, AsMember(run, "blend", len(self.names_), parts))
        return self

    def _fit_members(self, data: Encoded, run: Run, parts: int) -> None:
        self._models = [self._create(name, run) for name in self.names_]
        if not any(isinstance(model, CanExplain) for model in self._models):
            raise ParameterError(
                f"members={self.members!r}: none of them gives reasons; add knn, covariance or a network"
            )
        guard = np.isin(self.names_, _list(self.guards))
        rows = data
        for number, at in enumerate(np.argsort(~guard, kind="stable")):  # guards first
            if self.clean == "no" and guard.any() and number == guard.sum():
                rows = data.take(unsuspected(self._suspicion(data, guard)))
            model = self._models[at]
            self._models[at] = model.fit(rows, AsMember(run, model.name, number, parts))
        scores = [model.score(data) for model in self._models]
        self.tails_ = np.stack([tail(member) for member in scores])
        energies = np.stack([energy(member, known) for member, known in zip(scores, self.tails_, strict=True)])
        self.weights_ = np.where(guard, self._trust(data, energies, guard, run), 1.0) * agreement(energies)
        self.weights_ /= self.weights_.sum()

    def _suspicion(self, data: Encoded, guard: NDArray[np.bool_]) -> Scores:
        scores = [model.score(data) for model, guards in zip(self._models, guard, strict=True) if guards]
        return suspicion(np.stack([energy(member, tail(member)) for member in scores]))

    def _trust(self, data: Encoded, energies: Scores, guard: NDArray[np.bool_], run: Run) -> float:
        """Return what a guard counts beside another member."""
        if self.clean == "no" or guard.all() or not guard.any():
            return 1.0
        witness: Any = run.create(self.witness)
        if not isinstance(witness, CanScore) or isinstance(witness, Auto):
            raise ParameterError(f"witness={self.witness!r}: expected a model that scores, such as knn")
        return trust(hidden(suspicion(energies[guard]), witness.fit(data, run).score(data)))

    def _chosen(self) -> list[str]:
        guards = _list(self.guards) if self.clean == "yes" else []
        names = [name for name in _list(self.members) if name not in guards]
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

    def _energies(self, data: Encoded) -> Scores:
        """Return the members' energies, float64 [members, n] in nats."""
        return np.stack([energy(m.score(data), t) for m, t in zip(self._models, self.tails_, strict=True)])

    def score(self, data: Encoded) -> Scores:
        """Return the rows' strangeness in nats, float64 [n] >= 0."""
        return power_mean(self._energies(data), self.weights_)

    def explain(self, data: Encoded) -> Cells:
        """Return the members' reasons, each with the weight that the member has.

        Members without reasons of their own are passed over. What a cell should have been is told by the imputer, or
        else by the last member that explains.
        """
        members = zip(self._models, self.weights_, strict=True)
        told = [(model.explain(data), weight) for model, weight in members if isinstance(model, CanExplain)]
        cells = sum(_relative(cells.contribution) * weight for cells, weight in told)
        expected = told[-1][0].expected if self._imputer is None else expectations(self._imputer, data)
        return Cells(_relative(np.asarray(cells)) * self.score(data)[:, None], expected)

    def impute(self, data: Encoded, draws: int = 0) -> Filled:
        """Fill missing cells as `blend` does; if not fitted to, by what the last member that explains expects.

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
        """Return how well the imputer predicts cells that it did not see."""
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
        """Do inference on this device from now on."""
        for model in (*self._models, *([] if self._imputer is None else [self._imputer])):
            model.use(device)

    def state(self) -> ModelState:
        """Return what was learned, the members inside."""
        state = super().state()
        for number, (name, model) in enumerate(zip(self.names_, self._models, strict=True)):
            state.models[f"member_{number}"] = (name, model.params(), model.state())
        if self._imputer is not None:
            state.models["imputer"] = (self._imputer.name, self._imputer.params(), self._imputer.state())
        return state

    def restore(self, state: ModelState, create: Callable[..., Model] | None = None) -> Self:
        """Take back what `state` returned; `create(name, **params)` makes the members."""
        assert create is not None, "auto is made of other models: restore needs `create`"
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
    return np.divide(positive, total, out=np.full(positive.shape, 1 / max(1, positive.shape[1])), where=total > 0)


def _list(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]

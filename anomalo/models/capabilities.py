"""What a model can do: one protocol for each verb, and for pretraining, starting from a model and reports of errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from anomalo.encoding.encoded import Encoded, Floats, Scores
from anomalo.encoding.layout import Layout
from anomalo.models.base import Model, Run
from anomalo.models.results import Cells, Filled, HiddenCells, Plan


@runtime_checkable
class CanScore(Protocol):
    """Scores rows."""

    def score(self, data: Encoded) -> Scores:
        """Return anomaly scores, float64 [n]; higher is more anomalous. A row's score depends on that row alone."""


@runtime_checkable
class CanExplain(Protocol):
    """Explains a row's score by its cells."""

    def explain(self, data: Encoded) -> Cells:
        """Return contributions that sum to the score, and each cell's conditional expectation."""


@runtime_checkable
class CanImpute(Protocol):
    """Fills missing cells."""

    def impute(self, data: Encoded, draws: int = 0) -> Filled:
        """Return fills; with `draws` > 0 also that many random imputations."""


@runtime_checkable
class CanEmbed(Protocol):
    """Maps rows to latent codes, and codes back to rows."""

    def embed(self, data: Encoded) -> Floats:
        """Return codes, float32 [n, latent]. A row's code depends on that row alone."""

    def decode(self, codes: Floats) -> Floats:
        """Return the rows that codes [n, latent] stand for, float32 [n, *shape] in encoded units.

        A number is its expectation, a category the code of its most probable known level.
        """


@runtime_checkable
class CanSample(Protocol):
    """Draws synthetic rows, any of whose cells may be given."""

    def sample(self, given: Encoded, run: Run) -> Encoded:
        """Return as many synthetic rows as `given` has, drawn with `run.rng` on `run.device`.

        Observed cells of `given` are the condition: they are returned bit for bit, and the other cells are drawn given
        them. A row without observed cells is drawn unconditionally. A category may be given a code of any known level,
        the shared one of the rare levels included. Unobserved cells of the result are the synthetic rows' missing
        values, which are as frequent as in training, and in rows of the same sort. Equal seeds give equal rows.
        """


@runtime_checkable
class CanPretrain(Protocol):
    """Is trained layer by layer, and gives its layers to initialise a deep network."""

    def layers(self) -> Sequence[tuple[Floats, Floats, Floats]]:
        """Return each layer, bottom up: weight [below, above], hidden bias [above] and visible bias [below]."""


@runtime_checkable
class CanStart(Protocol):
    """Can start from what another model, `Run.initial`, has learned."""

    def start(self, initial: Model) -> None:
        """Take over what `initial` has learned; called in the middle of `fit`.

        Raises
        ------
        UsageError
            This model cannot start from `initial`.
        """


@runtime_checkable
class CanClassify(Protocol):
    """Learns classes: it is fitted on rows with a target, and only on those."""

    def proba(self, data: Encoded) -> Floats:
        """Return the probability of each of the fitted layout's `classes`, float32 [n, classes]."""


@runtime_checkable
class SamplesClasses(Protocol):
    """Draws rows of the classes that it is asked for; it can be fitted on rows with a target.

    `sample` then takes each row's class from `given.target`, and draws one where it is NaN or there is no target; the
    result has the classes as its target.
    """

    def sampled_classes(self) -> Sequence[str]:
        """Return the classes that rows can be asked for, by their index; none if it was fitted without a target."""


@runtime_checkable
class ReportsErrors(Protocol):
    """Reports from its fit how well it predicts hidden cells; the caller need not cross-validate it."""

    def hidden_cells(self) -> HiddenCells | None:
        """Return the errors of predictions for held-out cells; None if it was not fitted to impute."""


@runtime_checkable
class CrossFits(Protocol):
    """Is fitted in parts, each without the rows of one fold, and answers by all of them; the caller need not cross-fit.

    A part takes the verbs that the model takes, and answers for rows that it did not see.
    """

    def folds(self) -> NDArray[np.intp]:
        """Return the fold of each training row, [n]; -1 for a row that no part learned from."""

    def without(self, fold: int) -> Model:
        """Return the part that was fitted without the rows of a fold."""


@runtime_checkable
class Plans(Protocol):
    """Can say before a fit what it is going to do."""

    def plan(self, layout: Layout, rows: int, goals: frozenset[str]) -> Plan:
        """Return the plan of a fit of so many rows for these goals; it depends on nothing else."""


@runtime_checkable
class CanExtend(Protocol):
    """Can be fitted for further goals, so that the first are served sooner."""

    def extend(self, data: Encoded, run: Run) -> Self:
        """Learn from the same rows what `run.goals` need besides, and return self.

        `fit` for some goals and `extend` for others give the model that `fit` for all of them gives. Before, the model
        answers its other verbs as well as it can: a model that explains imputes what it expects, for example.
        """


VERBS: Mapping[str, type] = {
    "score": CanScore,
    "explain": CanExplain,
    "impute": CanImpute,
    "embed": CanEmbed,
    "sample": CanSample,
    "proba": CanClassify,
}
"""What a model can be asked for, by the protocol that it implements for it."""


def verbs_of(model: type[Model]) -> tuple[str, ...]:
    """Return what models of a class can do, by the protocols that it implements."""
    return tuple(verb for verb, protocol in VERBS.items() if issubclass(model, protocol))

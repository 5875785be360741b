"""What a model can do: one protocol for each verb, and for what it can start from, give away or report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from anomalo.encoding.encoded import Encoded, Floats, Scores
from anomalo.models.base import Model, Run
from anomalo.models.results import Cells, Filled, HiddenCells


@runtime_checkable
class CanScore(Protocol):
    """Scores rows."""

    def score(self, data: Encoded) -> Scores:
        """Return anomaly scores, float64 [n]; higher is stranger. A row's score depends on that row alone."""


@runtime_checkable
class CanExplain(Protocol):
    """Says which cells make a row strange."""

    def explain(self, data: Encoded) -> Cells:
        """Return contributions that sum to the score, and each cell's conditional expectation."""


@runtime_checkable
class CanImpute(Protocol):
    """Fills missing cells."""

    def impute(self, data: Encoded, draws: int = 0) -> Filled:
        """Return fills; with `draws` > 0 also that many random imputations."""


@runtime_checkable
class CanEmbed(Protocol):
    """Places rows in a space of codes, and leads back from any point of it."""

    def embed(self, data: Encoded) -> Floats:
        """Return codes, float32 [n, latent]. A row's code depends on that row alone."""

    def decode(self, codes: Floats) -> Floats:
        """Return the rows that codes [n, latent] stand for, float32 [n, *shape] in encoded units.

        A number is its expectation, a category the code of its most probable known level.
        """


@runtime_checkable
class CanSample(Protocol):
    """Makes new rows, any of whose cells may be given."""

    def sample(self, given: Encoded, run: Run) -> Encoded:
        """Return as many synthetic rows as `given` has, drawn with `run.rng` on `run.device`.

        Observed cells of `given` are the condition: they are returned bit for bit, and the other cells are drawn given
        them. Nothing observed means a row from nothing. A category may be given a code of any known level, the shared
        one of the rare levels included. What is not observed in the result is a hole of the synthetic row, made as
        often, and in such rows, as in training. Equal seeds give equal rows.
        """


@runtime_checkable
class CanPretrain(Protocol):
    """Was learned layer by layer, and gives its layers to a deep network to start from."""

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
            There is nothing that this model could start from.
        """


@runtime_checkable
class CanClassify(Protocol):
    """Learns classes: it is fitted on rows with a target, and only on those."""

    def proba(self, data: Encoded) -> Floats:
        """Return the probability of each of the fitted layout's `classes`, float32 [n, classes]."""


@runtime_checkable
class ReportsErrors(Protocol):
    """Knows from its own fit how well it predicts hidden cells, so that nobody has to fit it again to find out."""

    def hidden_cells(self) -> HiddenCells | None:
        """Return how well cells are predicted that the model never saw; None if it was not fitted to impute."""

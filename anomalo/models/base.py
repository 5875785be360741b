"""The plugin author's surface without torch: data, models, capabilities, parameters and hooks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np
import pluggy
from numpy.typing import NDArray

from anomalo.encoding.encoded import DENSE_LEVELS, FIRST_LEVEL, MISSING, UNSEEN, Block, Dense, Encoded, Floats, Layout, Mask, Scores
from anomalo.errors import ParameterError
from anomalo.models.row_random import row_uniform
from anomalo.models.parameters import Parameter, param
from anomalo.models.residuals import residual_draws, residual_interval, residual_table
from anomalo.encoding.scaling import compress, expand
from anomalo.generators.transform import Parts, TableTransform

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from anomalo.tabular.schema import Schema
    from anomalo.persistence.resume import Checkpoint

__all__ = [
    "CAPABILITIES",
    "DENSE_LEVELS",
    "FIRST_LEVEL",
    "MISSING",
    "UNSEEN",
    "Block",
    "CanClassify",
    "CanEmbed",
    "CanExplain",
    "CanImpute",
    "CanPretrain",
    "CanSample",
    "CanScore",
    "CanStart",
    "CanTellErrors",
    "Cells",
    "Dense",
    "Encoded",
    "Encoder",
    "Filled",
    "Floats",
    "HiddenCells",
    "Layout",
    "Mask",
    "Model",
    "ModelState",
    "Parameter",
    "Parts",
    "Run",
    "Scores",
    "TableTransform",
    "compress",
    "expand",
    "hookimpl",
    "is_model",
    "param",
    "residual_draws",
    "residual_interval",
    "residual_table",
    "row_uniform",
    "wanted",
]

hookimpl = pluggy.HookimplMarker("anomalo")


@dataclass(frozen=True)
class Cells:
    """Why rows are strange, cell by cell.

    Attributes
    ----------
    contribution : float64 [n, *shape]
        Each cell's part of the row's score; a row's contributions sum to its score.
    expected : float32 [n, *shape]
        The conditional expectation of each cell given the row's other cells, in encoded units (for a
        category the code of the most probable known level).
    """

    contribution: NDArray[np.float64]
    expected: Floats


@dataclass(frozen=True)
class Filled:
    """Values for missing cells.

    Attributes
    ----------
    point : float32 [n, *shape]
        Encoded values; observed cells are returned unchanged, missing ones hold the fill.
    draws : float32 [K, n, *shape] or None
        Multiple imputations.
    proba : dict of position to float32 [n, size]
        Class probabilities of categories, in the order of the block's codes.
    low, high : float32 [n, *shape] or None
        The ends of a 90 % interval for each missing number, in encoded units; an observed one is its own
        interval, and categories have NaN. None if the model does not say.
    """

    point: Floats
    draws: Floats | None = None
    proba: Mapping[int, Floats] = field(default_factory=dict)
    low: Floats | None = None
    high: Floats | None = None


@dataclass(frozen=True)
class HiddenCells:
    """How well a model predicts cells that it cannot see, column by column.

    Attributes
    ----------
    width : float64 [columns]
        Half the width of a 90 % interval around an expected value, in encoded units; NaN for
        categories and where there is no evidence.
    error : float64 [columns]
        Root mean squared error of numbers in the column's own units, error rate of categories.
    baseline : float64 [columns]
        The same for the column's mean, or its most frequent level.
    notes : tuple of str
        What else there is to say of the table's holes, each a plain sentence.
    """

    width: Scores
    error: Scores
    baseline: Scores

    notes: tuple[str, ...] = ()

    def skill(self) -> float:
        """Return 1 less the mean error relative to mean and mode: 0 is no better than them, 1 is perfect.

        NaN where no column could be judged.
        """
        judged = self.baseline > 0
        return float(1 - np.mean(self.error[judged] / self.baseline[judged])) if judged.any() else float("nan")


@dataclass
class ModelState:
    """What a fitted model is made of: plain arrays and JSON values, and the models inside it.

    Attributes
    ----------
    arrays : dict of str to ndarray
        Saved as safetensors.
    values : dict
        JSON-ready values, saved in the manifest.
    models : dict of str to (name, parameters, state)
        Nested models, saved in sub-folders.
    """

    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    models: dict[str, tuple[str, dict[str, Any], ModelState]] = field(default_factory=dict)


class Run(Protocol):
    """What surrounds a fit: seed, device, goals, reports, and the way to other models.

    `goals` are the verbs of `CAPABILITIES` that the model is to be fitted for; none named means all. `initial` is the
    fitted model to start from, if there is one: see `CanStart`.
    """

    seed: int
    device: str
    goals: frozenset[str]
    initial: Model | None
    history: list[dict[str, Any]]
    part: str
    logs: Mapping[str, Path]

    @property
    def rng(self) -> np.random.Generator:
        """A generator of its own for this run; the global state is never used."""

    def report(self, *, done: float | None = None, **metrics: Any) -> None:
        """Record the metrics of one epoch (or another step); `done`, from 0 to 1, moves the progress."""

    def checkpoint(self) -> Checkpoint | None:
        """Return where the next training of this fit saves its state now and then, if it is to."""

    def attach(self, engine: Any, model: Model) -> None:
        """Let plugins attach their handlers to an Ignite engine (hook `anomalo_training`)."""

    def create(self, name: str, **params: Any) -> Model:
        """Return a new, unfitted model that is registered under `name`."""


@dataclass(kw_only=True)
class Model:
    """The base of every model: a dataclass whose fields are its hyperparameters.

    A subclass sets `name`, declares its fields with `param` and implements `fit`, plus the methods of
    whichever capabilities it has (`CanScore`, `CanExplain`, `CanImpute`, `CanEmbed`, `CanSample`). What it learns it
    keeps in attributes that end in an underscore: arrays, numbers, strings, lists of them, a `Layout`, or models.
    Those, and nothing else, are saved and restored.
    """

    name: ClassVar[str] = ""

    def __post_init__(self) -> None:
        for parameter in self.parameters():
            value = getattr(self, parameter.name)
            if isinstance(value, list):  # what JSON makes of a tuple
                value = tuple(value)
                setattr(self, parameter.name, value)
            parameter.check(value)

    def fit(self, data: Encoded, run: Run) -> Self:
        """Learn from `data` and return self."""
        raise NotImplementedError

    def use(self, device: str) -> None:
        """Do inference on this device from now on (models without torch ignore it)."""

    @classmethod
    def parameters(cls) -> tuple[Parameter, ...]:
        """The declared hyperparameters, in order."""
        return tuple(
            Parameter(
                f.name,
                f.default,
                f.metadata["low"],
                f.metadata["high"],
                None if f.metadata["choices"] is None else tuple(f.metadata["choices"]),
                f.metadata["help"],
            )
            for f in dataclasses.fields(cls)
            if "low" in f.metadata
        )

    @classmethod
    def parse(cls, settings: Mapping[str, str]) -> dict[str, Any]:
        """Turn texts such as `{"epochs": "50"}` into parameter values.

        Raises
        ------
        ParameterError
            A name is unknown (the known ones are listed) or a text is not of its type.
        """
        known = {parameter.name: parameter for parameter in cls.parameters()}
        for name in settings:
            if name not in known:
                listed = ", ".join(known) or "none"
                raise ParameterError(f"model {cls.name!r} has no parameter {name!r}; it has: {listed}")
        return {name: known[name].parse(text) for name, text in settings.items()}

    @classmethod
    def verbs(cls) -> tuple[str, ...]:
        """What the model can do, by the protocols that it implements."""
        return tuple(verb for verb in CAPABILITIES if callable(getattr(cls, verb, None)))

    def params(self) -> dict[str, Any]:
        """The hyperparameters' values."""
        return {parameter.name: getattr(self, parameter.name) for parameter in self.parameters()}

    def state(self) -> ModelState:
        """Return everything learned: every attribute that ends in an underscore."""
        state = ModelState()
        for name, value in sorted(vars(self).items()):
            if not name.endswith("_") or name.startswith("_"):
                continue
            if isinstance(value, np.ndarray):
                state.arrays[name] = value
            elif isinstance(value, Model):
                state.models[name] = (value.name, value.params(), value.state())
            elif isinstance(value, Layout):
                state.values[name] = {"layout": value.to_json()}
            else:
                state.values[name] = value
        return state

    def restore(self, state: ModelState, create: Callable[..., Model] | None = None) -> Self:
        """Take back what `state` returned; `create(name, **params)` makes the nested models."""
        for name, value in state.values.items():
            layout = isinstance(value, dict) and set(value) == {"layout"}
            setattr(self, name, Layout.from_json(value["layout"]) if layout else value)
        for name, array in state.arrays.items():
            setattr(self, name, array)
        for name, (kind, params, inner) in state.models.items():
            if create is None:
                raise ValueError(f"{name} is a nested {kind!r} model: restore needs `create`")
            setattr(self, name, create(kind, **params).restore(inner, create))
        return self


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
class CanTellErrors(Protocol):
    """Knows from its own fit how well it predicts hidden cells, so that nobody has to fit it again to find out."""

    def hidden_cells(self) -> HiddenCells | None:
        """Return how well cells are predicted that the model never saw; None if it was not fitted to impute."""


CAPABILITIES: tuple[str, ...] = ("score", "explain", "impute", "embed", "sample", "proba")


class Encoder(Protocol):
    """Turns record batches of one modality into `Encoded`, and back."""

    modality: ClassVar[str]

    @property
    def layout(self) -> Layout:
        """The layout learned by `fit`."""

    def fit(self, table: pa.Table, schema: Schema) -> Self:
        """Learn levels, centres and scales."""

    def encode(self, batch: pa.RecordBatch, first_row: int = 0, label: bool = False) -> Encoded:
        """Encode one batch; columns are found by name, `first_row` is for error messages.

        A label that the model learns is hidden unless `label`.
        """

    def decode(self, values: Floats, position: int, round: bool = True) -> pa.Array:
        """Turn encoded values [n] of one position back into the column's own type and format."""

    def settle(self, values: Floats, position: int) -> Floats:
        """Return what encoded values [n] of one position become when they are written to cells and read again."""

    def fill(
        self, batch: pa.RecordBatch, point: Floats, round: bool = True, where: Mask | None = None
    ) -> pa.RecordBatch:
        """Return the batch with its missing cells, or those under `where`, taken from encoded values [n, columns]."""

    def own(self, data: Encoded) -> Scores:
        """Return cells as they are to be written [n, columns]: numbers in own units, codes, nan for holes."""

    def write(self, own: Scores, rng: np.random.Generator) -> pa.RecordBatch:
        """Return such cells as a table of the columns that a model reads; rare levels are drawn."""

    def tidy(self, own: Scores) -> Scores:
        """Return the cells nearest to such ones that their columns can hold."""

    def to_json(self) -> dict[str, Any]:
        """Return what `fit` learned as JSON-ready values."""

    @classmethod
    def from_json(cls, value: Mapping[str, Any], schema: Schema) -> Self:
        """Rebuild an encoder from `to_json`."""


def wanted(goals: frozenset[str], verb: str) -> bool:
    """Whether a fit with these goals is for a verb, too: none named means all.

    Examples
    --------
    >>> wanted(frozenset(), "impute"), wanted(frozenset({"score"}), "impute")
    (True, False)
    """
    return not goals or verb in goals


def is_model(candidate: object) -> bool:
    """Whether an object is a model class that can be registered: a named subclass of `Model`."""
    return isinstance(candidate, type) and issubclass(candidate, Model) and bool(candidate.name)

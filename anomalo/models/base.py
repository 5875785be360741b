"""The base class of every model, and the protocol of the run that a fit gets."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from anomalo.encoding.encoded import Encoded
from anomalo.encoding.layout import Layout
from anomalo.errors import ParameterError, did_you_mean
from anomalo.models.parameters import Parameter
from anomalo.models.results import ModelState

if TYPE_CHECKING:
    from pathlib import Path

    from anomalo.persistence.resume import Checkpoint


class Run(Protocol):
    """The context of a fit: seed, device, goals, reports, and access to other models.

    `goals` are the verbs of `VERBS` that the model is fitted for; none named means all. `initial` is the
    fitted model to start from, if there is one: see `CanStart`. `table_rows` is how many rows the table has, if the
    data are only a sample of it; else 0.
    """

    seed: int
    device: str
    goals: frozenset[str]
    initial: Model | None
    history: list[dict[str, Any]]
    part: str
    logs: Mapping[str, Path]
    table_rows: int

    @property
    def rng(self) -> np.random.Generator:
        """The random generator of this run; the global state is never used."""

    def report(self, *, done: float | None = None, **metrics: Any) -> None:
        """Record the metrics of one epoch (or another step); `done`, from 0 to 1, moves the progress."""

    def checkpoint(self) -> Checkpoint | None:
        """Return where the next training of this fit saves its state; None if it does not."""

    def folds(self, data: Encoded, count: int) -> NDArray[np.intp]:
        """Assign each row one of `count` folds, or of fewer where there are fewer distinct rows, [n].

        Equal rows share a fold; where the rows have times, folds are stretches of time.
        """

    def attach(self, engine: Any, model: Model) -> None:
        """Let plugins attach their handlers to an Ignite engine (hook `anomalo_training`)."""

    def create(self, name: str, **params: Any) -> Model:
        """Return a new, unfitted model that is registered under `name`."""


@dataclass(kw_only=True)
class Model:
    """The base of every model: a dataclass whose fields are its hyperparameters.

    A subclass sets `name` (and `modalities`, if its rows are not those of tables), declares its fields with `param` and
    implements `fit`, plus the methods of whichever capabilities it has (`CanScore`, `CanExplain`, `CanImpute`,
    `CanEmbed`, `CanSample`). What it learns it keeps in attributes that end in an underscore: arrays, numbers, strings,
    lists of them, a `Layout`, or models. Those, and nothing else, are saved and restored.
    """

    name: ClassVar[str] = ""
    modalities: ClassVar[tuple[str, ...]] = ("table",)
    """What rows the model takes, as `Layout.modality` has it; a name is unique within a modality."""
    out_of_core: ClassVar[bool] = False
    """Whether `fit` reads its rows in parts (`row_parts(data)`, batches of a training): they may then lie in files that
    are mapped into memory, in random order, all rows of a table that does not fit. Other models get a sample of it."""
    score_unit: ClassVar[str] = ""
    """What the score is measured in, for people, such as "nats" or "probability"; empty if it has no name."""

    @property
    def score_power(self) -> float:
        """Of a model of series, the power of `score_unit` that its scores of windows are.

        A point has the mean of the scores of windows, and then the root of it: the generalised mean of this power.
        """
        return 1.0

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
    def require_parameters(cls, names: Iterable[str]) -> None:
        """Refuse a name that no hyperparameter has.

        Raises
        ------
        ParameterError
            It names the closest one, and lists all.
        """
        known = [parameter.name for parameter in cls.parameters()]
        for name in names:
            if name not in known:
                hint, listed = did_you_mean(name, known), ", ".join(known) or "none"
                raise ParameterError(f"model {cls.name!r} has no parameter {name!r}{hint}; it has: {listed}")

    @classmethod
    def parse(cls, settings: Mapping[str, str]) -> dict[str, Any]:
        """Turn texts such as `{"epochs": "50"}` into parameter values.

        Raises
        ------
        ParameterError
            A name is unknown, as `require_parameters` says, or a text is not of its type.
        """
        cls.require_parameters(settings)
        known = {parameter.name: parameter for parameter in cls.parameters()}
        return {name: known[name].parse(text) for name, text in settings.items()}

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
        """Restore what `state` returned; `create(name, **params)` makes the nested models."""
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


def is_goal(goals: frozenset[str], verb: str) -> bool:
    """Whether a fit with these goals includes a verb; no goals mean all verbs.

    Examples
    --------
    >>> is_goal(frozenset(), "impute"), is_goal(frozenset({"score"}), "impute")
    (True, False)
    """
    return not goals or verb in goals


def is_model(candidate: object) -> bool:
    """Whether an object is a model class that can be registered: a named subclass of `Model`."""
    return isinstance(candidate, type) and issubclass(candidate, Model) and bool(candidate.name)

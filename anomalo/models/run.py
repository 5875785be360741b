"""The context of a fit: its seed, device, goals, history, progress, and access to other models."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalo.encoding.encoded import Encoded
from anomalo.errors import UsageError
from anomalo.models.base import Model
from anomalo.models.folds import assign_folds
from anomalo.models.series.folds import stretches
from anomalo.persistence.resume import Checkpoint
from anomalo.tabular.column import SERIES

Progress = Callable[[float, str], None]
"""Called with the share that is done, from 0 to 1, and a short text such as "loss 0.713"."""


@dataclass
class LocalRun:
    """A fit in this process.

    Parameters
    ----------
    seed : int
        Everything random in the fit follows from it.
    device : str
        "auto", "cpu", "cuda", "cuda:1", "mps".
    goals : frozenset of str
        The verbs that the model is fitted for, such as "score" or "impute"; empty means all.
    registered : callable, optional
        `registered(name, **params)` makes a registered model.
    notify : callable, optional
        `notify(engine, model, run)` passes a training engine to the plugins.
    progress : callable, optional
        See `Progress`.
    part : str
        Which of several fits this is: "fold-0", …, or "final".
    logs : mapping of str to Path
        The folders that the losses are logged to, by kind: "csv", "tensorboard".
    keep : callable, optional
        `keep(number)` returns the checkpoint of training number 0, 1, … of this fit.
    initial : Model, optional
        The fitted model to start from.
    table_rows : int
        How many rows the table has, if the fit gets a sample of them; else 0.

    Attributes
    ----------
    history : list of dict
        One entry for each `report`.

    Examples
    --------
    >>> run = LocalRun(seed=1)
    >>> run.report(epoch=1, epochs=2, done=0.5, loss=0.5)
    >>> run.history
    [{'epoch': 1, 'epochs': 2, 'loss': 0.5}]
    """

    seed: int = 0
    device: str = "cpu"
    goals: frozenset[str] = frozenset()
    registered: Callable[..., Model] | None = None
    notify: Callable[[Any, Model, "LocalRun"], None] | None = None
    progress: Progress | None = None
    part: str = "final"
    logs: Mapping[str, Path] = field(default_factory=dict)
    keep: Callable[[int], Checkpoint] | None = None
    initial: Model | None = None
    table_rows: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    _trainings: int = 0

    @cached_property
    def rng(self) -> np.random.Generator:
        """The random generator of this run."""
        return np.random.default_rng(self.seed)

    def report(self, *, done: float | None = None, **metrics: Any) -> None:
        """Record one epoch's metrics; `done`, the share of the fit that is done, moves the progress."""
        self.history.append(metrics)
        if self.progress is not None and done is not None:
            self.progress(done, _text(metrics))

    def checkpoint(self) -> Checkpoint | None:
        """Return the checkpoint of the next training of this fit; None if it saves no state."""
        self._trainings += 1
        return None if self.keep is None else self.keep(self._trainings - 1)

    def folds(self, data: Encoded, count: int) -> NDArray[np.intp]:
        """Assign each row one of `count` folds, [n]; see `assign_folds`, and of series, in their order, `stretches`."""
        if data.layout.modality == SERIES:
            return stretches(len(data), count, data.layout.window or data.layout.shape[0])
        return assign_folds(data.hashes(), count, self.seed, data.time)

    def attach(self, engine: Any, model: Model) -> None:
        """Let plugins attach their handlers to an Ignite engine."""
        if self.notify is not None:
            self.notify(engine, model, self)

    def create(self, name: str, **params: Any) -> Model:
        """Return a new, unfitted registered model.

        Raises
        ------
        UsageError
            The run was made without a registry.
        """
        if self.registered is None:
            raise UsageError(f"cannot create model {name!r}: this run has no registry; pass registered=registry.create")
        return self.registered(name, **params)


def _text(metrics: Mapping[str, Any]) -> str:
    """Return what is being done, and the latest loss if there is one."""
    loss = metrics.get("validation_loss", metrics.get("loss"))
    known = loss is not None and math.isfinite(loss)  # a phase without held-out rows has none
    found = [metrics.get("phase", metrics.get("part", "")), f"loss {loss:.4g}" if known else ""]
    return ", ".join(filter(None, found))

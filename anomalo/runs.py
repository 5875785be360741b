"""What surrounds a fit: its seed, device, goals, history and progress, and the way to other models."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from anomalo.errors import UsageError
from anomalo.plugin import Model

Progress = Callable[[float, str], None]
"""Told the share that is done, from 0 to 1, and a short text such as "loss 0.713"."""


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
        `notify(engine, model, run)` tells plugins of a training engine.
    progress : callable, optional
        See `Progress`.

    Attributes
    ----------
    history : list of dict
        One entry for each `report`.

    Examples
    --------
    >>> run = LocalRun(seed=1)
    >>> run.report(epoch=1, epochs=2, loss=0.5)
    >>> run.history
    [{'epoch': 1, 'epochs': 2, 'loss': 0.5}]
    """

    seed: int = 0
    device: str = "cpu"
    goals: frozenset[str] = frozenset()
    registered: Callable[..., Model] | None = None
    notify: Callable[[Any, Model, "LocalRun"], None] | None = None
    progress: Progress | None = None
    history: list[dict[str, float]] = field(default_factory=list)

    @cached_property
    def rng(self) -> np.random.Generator:
        """A generator of its own for this run."""
        return np.random.default_rng(self.seed)

    def report(self, **metrics: float) -> None:
        """Record one epoch's metrics; `epoch` and `epochs` also move the progress."""
        self.history.append(metrics)
        if self.progress is not None and "epochs" in metrics:
            loss = metrics.get("validation_loss", metrics.get("loss", float("nan")))
            self.progress(metrics["epoch"] / metrics["epochs"], f"loss {loss:.4g}")

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

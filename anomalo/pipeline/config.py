"""The configuration of a fit: model, seed, device, goals, and where its state and history are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from anomalo.models.base import Model
from anomalo.models.guarded import GuardedModel
from anomalo.models.results import Plan
from anomalo.models.run import LocalRun, Progress
from anomalo.persistence.resume import Checkpoint, ResumableState
from anomalo.registry.registry import Registry


@dataclass(frozen=True)
class FitConfig:
    """The configuration of a fit.

    Attributes
    ----------
    model : str or Model
        A registered name, or an instance whose hyperparameters are used.
    params : dict
        Hyperparameters, where `model` is a name.
    settings : dict of str to str
        Further ones as texts, which the model reads: which model a name stands for is known when the rows are.
    seed : int
        Everything random follows from it.
    device : str
        "auto", "cpu", "cuda", "cuda:1", "mps".
    calibrate : bool
        Whether to cross-fit for p-values and intervals: costs 3 to 5 further fits.
    folds : int, optional
        How many parts of the rows the cross-fit leaves out in turn; by default 5, and 3 of 20,000 rows or more. A model
        that cross-fits itself has its own.
    progress : callable, optional
        Called with the share of all fits that is done, and a text.
    announce : callable
        Called before the fit with what it is going to do, if the model says so.
    keep : ResumableState, optional
        Where the fit's state is kept, so that it can be resumed.
    every : float
        Seconds between two savings of a training's state; 0 saves it at every iteration.
    logs : mapping of str to Path
        The folders that a training's losses are logged to, by kind: "csv", "tensorboard".
    goals : frozenset of str
        The verbs to fit for: "score" (and with it "explain"), "impute", "embed", "sample"; none named means all.
    constraints : tuple of str
        What synthetic rows have to satisfy, such as "start < end"; see `anomalo.generators.constraints`.
    initial : Model, optional
        The fitted model to start from; its schema and encoder go to `Fitted.fit`.
    max_memory : int, optional
        Bytes that the whole process may take; a table that does not fit lies on disk, and is learned from in parts or
        by a sample.
    """

    model: str | Model
    params: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    device: str = "auto"
    calibrate: bool = True
    folds: int | None = None
    progress: Progress | None = None
    announce: Callable[[Plan], None] = lambda plan: None
    keep: ResumableState | None = None
    every: float = 10.0
    logs: Mapping[str, Path] = field(default_factory=dict)
    goals: frozenset[str] = frozenset()
    constraints: tuple[str, ...] = ()
    initial: Model | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    max_memory: int | None = None

    def create(self, registry: Registry, modality: str | None = None) -> GuardedModel:
        """Return a new, unfitted model for rows of a modality; without one for tables, or the only one so named.

        Raises
        ------
        UsageError
            There is no such model or parameter, or it is for another modality.
        """
        if not isinstance(self.model, str):
            return registry.guarded(replace(self.model))
        parsed = registry.get(self.model, modality).parse(self.settings)
        return registry.guarded(registry.create_for(modality, self.model, {**self.params, **parsed}))

    def early(self, registry: Registry, modality: str | None) -> GuardedModel | None:
        """Return the model if it is known before the rows are, so that a mistake is found before a long table is read.

        None if the name stands for several models, one for each modality, and the rows' is not known yet. Raises as
        `create` does; a model for other modalities is returned, and refused once the rows are read.
        """
        several = isinstance(self.model, str) and len(registry.models.get(self.model, ())) > 1
        if several and modality is None:
            return None
        return self.create(registry, modality if several else None)

    def run(self, registry: Registry, modality: str, part: int, parts: int, table_rows: int = 0) -> LocalRun:
        """Return the run of fit number `part` of `parts`; `table_rows` if it gets a sample of so many."""
        report = self.progress
        progress = None if report is None else lambda share, text: report((part + share) / parts, text)
        return LocalRun(
            seed=self.seed,
            device=self.device,
            goals=self.goals,
            registered=registry.part_creator(modality),
            notify=registry.training,
            part="final" if part == parts - 1 else f"fold-{part}",
            logs=self.logs,
            progress=progress,
            keep=self._checkpoints(part),
            initial=self.initial,
            table_rows=table_rows,
        )

    def _checkpoints(self, part: int) -> Callable[[int], Checkpoint] | None:
        keep = self.keep
        return None if keep is None else lambda number: Checkpoint(keep, f"training-{part}-{number}", self.every)


def phases(history: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Sum up a training's history, phase by phase: how many epochs it ran, and which one was the best.

    Examples
    --------
    >>> phases([{"phase": "training", "epoch": epoch, "epochs": 9, "loss": 1 / epoch} for epoch in (1, 2)])
    [{'name': 'training', 'epochs': 9, 'ran': 2, 'best': 2, 'stopped_early': True}]
    """
    found: dict[str, list[Mapping[str, Any]]] = {}
    for entry in history:
        if "phase" in entry:
            found.setdefault(entry["phase"], []).append(entry)
    return [
        {
            "name": name,
            "epochs": entries[-1]["epochs"],
            "ran": entries[-1]["epoch"],
            "best": min(entries, key=lambda entry: entry.get("validation_loss", entry["loss"]))["epoch"],
            "stopped_early": entries[-1]["epoch"] < entries[-1]["epochs"],
        }
        for name, entries in found.items()
    ]

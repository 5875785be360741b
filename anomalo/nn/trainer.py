"""The one training loop: PyTorch-Ignite engine, batches of tensors, phases, saved states."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer

from anomalo.errors import TrainingError, UsageError
from anomalo.models.base import Model, Run
from anomalo.nn.checkpoint import pack, random_state, set_random_state, unpack
from anomalo.nn.dataset import Batches, BatchSource, SomeRows, split
from anomalo.nn.distributed.team import current
from anomalo.nn.early_stopping import EarlyStop, RunningMean

if TYPE_CHECKING:
    from ignite.engine import Engine

# Without a handler, Ignite would log a failing run to stderr beside our one line.
logging.getLogger("ignite").addHandler(logging.NullHandler())

Step = Callable[..., dict[str, Tensor]]
"""One update, `step(*batch)`; returns detached scalars, "loss" among them, for the history."""
Loss = Callable[..., Tensor]
"""The mean loss of a batch, a scalar: `loss(net, *batch)`."""

STEPS_PER_EPOCH = 20
"""Small tables use smaller batches, so that an epoch has about this many steps."""
MONITORED = 1024
"""Rows of either kind that a model may look at after each epoch, at most."""
SMALL_WORK = 500_000_000
"""Multiplications in one call below which a second thread does not pay."""


@dataclass(frozen=True)
class Phase:
    """A stage of training: which parameters, for how many epochs, by which step.

    Attributes
    ----------
    name : str
        Unique among the model's stages.
    validation : Loss, optional
        The held-out loss for early stopping; by default the model's.
    newest : float
        Early stopping looks at a running mean of the held-out loss over epochs, in which the newest one has this share;
        1 is that epoch's loss alone.
    keeps_last : bool
        Whether all epochs are run and the last one's weights are kept, where no loss says which epoch is the best.
    """

    name: str
    parameters: Sequence[nn.Parameter]
    epochs: int
    step: Callable[[list[Optimizer]], Step]
    validation: Loss | None = None
    newest: float = 1.0
    keeps_last: bool = False


class Trainable(Protocol):
    """The part of a model that the training loop uses."""

    batch_size: int
    learning_rate: float
    patience: int
    holdout: float

    @property
    def chunk(self) -> int:
        """Rows whose loss is computed at a time, without gradients."""

    def optimizers(self, parameters: Sequence[nn.Parameter]) -> list[Optimizer]:
        """Return the optimisers of one stage."""

    @property
    def validation(self) -> Loss:
        """The mean loss of a held-out batch."""

    @property
    def monitor(self) -> Callable[..., dict[str, float]]:
        """More metrics at the end of an epoch: `monitor(net, phase, train, held)`, with a batch of either kind."""


def resolve_device(name: str) -> torch.device:
    """Turn "auto", "cpu", "cuda", "cuda:1" or "mps" into an available device.

    Raises
    ------
    UsageError
        The name is unknown or the machine has no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError):
        raise UsageError(f"device {name!r} is not available here; use auto, cpu, cuda, cuda:N or mps") from None
    return device


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch inside the `with` block, and restore its global random state after."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        # Not `torch.manual_seed` on the CPU: it would also seed GPUs, whose state is not restored.
        (torch.default_generator if device.type == "cpu" else torch).manual_seed(seed)
        yield


@contextmanager
def enough_threads(work: int) -> Iterator[None]:
    """Use one thread inside the `with` block for small work, where several are slower; restore the number after.

    Parameters
    ----------
    work : int
        Multiplications in one call: rows times weights.
    """
    before = torch.get_num_threads()
    if work < SMALL_WORK:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def size(net: nn.Module) -> int:
    """Return the number of weights of a network."""
    return sum(parameter.numel() for parameter in net.parameters())


def autocast(device: torch.device) -> AbstractContextManager[Any]:
    """Return bfloat16 mixed precision on CUDA, and nothing elsewhere."""
    return torch.autocast("cuda", dtype=torch.bfloat16) if device.type == "cuda" else nullcontext()


class Trainer:
    """Trains one network of one model.

    Parameters
    ----------
    model : Trainable
        Gives the optimisers and the validation loss.
    net : torch module
        The network to train; it ends in evaluation mode with the weights of the best epoch.
    rows : BatchSource
        The training rows.
    run : Run
        Seed, progress and handlers.
    """

    def __init__(self, model: Trainable, net: nn.Module, rows: BatchSource, run: Run, device: torch.device) -> None:
        self.model, self.net, self.run, self.device = model, net, run, device
        train, held = split(len(rows), model.holdout, run.seed)
        self.train, self.held = SomeRows(rows, train, device), SomeRows(rows, held, device)
        self.checkpoint, self.team = run.checkpoint(), current()
        self.batch_size = min(model.batch_size, max(16, len(train) // STEPS_PER_EPOCH))

    def fit(self, phases: Sequence[Phase]) -> None:
        """Run every phase, from the last saved state of an interrupted run of the same fit.

        Raises
        ------
        TrainingError
            The loss became infinite or not a number.
        """
        with enough_threads(self.batch_size * size(self.net)):
            epochs = sum(phase.epochs for phase in phases)
            saved = self.team.from_first(self._saved)
            for number, phase in enumerate(phases):
                if saved is None or number >= saved["phase"]:
                    before = sum(p.epochs for p in phases[:number])
                    _Stage(self, number, phase, before / epochs, phase.epochs / epochs).run(saved)
                    saved = None
            if saved is not None:
                self.net.load_state_dict(saved["net"])
                self.recall(saved)
            self.net.eval()
            if self.checkpoint is not None:
                self.keep({"phase": len(phases), "net": self.net.state_dict()})

    def keep(self, state: dict[str, Any]) -> None:
        """Save a state, with the history and the random generators."""
        assert self.checkpoint is not None
        surroundings = {
            "random": random_state(self.device),
            "rng": self.run.rng.bit_generator.state,
            "history": self.run.history,
        }
        self.checkpoint.save(*pack(state | surroundings))

    def recall(self, saved: dict[str, Any]) -> None:
        """Restore the history and the random generators."""
        set_random_state(saved["random"], self.device)
        self.run.rng.bit_generator.state = saved["rng"]
        self.run.history[:] = saved["history"]

    def _saved(self) -> dict[str, Any] | None:
        found = None if self.checkpoint is None else self.checkpoint.load()
        state: dict[str, Any] | None = None if found is None else unpack(*found)
        return state

    def metrics(self, losses: dict[str, float], epoch: int, phase: Phase) -> dict[str, float]:
        """Return the metrics of an epoch: its losses, which must be finite, and what the model monitors."""
        broken = [value for value in losses.values() if not math.isfinite(value)]
        if broken:
            raise TrainingError(
                f"the loss became {broken[0]} in epoch {epoch} of phase {phase.name!r}; "
                f"lower learning_rate (now {self.model.learning_rate}) or look for extreme values in the table"
            )
        return losses | (self._monitored(phase.name) if self.team.leads else {})

    def _monitored(self, phase: str) -> dict[str, float]:
        rows = np.arange(min(len(self.train), len(self.held), MONITORED))
        if not len(rows):
            return {}
        with torch.no_grad(), seeded(self.run.seed, self.device):
            found: dict[str, float] = self.model.monitor(self.net, phase, self.train.batch(rows), self.held.batch(rows))
        return found

    def held_out_loss(self, phase: Phase) -> float:
        """Evaluate with the same noise every epoch, so that epochs are comparable."""
        loss = phase.validation or self.model.validation
        self.net.eval()
        total = 0.0
        with torch.no_grad(), seeded(self.run.seed, self.device):
            for start in range(0, len(self.held), self.model.chunk):
                index = np.arange(start, min(start + self.model.chunk, len(self.held)))
                total += loss(self.net, *self.held.batch(index)).item() * len(index)
        return total / len(self.held)


def _engine(process: Callable[[Engine, Any], Any]) -> tuple[Engine, Any]:
    """Return an engine and the names of its events; Ignite takes a second to import, which scoring does without."""
    from ignite.engine import Engine, Events

    return Engine(process), Events


class _Stage:
    """One running phase: its engine, optimisers and early stopping, and their saved state."""

    def __init__(self, trainer: Trainer, number: int, phase: Phase, progress: float, share: float) -> None:
        self.trainer, self.number, self.phase = trainer, number, phase
        self.progress, self.share = progress, share
        self.optimizers = trainer.model.optimizers(phase.parameters)
        self.update = phase.step(self.optimizers)
        self.batches = Batches(len(trainer.train), trainer.batch_size, trainer.run.seed, number, trainer.train.on_disk)
        self.early_stop = EarlyStop(trainer.net, trainer.model.patience)
        self.held_out = RunningMean(phase.newest)
        self.totals: dict[str, Tensor] = {}
        self.over = False
        self.engine, self.events = _engine(self._process)
        trainer.team.begin(trainer.net, phase.parameters, trainer.device)

    def run(self, saved: dict[str, Any] | None) -> None:
        """Train, from the start or from a saved state of this phase."""
        trainer, engine, events, length = self.trainer, self.engine, self.events, len(self.batches)
        engine.add_event_handler(events.EPOCH_STARTED, self._start)
        engine.add_event_handler(events.EPOCH_COMPLETED, self._end)
        trainer.run.attach(engine, cast("Model", trainer.model))
        # Last, so that the saved state includes the effects of all other handlers, and restoring it undoes them.
        engine.add_event_handler(events.EPOCH_STARTED, self._recall, saved)
        if trainer.checkpoint is not None:
            engine.add_event_handler(events.ITERATION_COMPLETED, self._keep)
            engine.add_event_handler(events.EPOCH_COMPLETED, self._keep)
        if saved is not None:
            self._restore(saved)
        if not self.over:
            engine.run(self.batches, max_epochs=self.phase.epochs, epoch_length=length)
        self.early_stop.restore()

    def _process(self, engine: Engine, index: NDArray[np.intp]) -> dict[str, Tensor]:
        rows = self.trainer.train
        with autocast(self.trainer.device):
            output = self.trainer.team.update(lambda: self.update(*rows.batch(index)), len(index))
        for name, value in output.items():
            total = self.totals.setdefault(name, torch.zeros((), device=value.device))
            total.add_(value, alpha=len(index) / len(rows))
        return output

    def _start(self, engine: Engine) -> None:
        self.batches.epoch = engine.state.epoch
        self.totals = {}
        self.trainer.net.train()
        self._schedule((engine.state.epoch - 1) / self.phase.epochs)

    def _end(self, engine: Engine) -> None:
        trainer, epoch = self.trainer, engine.state.epoch
        losses = trainer.team.from_first(self._losses)
        metrics = trainer.metrics(losses, epoch, self.phase)
        engine.state.metrics.update(metrics)
        trainer.run.report(
            phase=self.phase.name,
            epoch=epoch,
            epochs=self.phase.epochs,
            done=self.progress + self.share * epoch / self.phase.epochs,
            learning_rate=self.optimizers[0].param_groups[0]["lr"],
            **metrics,
        )
        loss = metrics.get("validation_loss", metrics["loss"])
        stop = not self.phase.keeps_last and self.early_stop.should_stop(loss)
        self.over = stop or epoch == self.phase.epochs
        if stop:
            engine.terminate()

    def _losses(self) -> dict[str, float]:
        losses = {name: total.item() for name, total in self.totals.items()}
        if len(self.trainer.held):
            losses["validation_loss"] = self.held_out.update(self.trainer.held_out_loss(self.phase))
        return losses

    def _keep(self, engine: Engine) -> None:
        """Save the state if it is due; an epoch ends only with its last handler."""
        state, checkpoint = engine.state, self.trainer.checkpoint
        assert checkpoint is not None
        within = engine.last_event_name == self.events.ITERATION_COMPLETED
        ending = within and state.iteration % len(self.batches) == 0
        if ending or not checkpoint.due():
            return
        self.trainer.keep(
            {
                "phase": self.number,
                "epoch": state.epoch,
                "iteration": state.iteration,
                "over": self.over,
                "net": self.trainer.net.state_dict(),
                "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
                "early_stop": self.early_stop.state_dict(),
                "held_out": self.held_out.value,
                "totals": self.totals,
            }
        )

    def _restore(self, saved: dict[str, Any]) -> None:
        """Restore all but what the start of an epoch changes."""
        self.over = saved["over"]
        self.trainer.net.load_state_dict(saved["net"])
        for optimizer, state in zip(self.optimizers, saved["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        self.early_stop.load_state_dict(saved["early_stop"])
        self.held_out.value = saved["held_out"]
        self.trainer.recall(saved)
        self.batches.skip = saved["iteration"] % len(self.batches)
        self.engine.load_state_dict(
            {"iteration": saved["iteration"], "epoch_length": len(self.batches), "max_epochs": self.phase.epochs}
        )

    def _recall(self, engine: Engine, saved: dict[str, Any] | None) -> None:
        """In the middle of an epoch: undo what its second start has changed."""
        if saved is not None and 0 < engine.state.iteration == saved["iteration"] and self.batches.skip:
            self.totals = {name: total.to(self.trainer.device) for name, total in saved["totals"].items()}
            self.trainer.recall(saved)

    def _schedule(self, progress: float) -> None:
        """Cosine decay to a twentieth (Loshchilov and Hutter 2017), a function of the epoch alone."""
        factor = 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * progress))
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor

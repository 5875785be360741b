"""The one training loop: PyTorch-Ignite engine, tensor-resident batches, phases, early stopping."""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from ignite.engine import Engine, Events
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer

from anomalo.errors import TrainingError, UsageError
from anomalo.plugin import Encoded, Run

# Without a handler of its own, Ignite's notes on a failing run would reach stderr beside our one line.
logging.getLogger("ignite").addHandler(logging.NullHandler())

Step = Callable[[Tensor, Tensor], dict[str, Tensor]]
"""One update on a batch (values, observed); returns detached tensors, among them "loss"."""

HOLDOUT_AT_LEAST = 40
"""Below this many rows nothing is held out, and early stopping watches the training loss."""
STEPS_PER_EPOCH = 20
"""Small tables use smaller batches, so that an epoch has about this many steps."""
SMALL_WORK = 500_000_000
"""Multiplications in one call below which a second thread does not pay."""


@dataclass(frozen=True)
class Phase:
    """A stage of training: which parameters, for how many epochs, by which step."""

    name: str
    parameters: Sequence[nn.Parameter]
    epochs: int
    step: Callable[[list[Optimizer]], Step]


class Trainable(Protocol):
    """What the loop needs of a model."""

    batch_size: int
    learning_rate: float
    patience: int
    holdout: float

    def phases(self, net: nn.Module) -> list[Phase]:
        """Return the stages, in order."""

    def optimizers(self, parameters: Sequence[nn.Parameter]) -> list[Optimizer]:
        """Return the optimisers of one stage."""

    def validation(self, net: nn.Module, x: Tensor, observed: Tensor) -> Tensor:
        """Return the mean loss of a held-out batch."""


def resolve_device(name: str) -> torch.device:
    """Turn "auto", "cpu", "cuda", "cuda:1" or "mps" into a device that is there.

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
    """Seed torch inside, and give its global random state back unchanged after."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


@contextmanager
def enough_threads(work: int) -> Iterator[None]:
    """Use one thread inside for small work, where several cost more than they bring; give them back after.

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


class Rows:
    """Rows to draw batches from: resident on an accelerator, gathered from the array on a CPU."""

    def __init__(self, data: Encoded, rows: NDArray[np.intp], device: torch.device) -> None:
        self.data, self.rows, self.device = data, rows, device
        self.resident = device.type != "cpu"
        if self.resident:
            self.values = torch.from_numpy(data.values[rows]).to(device)
            self.observed = torch.from_numpy(data.observed[rows]).to(device)

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, index: NDArray[np.intp]) -> tuple[Tensor, Tensor]:
        """Return (values, observed) of the rows at `index`."""
        if self.resident:
            at = torch.from_numpy(index).to(self.device)
            return self.values[at], self.observed[at]
        rows = self.rows[index]
        return torch.from_numpy(self.data.values[rows]), torch.from_numpy(self.data.observed[rows])


class Batches:
    """Index batches whose order is a pure function of (seed, phase, epoch), so that a resume can replay it."""

    def __init__(self, rows: int, size: int, seed: int, phase: int) -> None:
        self.rows, self.size, self.seed, self.phase = rows, size, seed, phase
        self.epoch = 0

    def __len__(self) -> int:
        return math.ceil(self.rows / self.size)

    def __iter__(self) -> Iterator[NDArray[np.intp]]:
        order = np.random.default_rng([self.seed, self.phase, self.epoch]).permutation(self.rows)
        for start in range(0, self.rows, self.size):
            yield order[start : start + self.size]


def split(n: int, share: float, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Split row numbers into training and held-out ones; nothing is held out of a small table."""
    order = np.random.default_rng([seed, 7]).permutation(n)
    held = int(n * share) if n >= HOLDOUT_AT_LEAST else 0
    return np.sort(order[held:]), np.sort(order[:held])


class Trainer:
    """Trains one network of one model on one table.

    Parameters
    ----------
    model : Trainable
        Gives the phases, optimisers and validation loss.
    net : torch module
        Trained in place; ends in evaluation mode with the weights of the best epoch.
    data : Encoded
        The training table.
    run : Run
        Seed, progress and handlers.
    """

    def __init__(self, model: Any, net: nn.Module, data: Encoded, run: Run, device: torch.device) -> None:
        self.model, self.net, self.run, self.device = model, net, run, device
        train, held = split(len(data), model.holdout, run.seed)
        self.train, self.held = Rows(data, train, device), Rows(data, held, device)
        self.batch_size = min(model.batch_size, max(16, len(train) // STEPS_PER_EPOCH))

    def fit(self) -> None:
        """Run every phase.

        Raises
        ------
        TrainingError
            The loss became infinite or not a number.
        """
        with enough_threads(self.batch_size * size(self.net)):
            for number, phase in enumerate(self.model.phases(self.net)):
                self._phase(number, phase)
        self.net.eval()

    def _phase(self, number: int, phase: Phase) -> None:
        optimizers = self.model.optimizers(phase.parameters)
        update = phase.step(optimizers)
        batches = Batches(len(self.train), self.batch_size, self.run.seed, number)
        watch = EarlyStop(self.net, self.model.patience)
        total = torch.zeros((), device=self.device)

        def process(engine: Engine, index: NDArray[np.intp]) -> dict[str, Tensor]:
            with autocast(self.device):
                output = update(*self.train.batch(index))
            total.add_(output["loss"], alpha=len(index) / len(self.train))
            return output

        engine = Engine(process)

        def start(engine: Engine) -> None:
            batches.epoch = engine.state.epoch
            total.zero_()
            self.net.train()
            self._schedule(optimizers, (engine.state.epoch - 1) / phase.epochs)

        def end(engine: Engine) -> None:
            metrics = self._metrics(total.item(), engine.state.epoch, phase)
            self.run.report(phase=number, epoch=engine.state.epoch, epochs=phase.epochs, **metrics)
            if watch.should_stop(metrics.get("validation_loss", metrics["loss"])):
                engine.terminate()

        engine.add_event_handler(Events.EPOCH_STARTED, start)
        self.run.attach(engine, self.model)
        engine.add_event_handler(Events.EPOCH_COMPLETED, end)
        engine.run(batches, max_epochs=phase.epochs, epoch_length=len(batches))
        watch.restore()

    def _schedule(self, optimizers: list[Optimizer], progress: float) -> None:
        """Cosine decay to a twentieth (Loshchilov and Hutter 2017), a function of the epoch alone."""
        factor = 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * progress))
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor

    def _metrics(self, loss: float, epoch: int, phase: Phase) -> dict[str, float]:
        metrics = {"loss": loss}
        if len(self.held):
            metrics["validation_loss"] = self._held_out_loss()
        broken = [value for value in metrics.values() if not math.isfinite(value)]
        if broken:
            raise TrainingError(
                f"the loss became {broken[0]} in epoch {epoch} of phase {phase.name!r}; "
                f"lower learning_rate (now {self.model.learning_rate}) or look for extreme values in the table"
            )
        return metrics

    def _held_out_loss(self) -> float:
        """Evaluate with the same noise every epoch, so that epochs are compared on equal terms."""
        self.net.eval()
        total = 0.0
        with torch.no_grad(), seeded(self.run.seed, self.device):
            for start in range(0, len(self.held), 4096):
                index = np.arange(start, min(start + 4096, len(self.held)))
                total += self.model.validation(self.net, *self.held.batch(index)).item() * len(index)
        return total / len(self.held)


class EarlyStop:
    """Keeps the best weights and says when to stop (Prechelt 1998: no improvement for `patience` epochs)."""

    def __init__(self, net: nn.Module, patience: int) -> None:
        self.net, self.patience = net, patience
        self.best, self.waited = math.inf, 0
        self.state: dict[str, Any] = {}

    def should_stop(self, loss: float) -> bool:
        """Record an epoch's loss."""
        if loss < self.best:
            self.best, self.waited = loss, 0
            self.state = copy.deepcopy(self.net.state_dict())
        else:
            self.waited += 1
        return self.waited >= self.patience

    def restore(self) -> None:
        """Put the best epoch's weights back."""
        if self.state:
            self.net.load_state_dict(self.state)

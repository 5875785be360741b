"""The base of models with one torch network: training, saving, and inference in chunks of one size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, Generic, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer
from typing_extensions import TypeVar

from anomalo.encoding.encoded import Encoded
from anomalo.encoding.layout import Layout
from anomalo.encoding.mapped import is_mapped, row_parts
from anomalo.errors import UsageError
from anomalo.models.base import Model, Run
from anomalo.models.parameters import param
from anomalo.models.results import ModelState
from anomalo.nn.dataset import ArrayRows, Batch, BatchSource
from anomalo.nn.distributed.processes import processes
from anomalo.nn.distributed.shares import backward
from anomalo.nn.layers import Standardised
from anomalo.nn.optimiser import AdamW
from anomalo.nn.trainer import Loss, Phase, Step, Trainer, enough_threads, resolve_device, seeded, size

IN_MEMORY = 10_000
"""Rows that statistics are taken from, where all of them lie in files."""
CHUNK = 4096
"""Inference runs on chunks of exactly this many rows: a row's result cannot depend on its neighbours."""

Net = TypeVar("Net", bound=nn.Module, default=nn.Module)


@dataclass(kw_only=True)
class NeuralModel(Model, Generic[Net]):
    """A model with one torch network, of the type `Net`, trained by gradient descent.

    A subclass implements `build` and `loss`; adversarial and contrastive-divergence models replace
    `optimizers` and `step`, staged training replaces `phases`, and `training_data` gives losses other tensors than
    (values, observed). All training state lives in the network's buffers or the optimisers.

    Attributes
    ----------
    net : torch module
        What `build` returned; set by `fit` and `restore`.
    """

    net: Net = field(init=False, repr=False, compare=False)

    epochs: int = param(30, low=1, high=100_000, help="Passes over the training rows at most; training stops early.")
    batch_size: int = param(512, low=1, high=1_000_000, help="Rows in one gradient step, at most.")
    learning_rate: float = param(5e-3, low=1e-7, high=1.0, help="Step size of Adam at the start; it decays.")
    weight_decay: float = param(1e-5, low=0.0, high=1.0, help="Decoupled weight decay of Adam.")
    patience: int = param(10, low=1, high=100_000, help="Stop after this many epochs without a better held-out loss.")
    holdout: float = param(0.1, low=0.0, high=0.5, help="Share of the rows held out to decide when to stop.")

    seed_ = 0

    @property
    def chunk(self) -> int:
        """Rows that inference handles at a time."""
        return CHUNK

    def build(self, layout: Layout) -> Net:
        """Return a new, untrained network for the table's layout."""
        raise NotImplementedError

    def loss(self, net: Net, *batch: Any) -> Tensor:
        """Return the mean loss, a scalar, of a batch: the tensors of `training_data`.

        By default those are x float32 [n, columns] and observed bool [n, columns].
        """
        raise NotImplementedError

    def validation(self, net: Net, *batch: Any) -> Tensor:
        """Return the held-out loss for early stopping, by default the training loss; it changes nothing."""
        return self.loss(net, *batch)

    def monitor(self, net: Net, phase: str, train: Batch, held: Batch) -> dict[str, float]:
        """Return more metrics for the history after an epoch, from up to 1,024 rows of either kind; none by default."""
        return {}

    def optimizers(self, parameters: Sequence[nn.Parameter]) -> list[Optimizer]:
        """Return the optimisers of one phase: AdamW (Loshchilov and Hutter 2019), fused."""
        return [AdamW(parameters, lr=self.learning_rate, weight_decay=self.weight_decay, fused=True)]

    def step(self, net: Net, optimizers: list[Optimizer], loss: Loss | None = None) -> Step:
        """Return the function that makes one update on a batch, by `self.loss` or another one."""
        objective = loss or self.loss

        def update(*batch: Tensor) -> dict[str, Tensor]:
            for optimizer in optimizers:
                optimizer.zero_grad(set_to_none=True)
            value = backward(lambda: objective(net, *batch))
            for optimizer in optimizers:
                optimizer.step()
            return {"loss": value}

        return update

    def phases(self, net: Net) -> list[Phase]:
        """Return the stages of training; by default one over all parameters."""
        return [Phase("training", list(net.parameters()), self.epochs, lambda o: self.step(net, o))]

    def finish(self, data: Encoded, run: Run) -> None:
        """Finish the fit after training, for example with statistics of the residuals."""

    def fit(self, data: Encoded, run: Run) -> Self:
        """Train the network: on all rows; of those in files it takes its statistics from a random sample.

        Raises
        ------
        TrainingError
            The loss became infinite or not a number.
        UsageError
            The run's device is not available.
        """
        others = processes()
        device = resolve_device(run.device if others is None else others.device_name(run.device))
        run.device = str(device)
        with seeded(run.seed, device):
            some = _in_memory(data)
            self.begin(some, run)
            self.net.to(device)
            rows = self.training_data(data, run)
            with nullcontext() if others is None else others.training(self, rows, run):
                self.train(rows, run)
            self.finish(some, run)
        return self

    def train(self, rows: BatchSource, run: Run, phases: Sequence[Phase] | None = None) -> None:
        """Train the network on rows, in stages: those of `phases`, or others that depend on the rows or the run."""
        stages = self.phases(self.net) if phases is None else phases
        Trainer(self, self.net, rows, run, torch.device(run.device)).fit(stages)

    def begin(self, data: Encoded, run: Run) -> None:
        """Build the network and initialise it: from the table's statistics, then from `run.initial`.

        Raises
        ------
        UsageError
            `run.initial` is not a model that this one can start from.
        """
        self.layout_, self.seed_ = data.layout, run.seed
        vars(self).pop("notes_", None)
        self.net = self.build(data.layout)
        for module in self.net.modules():
            if isinstance(module, Standardised):
                module.initialise(data)
        if run.initial is not None:
            self.start(run.initial)

    def start(self, initial: Model) -> None:
        """Load all of the initial network's weights and buffers whose names and shapes are the same here.

        Raises
        ------
        UsageError
            No weight matches.
        """
        current = self.net.state_dict()
        found = initial.net.state_dict() if isinstance(initial, NeuralModel) else {}
        same = {
            name: tensor for name, tensor in found.items() if name in current and current[name].shape == tensor.shape
        }
        weights = dict(self.net.named_parameters())
        taken = same.keys() & weights.keys()
        if not taken:
            raise UsageError(
                f"model {self.name!r} cannot start from a {initial.name!r} with these parameters: no weight has the "
                "same name and shape; give the same model and sizes, or one that starts from layers, such as unrolled"
            )
        if len(taken) < len(weights):
            self.notes_ = [f"{len(taken)} of {len(weights)} weights fit those of {initial.name!r}; the rest are new"]
        self.net.load_state_dict({**current, **same})

    def training_data(self, data: Encoded, run: Run) -> BatchSource:
        """Return the rows whose tensors `loss` takes; by default the table's values and which are observed."""
        return ArrayRows(data.values, data.observed, device=run.device)

    def use(self, device: str) -> None:
        """Move the network to a device."""
        self.net.to(resolve_device(device))

    def state(self) -> ModelState:
        """Return the learned attributes and the network's weights and buffers."""
        state = super().state()
        for name, tensor in self.net.state_dict().items():
            state.arrays[f"net.{name}"] = tensor.detach().cpu().numpy()
        return state

    def restore(self, state: ModelState, create: Callable[..., Model] | None = None) -> Self:
        """Rebuild the network and load its weights."""
        weights = {name: array for name, array in state.arrays.items() if name.startswith("net.")}
        rest = {name: array for name, array in state.arrays.items() if name not in weights}
        super().restore(ModelState(rest, state.values, state.models), create)
        with seeded(0, torch.device("cpu")):
            self.net = self.build(self.layout_)
        self.net.load_state_dict({name[4:]: torch.from_numpy(array.copy()) for name, array in weights.items()})
        self.net.eval()
        return self

    def infer(
        self, function: Callable[[Tensor, Tensor], Sequence[Tensor]], data: Encoded
    ) -> tuple[NDArray[np.float32], ...]:
        """Apply `function(x, observed)` to the rows in chunks of one fixed, padded size.

        Returns
        -------
        tuple of float32 arrays
            One for each tensor that `function` returns, cut to the rows of `data`.
        """
        return self.in_chunks(function, data.values, data.observed)

    def in_chunks(
        self, function: Callable[..., Sequence[Tensor]], *rows: NDArray[Any]
    ) -> tuple[NDArray[np.float32], ...]:
        """Apply a function of tensors to arrays of as many rows, as `infer` does."""
        device = next(self.net.parameters()).device
        parts: list[tuple[NDArray[np.float32], ...]] = []
        with torch.inference_mode(), enough_threads(self.chunk * size(self.net)):
            for start in range(0, max(len(rows[0]), 1), self.chunk):
                chunk = [array[start : start + self.chunk] for array in rows]
                outputs = function(*(_padded(array, self.chunk).to(device) for array in chunk))
                parts.append(tuple(output.float().cpu().numpy()[: len(chunk[0])] for output in outputs))
        return tuple(np.concatenate(columns) for columns in zip(*parts, strict=True))


def _in_memory(data: Encoded) -> Encoded:
    """Return the rows, or the first of them, which are random ones, if they lie in files: enough for statistics."""
    return next(row_parts(data, IN_MEMORY)) if is_mapped(data) else data


def _padded(array: NDArray[Any], rows: int) -> Tensor:
    """Copy an array into a tensor of `rows` rows; the rest is zero."""
    if len(array) == rows and array.flags.writeable and array.flags.c_contiguous:
        return torch.from_numpy(array)
    padded = np.zeros((rows, *array.shape[1:]), dtype=array.dtype)
    padded[: len(array)] = array
    return torch.from_numpy(padded)

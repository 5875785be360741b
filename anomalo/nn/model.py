"""The author's surface with torch: neural models, reconstructors, and building blocks for tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from anomalo.errors import UsageError
from anomalo.nn.imputation import filled
from anomalo.nn.layers import ColumnHeads, ColumnInput, Standardised, activate, mlp
from anomalo.nn.mixture_heads import MixtureHeads
from anomalo.nn.robust_heads import NaturalHeads, compressed, natural
from anomalo.models.results import Cells, Filled, ModelState
from anomalo.encoding.encoded import Encoded, Floats, Scores
from anomalo.models.base import Model, Run
from anomalo.models.parameters import param
from anomalo.models.row_random import row_uniform
from anomalo.nn.trainer import Batch, Loss, Phase, Step, Trainer, enough_threads, resolve_device, seeded, size
from anomalo.nn.whitening import whitening

__all__ = [
    "Autoencoder",
    "Batch",
    "ColumnHeads",
    "ColumnInput",
    "MixtureHeads",
    "NaturalHeads",
    "NeuralModel",
    "Phase",
    "Reconstructor",
    "Standardised",
    "Step",
    "activate",
    "compressed",
    "filled",
    "mlp",
    "natural",
]

INTERVAL = (0.05, 0.95)
CHUNK = 4096
"""Inference runs on chunks of exactly this many rows: a row's result cannot depend on its neighbours."""


@dataclass(kw_only=True)
class NeuralModel(Model):
    """A model with one torch network, trained by gradient descent.

    A subclass implements `build` and `loss`; adversarial and contrastive-divergence models replace
    `optimizers` and `step`, staged training replaces `phases`. All training state lives in the
    network's buffers or the optimisers.
    """

    epochs: int = param(30, low=1, high=100_000, help="Passes over the training rows at most; training stops early.")
    batch_size: int = param(512, low=1, high=1_000_000, help="Rows in one gradient step, at most.")
    learning_rate: float = param(5e-3, low=1e-7, high=1.0, help="Step size of Adam at the start; it decays.")
    weight_decay: float = param(1e-5, low=0.0, high=1.0, help="Decoupled weight decay of Adam.")
    patience: int = param(10, low=1, high=100_000, help="Stop after this many epochs without a better held-out loss.")
    holdout: float = param(0.1, low=0.0, high=0.5, help="Share of the rows held out to decide when to stop.")

    chunk = CHUNK
    seed_ = 0

    def build(self, layout: Any) -> nn.Module:
        """Return a new, untrained network for this layout."""
        raise NotImplementedError

    def loss(self, net: nn.Module, x: Tensor, observed: Tensor) -> Tensor:
        """Return the mean loss, a scalar, of a batch; x float32 [n, columns], observed bool [n, columns]."""
        raise NotImplementedError

    def validation(self, net: nn.Module, x: Tensor, observed: Tensor) -> Tensor:
        """Return the held-out loss that early stopping watches; by default the training loss."""
        return self.loss(net, x, observed)

    def monitor(self, net: nn.Module, phase: str, train: Batch, held: Batch) -> dict[str, float]:
        """Return what else to note in the history after an epoch, of up to 1,024 rows of either kind; nothing here."""
        return {}

    def optimizers(self, parameters: Sequence[nn.Parameter]) -> list[Optimizer]:
        """Return the optimisers of one phase: AdamW (Loshchilov and Hutter 2019), fused."""
        return [AdamW(parameters, lr=self.learning_rate, weight_decay=self.weight_decay, fused=True)]

    def step(self, net: nn.Module, optimizers: list[Optimizer], loss: Loss | None = None) -> Step:
        """Return the function that makes one update on a batch, by `self.loss` or another one."""
        objective = loss or self.loss

        def update(x: Tensor, observed: Tensor) -> dict[str, Tensor]:
            for optimizer in optimizers:
                optimizer.zero_grad(set_to_none=True)
            value = objective(net, x, observed)
            value.backward()  # type: ignore[no-untyped-call]
            for optimizer in optimizers:
                optimizer.step()
            return {"loss": value.detach()}

        return update

    def phases(self, net: nn.Module) -> list[Phase]:
        """Return the stages of training; by default one over all parameters."""
        return [Phase("training", list(net.parameters()), self.epochs, lambda o: self.step(net, o))]

    def finish(self, data: Encoded, run: Run) -> None:
        """Do what follows training, such as statistics of the residuals."""

    def fit(self, data: Encoded, run: Run) -> Self:
        """Train the network.

        Raises
        ------
        TrainingError
            The loss became infinite or not a number.
        UsageError
            The run's device is not available.
        """
        device = resolve_device(run.device)
        run.device = str(device)
        with seeded(run.seed, device):
            self.begin(data, run)
            self.net.to(device)
            Trainer(self, self.net, self.lessons(data), run, device).fit()
            self.finish(data, run)
        return self

    def begin(self, data: Encoded, run: Run) -> None:
        """Build the network and bring it to where training starts: the table's statistics, then `run.initial`.

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
            No weight's are.
        """
        own = self.net.state_dict()
        found = initial.net.state_dict() if isinstance(initial, NeuralModel) else {}
        same = {name: tensor for name, tensor in found.items() if name in own and own[name].shape == tensor.shape}
        weights = dict(self.net.named_parameters())
        taken = same.keys() & weights.keys()
        if not taken:
            raise UsageError(
                f"model {self.name!r} cannot start from a {initial.name!r} with these parameters: no weight has the "
                "same name and shape; give the same model and sizes, or one that starts from layers, such as unrolled"
            )
        if len(taken) < len(weights):
            self.notes_ = [f"{len(taken)} of {len(weights)} weights fit those of {initial.name!r}; the rest are new"]
        self.net.load_state_dict({**own, **same})

    def lessons(self, data: Encoded) -> Encoded:
        """Return what the batches of `loss` are taken from: here the table itself."""
        return data

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
        return self._in_chunks(function, data.values, data.observed)

    def _in_chunks(
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


def _padded(array: NDArray[Any], rows: int) -> Tensor:
    """Copy an array into a tensor of so many rows; the rest is zero."""
    if len(array) == rows and array.flags.writeable and array.flags.c_contiguous:
        return torch.from_numpy(array)
    padded = np.zeros((rows, *array.shape[1:]), dtype=array.dtype)
    padded[: len(array)] = array
    return torch.from_numpy(padded)


@dataclass(kw_only=True)
class Reconstructor(NeuralModel):
    """A neural model that reconstructs cells: scores, explains, imputes and embeds by their likelihood.

    The network maps (values, observed) to the parameters of one likelihood per column (see
    `ColumnHeads`), by way of a code: it has `encode(x, observed)`, `decode(code)` and `heads`. A variant
    builds another network, or overrides `corrupt` or `penalty`. In training a share of the cells is
    hidden from the network and still has to be predicted, which makes the prediction of a hidden cell
    its conditional expectation.
    """

    hide: float = param(0.2, low=0.0, high=0.95, help="Share of the cells hidden from the network in training.")

    def heads(self, net: nn.Module) -> ColumnHeads:
        """Return the likelihood heads of a network that `build` made."""
        heads = net.heads
        assert isinstance(heads, ColumnHeads)
        return heads

    def corrupt(self, x: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the network is shown in training: by default some cells are hidden."""
        return x, observed & (torch.rand(x.shape, device=x.device) >= self.hide)

    def penalty(self, net: nn.Module, x: Tensor, observed: Tensor) -> Tensor | float:
        """Return a term to add to the loss."""
        return 0.0

    def loss(self, net: nn.Module, x: Tensor, observed: Tensor) -> Tensor:
        """Mean negative log-likelihood of the observed cells (nats per cell), plus the penalty."""
        parameters = net(*self.corrupt(x, observed))
        return self.heads(net).mean_nll(parameters, x, observed) + self.penalty(net, x, observed)

    def finish(self, data: Encoded, run: Run) -> None:
        """Take the spread of residuals and codes over the training rows, for scoring."""
        code, residual, _ = self.infer(self._code_and_residual, data)
        self.residual_whitening_ = whitening(residual)
        self.code_mean_ = code.mean(axis=0)
        self.code_whitening_ = whitening(code - self.code_mean_)

    def _code_and_residual(self, x: Tensor, observed: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        net: Any = self.net
        code = net.encode(x, observed)
        parameters = net.decode(code)
        return code, self.heads(self.net).residual(parameters, x, observed), parameters

    def score(self, data: Encoded) -> Scores:
        """Return the rows' strangeness in nats, float64 [n].

        The sum of three energies: the residual's and the code's Mahalanobis distances from the training
        rows, halved (for a linear network and Gaussian data that is the negative log-likelihood of
        probabilistic principal components, Tipping and Bishop 1999), the negative log-likelihood of the
        categories, and half the squared excess of each number's own robust z-score over 2, so that an
        extreme that the network has learned to reconstruct stays strange.
        """
        energies = self._energies()

        def total(x: Tensor, observed: Tensor) -> tuple[Tensor]:
            cells, code = energies(x, observed)
            return (cells.sum(dim=1) + code,)

        return self.infer(total, data)[0].astype(np.float64)

    def _energies(self) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Return the function from a batch to the cells' energies, [n, columns], and the codes', [n]."""
        heads = self.heads(self.net)
        device = next(self.net.parameters()).device
        statistics = (self.residual_whitening_, self.code_mean_, self.code_whitening_)
        residual_whitening, mean, code_whitening = (torch.from_numpy(array).to(device) for array in statistics)

        def energies(x: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
            code, residual, parameters = self._code_and_residual(x, observed)
            cells = heads.energies(residual @ residual_whitening, parameters, x, observed)
            return cells, 0.5 * ((code - mean) @ code_whitening).square().sum(dim=1)

        return energies

    def explain(self, data: Encoded) -> Cells:
        """Return each cell's energy and its share of the code's, and its expectation with that cell hidden.

        The code's energy is shared out in proportion to how much it falls when a cell is hidden.
        """
        energies, heads = self._energies(), self.heads(self.net)

        def without(x: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
            return energies(x, observed)[1], heads.expected(self.net(x, observed))

        cells, code = self.infer(energies, data)
        expected, drop = np.empty_like(data.values), np.zeros(data.values.shape)
        at_once = max(1, CHUNK // max(len(data), 1))
        for first in range(0, len(data.layout.blocks), at_once):
            positions = range(first, min(first + at_once, len(data.layout.blocks)))
            codes, fills = self.infer(without, _hidden_in_turn(data, positions))
            for number, position in enumerate(positions):
                rows = slice(number * len(data), (number + 1) * len(data))
                expected[:, position] = fills[rows, position]
                drop[:, position] = np.maximum(code - codes[rows], 0)
        total = drop.sum(axis=1, keepdims=True)
        share = np.divide(drop, total, out=np.full(drop.shape, 1 / len(data.layout.blocks)), where=total > 0)
        return Cells(cells + share * code[:, None], expected)

    def impute(self, data: Encoded, draws: int = 0) -> Filled:
        """Fill missing cells by their conditional expectation, categories by the most probable level.

        Intervals and draws are quantiles of the columns' likelihoods, within each column's range. Each cell is drawn
        by itself, given the observed ones.
        """
        heads, uniform = self.heads(self.net), row_uniform(data, self.seed_, draws).transpose(1, 0, 2)
        ends = np.broadcast_to(np.array(INTERVAL)[:, None], (len(data), 2, len(data.layout.blocks)))

        def fill(x: Tensor, observed: Tensor, levels: Tensor) -> tuple[Tensor, ...]:
            parameters = self.net(x, observed)
            return heads.expected(parameters), heads.quantiles(parameters, levels), *heads.probabilities(parameters)

        levels = np.concatenate([ends, uniform], axis=1).astype(np.float32)
        expected, quantiles, *proba = self._in_chunks(fill, data.values, data.observed, levels)
        return filled(data, expected, quantiles, proba)

    def embed(self, data: Encoded) -> Floats:
        """Return the rows' codes, float32 [n, latent]: what the network's `encode` makes of their observed cells."""
        net: Any = self.net
        return self.infer(lambda x, observed: (net.encode(x, observed),), data)[0]

    def decode(self, codes: Floats) -> Floats:
        """Return the rows that codes [n, latent] stand for, float32 [n, columns] in encoded units.

        A number is its expectation, a category the code of its most probable level.
        """
        net: Any = self.net
        heads, points = self.heads(self.net), codes.astype(np.float32, copy=False)
        return self._in_chunks(lambda point: (heads.expected(net.decode(point)),), points)[0]


class Autoencoder(nn.Module):
    """Encoder and decoder between a column input layer and column heads.

    Parameters
    ----------
    layout : Layout
        The table's columns.
    encoder : torch module
        Maps the input layer's output, [n, width], to the code.
    decoder : torch module
        Maps the code to [n, out], from which the heads predict every column.
    width, out : int
        See above.
    """

    def __init__(self, layout: Any, encoder: nn.Module, decoder: nn.Module, width: int, out: int) -> None:
        super().__init__()
        self.input = ColumnInput(layout, width)
        self.encoder, self.decoder = encoder, decoder
        self.heads = ColumnHeads(layout, out)

    def encode(self, x: Tensor, observed: Tensor) -> Tensor:
        """Return the latent code, [n, latent]."""
        code: Tensor = self.encoder(self.input(x, observed))
        return code

    def decode(self, code: Tensor) -> Tensor:
        """Return the parameters of the columns' likelihoods for codes [n, latent]."""
        parameters: Tensor = self.heads(self.decoder(code))
        return parameters

    def forward(self, x: Tensor, observed: Tensor) -> Tensor:
        """Return the parameters of the columns' likelihoods."""
        return self.decode(self.encode(x, observed))


def _hidden_in_turn(data: Encoded, positions: Sequence[int]) -> Encoded:
    """Repeat the rows once for each position, with that position hidden."""
    copies = []
    for position in positions:
        hidden = np.zeros(data.values.shape, dtype=bool)
        hidden[:, position] = True
        copies.append(data.hide(hidden))
    return Encoded.concatenate(copies)

"""Models that reconstruct cells, and score, explain, impute and embed by the cells' likelihoods."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from typing_extensions import TypeVar

from anomalo.encoding.encoded import Encoded, Floats, Scores
from anomalo.encoding.layout import Layout
from anomalo.models.base import Run
from anomalo.models.parameters import param
from anomalo.models.results import PROCESS, Cells, Filled, Plan, relative
from anomalo.models.row_random import row_uniform
from anomalo.nn.distributed.shares import part_of_mean, split_rows
from anomalo.nn.imputation import filled
from anomalo.nn.layers import ColumnHeads, ColumnInput
from anomalo.nn.model import CHUNK, NeuralModel
from anomalo.nn.trainer import seeded
from anomalo.nn.whitening import whitening

INTERVAL = (0.05, 0.95)
PASSES = 32
"""Passes over the rows to explain them, at most."""
START, HELD = 530e6, 28
"""Bytes of a process before it infers, and for each unit of a network and row that it infers at a time."""


class RowEncoder(nn.Module):
    """A network from (values, observed) to a code."""

    def encode(self, x: Tensor, observed: Tensor) -> Tensor:
        """Return the code, [n, latent]."""
        raise NotImplementedError


class CodeNetwork(RowEncoder):
    """A network from (values, observed) through a code to the parameters of one likelihood per column.

    A subclass sets `heads` and defines `encode`; `decode` too, if the heads do not predict from the code itself.
    """

    heads: ColumnHeads

    def decode(self, code: Tensor) -> Tensor:
        """Return the parameters of the columns' likelihoods for codes [n, latent]."""
        parameters: Tensor = self.heads(code)
        return parameters

    def forward(self, x: Tensor, observed: Tensor) -> Tensor:
        """Return the parameters of the columns' likelihoods."""
        return self.decode(self.encode(x, observed))


CodeNet = TypeVar("CodeNet", bound=CodeNetwork, default=CodeNetwork)


@dataclass(kw_only=True)
class Reconstructor(NeuralModel[CodeNet]):
    """A neural model that reconstructs cells: scores, explains, imputes and embeds by their likelihood.

    A variant builds another `CodeNetwork`, or overrides `corrupt` or `penalty`. In training a share of the cells is
    hidden from the network and still has to be predicted, which makes the prediction of a hidden cell
    its conditional expectation.
    """

    score_unit = "nats"
    out_of_core = True

    hide: float = param(0.2, low=0.0, high=0.95, help="Share of the cells hidden from the network in training.")

    def plan(self, layout: Layout, rows: int, goals: frozenset[str]) -> Plan:
        """Return how a fit trains, and the memory that it takes; how long that takes depends on the machine."""
        text = f"at most {self.epochs} epochs of {rows:,} rows, up to {self.batch_size:,} of them at a time"
        with seeded(0, torch.device("cpu")):
            try:
                weights = list(self.build(layout).parameters())
            except AttributeError:  # it depends on what only a fit knows, such as the model that it starts from
                return Plan(text, 0.0)
        units = sum(weight.numel() // weight.shape[-1] for weight in weights if weight.ndim > 1 and weight.numel())
        return Plan(text, 0.0, max(PROCESS, START + HELD * self.chunk * units))

    def corrupt(self, x: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
        """Return the network's input in training; by default some cells are hidden."""
        return x, observed & (torch.rand(x.shape, device=x.device) >= self.hide)

    def penalty(self, net: CodeNet, x: Tensor, observed: Tensor) -> Tensor | float:
        """Return a term to add to the loss: a mean over the rows, or the same for all of them."""
        return 0.0

    def loss(self, net: CodeNet, x: Tensor, observed: Tensor) -> Tensor:
        """Mean negative log-likelihood of the observed cells (nats per cell), plus the penalty."""
        x, observed, *shown = split_rows(x, observed, *self.corrupt(x, observed))
        return net.heads.mean_nll(net(*shown), x, observed) + part_of_mean(self.penalty(net, x, observed))

    def finish(self, data: Encoded, run: Run) -> None:
        """Estimate the covariances of residuals and codes over the training rows, for scoring."""
        code, residual, _ = self.infer(self._code_and_residual, data)
        self.residual_whitening_ = whitening(residual)
        self.code_mean_ = code.mean(axis=0)
        self.code_whitening_ = whitening(code - self.code_mean_)

    def _code_and_residual(self, x: Tensor, observed: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        net = self.net
        code = net.encode(x, observed)
        parameters = net.decode(code)
        return code, net.heads.residual(parameters, x, observed), parameters

    def score(self, data: Encoded) -> Scores:
        """Return anomaly scores in nats, float64 [n]; higher is more anomalous.

        The sum of three energies: the residual's and the code's Mahalanobis distances from the training
        rows, halved (for a linear network and Gaussian data that is the negative log-likelihood of
        probabilistic principal components, Tipping and Bishop 1999), the negative log-likelihood of the
        categories, and half the squared excess of each number's robust z-score over 2, so that an extreme
        that the network has learned to reconstruct keeps a high score.
        """
        energies = self._energies()

        def total(x: Tensor, observed: Tensor) -> tuple[Tensor]:
            cells, code = energies(x, observed)
            return (cells.sum(dim=1) + code,)

        return self.infer(total, data)[0].astype(np.float64)

    def _energies(self) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Return the function from a batch to the cells' energies, [n, columns], and the codes', [n]."""
        heads = self.net.heads
        device = next(self.net.parameters()).device
        statistics = (self.residual_whitening_, self.code_mean_, self.code_whitening_)
        residual_whitening, mean, code_whitening = (torch.from_numpy(array).to(device) for array in statistics)

        def energies(x: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
            code, residual, parameters = self._code_and_residual(x, observed)
            cells = heads.energies(residual @ residual_whitening, parameters, x, observed)
            return cells, 0.5 * ((code - mean) @ code_whitening).square().sum(dim=1)

        return energies

    def explain(self, data: Encoded) -> Cells:
        """Return each cell's share of the score, and its expectation with that cell hidden.

        The share is the geometric mean of two: of the cell's energy and its part of the code's, which is divided among
        the cells in proportion to how much it falls when each is hidden; and of the cell's surprisal given the others
        alone, which the network has not seen. A table of more than `PASSES` columns has several hidden at a time, and
        the fall is divided equally among them.
        """
        energies, heads = self._energies(), self.net.heads

        def hidden(x: Tensor, observed: Tensor, values: Tensor, seen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            parameters = self.net(x, observed)
            return energies(x, observed)[1], heads.expected(parameters), heads.nll(parameters, values, seen)

        cells, code = self.infer(energies, data)
        expected = np.empty_like(data.values)
        drop, surprisal = np.zeros(data.values.shape), np.zeros(data.values.shape)
        groups = _groups(len(data.layout.blocks))
        at_once = max(1, CHUNK // max(len(data), 1))
        for first in range(0, len(groups), at_once):
            some = groups[first : first + at_once]
            turns, known = _hidden_in_turn(data, some), Encoded.concatenate([data] * len(some))
            rows = (turns.values, turns.observed, known.values, known.observed)
            codes, fills, nll = self.in_chunks(hidden, *rows)
            for number, positions in enumerate(some):
                turn = slice(number * len(data), (number + 1) * len(data))
                expected[:, positions], surprisal[:, positions] = fills[turn][:, positions], nll[turn][:, positions]
                drop[:, positions] = np.maximum(code - codes[turn], 0)[:, None] / len(positions)
        contribution = cells + relative(drop) * code[:, None]
        both = np.sqrt(relative(contribution) * relative(surprisal))
        return Cells(relative(both) * contribution.sum(axis=1, keepdims=True), expected)

    def impute(self, data: Encoded, draws: int = 0) -> Filled:
        """Fill missing cells by their conditional expectation, categories by the most probable level.

        Intervals and draws are quantiles of the columns' likelihoods, within each column's range. Each cell is drawn
        by itself, given the observed ones.
        """
        heads, uniform = self.net.heads, row_uniform(data, self.seed_, draws).transpose(1, 0, 2)
        ends = np.broadcast_to(np.array(INTERVAL)[:, None], (len(data), 2, len(data.layout.blocks)))

        def fill(x: Tensor, observed: Tensor, levels: Tensor) -> tuple[Tensor, ...]:
            parameters = self.net(x, observed)
            return heads.expected(parameters), heads.quantiles(parameters, levels), *heads.probabilities(parameters)

        levels = np.concatenate([ends, uniform], axis=1).astype(np.float32)
        expected, quantiles, *proba = self.in_chunks(fill, data.values, data.observed, levels)
        return filled(data, expected, quantiles, proba)

    def embed(self, data: Encoded) -> Floats:
        """Return the rows' codes, float32 [n, latent]: the network's `encode` of their observed cells."""
        return self.infer(lambda x, observed: (self.net.encode(x, observed),), data)[0]

    def decode(self, codes: Floats) -> Floats:
        """Return the rows that codes [n, latent] stand for, float32 [n, columns] in encoded units.

        A number is its expectation, a category the code of its most probable level.
        """
        net, points = self.net, codes.astype(np.float32, copy=False)
        return self.in_chunks(lambda point: (net.heads.expected(net.decode(point)),), points)[0]


class Autoencoder(CodeNetwork):
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

    def __init__(self, layout: Layout, encoder: nn.Module, decoder: nn.Module, width: int, out: int) -> None:
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


def _groups(columns: int) -> list[NDArray[np.intp]]:
    """Return the positions that are hidden together: each by itself, or in wide tables one of every so many."""
    passes = min(columns, PASSES)
    return [np.arange(first, columns, passes) for first in range(passes)]


def _hidden_in_turn(data: Encoded, groups: Sequence[NDArray[np.intp]]) -> Encoded:
    """Repeat the rows once for each group of positions, with that group hidden."""
    copies = []
    for positions in groups:
        hidden = np.zeros(data.values.shape, dtype=bool)
        hidden[:, positions] = True
        copies.append(data.hide(hidden))
    return Encoded.concatenate(copies)

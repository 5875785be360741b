"""Network layers for a table's columns: an input layer, and one likelihood head per column."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anomalo.encoding.encoded import FIRST_LEVEL, Encoded
from anomalo.encoding.layout import Layout
from anomalo.nn.distributed.shares import sum_of_batch
from anomalo.nn.module_tuple import ModuleTuple

SMALLEST_SCALE = 0.05
"""No column's noise is taken to be smaller than this share of its standard deviation."""
BULK = 2.0
"""A number's robust z-score adds to its energy beyond this."""
SMALLEST_SHARE = 1e-6
"""The smallest share for which a quantile is given; the largest is 1 minus it."""
PADDING = -1e9
FREE_WIDTH = 512
"""Up to this total width, groups of logits are padded without a limit on waste."""
LOG_TWO_PI = math.log(2 * math.pi)


def _moments(data: Encoded) -> tuple[Any, Any]:
    """Mean and standard deviation of each number over its observed cells; deviation 1 where it is 0."""
    numbers = data.layout.numbers
    values = data.values[:, numbers].astype(np.float64)
    seen = data.observed[:, numbers]
    count = np.maximum(seen.sum(axis=0), 1)
    mean = np.where(seen, values, 0).sum(axis=0) / count
    deviation = np.sqrt(np.where(seen, (values - mean) ** 2, 0).sum(axis=0) / count)
    return mean, np.where(deviation > 1e-6, deviation, 1.0)


def complete(seen: Tensor) -> bool:
    """Whether all cells are observed; only computed on a CPU, where it is cheaper than masking."""
    return seen.device.type == "cpu" and (not seen.numel() or bool(seen.view(torch.uint8).min()))


def masked(values: Tensor, seen: Tensor) -> Tensor:
    """Return `values` with 0 where not `seen`; a complete row is returned exactly, whatever its neighbours."""
    return values if complete(seen) else values * seen


class Standardised(nn.Module):
    """Shared by input and heads: the numbers' mean and standard deviation in the training table."""

    mean: Tensor
    deviation: Tensor
    numbers: Tensor

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.columns = len(layout.blocks)
        self.register_buffer("mean", torch.zeros(len(layout.numbers)))
        self.register_buffer("deviation", torch.ones(len(layout.numbers)))
        self.register_buffer("numbers", torch.from_numpy(layout.numbers.copy()), persistent=False)

    def initialise(self, data: Encoded) -> None:
        """Take the statistics of the training table."""
        mean, deviation = _moments(data)
        self.mean.copy_(torch.from_numpy(mean))
        self.deviation.copy_(torch.from_numpy(deviation))

    def pick(self, cells: Tensor) -> Tensor:
        """Return the numbers' part, [n, numbers], of something with one entry per column."""
        return cells if len(self.numbers) == self.columns else cells.index_select(1, self.numbers)

    def standardise(self, x: Tensor) -> Tensor:
        """Return the numbers [n, numbers] with mean 0 and standard deviation 1 in the training table."""
        return (self.pick(x) - self.mean).div_(self.deviation)


class ColumnInput(Standardised):
    """The first layer: standardised numbers and their missing flags by a matrix, categories by an embedding.

    Equal to a linear layer on one-hot codes, at the cost of a lookup. Missing cells and unseen levels share
    a separate level.
    """

    first: Tensor
    categories: Tensor

    def __init__(self, layout: Layout, width: int) -> None:
        super().__init__(layout)
        sizes = [layout.blocks[p].size + 1 for p in layout.categories]
        entries = len(layout.numbers)
        self.weight = nn.Parameter((2 * torch.rand(width, entries) - 1) / math.sqrt(max(entries, 1)))
        self.missing = nn.Parameter((2 * torch.rand(width, entries) - 1) / math.sqrt(max(2 * entries, 1)))
        self.bias = nn.Parameter(torch.zeros(width))
        self.embedding = nn.Parameter(torch.randn(max(sum(sizes), 1), width) / math.sqrt(max(len(layout.blocks), 1)))
        first = np.cumsum([0, *sizes[:-1]]) if sizes else np.zeros(0)
        self.register_buffer("first", torch.from_numpy(first.astype(np.int64)), persistent=False)
        self.register_buffer("categories", torch.from_numpy(layout.categories.copy()), persistent=False)

    def forward(self, x: Tensor, observed: Tensor) -> Tensor:
        """Map x [n, columns] and observed [n, columns] to [n, width]."""
        seen = self.pick(observed)
        whole, numbers = complete(seen), self.standardise(x)
        out = F.linear(numbers if whole else numbers * seen, self.weight, self.bias)
        if not whole:  # adds exactly 0 to complete rows, so it can be left out for them
            out = out + F.linear((~seen).to(out.dtype), self.missing)
        if len(self.categories):
            out = out + F.embedding_bag(self._rows(x, observed), self.embedding, mode="sum")
        return out

    def _rows(self, x: Tensor, observed: Tensor) -> Tensor:
        codes = x.index_select(1, self.categories).long() - (FIRST_LEVEL - 1)
        return torch.where(observed.index_select(1, self.categories), codes, 0) + self.first


def log_softmax(logits: Tensor) -> Tensor:
    """Return log probabilities of few levels, along the last axis: [..., columns, width].

    Over the last but one axis of a contiguous tensor it takes a seventh of the time on a CPU.
    """
    return torch.log_softmax(logits.transpose(-1, -2).contiguous(), dim=-2).transpose(-1, -2)


class Group(nn.Module):
    """Category columns of similar size, whose padded logits are handled as one tensor [n, columns, width].

    The bias of a padding logit is so low that its probability is 0.
    """

    columns: Tensor

    def __init__(self, positions: list[int], sizes: list[int], width: int, start: int) -> None:
        super().__init__()
        self.positions, self.sizes, self.width = positions, sizes, width
        self.slice = slice(start, start + len(positions) * width)
        self.register_buffer("columns", torch.tensor(positions, dtype=torch.int64), persistent=False)

    def only(self, position_of: dict[int, int], start: int) -> tuple[Group, list[int]]:
        """Return the group of some columns alone, and which entries of `parameters` it takes.

        Parameters
        ----------
        position_of : dict
            For the position of each column that stays, its position among those.
        start : int
            Where the new group's parameters start.
        """
        kept = [row for row, position in enumerate(self.positions) if position in position_of]
        positions, sizes = [position_of[self.positions[row]] for row in kept], [self.sizes[row] for row in kept]
        first = [self.slice.start + row * self.width for row in kept]
        entries = [entry for at in first for entry in range(at, at + self.width)]
        return Group(positions, sizes, self.width, start), entries

    def pad(self, bias: Tensor) -> Tensor:
        """Set the padding's entries of `bias` low, and return the group's part of it as [columns, width]."""
        part = bias[self.slice].view(len(self.positions), self.width)
        for row, size in enumerate(self.sizes):
            part[row, size:] = PADDING
        return part

    def log_probabilities(self, parameters: Tensor) -> Tensor:
        """Return log probabilities [n, columns, width]."""
        return log_softmax(parameters[:, self.slice].float().reshape(-1, len(self.positions), self.width))

    def codes(self, x: Tensor) -> Tensor:
        """Return the levels' numbers from 0, [n, columns]; 0 where a cell is missing or unseen."""
        return (x.index_select(1, self.columns).long() - FIRST_LEVEL).clamp_(min=0)

    def one_hot(self, bias: Tensor, x: Tensor, observed: Tensor) -> Tensor:
        """Return one-hot levels less the bias's probabilities, [n, columns * width]; 0 where not observed."""
        share = self.log_probabilities(bias[None]).exp()
        seen = observed.index_select(1, self.columns)[:, :, None]
        return ((F.one_hot(self.codes(x), self.width) - share) * seen).flatten(1)

    def surprisal(self, parameters: Tensor, x: Tensor) -> Tensor:
        """Return -log p of the levels, [n, columns], whether observed or not."""
        return -self.log_probabilities(parameters).gather(2, self.codes(x)[:, :, None]).squeeze(2)


def _groups(layout: Layout, start: int) -> list[Group]:
    """Group categories by size: few groups, because each costs calls, with little padding."""
    sizes = {int(p): max(layout.blocks[p].size, 1) for p in layout.categories}
    batches: list[list[int]] = []
    for position in sorted(sizes, key=lambda p: (sizes[p], p)):
        joined = [*batches[-1], position] if batches else [position]
        padded = len(joined) * sizes[position]
        if batches and padded <= max(FREE_WIDTH, 2 * sum(sizes[p] for p in joined)):
            batches[-1] = joined
        else:
            batches.append([position])
    groups = []
    for positions in batches:
        joined = [sizes[p] for p in positions]
        groups.append(Group(positions, joined, max(joined), start))
        start = groups[-1].slice.stop
    return groups


class ColumnHeads(Standardised):
    """One likelihood per column: Gaussian with a learned scale for numbers, softmax for categories.

    Both are measured in nats, so that neither kind dominates the other, and numbers are standardised, so
    that units have no effect.

    Parameters
    ----------
    layout : Layout
        The table's columns.
    width : int
        The width of the representation that the columns are predicted from.
    """

    order: Tensor
    inverse_order: Tensor
    per_number = 1
    """Parameters that the network predicts for each number."""

    def __init__(self, layout: Layout, width: int) -> None:
        super().__init__(layout)
        start = self.per_number * len(layout.numbers)
        groups = _groups(layout, start)
        self.groups = ModuleTuple(groups)
        self.linear = nn.Linear(width, groups[-1].slice.stop if groups else start)
        self._add_number_parameters()
        self._arrange()
        with torch.no_grad():
            for group in groups:
                group.pad(self.linear.bias)

    def _arrange(self) -> None:
        """Record the order in which the columns' likelihoods are computed."""
        columns = [self.numbers, *(group.columns for group in self.groups)]
        self.register_buffer("order", torch.cat(columns), persistent=False)
        self.register_buffer("inverse_order", torch.argsort(self.order), persistent=False)

    def _add_number_parameters(self) -> None:
        self.log_scale = nn.Parameter(torch.zeros(len(self.mean)))

    def initialise(self, data: Encoded) -> None:
        """Start from the table's means and level frequencies."""
        super().initialise(data)
        with torch.no_grad():
            self.linear.weight.mul_(0.1)
            self.linear.bias.zero_()
            for group in self.groups:
                bias = group.pad(self.linear.bias)
                for row, position in enumerate(group.positions):
                    bias[row, : group.sizes[row]] = _log_frequencies(data, position, group.sizes[row])

    def units(self, x: Tensor, observed: Tensor) -> Tensor:
        """Return a row as a vector with one entry per parameter, [n, parameters].

        Standardised numbers and one-hot levels less their starting frequency; 0 where not observed.
        """
        seen = self.pick(observed)
        parts = [masked(self.standardise(x), seen)]
        parts += [group.one_hot(self.linear.bias, x, observed) for group in self.groups]
        return torch.cat(parts, dim=1)

    def forward(self, hidden: Tensor) -> Tensor:
        """Map [n, width] to the parameters of all columns' likelihoods."""
        parameters: Tensor = self.linear(hidden)
        return parameters

    def scale(self) -> Tensor:
        """Return the standard deviation of each number's residual, in units of the column's standard deviation."""
        return SMALLEST_SCALE + F.softplus(self.log_scale + math.log(math.e - 1)) * (1 - SMALLEST_SCALE)

    def center(self, parameters: Tensor) -> Tensor:
        """Return the expected numbers [n, numbers], standardised."""
        return parameters[:, : len(self.mean)].float()

    def _number_nll(self, parameters: Tensor, x: Tensor) -> Tensor:
        scale = self.scale()
        z = (self.standardise(x) - self.center(parameters)) / scale
        return 0.5 * z.square() + (scale.log() + 0.5 * LOG_TWO_PI)

    def residual(self, parameters: Tensor, x: Tensor, observed: Tensor) -> Tensor:
        """Return the numbers' residuals [n, numbers], in units of the columns' deviations; 0 where not observed."""
        residual = self.standardise(x).sub_(self.center(parameters))
        return masked(residual, self.pick(observed))

    def _cells(self, numbers: Tensor, parameters: Tensor, x: Tensor, observed: Tensor) -> Tensor:
        """Join the numbers' part and the categories' surprisal, in the order of `self.order`; 0 where not observed."""
        if not self.groups:
            return masked(numbers, observed)
        cells = torch.cat([numbers, *(group.surprisal(parameters, x) for group in self.groups)], dim=1)
        return masked(cells, observed.index_select(1, self.order))

    def _in_column_order(self, cells: Tensor) -> Tensor:
        return cells.index_select(1, self.inverse_order) if self.groups else cells

    def _nll(self, parameters: Tensor, x: Tensor, observed: Tensor) -> Tensor:
        return self._cells(self._number_nll(parameters, x), parameters, x, observed)

    def nll(self, parameters: Tensor, x: Tensor, observed: Tensor) -> Tensor:
        """Return each observed cell's negative log-likelihood, [n, columns] in nats; 0 elsewhere."""
        return self._in_column_order(self._nll(parameters, x, observed))

    def mean_nll(self, parameters: Tensor, x: Tensor, observed: Tensor) -> Tensor:
        """Return the mean of `nll` over the observed cells of the batch, a scalar; after `split_rows` a part of it."""
        return self._nll(parameters, x, observed).sum() / sum_of_batch(observed.sum()).clamp(min=1)

    def energies(self, whitened: Tensor, parameters: Tensor, x: Tensor, observed: Tensor) -> Tensor:
        """Return each observed cell's energy, [n, columns] >= 0; see `Reconstructor.score`.

        Parameters
        ----------
        whitened : float32 [n, numbers]
            The residuals, whitened.
        """
        excess = self.pick(x).abs().sub_(BULK).clamp_(min=0).square_()
        return self._in_column_order(self._cells(whitened.square().add_(excess).mul_(0.5), parameters, x, observed))

    def encoded(self, standardised: Tensor) -> Tensor:
        """Return standardised numbers [..., numbers] in encoded units."""
        return standardised * self.deviation + self.mean

    def expected(self, parameters: Tensor) -> Tensor:
        """Return each column's mean, or the code of its most probable level, [n, columns] in encoded units."""
        out = torch.zeros(len(parameters), self.columns, device=parameters.device)
        out = out.index_copy(1, self.numbers, self.encoded(self.center(parameters)))
        for group in self.groups:
            best = group.log_probabilities(parameters).argmax(dim=2) + FIRST_LEVEL
            out = out.index_copy(1, group.columns, best.float())
        return out

    def number_quantiles(self, parameters: Tensor, levels: Tensor) -> Tensor:
        """Return the standardised numbers below which the shares `levels` [n, k, numbers] lie."""
        quantile: Tensor = self.center(parameters)[:, None] + self.scale() * torch.special.ndtri(levels)
        return quantile

    def quantiles(self, parameters: Tensor, levels: Tensor) -> Tensor:
        """Return the values below which the shares `levels` [n, k, columns] of each column's distribution lie.

        In encoded units, [n, k, columns]; a category's levels are in the order of their codes. Uniform shares give
        random draws.
        """
        levels = levels.clamp(SMALLEST_SHARE, 1 - SMALLEST_SHARE)
        out = torch.zeros_like(levels)
        numbers = self.number_quantiles(parameters, levels.index_select(2, self.numbers))
        out = out.index_copy(2, self.numbers, self.encoded(numbers))
        for group in self.groups:
            below = group.log_probabilities(parameters).exp().cumsum(dim=2)[:, None]
            passed = levels.index_select(2, group.columns)[..., None] >= below
            last = torch.tensor(group.sizes, device=out.device) - 1
            out = out.index_copy(2, group.columns, (passed.sum(dim=3).minimum(last) + FIRST_LEVEL).float())
        return out

    def probabilities(self, parameters: Tensor) -> list[Tensor]:
        """Return each category's class probabilities, [n, size], in the order of `Layout.categories`."""
        found: dict[int, Tensor] = {}
        for group in self.groups:
            proba = group.log_probabilities(parameters).exp()
            for row, position in enumerate(group.positions):
                found[position] = proba[:, row, : group.sizes[row]]
        return [found[position] for position in sorted(found)]


def _log_frequencies(data: Encoded, position: int, size: int) -> Tensor:
    """Log shares of a column's levels with one pseudo-count each (Laplace)."""
    codes = data.values[data.observed[:, position], position].astype(np.int64) - FIRST_LEVEL
    counts = np.bincount(codes[codes >= 0], minlength=size)[:size] + 1.0
    return torch.from_numpy(np.log(counts / counts.sum())).float()


def mlp(*widths: int, activation: str = "silu", last: bool = True) -> nn.Sequential:
    """Return linear layers of these widths with activations between them.

    Parameters
    ----------
    *widths : int
        Input width, hidden widths, output width.
    activation : {"silu", "relu"}
        See `activate`.
    last : bool
        Whether an activation follows the last layer too.
    """
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(widths):
        layers += [nn.Linear(before, after), activate(activation)]
    return nn.Sequential(*(layers if last else layers[:-1]))


def activate(name: str) -> nn.Module:
    """Return the activation "relu" (Nair and Hinton 2010) or "silu" (Elfwing, Uchibe and Doya 2018)."""
    return nn.ReLU(inplace=True) if name == "relu" else nn.SiLU(inplace=True)

"""The visible units of a Boltzmann machine: a table's columns as Gaussian, Bernoulli and softmax units."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anomalo.neural import Standardised
from anomalo.plugin import FIRST_LEVEL, Block, Encoded, Layout, expand

VisibleSource = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""Turns a batch (values, observed) into visible units and whether they are known."""
LOG_TWO_PI = math.log(2 * math.pi)
PADDING = -1e9
SMALLEST_VARIANCE, LARGEST_VARIANCE = 0.01, 10.0
"""The bounds of a Gaussian unit's variance, in units of its column's."""
SMALLEST_CHANCE = 1e-7
SMALLEST_SHARE = 1e-4
"""No level starts with a smaller probability."""


def is_binary(block: Block) -> bool:
    """Whether a number takes two neighbouring whole values only, such as 0 and 1."""
    if block.kind != "number" or not block.integer:
        return False
    low, high = (float(expand(end, block.offset, block.scale)) for end in (block.low, block.high))
    return abs(high - low - 1) < 1e-3


class VisibleUnits(Standardised):
    """Units in the order Gaussian, softmax, Bernoulli, with their biases and variances.

    With the field f of the hidden units and the bias b, a unit has, up to terms of the hidden units alone,

    - Gaussian (a standardised number): E(v) = (v - b)^2 / (2 s^2) - v f / s^2, so that p(v | h) = N(b + f, s^2);
    - Bernoulli (a number scaled to [0, 1] by its bounds): E(v) = -(b + f) v, p(v = 1 | h) = sigmoid(b + f);
    - softmax (one of each level of a category): E(v) = -(b + f) v, p(v | h) = softmax(b + f).

    Reference: Cho, Ilin and Raiko (2011), Improved learning of Gaussian-Bernoulli restricted Boltzmann machines, ICANN;
    Salakhutdinov, Mnih and Hinton (2007), Restricted Boltzmann machines for collaborative filtering, ICML (softmax).

    Parameters
    ----------
    layout : Layout
        The table's columns.
    numbers : {"auto", "gaussian", "bernoulli"}
        What numbers become; "auto" takes Bernoulli units for those with two neighbouring whole values.
    extra : int
        Further Bernoulli units, which stand for no column.
    """

    gaussian_numbers: Tensor
    slots: Tensor
    kept: Tensor
    sizes: Tensor
    first: Tensor
    low: Tensor
    width: Tensor
    column: Tensor
    categories: Tensor

    def __init__(self, layout: Layout, numbers: str = "auto", extra: int = 0) -> None:
        super().__init__(layout)
        blocks = [layout.blocks[at] for at in layout.numbers]
        binary = [numbers == "bernoulli" or (numbers == "auto" and is_binary(block)) for block in blocks]
        self.n_gaussian, self.n_binary, self.extra = binary.count(False), binary.count(True), extra
        self.levels = [max(layout.blocks[at].size, 1) for at in layout.categories]
        self.soft = slice(self.n_gaussian, self.n_gaussian + sum(self.levels))
        self.binary = slice(self.soft.stop, self.soft.stop + self.n_binary)
        self.count = self.binary.stop + extra
        """Units in all."""
        self._index(layout, blocks, binary)
        self.bias = nn.Parameter(torch.zeros(self.count))
        self.log_variance = nn.Parameter(torch.zeros(self.n_gaussian))

    def _index(self, layout: Layout, blocks: list[Block], binary: list[bool]) -> None:
        """Register which units stand for which columns."""
        indices = {"gaussian": [at for at, is_ in enumerate(binary) if not is_]}
        indices["binary"] = [at for at, is_ in enumerate(binary) if is_]
        chosen = [blocks[at] for at in indices["binary"]]
        kinds = {f"{kind}_numbers": torch.tensor(found, dtype=torch.int64) for kind, found in indices.items()}
        tables = {
            **kinds,
            "low": torch.tensor([block.low for block in chosen]),
            "width": torch.tensor([max(block.high - block.low, 1e-6) for block in chosen]),
            "categories": torch.from_numpy(layout.categories.copy()),
        }
        starts = [sum(self.levels[:at]) for at in range(len(self.levels))]
        longest = max(self.levels, default=1)
        total = sum(self.levels)
        rows = [[s + k if k < n else total for k in range(longest)] for s, n in zip(starts, self.levels, strict=True)]
        tables["slots"] = torch.tensor(rows, dtype=torch.int64).reshape(len(rows), longest)
        tables["kept"] = torch.nonzero((tables["slots"] < total).flatten()).flatten()
        tables["sizes"] = torch.tensor(self.levels, dtype=torch.int64)
        tables["first"] = torch.tensor(starts, dtype=torch.int64)
        positions = [blocks[at].position for at in indices["gaussian"]]
        positions += [int(at) for at, n in zip(layout.categories, self.levels, strict=True) for _ in range(n)]
        positions += [block.position for block in chosen]
        tables["column"] = torch.tensor(positions, dtype=torch.int64)
        for name, table in tables.items():
            self.register_buffer(name, table, persistent=False)

    def initialise(self, data: Encoded) -> None:
        """Start from the table: zero means and unit variances, log odds of ends and log frequencies of levels."""
        if not self.columns:  # units above the table
            return
        super().initialise(data)
        with torch.no_grad():
            v, seen = self.encode(torch.from_numpy(data.values.copy()), torch.from_numpy(data.observed.copy()))
            rate = (v.sum(dim=0) + 0.5) / (seen.sum(dim=0) + 1.0)
            self.bias.copy_(torch.logit(rate.clamp(SMALLEST_SHARE, 1 - SMALLEST_SHARE)))
            self.bias[self.soft] = rate[self.soft].clamp(min=SMALLEST_SHARE).log()
            self.bias[: self.n_gaussian] = 0
            self.bias[self.binary.stop :] = 0

    def encode(self, x: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
        """Return the units' values [n, units], 0 where unknown, and whether they are known.

        Parameters
        ----------
        x, observed : [n, columns]
            As in `Encoded`.
        """
        dtype, numbers = self.bias.dtype, self.pick(x)
        parts = [self.standardise(x).index_select(1, self.gaussian_numbers).to(dtype)]
        codes = (x.index_select(1, self.categories).long() - FIRST_LEVEL).clamp_(min=0)
        parts.append(self._one_hot(torch.minimum(codes, self.sizes - 1)))
        scaled = (numbers.index_select(1, self.get_buffer("binary_numbers")) - self.low) / self.width
        parts.append(scaled.clamp(0, 1).to(dtype))
        seen = observed.index_select(1, self.column)
        nothing = torch.zeros(len(x), self.extra, dtype=dtype, device=x.device)
        return torch.cat([torch.cat(parts, dim=1) * seen, nothing], dim=1), torch.cat([seen, nothing > 0], dim=1)

    def decode(self, v: Tensor) -> Tensor:
        """Return the values [n, columns] of units [n, units]; of a category the level with the largest one."""
        numbers = torch.zeros(len(v), len(self.mean), dtype=v.dtype, device=v.device)
        numbers[:, self.gaussian_numbers] = v[:, : self.n_gaussian]
        numbers = numbers * self.deviation + self.mean
        numbers[:, self.get_buffer("binary_numbers")] = self.low + v[:, self.binary] * self.width
        out = torch.zeros(len(v), self.columns, dtype=v.dtype, device=v.device).index_copy(1, self.numbers, numbers)
        if self.levels:
            best = self._padded(v[:, self.soft]).argmax(dim=2) + FIRST_LEVEL
            out = out.index_copy(1, self.categories, best.to(v.dtype))
        return out

    def variance(self) -> Tensor:
        """Return the Gaussian units' variances, [gaussian]."""
        return self.log_variance.exp()

    def features(self, v: Tensor) -> Tensor:
        """Return the hidden units' inputs from units [n, units]: v / s^2 of Gaussian ones, v of the others."""
        if not self.n_gaussian:
            return v
        return torch.cat([v[:, : self.n_gaussian] / self.variance(), v[:, self.n_gaussian :]], dim=1)

    def energy(self, v: Tensor, bias: Tensor | None = None) -> Tensor:
        """Return each unit's energy without a field, [n, units]."""
        bias = self.bias if bias is None else bias
        if not self.n_gaussian:
            return -bias * v
        square = (v[:, : self.n_gaussian] - bias[: self.n_gaussian]).square() / (2 * self.variance())
        return torch.cat([square, -bias[self.n_gaussian :] * v[:, self.n_gaussian :]], dim=1)

    def expect(self, field: Tensor, bias: Tensor | None = None) -> Tensor:
        """Return the units' expectations in a field [n, units]: means of Gaussian ones, probabilities of the others."""
        drive = field + (self.bias if bias is None else bias)
        parts = [drive[:, : self.n_gaussian]]
        if self.levels:
            parts.append(self._log_softmax(drive[:, self.soft]).exp())
        parts.append(torch.sigmoid(drive[:, self.soft.stop :]))
        return torch.cat(parts, dim=1)

    def sample(self, expected: Tensor, uniform: Tensor) -> Tensor:
        """Draw units with these expectations [n, units] by uniform numbers [n, units]; levels use their first one's."""
        parts = []
        if self.n_gaussian:
            noise = torch.special.ndtri(uniform[:, : self.n_gaussian].clamp(1e-7, 1 - 1e-7))
            parts.append(expected[:, : self.n_gaussian] + self.variance().sqrt() * noise)
        if self.levels:
            below = self._padded(expected[:, self.soft]).clamp(min=0).cumsum(dim=2)
            passed = uniform[:, self.soft].index_select(1, self.first)[:, :, None] >= below
            parts.append(self._one_hot(torch.minimum(passed.sum(dim=2), self.sizes - 1)))
        rest = slice(self.soft.stop, None)
        parts.append((uniform[:, rest] < expected[:, rest]).to(expected.dtype))
        return torch.cat(parts, dim=1)

    def cumulant(self, field: Tensor, bias: Tensor | None = None) -> Tensor:
        """Return log of the sum, or the integral, of exp(-E(v)) over each unit's values, [n, units].

        The sum over all levels of a category is at its first one, and 0 at the others.
        """
        bias = self.bias if bias is None else bias
        g = self.n_gaussian
        mean = bias[:g]
        square = (2 * mean * field[:, :g] + field[:, :g].square()) / (2 * self.variance())
        parts = [square + 0.5 * (LOG_TWO_PI + self.log_variance)]
        drive = field + bias
        if self.levels:
            together = torch.logsumexp(self._padded(drive[:, self.soft]), dim=2)
            parts.append(torch.zeros_like(drive[:, self.soft]).index_copy(1, self.first, together))
        parts.append(F.softplus(drive[:, self.soft.stop :]))
        return torch.cat(parts, dim=1)

    def surprisal(self, v: Tensor, expected: Tensor) -> Tensor:
        """Return each unit's surprisal -log p(v) with these expectations, [n, units]; a category's is at its level."""
        g = self.n_gaussian
        square = (v[:, :g] - expected[:, :g]).square() / (2 * self.variance())
        chance = expected[:, g:].clamp(SMALLEST_CHANCE, 1 - SMALLEST_CHANCE)
        known = -torch.special.xlogy(v[:, g:], chance)
        known[:, self.soft.stop - g :] -= torch.special.xlog1py(
            1 - v[:, self.soft.stop :], -chance[:, self.soft.stop - g :]
        )
        return torch.cat([square + 0.5 * (LOG_TWO_PI + self.log_variance), known], dim=1)

    def constrain(self) -> None:
        """Clip the variances to their bounds."""
        with torch.no_grad():
            self.log_variance.clamp_(math.log(SMALLEST_VARIANCE), math.log(LARGEST_VARIANCE))

    def probabilities(self, v: Tensor) -> list[Tensor]:
        """Return each category's probabilities [n, size] out of units' expectations [n, units]."""
        return list(torch.split(v[:, self.soft], self.levels, dim=1)) if self.levels else []

    def _padded(self, soft: Tensor) -> Tensor:
        return F.pad(soft, (0, 1), value=PADDING)[:, self.slots.flatten()].view(len(soft), *self.slots.shape)

    def _log_softmax(self, soft: Tensor) -> Tensor:
        return torch.log_softmax(self._padded(soft), dim=2).flatten(1)[:, self.kept]

    def _one_hot(self, levels: Tensor) -> Tensor:
        out = torch.zeros(len(levels), sum(self.levels), dtype=self.bias.dtype, device=levels.device)
        return out.scatter_(1, levels + self.first, 1.0) if self.levels else out

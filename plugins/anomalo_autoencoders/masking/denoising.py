"""The denoising autoencoder: it sees a corrupted row and reconstructs the whole one."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anomalo.neural import CodeNetwork, NaturalHeads, Reconstructor, draw_rows, split_rows
from anomalo.plugin import Layout, param
from anomalo_autoencoders.piecewise_input import PiecewiseInput

LINEAR_UNITS = 64
"""Rank of the linear connection from the input to the heads."""
MOST_PARAMETERS = 4096
"""Parameters of all columns and members together, at most, as long as one member is left."""


def member_matrices(members: int, before: int, after: int) -> nn.Parameter:
    """Return one matrix for each member, [members, after, before]."""
    return nn.Parameter((2 * torch.rand(members, after, before) - 1) * math.sqrt(3 / before))


def member_products(hidden: Tensor, weight: Tensor) -> Tensor:
    """Return [members, n, after]; in this layout a row's product is the same to the bit at any position."""
    return torch.bmm(hidden, weight.transpose(1, 2))


def dropout(units: Tensor, share: float) -> Tensor:
    """Set a share of the units [members, n, width] to 0, in steps of 1/256, and scale the others up.

    On a CPU it is far faster than torch's.

    Reference: Srivastava et al. (2014), Dropout: a simple way to prevent neural networks from overfitting, JMLR 15.
    """
    limit = min(round(256 * share), 255)
    members, rows, width = units.shape

    def draw(rows: int) -> Tensor:
        count = members * rows * width
        words = torch.empty(-(-count // 8), dtype=torch.int64, device=units.device).random_(-(2**63), None)
        return words.view(torch.uint8)[:count].view(members, rows, width)

    return units * (draw_rows(draw, rows, dim=1) >= limit) * (256 / (256 - limit))


class DenoisingNet(CodeNetwork):
    """Several small networks side by side, as batched matrix products, and a linear connection past them.

    The code is the last hidden layer of every member, and linear units that all share.
    """

    heads: NaturalHeads

    def __init__(self, layout: Layout, hidden: tuple[int, ...], members: int, pieces: int, dropout: float) -> None:
        super().__init__()
        self.dropout, self.heads = dropout, NaturalHeads(layout, LINEAR_UNITS)
        outputs = self.heads.linear.out_features
        self.members = max(1, min(members, MOST_PARAMETERS // max(outputs, 1)))
        self.input = PiecewiseInput(layout, self.members * hidden[0] + LINEAR_UNITS, pieces)
        pairs = list(zip(hidden, (*hidden[1:], outputs), strict=True))
        self.weights = nn.ParameterList(member_matrices(self.members, *pair) for pair in pairs)
        self.biases = nn.ParameterList(torch.zeros(self.members, 1, after) for after in hidden[1:])
        with torch.no_grad():
            self.weights[-1].mul_(0.2)

    def encode(self, x: Tensor, observed: Tensor) -> Tensor:
        """Return the code, [n, members * width + linear units]."""
        first = self.input(x, observed)
        hidden = self._by_member(first)
        for weight, bias in zip(self.weights, self.biases, strict=False):
            hidden = member_products(self._activate(hidden), weight) + bias
        return torch.cat([self._activate(hidden).transpose(0, 1).flatten(1), first[:, -LINEAR_UNITS:]], dim=1)

    def _by_member(self, units: Tensor) -> Tensor:
        """Return the members' part of units [n, members * width + linear units], [members, n, width]."""
        return torch.unflatten(units[:, :-LINEAR_UNITS], 1, (self.members, -1)).transpose(0, 1)

    def _activate(self, hidden: Tensor) -> Tensor:
        activated = F.silu(hidden)
        return dropout(activated, self.dropout) if self.training and self.dropout else activated

    def member_parameters(self, code: Tensor) -> Tensor:
        """Return each member's parameters of the columns' likelihoods, [members, n, parameters]."""
        linear: Tensor = self.heads(code[:, -LINEAR_UNITS:])
        return member_products(self._by_member(code), self.weights[-1]) + linear

    def decode(self, code: Tensor) -> Tensor:
        """Return the parameters of the columns' likelihoods, the members' mean."""
        return self.heads.pooled(self.member_parameters(code))


def hidden_cells(observed: Tensor, hide: float, patterns: float) -> Tensor:
    """Choose cells to hide in training, bool [n, columns].

    A share `patterns` of the rows hides the cells that another row of the batch lacks, and one more; the others hide
    each cell with a probability that differs from row to row, uniform between 0 and twice `hide`.
    """
    n, columns = observed.shape
    device = observed.device
    hidden = torch.rand(observed.shape, device=device) < 2 * hide * torch.rand(n, 1, device=device)
    lacking = ~observed[torch.randint(n, (n,), device=device)]
    lacking.scatter_(1, torch.randint(columns, (n, 1), device=device), True)
    return torch.where(torch.rand(n, 1, device=device) < patterns, lacking, hidden)


@dataclass(kw_only=True)
class Denoising(Reconstructor[DenoisingNet]):
    """An ensemble of autoencoders trained to undo three kinds of corruption at once.

    Each training row has Gaussian noise added to its numbers, some of its cells swapped for the same column's value in
    another row, and some hidden, partly those that another row lacks (by default cells are only hidden). Minimises the
    mean negative log-likelihood of the hidden cells, and of the visible ones by a smaller weight:
    loss = -mean log p(x | decoder(encoder(corrupted x))). Numbers are expected on their natural scale; the members
    share the data and a linear connection from input to heads, and their predictions are averaged.

    Reference: Vincent et al. (2010), Stacked denoising autoencoders, JMLR 11 (noise and masking); Yoon et al. (2020),
    VIME, NeurIPS (swapped cells); Gondara and Wang (2018), MIDA, PAKDD (imputation); Gorishniy, Kotelnikov and Babenko
    (2025), TabM, ICLR (members as one network).

    Examples
    --------
    >>> Denoising(noise=0.1).params()["noise"]
    0.1
    """

    name = "denoising"

    hidden: tuple[int, ...] = param((128, 128), low=1, high=100_000, help="Widths of each member's hidden layers.")
    members: int = param(4, low=1, high=1000, help="Networks that are averaged; fewer in very wide tables.")
    pieces: int = param(16, low=1, high=1000, help="Quantile ranges that each number is split into, at most.")
    dropout: float = param(0.1, low=0.0, high=0.95, help="Share of the hidden units left out in training.")
    noise: float = param(0.0, low=0.0, high=10.0, help="Standard deviation of the noise, in each column's scale.")
    swap: float = param(0.0, low=0.0, high=0.95, help="Share of the cells that take another row's value.")
    hide: float = param(0.35, low=0.0, high=0.5, help="Mean share of the cells hidden in training, where at random.")
    patterns: float = param(0.5, low=0.0, high=1.0, help="Share of the rows that hide cells that another row lacks.")
    visible: float = param(0.05, low=0.0, high=1.0, help="Weight of a visible cell in the loss; a hidden one's is 1.")
    augmented_rows: int = param(
        256,
        low=1,
        high=1_000_000,
        help="Smaller batches are repeated, otherwise corrupted each time, up to about this.",
    )
    epochs: int = param(15, low=1, high=100_000, help="Passes over the training rows.")
    learning_rate: float = param(6e-3, low=1e-7, high=1.0, help="Step size of Adam at the start; it decays.")
    weight_decay: float = param(1e-2, low=0.0, high=1.0, help="Decoupled weight decay of Adam.")
    holdout: float = param(0.0, low=0.0, high=0.5, help="Share of the rows held out to decide when to stop.")

    def build(self, layout: Layout) -> DenoisingNet:
        """Return the network for this layout."""
        return DenoisingNet(layout, self.hidden, self.members, self.pieces, self.dropout)

    def loss(self, net: DenoisingNet, x: Tensor, observed: Tensor) -> Tensor:
        """Mean negative log-likelihood of the hidden cells (nats per cell), and some of that of the visible ones."""
        copies = max(1, round(self.augmented_rows / len(x)))
        x, observed = x.repeat(copies, 1), observed.repeat(copies, 1)
        x, observed, shown, seen = split_rows(x, observed, *self.corrupt(x, observed))
        weight = torch.where(seen, self.visible, observed.float())
        return net.heads.mean_nll_of_members(net.member_parameters(net.encode(shown, seen)), x, weight)

    def corrupt(self, x: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
        """Return a corrupted batch: noise on numbers, swapped cells, hidden cells."""
        seen = observed & ~hidden_cells(observed, self.hide, self.patterns)
        if self.noise:
            numbers = torch.zeros(x.shape[1], device=x.device)
            numbers[torch.from_numpy(self.layout_.numbers).to(x.device)] = self.noise
            x = x + numbers * torch.randn_like(x)
        if self.swap:
            swapped = torch.rand(x.shape, device=x.device) < self.swap
            donor = torch.rand(x.shape, device=x.device).argsort(dim=0)
            x = torch.where(swapped, x.gather(0, donor), x)
            seen = torch.where(swapped, seen & observed.gather(0, donor), seen)
        return x, seen

"""The masked autoencoder: every column predicted from the others, and their surprisals added."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from anomalo.neural import CodeNetwork, ColumnInput, MixtureHeads, Reconstructor, activate, mlp, split_rows
from anomalo.plugin import Cells, Encoded, Layout, Run, Scores, param

MOST_GAUSSIANS = 640
"""Gaussians of all numbers together, at most, as long as each has one: the head grows with them."""

SINGLE_WEIGHT = 0.1
"""Weight of a number's energy by itself, relative to its surprisal given the others."""

Prediction = tuple[Tensor, MixtureHeads, Tensor, tuple[Tensor, Tensor]]
"""Hidden columns [k], their heads, their likelihoods' parameters, and their part of (x, observed), each [n, k]."""


class MaskedNet(CodeNetwork):
    """From what is visible of a row to the likelihood of every column."""

    heads: MixtureHeads

    def __init__(self, layout: Layout, hidden: tuple[int, ...], components: int) -> None:
        super().__init__()
        self.input = ColumnInput(layout, hidden[0])
        self.body = nn.Sequential(activate("silu"), mlp(*hidden))
        self.heads = MixtureHeads(layout, hidden[-1], components)

    def encode(self, x: Tensor, observed: Tensor) -> Tensor:
        """Return the representation that every column is predicted from, [n, width]."""
        hidden: Tensor = self.body(self.input(x, observed))
        return hidden


@dataclass(kw_only=True)
class MaskedAutoencoder(Reconstructor[MaskedNet]):
    """Predicts hidden cells from the visible ones, and scores by the surprisal of each cell given the others.

    In training each row hides a random share of its cells; the loss is the mean negative log-likelihood of
    the hidden ones, under a mixture of Gaussians for a number and softmax for a category. The score is the
    pseudo-likelihood sum_c -log p(x_c | the other cells), in nats, so that a cell's contribution is its
    surprisal, plus a tenth of each number's energy by itself, z_c^2 / 2 with z_c its robust z-score: cells that are
    anomalous together predict each other. Wide tables hide several columns at a time (`passes`).

    Reference: Besag (1975), Statistical analysis of non-lattice data, The Statistician 24 (pseudo-likelihood);
    Germain et al. (2015), MADE, ICML; Bishop (1994) for the mixtures.

    Examples
    --------
    >>> MaskedAutoencoder(components=3).params()["components"]
    3
    """

    name = "masked"

    hidden: tuple[int, ...] = param((128, 128), low=1, high=100_000, help="Widths of the hidden layers.")
    components: int = param(5, low=1, high=100, help="Gaussians in the mixture for each number; fewer in wide tables.")
    passes: int = param(16, low=1, high=100_000, help="Passes over each row to score it, at most.")
    hide: float = param(0.3, low=0.0, high=0.5, help="Mean share of the cells hidden from the network in training.")

    def build(self, layout: Layout) -> MaskedNet:
        """Return the network for this layout."""
        components = max(1, min(self.components, MOST_GAUSSIANS // max(1, len(layout.blocks))))
        return MaskedNet(layout, self.hidden, components)

    def loss(self, net: MaskedNet, x: Tensor, observed: Tensor) -> Tensor:
        """Mean negative log-likelihood of the hidden cells (nats per cell)."""
        share = torch.rand(len(x), 1, device=x.device) * 2 * self.hide
        hidden = torch.rand(x.shape, device=x.device) < share
        hidden.scatter_(1, torch.randint(x.shape[1], (len(x), 1), device=x.device), True)  # one at least
        x, observed, hidden = split_rows(x, observed, hidden)
        return net.heads.mean_nll(net(x, observed & ~hidden), x, observed & hidden)

    def finish(self, data: Encoded, run: Run) -> None:
        """Choose which columns are hidden together."""
        columns = len(data.layout.blocks)
        order = run.rng.permutation(columns)
        self.hidden_together_ = (order % min(self.passes, columns)).astype("int64")

    def _predictions(self) -> Callable[[Tensor, Tensor], Iterator[Prediction]]:
        """Return the function from a batch to its predictions, one group of hidden columns at a time."""
        net = self.net
        device = next(net.parameters()).device
        groups = [(self.hidden_together_ == group).nonzero()[0] for group in range(self.hidden_together_.max() + 1)]
        parts = [(torch.from_numpy(group).to(device), net.heads.only(group.tolist())) for group in groups]

        def predictions(x: Tensor, observed: Tensor) -> Iterator[Prediction]:
            for columns, heads in parts:
                code = net.encode(x, observed.index_fill(1, columns, False))
                yield columns, heads, heads(code), (x[:, columns], observed[:, columns])

        return predictions

    def _single_energies(self, x: Tensor, observed: Tensor) -> Tensor:
        """Return each number's weighted energy by itself, [n, columns]; 0 for categories and where not observed."""
        number = torch.zeros(x.shape[1], device=x.device).index_fill(0, self.net.heads.numbers, 1.0)
        return 0.5 * SINGLE_WEIGHT * (x * observed * number).square()

    def score(self, data: Encoded) -> Scores:
        """Return the rows' anomaly scores, float64 [n] in nats."""
        predictions = self._predictions()

        def total(x: Tensor, observed: Tensor) -> tuple[Tensor]:
            sums = [heads.nll(found, *cells).sum(dim=1) for _, heads, found, cells in predictions(x, observed)]
            return (torch.stack([*sums, self._single_energies(x, observed).sum(dim=1)]).sum(dim=0),)

        scores: Scores = self.infer(total, data)[0].astype("float64")
        return scores

    def explain(self, data: Encoded) -> Cells:
        """Return each cell's surprisal, and its expectation given the other cells."""
        predictions = self._predictions()

        def by_cell(x: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
            surprisal, expected = torch.empty_like(x), torch.empty_like(x)
            for columns, heads, found, cells in predictions(x, observed):
                surprisal[:, columns] = heads.nll(found, *cells)
                expected[:, columns] = heads.expected(found)
            return surprisal + self._single_energies(x, observed), expected

        surprisal, expected = self.infer(by_cell, data)
        return Cells(surprisal.astype("float64"), expected)

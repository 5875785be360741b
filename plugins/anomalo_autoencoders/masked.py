"""The masked autoencoder: every column predicted from the others, its surprise summed up."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from anomalo.neural import ColumnInput, MixtureHeads, Reconstructor, activate, mlp
from anomalo.plugin import Cells, Encoded, Layout, Run, Scores, param

WIDEST = 640
"""Gaussians of all numbers together, at most, where that leaves one for each: the head grows with them."""


class MaskedNet(nn.Module):
    """From what is visible of a row to the likelihood of every column."""

    def __init__(self, layout: Layout, hidden: tuple[int, ...], components: int) -> None:
        super().__init__()
        self.input = ColumnInput(layout, hidden[0])
        self.body = nn.Sequential(activate("silu"), mlp(*hidden))
        self.heads = MixtureHeads(layout, hidden[-1], components)

    def encode(self, x: Tensor, observed: Tensor) -> Tensor:
        """Return the representation that every column is predicted from, [n, width]."""
        hidden: Tensor = self.body(self.input(x, observed))
        return hidden

    def decode(self, code: Tensor) -> Tensor:
        """Return the parameters of the columns' likelihoods for representations [n, width]."""
        parameters: Tensor = self.heads(code)
        return parameters

    def forward(self, x: Tensor, observed: Tensor) -> Tensor:
        """Return the parameters of the columns' likelihoods."""
        return self.decode(self.encode(x, observed))


@dataclass(kw_only=True)
class MaskedAutoencoder(Reconstructor):
    """Predicts hidden cells from the visible ones, and scores by how surprising each cell is to the others.

    In training each row hides a random share of its cells; the loss is the mean negative log-likelihood of
    the hidden ones, under a mixture of Gaussians for a number and softmax for a category. The score is the
    pseudo-likelihood sum_c -log p(x_c | the other cells), in nats, so that a cell's contribution is its own
    surprise. Wide tables hide several columns at a time (`passes`).

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
    passes: int = param(16, low=1, high=100_000, help="How many times a row is looked at to score it, at most.")
    hide: float = param(0.3, low=0.0, high=0.5, help="Mean share of the cells hidden from the network in training.")

    def build(self, layout: Layout) -> nn.Module:
        """Return the network for this layout."""
        components = max(1, min(self.components, WIDEST // max(1, len(layout.blocks))))
        return MaskedNet(layout, self.hidden, components)

    def loss(self, net: nn.Module, x: Tensor, observed: Tensor) -> Tensor:
        """Mean negative log-likelihood of the hidden cells (nats per cell)."""
        share = torch.rand(len(x), 1, device=x.device) * 2 * self.hide
        hidden = torch.rand(x.shape, device=x.device) < share
        hidden.scatter_(1, torch.randint(x.shape[1], (len(x), 1), device=x.device), True)  # one at least
        return self.heads(net).mean_nll(net(x, observed & ~hidden), x, observed & hidden)

    def finish(self, data: Encoded, run: Run) -> None:
        """Choose which columns are hidden together."""
        columns = len(data.layout.blocks)
        order = run.rng.permutation(columns)
        self.together_ = (order % min(self.passes, columns)).astype("int64")

    def _looks(self) -> Callable[[Tensor, Tensor], Iterator[tuple[Tensor, Tensor]]]:
        """Return the function from a batch to (hidden columns [columns], parameters), one pair a pass."""
        device = next(self.net.parameters()).device
        groups = torch.from_numpy(self.together_).to(device)

        def looks(x: Tensor, observed: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
            for group in range(int(groups.max()) + 1):
                hidden = groups == group
                yield hidden, self.net(x, observed & ~hidden)

        return looks

    def score(self, data: Encoded) -> Scores:
        """Return the negative pseudo-log-likelihood of the observed cells, float64 [n] in nats."""
        heads, looks = self.heads(self.net), self._looks()

        def total(x: Tensor, observed: Tensor) -> tuple[Tensor]:
            return (sum(heads.nll(found, x, observed & hidden).sum(dim=1) for hidden, found in looks(x, observed)),)

        scores: Scores = self.infer(total, data)[0].astype("float64")
        return scores

    def explain(self, data: Encoded) -> Cells:
        """Return each cell's surprise, and its expectation given the other cells."""
        heads, looks = self.heads(self.net), self._looks()

        def cells(x: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
            surprise, expected = torch.zeros_like(x), torch.zeros_like(x)
            for hidden, found in looks(x, observed):
                surprise += heads.nll(found, x, observed & hidden)
                expected += heads.expected(found) * hidden
            return surprise, expected

        surprise, expected = self.infer(cells, data)
        return Cells(surprise.astype("float64"), expected)

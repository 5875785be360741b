"""The not-MIWAE: a variational autoencoder that also models why cells are missing."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anomalo.neural import ColumnHeads
from anomalo.plugin import Layout
from anomalo_autoencoders.variational.importance_weighted_codes import quantile_nodes
from anomalo_autoencoders.variational.miwae import Miwae
from anomalo_autoencoders.variational.variational_network import Missingness, VariationalNet


class SelfMasking(nn.Module, Missingness):
    """Each cell is missing by its value: log odds that are linear in a number, and one for each level."""

    def __init__(self, heads: ColumnHeads) -> None:
        super().__init__()
        self.heads = (heads,)  # in a tuple, so that the weights are not counted twice
        count = len(heads.mean)
        self.offset, self.slope = nn.Parameter(torch.zeros(count)), nn.Parameter(torch.zeros(count))
        self.level = nn.Parameter(torch.zeros(heads.linear.out_features - count))

    def odds(self, values: Tensor) -> Tensor:
        """Return the log odds that standardised numbers [..., numbers] are missing."""
        return self.offset + self.slope * values

    def of_numbers(self, values: Tensor) -> Tensor:
        """Return log p(missing | value), [n, k, numbers]."""
        return F.logsigmoid(self.odds(values))

    def of_levels(self, parameters: Tensor) -> Tensor:
        """Return the parameters, with each level's logit raised by log p(missing | level)."""
        count = len(self.offset)
        return torch.cat([parameters[:, :count], parameters[:, count:] + F.logsigmoid(self.level)], dim=1)

    def log_likelihood(self, parameters: Tensor, x: Tensor, observed: Tensor) -> Tensor:
        """Return log p(a row's mask | its observed cells, code), [n]; missing cells are integrated out."""
        heads, count = self.heads[0], len(self.offset)
        seen = F.logsigmoid(-self.odds(heads.standardise(x)))
        values = quantile_nodes(heads, parameters)
        unseen = torch.logsumexp(self.of_numbers(values), dim=1) - torch.tensor(float(values.shape[1])).log()
        total = torch.where(heads.pick(observed), seen, unseen).sum(dim=1)
        raised = self.of_levels(parameters)
        for group in heads.groups:
            odds = self.level[group.slice.start - count : group.slice.stop - count].view(-1, group.width)
            level_odds = odds.expand(len(x), -1, -1).gather(2, group.codes(x)[:, :, None]).squeeze(2)
            logits = (torch.unflatten(part[:, group.slice], 1, odds.shape) for part in (raised, parameters))
            missing, all_ = (part.float().logsumexp(dim=2) for part in logits)
            cells = torch.where(observed.index_select(1, group.columns), F.logsigmoid(-level_odds), missing - all_)
            total = total + cells.sum(dim=1)
        return total


class NotMiwaeNet(VariationalNet):
    """A variational autoencoder and a model of the mask."""

    def __init__(self, layout: Layout, hidden: tuple[int, ...], latent: int) -> None:
        super().__init__(layout, hidden, latent)
        self.masking = SelfMasking(self.heads)

    def evidence(self, parameters: Tensor, x: Tensor, observed: Tensor) -> Tensor:
        """Return log p(a row's observed cells and its mask | code), [n]."""
        return super().evidence(parameters, x, observed) + self.masking.log_likelihood(parameters, x, observed)

    @property
    def missingness(self) -> Missingness:
        """The model of the mask."""
        return self.masking


@dataclass(kw_only=True)
class NotMiwae(Miwae):
    """A variational autoencoder for values that are missing not at random: large or small ones, or some levels.

    loss = -log(1/K sum_k p(observed x | z_k) p(mask | observed x, z_k) p(z_k) / q(z_k | shown x)) / cells, where each
    cell is missing with a probability that is logistic in its value (self-masking); missing cells are independent
    given the code, and integrated out by quadrature instead of drawn. If cells are missing at random, `miwae`
    is the better choice.

    Reference: Ipsen, Mattei and Frellsen (2021), not-MIWAE: deep generative modelling with missing not at random data,
    ICLR, equations 8 and 13.

    Examples
    --------
    >>> NotMiwae(particles=5).params()["particles"]
    5
    """

    name = "notmiwae"

    def build(self, layout: Layout) -> NotMiwaeNet:
        """Return the network for this layout."""
        return NotMiwaeNet(layout, self.hidden, self._codes(layout))

"""The denoising autoencoder: it sees a damaged row and gives back the whole one."""

from dataclasses import dataclass

import torch
from torch import Tensor

from anomalo.plugin import param
from anomalo_autoencoders.undercomplete import Undercomplete


@dataclass(kw_only=True)
class Denoising(Undercomplete):
    """An autoencoder trained to undo three kinds of damage at once.

    Each training row has Gaussian noise added to its numbers, some of its cells swapped for the same column's
    value in another row, and some hidden. Minimises the mean negative log-likelihood of the undamaged cells,
    loss = -mean log p(x | decoder(encoder(damaged x))).

    Reference: Vincent et al. (2010), Stacked denoising autoencoders, JMLR 11 (noise and masking); swap noise
    as in Jahrer's solution of Porto Seguro (2017), and Yoon et al. (2020), VIME, NeurIPS.

    Examples
    --------
    >>> Denoising(noise=0.1).params()["noise"]
    0.1
    """

    name = "denoising"

    noise: float = param(0.2, low=0.0, high=10.0, help="Standard deviation of the noise, in units of each spread.")
    swap: float = param(0.1, low=0.0, high=0.95, help="Share of the cells that take another row's value.")

    def corrupt(self, x: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
        """Return a damaged batch: noise on numbers, swapped cells, hidden cells."""
        numbers = torch.zeros(x.shape[1], device=x.device)
        numbers[torch.from_numpy(self.layout_.numbers).to(x.device)] = self.noise
        swapped = torch.rand(x.shape, device=x.device) < self.swap
        donor = torch.rand(x.shape, device=x.device).argsort(dim=0)
        damaged = torch.where(swapped, x.gather(0, donor), x) + numbers * torch.randn_like(x)
        seen = torch.where(swapped, observed.gather(0, donor), observed)
        return super().corrupt(damaged, seen)

"""One step of adversarial training on a table: what the generator makes of a batch, and rows enough for one pack."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from anomalo_gan.networks.gan_network import GanNetwork


@dataclass(frozen=True)
class RowGame:
    """Generates synthetic rows from what is given of real ones, as `AdversarialStep` takes it.

    Parameters
    ----------
    net : GanNetwork
    temperature : float
    hard : bool
        See `OneHotFormat.relax`.
    """

    net: GanNetwork
    temperature: float
    hard: bool

    def __call__(self, real: Tensor, given: Tensor) -> Tensor:
        """Return synthetic rows [n, entries]; gradients pass through them."""
        format, generator = self.net.format, self.net.generator
        known = format.items_to_entries(given)
        noise = torch.randn(len(real), generator.noise, device=real.device)
        numbers, logits = generator(noise, real * known, given)
        return torch.where(known > 0, real, format.join(numbers, format.relax(logits, self.temperature, self.hard)))


def fill_pack(net: GanNetwork, x: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
    """Repeat rows that are too few for one pack of the critic's."""
    if len(x) >= net.critic.pack:
        return x, observed
    rows = torch.arange(net.critic.pack, device=x.device) % len(x)
    return x[rows], observed[rows]

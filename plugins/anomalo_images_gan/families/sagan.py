"""The self-attention GAN."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import nn
from torch.optim import Adam, Optimizer

from anomalo.plugin import param
from anomalo_images_gan.groups import HELP
from anomalo_images_gan.networks.sagan import SaganDiscriminator, SaganGenerator
from anomalo_images_gan.regularised_gan import RegularisedGan


@dataclass(kw_only=True)
class Sagan(RegularisedGan):
    """Draws images by convolutions and self-attention, all with spectral normalisation.

    The critic learns `critic_rate` times as fast as the generator. Losses and penalty are those of `gan`: with the
    paper's hinge loss all images were alike after a minute on digits.

    References: Zhang, Goodfellow, Metaxas and Odena (2019), Self-attention generative adversarial networks, ICML;
    Heusel et al. (2017), GANs trained by a two time-scale update rule converge to a local Nash equilibrium, NIPS.

    Examples
    --------
    >>> Sagan(critic_rate=4.0).params()["critic_rate"]
    4.0
    """

    name = "sagan"
    betas: ClassVar[tuple[float, float]] = (0.0, 0.9)

    learning_rate: float = param(1e-3, low=1e-7, high=1.0, help="Step size of Adam for the generator; it decays.")
    penalty: float = param(0.1, low=0.0, high=1e6, help="Weight of the penalty on the critic's gradient.")
    groups: int = param(10, low=0, high=1000, help=HELP)
    critic_rate: float = param(1.0, low=0.01, high=100.0, help="Step size of the critic, in parts of the generator's.")

    def make_generator(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """Return the generator."""
        return SaganGenerator(shape, self.noise, self.width, classes)

    def make_critic(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """Return the critic."""
        return SaganDiscriminator(shape, self.width, classes)

    def optimizers(self, parameters: Sequence[nn.Parameter]) -> list[Optimizer]:
        """Return the critic's and the generator's Adam, with a step size each."""
        networks = ((self.net.critic, self.critic_rate), (self.net.generator, 1.0))
        return [
            Adam(network.parameters(), lr=self.learning_rate * rate, betas=self.betas, fused=True)
            for network, rate in networks
        ]

"""TransGAN, small."""

from dataclasses import dataclass

from torch import nn

from anomalo.plugin import param
from anomalo_images_gan.networks.transgan import HEADS, TransGanDiscriminator, TransGanGenerator
from anomalo_images_gan.regularised_gan import RegularisedGan


@dataclass(kw_only=True)
class TransGan(RegularisedGan):
    """Draws images by transformer blocks, without convolutions.

    Reference: Jiang, Chang and Wang (2021), TransGAN: two pure transformers can make one strong GAN, and that can scale
    up, NeurIPS; with the losses and the penalty of `gan`.

    Examples
    --------
    >>> TransGan(depth=2).params()["depth"]
    2
    """

    name = "transgan"

    learning_rate: float = param(1e-3, low=1e-7, high=1.0, help="Step size of Adam for both networks; it decays.")
    width: int = param(16, low=1, high=1024, help="Width of a token at the smallest size, for each of four heads.")
    depth: int = param(1, low=1, high=100, help="Transformer blocks at each size.")

    def make_generator(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """Return the generator."""
        return TransGanGenerator(shape, self.noise, HEADS * self.width, self.depth, classes)

    def make_critic(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """Return the critic."""
        return TransGanDiscriminator(shape, HEADS * self.width, self.depth, classes)

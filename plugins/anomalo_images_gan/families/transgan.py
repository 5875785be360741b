"""TransGAN."""

from dataclasses import dataclass

from torch import nn

from anomalo.plugin import param
from anomalo_images_gan.networks.transgan import TransGanDiscriminator, TransGanGenerator
from anomalo_images_gan.regularised_gan import RegularisedGan


@dataclass(kw_only=True)
class TransGan(RegularisedGan):
    """Draws images by transformer blocks alone: both networks are without convolutions.

    Reference: Jiang, Chang and Wang (2021), TransGAN: two pure transformers can make one strong GAN, and that can scale
    up, NeurIPS; with the losses and the penalty of `gan`.

    Examples
    --------
    >>> TransGan(blocks=2).params()["heads"]
    2
    """

    name = "transgan"

    learning_rate: float = param(1e-3, low=1e-7, high=1.0, help="Step size of Adam for both networks; it decays.")
    width: int = param(24, low=1, high=4096, help="Channels of a token at full size; each halving doubles, up to four.")
    heads: int = param(2, low=1, high=64, help="Heads of attention, at most: so many as divide the channels.")
    blocks: int = param(1, low=1, high=100, help="Transformer blocks at each size.")

    def make_generator(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """Return the generator."""
        return TransGanGenerator(shape, self.noise, self.width, self.heads, self.blocks, classes)

    def make_critic(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """Return the critic."""
        return TransGanDiscriminator(shape, self.width, self.heads, self.blocks, classes)

"""BigGAN, small."""

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from anomalo.plugin import param
from anomalo_images_gan.families.sagan import Sagan
from anomalo_images_gan.networks.biggan import BigGanDiscriminator, BigGanGenerator


@dataclass(kw_only=True)
class BigGan(Sagan):
    """Draws images by residual blocks whose normalisations see a part of the noise and the label's shared embedding.

    `truncation` trades variety for typical images. Otherwise as `sagan`.

    Reference: Brock, Donahue and Simonyan (2019), Large scale GAN training for high fidelity natural image synthesis,
    ICLR.

    Examples
    --------
    >>> BigGan(truncation=0.5).params()["truncation"]
    0.5
    """

    name = "biggan"
    betas: ClassVar[tuple[float, float]] = (0.0, 0.99)

    learning_rate: float = param(2e-3, low=1e-7, high=1.0, help="Step size of Adam for the generator; it decays.")
    width: int = param(12, low=1, high=4096, help="Channels at the full size; each halving doubles them, up to four.")
    penalty: float = param(1.0, low=0.0, high=1e6, help="Weight of the penalty on the critic's gradient.")
    critic_rate: float = param(0.5, low=0.01, high=100.0, help="Step size of the critic, in parts of the generator's.")
    truncation: float = param(
        0.0, low=0.0, high=10.0, help="Images are drawn from noise below this size, in deviations; 0 cuts none off."
    )

    def make_generator(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """Return the generator."""
        return BigGanGenerator(shape, self.noise, self.width, classes, self.truncation)

    def make_critic(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """Return the critic."""
        return BigGanDiscriminator(shape, self.width, classes)

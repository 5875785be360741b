"""StyleGAN."""

from dataclasses import dataclass

from torch import nn

from anomalo.plugin import param
from anomalo_images_gan.groups import HELP
from anomalo_images_gan.networks.progan import ProGanDiscriminator
from anomalo_images_gan.networks.stylegan import StyleGanGenerator
from anomalo_images_gan.regularised_gan import RegularisedGan


@dataclass(kw_only=True)
class StyleGan(RegularisedGan):
    """Draws images from a learned constant, whose style each layer takes from a latent, with noise for each pixel.

    In training the styles of `mixing` of the images come from two latents. The critic is that of `progan`, grown up
    from the start.

    Reference: Karras, Laine and Aila (2019), A style-based generator architecture for generative adversarial networks,
    CVPR.

    Examples
    --------
    >>> StyleGan(truncation=0.7).params()["mixing"]
    0.9
    """

    name = "stylegan"

    groups: int = param(10, low=0, high=1000, help=HELP)
    depth: int = param(4, low=1, high=100, help="Layers of the network from noise to latents.")
    mixing: float = param(0.9, low=0.0, high=1.0, help="Share of the images in training whose styles are mixed.")
    truncation: float = param(
        1.0, low=0.0, high=1.0, help="What a latent's deviation from the mean is multiplied by when images are drawn."
    )

    def make_generator(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """Return the generator."""
        return StyleGanGenerator(shape, self.noise, self.width, self.depth, classes, self.mixing, self.truncation)

    def make_critic(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """Return the critic."""
        return ProGanDiscriminator(shape, self.width, classes)

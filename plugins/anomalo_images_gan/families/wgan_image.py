"""The Wasserstein GAN of images with a gradient penalty."""

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from anomalo.neural import one_centred_penalty
from anomalo.plugin import param
from anomalo_images_gan.groups import FromGroups
from anomalo_images_gan.image_gan import ImageGan
from anomalo_images_gan.networks.convolutional import ConvolutionalCritic, ConvolutionalGenerator


@dataclass(kw_only=True)
class WganImage(FromGroups, ImageGan):
    """Draws images by a GAN whose critic estimates the Wasserstein distance.

    The length of the critic's gradient is kept near 1 between real and synthetic images; so its normalisation must not
    mix images, and it has none.

    Reference: Gulrajani et al. (2017), Improved training of Wasserstein GANs, NIPS, algorithm 1.

    Examples
    --------
    >>> WganImage().params()["critic_steps"]
    3
    """

    name = "wgan_image"
    objective: ClassVar[str] = "wasserstein"
    betas: ClassVar[tuple[float, float]] = (0.0, 0.9)

    critic_steps: int = param(3, low=1, high=100, help="Steps of the critic for each step of the generator.")
    penalty: float = param(10.0, low=0.0, high=1e6, help="Weight of the penalty on the critic's gradient.")

    def make_generator(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """Return the generator."""
        return ConvolutionalGenerator(shape, self.noise, self.width, classes)

    def make_critic(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """Return the critic, without normalisation."""
        return ConvolutionalCritic(shape, self.width, classes, normalise=nn.Identity)

    def critic_outputs(
        self, critic: Any, real: Tensor, synthetic: Tensor, given: Tensor, weight: float
    ) -> tuple[Tensor, Tensor, Tensor | float]:
        """Return the critic's values of real and of synthetic images, and the penalty on its gradients between them."""
        on_real, on_synthetic = critic(real, given), critic(synthetic, given)
        if not weight:
            return on_real, on_synthetic, 0.0
        return on_real, on_synthetic, weight * one_centred_penalty(lambda x: critic(x, given), real, synthetic)

"""The deep convolutional GAN."""

from dataclasses import dataclass

from torch import nn

from anomalo_images_gan.groups import FromGroups
from anomalo_images_gan.image_gan import ImageGan
from anomalo_images_gan.networks.convolutional import ConvolutionalCritic, ConvolutionalGenerator


@dataclass(kw_only=True)
class DeepConvolutionalGan(ImageGan):
    """What `dcgan` and `cdcgan` share: the networks."""

    def make_generator(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """Return the generator."""
        return ConvolutionalGenerator(shape, self.noise, self.width, classes)

    def make_critic(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """Return the critic."""
        return ConvolutionalCritic(shape, self.width, classes)


@dataclass(kw_only=True)
class Dcgan(FromGroups, DeepConvolutionalGan):
    """Draws images by a deep convolutional GAN, built by five guidelines.

    Strided and fractionally strided convolutions instead of pooling; batch normalisation in both networks, but in the
    generator's last layer and the critic's first; no fully connected hidden layers; rectifiers in the generator, tanh
    at its end; leaky rectifiers in the critic. Adam, momentum and initial weights are the paper's. Without groups,
    it is the model of the paper.

    Reference: Radford, Metz and Chintala (2016), Unsupervised representation learning with deep convolutional
    generative adversarial networks, ICLR.

    Examples
    --------
    >>> Dcgan(width=16).params()["noise"]
    64
    """

    name = "dcgan"

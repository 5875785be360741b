"""The conditional deep convolutional GAN."""

from dataclasses import dataclass
from typing import ClassVar

from anomalo_images_gan.families.dcgan import DeepConvolutionalGan
from anomalo_images_gan.image_generator import FromClasses


@dataclass(kw_only=True)
class ConditionalDcgan(FromClasses, DeepConvolutionalGan):
    """Draws images of a class: both networks of a deep convolutional GAN are given the label.

    To the generator it is one more input beside the noise, to the critic a constant channel for each class.

    Reference: Mirza and Osindero (2014), Conditional generative adversarial nets; Radford, Metz and Chintala (2016),
    Unsupervised representation learning with deep convolutional generative adversarial networks, ICLR (the networks).

    Examples
    --------
    >>> ConditionalDcgan().needs_classes
    True
    """

    name = "cdcgan"
    needs_classes: ClassVar[bool] = True

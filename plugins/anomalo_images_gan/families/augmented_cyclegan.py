"""Augmented CycleGAN: translation without pairs from one image to many."""

from dataclasses import dataclass

from anomalo.plugin import param
from anomalo_images_gan.families.cyclegan import CycleGan


@dataclass(kw_only=True)
class AugmentedCycleGan(CycleGan):
    """Translates an image of one class into many of the other: a latent chooses which.

    As `cyclegan`; an encoder finds the latent that leads back, whose distribution a critic compares with a normal one.

    Reference: Almahairi, Rajeswar, Sordoni, Bachman and Courville (2018), Augmented CycleGAN: learning many-to-many
    mappings from unpaired data, ICML.

    Examples
    --------
    >>> AugmentedCycleGan(latent=4).latent_width
    4
    """

    name = "augmented_cyclegan"

    latent: int = param(4, low=1, high=1000, help="Width of the latent that chooses among translations.")

    @property
    def latent_width(self) -> int:
        """Width of the latent."""
        return self.latent

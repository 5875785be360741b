"""Generators of images: adversarial networks and diffusion.

A family of adversarial networks is a file in `families/`: a `@dataclass(kw_only=True)` that inherits `ImageGan`, with a
`name`, the paper, defaults of parameters that are other than those of `ImageGan`, and two methods:

- `make_generator(shape, classes)` returns a module that maps noise `[n, self.noise]` and labels, int64 `[n]`, to images
  `[n, C, H, W]` from -1 to 1;
- `make_critic(shape, classes)` returns one that maps images and labels to logits `[n]`, high for real images.

`classes` is 0 where the images have no labels; labels then mean nothing. A family that needs other losses sets
`objective` or overrides `critic_outputs`, one that grows overrides `step`, one that is asked for a class inherits
`FromClasses` too, and one that learns groups of images in place of classes `FromGroups`. Networks lie in `networks/`,
one idea a file. The class is returned below, and docs/image-generators.md lists it.
"""

from collections.abc import Iterable

from anomalo.plugin import Model, hookimpl


@hookimpl
def anomalo_models() -> Iterable[type[Model]]:
    """Return the models of this plugin; torch is imported only now."""
    from anomalo_images_gan.diffusion.image_ddpm import ImageDdpm
    from anomalo_images_gan.families.augmented_cyclegan import AugmentedCycleGan
    from anomalo_images_gan.families.biggan import BigGan
    from anomalo_images_gan.families.cdcgan import ConditionalDcgan
    from anomalo_images_gan.families.cyclegan import CycleGan
    from anomalo_images_gan.families.dcgan import Dcgan
    from anomalo_images_gan.families.pix2pix import Pix2Pix
    from anomalo_images_gan.families.progan import ProGan
    from anomalo_images_gan.families.sagan import Sagan
    from anomalo_images_gan.families.setgan import SetGan
    from anomalo_images_gan.families.stylegan import StyleGan
    from anomalo_images_gan.families.transgan import TransGan
    from anomalo_images_gan.families.wgan_image import WganImage

    generators = [Dcgan, ConditionalDcgan, WganImage, Sagan, BigGan, ProGan, StyleGan, TransGan, SetGan]
    return [*generators, Pix2Pix, CycleGan, AugmentedCycleGan, ImageDdpm]

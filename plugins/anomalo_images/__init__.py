"""Models of images: yardsticks without networks, and convolutional networks."""

from collections.abc import Iterable

from anomalo.plugin import Model, hookimpl


@hookimpl
def anomalo_models() -> Iterable[type[Model]]:
    """Return the models of this plugin; torch is imported only now."""
    from anomalo_images.networks.conv import Conv
    from anomalo_images.networks.conv_denoising import ConvDenoising
    from anomalo_images.yardsticks.filters import Filters
    from anomalo_images.yardsticks.local_pca import LocalPca
    from anomalo_images.yardsticks.patches import Patches

    return [LocalPca, Patches, Filters, Conv, ConvDenoising]

"""Models of images: yardsticks without networks, and convolutional networks."""

from collections.abc import Iterable

from anomalo.plugin import Model, hookimpl


@hookimpl
def anomalo_models() -> Iterable[type[Model]]:
    """Return the models of this plugin; torch is imported only now."""
    from anomalo_images.networks.classifier import ImageClassifier
    from anomalo_images.networks.conv import Conv
    from anomalo_images.networks.conv_contractive import ConvContractive
    from anomalo_images.networks.conv_denoising import ConvDenoising
    from anomalo_images.networks.conv_vae import ConvVae
    from anomalo_images.yardsticks.filters import Filters
    from anomalo_images.yardsticks.local_pca import LocalPca
    from anomalo_images.yardsticks.oja import Oja
    from anomalo_images.yardsticks.patches import Patches

    return [LocalPca, Oja, Patches, Filters, Conv, ConvContractive, ConvDenoising, ConvVae, ImageClassifier]

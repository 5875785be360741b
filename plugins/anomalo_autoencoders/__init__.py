"""Autoencoders for scoring and imputation."""

from collections.abc import Iterable

from anomalo.plugin import Model, hookimpl


@hookimpl
def anomalo_models() -> Iterable[type[Model]]:
    """Return the models of this plugin; torch is imported only now."""
    from anomalo_autoencoders.bottleneck.linear import LinearAutoencoder
    from anomalo_autoencoders.bottleneck.residual import Residual
    from anomalo_autoencoders.bottleneck.stacked import Stacked
    from anomalo_autoencoders.bottleneck.undercomplete import Undercomplete
    from anomalo_autoencoders.classifier import Classifier
    from anomalo_autoencoders.latent_interpolation import LatentInterpolation
    from anomalo_autoencoders.masking.denoising import Denoising
    from anomalo_autoencoders.masking.masked import MaskedAutoencoder
    from anomalo_autoencoders.regularised.contractive import Contractive
    from anomalo_autoencoders.regularised.overcomplete import Overcomplete
    from anomalo_autoencoders.regularised.sparse import Sparse
    from anomalo_autoencoders.variational.miwae import Miwae
    from anomalo_autoencoders.variational.not_miwae import NotMiwae
    from anomalo_autoencoders.variational.variational_autoencoder import Variational

    return [
        Classifier,
        Contractive,
        Denoising,
        LatentInterpolation,
        LinearAutoencoder,
        MaskedAutoencoder,
        Miwae,
        NotMiwae,
        Overcomplete,
        Residual,
        Sparse,
        Stacked,
        Undercomplete,
        Variational,
    ]

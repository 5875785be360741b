"""Autoencoders for scoring and imputation."""

from collections.abc import Iterable

from anomalo.plugin import Model, hookimpl


@hookimpl
def anomalo_models() -> Iterable[type[Model]]:
    """Return the models of this plugin; torch is imported only now."""
    from anomalo_autoencoders.classifier import Classifier
    from anomalo_autoencoders.contractive import Contractive
    from anomalo_autoencoders.denoising import Denoising
    from anomalo_autoencoders.interpolation import LatentInterpolation
    from anomalo_autoencoders.linear import LinearAutoencoder
    from anomalo_autoencoders.masked import MaskedAutoencoder
    from anomalo_autoencoders.miwae import Miwae
    from anomalo_autoencoders.notmiwae import NotMiwae
    from anomalo_autoencoders.overcomplete import Overcomplete
    from anomalo_autoencoders.residual import Residual
    from anomalo_autoencoders.sparse import Sparse
    from anomalo_autoencoders.stacked import Stacked
    from anomalo_autoencoders.undercomplete import Undercomplete
    from anomalo_autoencoders.variational import Variational

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

"""Autoencoders for scoring and imputation."""

from collections.abc import Iterable

from anomalo.plugin import Model, hookimpl


@hookimpl
def anomalo_models() -> Iterable[type[Model]]:
    """Return the models of this plugin; torch is imported only now."""
    from anomalo_autoencoders.linear import LinearAutoencoder
    from anomalo_autoencoders.undercomplete import Undercomplete

    return [LinearAutoencoder, Undercomplete]

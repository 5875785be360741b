"""Diffusion models for synthetic rows, scoring and imputation."""

from collections.abc import Iterable

from anomalo.plugin import Model, hookimpl


@hookimpl
def anomalo_models() -> Iterable[type[Model]]:
    """Return the models of this plugin; torch is imported only now."""
    from anomalo_diffusion.ddpm import Ddpm
    from anomalo_diffusion.edm import Edm

    return [Ddpm, Edm]

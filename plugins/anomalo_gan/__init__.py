"""Generative adversarial networks for tables: synthetic rows, any of whose cells may be given."""

from collections.abc import Iterable

from anomalo.plugin import Model, hookimpl


@hookimpl
def anomalo_models() -> Iterable[type[Model]]:
    """Return the models of this plugin; torch is imported only now."""
    from anomalo_gan.cgan import ConditionalGan
    from anomalo_gan.gan import Gan
    from anomalo_gan.wgan import WassersteinGan

    return [ConditionalGan, Gan, WassersteinGan]

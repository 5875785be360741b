"""The default models, of tables and of images: models of different kinds, brought to one scale and combined."""

from collections.abc import Iterable

from anomalo.plugin import Model, hookimpl
from anomalo_auto.auto import Auto
from anomalo_auto.images.image_auto import ImageAuto
from anomalo_auto.imputation.blend import Blend


@hookimpl
def anomalo_models() -> Iterable[type[Model]]:
    """Return the models of this plugin."""
    return [Auto, Blend, ImageAuto]

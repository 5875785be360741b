"""Pretrain a model: fit it without calibration, as a start for other models."""

from __future__ import annotations

import dataclasses

from anomalo.errors import UsageError
from anomalo.jobs.context import JobContext
from anomalo.jobs.fitting.fit import FitResult, fit
from anomalo.models.base import Model
from anomalo.models.capabilities import CanEmbed, CanPretrain, CanStart
from anomalo.pipeline.config import FitConfig
from anomalo.tabular.schema import SchemaOptions


def pretrain(
    context: JobContext, source: str, name: str, config: FitConfig, options: SchemaOptions, *, resume: bool = False
) -> FitResult:
    """Fit and save a model as `fit` does, without calibration: it has no p-values, and is quicker to fit.

    Raises
    ------
    UsageError
        The model has no encoder that another could start from. Besides, it raises what `fit` does.
    """
    config = dataclasses.replace(config, calibrate=False)
    return fit(context, source, name, config, options, resume=resume, require=_require_layers)


def _require_layers(model: Model) -> None:
    layered, encodes = isinstance(model, CanPretrain), isinstance(model, CanStart) and isinstance(model, CanEmbed)
    if not (layered or encodes):
        raise UsageError(
            f"model {model.name!r} cannot be pretrained: it has no encoder to start from; "
            "expected an autoencoder or a Boltzmann machine, such as denoising, stacked or dbn"
        )

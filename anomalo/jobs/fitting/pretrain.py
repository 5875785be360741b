"""Pretrain a model: fit it without judging it, for others to start from."""

from __future__ import annotations

import dataclasses

from anomalo.errors import UsageError
from anomalo.jobs.context import JobContext
from anomalo.jobs.fitting.fit import FitResult, fit
from anomalo.models.capabilities import CanEmbed, CanPretrain, CanStart
from anomalo.pipeline.config import FitConfig
from anomalo.tabular.schema import SchemaOptions


def pretrain(
    context: JobContext, source: str, name: str, config: FitConfig, options: SchemaOptions, *, resume: bool = False
) -> FitResult:
    """Do what `fit` does, but for the calibration: the model has no p-values, and is quicker to fit.

    Raises
    ------
    UsageError
        The model has nothing that another could start from; and whatever else `fit` raises.
    """
    model = config.create(context.registry)
    layered, encodes = isinstance(model, CanPretrain), isinstance(model, CanStart) and isinstance(model, CanEmbed)
    if not (layered or encodes):
        raise UsageError(
            f"model {model.name!r} cannot be pretrained: it has no encoder to start from; "
            "expected an autoencoder or a Boltzmann machine, such as denoising, stacked or dbn"
        )
    return fit(context, source, name, dataclasses.replace(config, calibrate=False), options, resume=resume)

"""Pretrain a model: fit it without judging it, for others to start from."""

from __future__ import annotations

import dataclasses

from anomalo.errors import UsageError
from anomalo.jobs.context import Place
from anomalo.jobs.fitting.fit import FitResult, fit
from anomalo.models.capabilities import CanEmbed, CanPretrain, CanStart
from anomalo.pipeline.config import Plan
from anomalo.tabular.schema import SchemaOptions


def pretrain(
    place: Place, source: str, name: str, plan: Plan, options: SchemaOptions, *, resume: bool = False
) -> FitResult:
    """Do what `fit` does, but for the calibration: the model has no p-values, and is quicker to fit.

    Raises
    ------
    UsageError
        The model has nothing that another could start from; and whatever else `fit` raises.
    """
    model = plan.create(place.registry)
    layered, encodes = isinstance(model, CanPretrain), isinstance(model, CanStart) and isinstance(model, CanEmbed)
    if not (layered or encodes):
        raise UsageError(
            f"model {model.name!r} cannot be pretrained: it has no encoder to start from; "
            "expected an autoencoder or a Boltzmann machine, such as denoising, stacked or dbn"
        )
    return fit(place, source, name, dataclasses.replace(plan, calibrate=False), options, resume=resume)

"""A fitted model as an artefact on disk, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from anomalo.calibration.changes import UsualBlocks
from anomalo.calibration.column_drift import Marginals
from anomalo.calibration.conformal import Calibration
from anomalo.calibration.regimes import Regimes
from anomalo.encoding.layout import Block
from anomalo.errors import ArtefactError, UsageError
from anomalo.evaluation.comparison.profile import Profile
from anomalo.feedback.patterns import Feedback
from anomalo.generators import constraints
from anomalo.models.base import Model
from anomalo.models.guard import Origin
from anomalo.models.guarded import GuardedModel, guard_part
from anomalo.models.results import HiddenCells
from anomalo.models.view import View
from anomalo.pipeline.fitted import Fitted
from anomalo.pipeline.saved_cleaner import CLEANER
from anomalo.pipeline.text_evidence import TextEvidence
from anomalo.registry.registry import Registry
from anomalo.tabular.schema import Schema
from anomalo.workspace import artifacts
from anomalo.workspace.artifacts import Artefact

FEEDBACK = "feedback"
"""The entry of a manifest with what reviews have taught the model; models without feedback have none."""
HIDDEN = ("width", "error", "baseline")
FACTS = (
    *(
        "model",
        "plugin",
        "plugins",
        "parameters",
        "seed",
        "goals",
        "rows",
        "history",
        "training",
        "fingerprint",
        "plan",
        "seconds",
    ),
    *("broken", "drift", "sampled", "calibrated", "initial", "classes", "unlabelled"),
)


def save_fitted(fitted: Fitted, folder: Path) -> None:
    """Write the artefact; nothing is left if it fails."""
    manifest = {
        **fitted.facts,
        "schema": fitted.schema.to_json(),
        "encoding": fitted.encoder.to_json(),
        "warnings": list(fitted.warnings),
        "surprisal_scale": fitted.calibration.surprisal_scale,
        "view": asdict(fitted.guarded.view),
        "rule_scale": fitted.calibration.rule_scale,
        "notes": [] if fitted.hidden is None else list(fitted.hidden.notes),
        "constraints": [constraints.to_json(one) for one in fitted.constraints],
    }
    kept: dict[str, NDArray[Any]] = {
        "reference": fitted.calibration.reference,
        "hashes": fitted.calibration.hashes,
        "out_of_fold": fitted.calibration.training_scores,
    }
    if fitted.marginals is not None:
        kept |= {"edges": fitted.marginals.edges, "cells": fitted.marginals.training}
    kept |= {f"regimes.{name}": array for name, array in vars(fitted.regimes).items()}
    if fitted.hidden is not None:
        kept |= {name: getattr(fitted.hidden, name) for name in HIDDEN}
    arrays = {"calibration": kept}
    if fitted.texts is not None:
        manifest["texts"], arrays["texts"] = list(fitted.texts.columns), fitted.texts.arrays()
    if fitted.profile is not None:
        arrays["profile"] = fitted.profile.arrays()
    if fitted.usual is not None:
        arrays["usual"] = fitted.usual.arrays()
    if fitted.feedback is not None:
        manifest[FEEDBACK] = fitted.feedback.to_json()
    artifacts.save(folder, manifest, fitted.guarded.state(), arrays)


def load_fitted(folder: Path, registry: Registry, device: str = "auto") -> Fitted:
    """Load an artefact; no code in it is executed.

    Raises
    ------
    ArtefactError
        It is absent, damaged, or its model's plugin is not installed.
    UsageError
        It is a cleaner.
    """
    artefact = artifacts.load(folder)
    if artefact.manifest.get("model") == CLEANER:
        raise UsageError(f"{folder} holds a cleaner, not a model; use it with anomalo clean --with")
    manifest, kept = artefact.manifest, artefact.arrays["calibration"]
    schema = Schema.from_json(manifest["schema"])
    view = View(**manifest["view"])
    model = replace(_restored(folder, artefact, schema.modality, registry), view=view)
    model.use(device)
    notes = tuple(manifest["notes"])
    hidden = HiddenCells(kept["width"], kept["error"], kept["baseline"], notes) if "width" in kept else None
    calibration = _calibration(artefact)
    encoder = registry.encoder(schema.modality).from_json(manifest["encoding"], schema)
    facts = {key: manifest[key] for key in FACTS if key in manifest}
    marginals = Marginals(kept["edges"], kept["cells"]) if "edges" in kept else None
    kept_constraints = [constraints.from_json(value) for value in manifest["constraints"]]
    parts = {name.removeprefix("regimes."): array for name, array in kept.items() if name.startswith("regimes.")}
    texts = TextEvidence.restored(artefact.arrays["texts"], manifest["texts"]) if "texts" in manifest else None
    regimes = Regimes(**parts)
    profile = Profile.restored(artefact.arrays["profile"]) if "profile" in artefact.arrays else None
    fitted = Fitted(
        schema, encoder, model, calibration, hidden, facts, marginals, kept_constraints, regimes, texts, profile
    )
    fitted.feedback = feedback_of(manifest)
    fitted.usual = UsualBlocks.restored(artefact.arrays["usual"]) if "usual" in artefact.arrays else None
    return fitted


def _calibration(artefact: Artefact) -> Calibration:
    manifest, kept = artefact.manifest, artefact.arrays["calibration"]
    scales = manifest["surprisal_scale"], manifest["rule_scale"]
    return Calibration(kept["reference"], kept["hashes"], kept["out_of_fold"], *scales)


def feedback_of(manifest: Mapping[str, Any]) -> Feedback | None:
    """Return what reviews have taught a saved model, by its manifest; None if nothing."""
    return Feedback.from_json(manifest[FEEDBACK]) if FEEDBACK in manifest else None


@dataclass(frozen=True)
class Recalibrated:
    """What feedback needs of a saved model, which itself is not loaded.

    Attributes
    ----------
    schema : Schema
        The columns, as understood.
    blocks : dict of str to Block
        How each is encoded.
    calibration : Calibration
        Out-of-fold scores.
    feedback : Feedback or None
        What reviews have taught it so far.
    """

    schema: Schema
    blocks: dict[str, Block]
    calibration: Calibration
    feedback: Feedback | None


def load_recalibrated(folder: Path, registry: Registry) -> Recalibrated:
    """Load what feedback needs of a saved model.

    Raises
    ------
    ArtefactError
        The artefact is absent or damaged.
    UsageError
        It is a cleaner, or its p-values are not calibrated.
    """
    artefact = artifacts.load(folder)
    if "calibration" not in artefact.arrays or not len(artefact.arrays["calibration"]["reference"]):
        raise UsageError(f"{folder} has no calibrated scores, which feedback would change; fit a model that scores")
    schema = Schema.from_json(artefact.manifest["schema"])
    layout = registry.encoder(schema.modality).from_json(artefact.manifest["encoding"], schema).layout
    blocks = {block.name: block for block in layout.blocks}
    return Recalibrated(schema, blocks, _calibration(artefact), feedback_of(artefact.manifest))


def save_with_feedback(source: Path, folder: Path, feedback: Feedback) -> None:
    """Write a copy of an artefact that has other feedback; nothing is left if it fails.

    Raises
    ------
    ArtefactError
        The artefact is absent or damaged.
    """
    artefact = artifacts.load(source)
    manifest = {name: entry for name, entry in artefact.manifest.items() if name not in artifacts.RESERVED}
    artifacts.save(folder, manifest | {FEEDBACK: feedback.to_json()}, artefact.state, artefact.arrays)


def load_profile(folder: Path) -> Profile | None:
    """Return the profile of a saved model's training table; None if it was saved without one.

    Raises
    ------
    ArtefactError
        The artefact is absent or damaged.
    """
    arrays = artifacts.load(folder).arrays
    return Profile.restored(arrays["profile"]) if "profile" in arrays else None


def _restored(folder: Path, artefact: Artefact, modality: str, registry: Registry) -> GuardedModel:
    """Return the model of an artefact; it and its parts are of the plugins that made them, and no other is imported."""
    manifest = artefact.manifest
    plugins = {name: Origin(**origin) for name, origin in manifest["plugins"].items()}

    def create(name: str, params: Mapping[str, Any]) -> GuardedModel:
        made = registry.create_again(plugins[name], modality, name, params)
        if made is None:
            raise ArtefactError(
                f"{folder} holds a model {name!r} of {plugins[name]}, "
                "which is not installed or failed to load; see `anomalo plugins`"
            )
        return made

    def part(name: str, **params: Any) -> Model:
        made = create(name, params)
        return guard_part(made.model, made.origin)

    return create(manifest["model"], manifest["parameters"]).restore(artefact.state, part)

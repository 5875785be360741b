"""A model fitted on encoded rows, and calibrated by cross-fitting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from anomalo.calibration.column_drift import Marginals
from anomalo.calibration.conformal import Calibration
from anomalo.calibration.cross_fitting import assign_folds, cross_fit, fold_count, time_column
from anomalo.encoding.encoded import Encoded, Scores
from anomalo.models.base import Model, is_goal
from anomalo.models.capabilities import CanScore, ReportsErrors
from anomalo.models.results import HiddenCells
from anomalo.pipeline.config import FitConfig, phases
from anomalo.registry.registry import Registry
from anomalo.tabular.schema import Schema


@dataclass(frozen=True)
class Trained:
    """What is known of a model once it is fitted.

    Attributes
    ----------
    calibration, hidden, marginals
        As `Fitted` has them.
    scores : float64 [n] or None
        The model's scores of the training rows, if it is calibrated.
    facts : dict
        JSON-ready facts about the fit.
    """

    calibration: Calibration
    hidden: HiddenCells | None
    marginals: Marginals | None
    scores: Scores | None
    facts: dict[str, Any]


def train(model: Model, data: Encoded, schema: Schema, config: FitConfig, registry: Registry) -> Trained:
    """Fit the model on the rows, the label shown, and calibrate it."""
    shown = data.without_label()
    hashes = shown.hashes()
    fingerprint = f"{int(hashes.sum()):016x}"
    if config.keep is not None:
        config.keep.agree(table=fingerprint)
    reports = isinstance(model, ReportsErrors) and is_goal(config.goals, "impute")
    needed = config.calibrate and config.goals != {"sample"} and (not reports or is_goal(config.goals, "score"))
    folds = _folds(data, hashes, schema, config) if needed else np.zeros(0, dtype=np.intp)
    parts = int(folds.max(initial=-1)) + 2
    main = config.run(registry, schema.modality, parts - 1, parts)
    hidden, out_of_fold = None, None
    if parts > 2:

        def fit(rows: Encoded, fold: int) -> Model:
            run = config.run(registry, schema.modality, fold, parts)
            run.goals = frozenset({"score"}) if reports else config.goals
            return config.create(registry, schema.modality).fit(rows, run)

        evidence = cross_fit(data, folds, fit, config.keep, hide=not reports)
        hidden, out_of_fold = evidence.hidden, evidence.scores
    model.fit(data, main)
    if reports:
        hidden = cast("ReportsErrors", model).hidden_cells()
    calibration, marginals, scores = Calibration.empty(), None, None
    if out_of_fold is not None:
        scores = cast("CanScore", model).score(shown)
        calibration, marginals = Calibration.from_scores(out_of_fold, hashes, scores), Marginals.of(shown)
    if config.progress is not None:
        config.progress(1.0, "done")
    facts = {
        "parameters": model.params(),
        "seed": config.seed,
        "goals": sorted(config.goals),
        "calibrated": config.calibrate,
        "rows": len(data),
        "history": main.history,
        "training": {
            "device": main.device.replace("auto", "cpu"),
            "resumed": 0 if config.keep is None else config.keep.attempts - 1,
            "phases": phases(main.history),
        },
        "fingerprint": fingerprint,
    }
    return Trained(calibration, hidden, marginals, scores, facts)


def _folds(data: Encoded, hashes: NDArray[np.uint64], schema: Schema, config: FitConfig) -> NDArray[np.intp]:
    datetimes = {column.name for column in schema.features if column.kind == "datetime"}
    position = time_column(data.layout, datetimes)
    times = None if position is None else data.flat()[0][:, data.layout.cells_of_block[position][0]]
    return assign_folds(hashes, config.folds or fold_count(len(data)), config.seed, times)

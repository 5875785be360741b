"""A model fitted on encoded rows, and calibrated by cross-fitting."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalo.calibration.column_drift import Marginals
from anomalo.calibration.conformal import Calibration
from anomalo.calibration.cross_fitting import Evidence, cross_fit
from anomalo.calibration.occlusion import unreadable_surprisal
from anomalo.encoding.encoded import Encoded, Scores
from anomalo.models.base import is_goal
from anomalo.models.capabilities import CanClassify, CrossFits, ReportsErrors
from anomalo.models.folds import fold_count, time_column
from anomalo.models.guarded import GuardedModel
from anomalo.models.results import HiddenCells
from anomalo.models.run import LocalRun
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


def train(model: GuardedModel, data: Encoded, schema: Schema, config: FitConfig, registry: Registry) -> Trained:
    """Fit the model on the rows, the label shown, and calibrate it."""
    shown = data.without_label()
    hashes = shown.hashes()
    fingerprint = f"{int(hashes.sum()):016x}"
    if config.keep is not None:
        config.keep.agree(table=fingerprint)
    plan = model.plan(data.layout, len(data), config.goals)
    if plan is not None:
        config.announce(plan)
    fit = _Fit(model, data, config, registry, schema.modality, time_block(data, schema))
    main, evidence = fit.in_parts() if model.can(CrossFits) else fit.and_cross_fit()
    hidden = reported_errors(model, data, evidence.hidden) if fit.reports_errors else evidence.hidden
    calibration, marginals, scores = Calibration.empty(), None, None
    if evidence.scores is not None:
        used = np.flatnonzero(np.isfinite(evidence.scores))
        found = model.score(shown.take(used))
        unreadable = surprisal_of_unreadable(model, shown.take(used), len(data))
        broken = surprisal_of_broken_rules(model, shown.take(used))
        calibration = Calibration.from_scores(evidence.scores[used], hashes[used], found, unreadable, broken)
        marginals = Marginals.of(shown)
        scores = found if len(used) == len(shown) else None
    if config.progress is not None:
        config.progress(1.0, "done")
    facts = {
        "parameters": model.model.params(),
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
        "plan": None if plan is None else plan.text,
    }
    return Trained(calibration, hidden, marginals, scores, facts)


def surprisal_of_unreadable(model: GuardedModel, data: Encoded, training_rows: int) -> Scores:
    """Return what the cells that cannot be read add to the rows' scores, float64 [n] in nats.

    The scores of a classifier are probabilities, to which nothing is added.
    """
    if model.can(CanClassify):
        return np.zeros(len(data))
    total: Scores = unreadable_surprisal(data, training_rows).reshape(len(data), -1).sum(axis=1)
    return total


def surprisal_of_broken_rules(model: GuardedModel, data: Encoded) -> Scores:
    """Return what cells that break a rule add to the rows' scores, float64 [n] in nats; nothing for a classifier."""
    if data.evidence is None or model.can(CanClassify):
        return np.zeros(len(data))
    return np.asarray(data.evidence.reshape(len(data), -1).sum(axis=1, dtype=np.float64))


@dataclass(frozen=True)
class _Fit:
    """The fit of a model, and of what calibrates it."""

    model: GuardedModel
    data: Encoded
    config: FitConfig
    registry: Registry
    modality: str
    time: int | None

    @property
    def reports_errors(self) -> bool:
        """Whether the model says itself how well it predicts hidden cells."""
        return self.model.can(ReportsErrors) and is_goal(self.config.goals, "impute")

    @property
    def calibrated(self) -> bool:
        """Whether out-of-fold scores, or hidden cells, are needed."""
        scored = is_goal(self.config.goals, "score")
        return self.config.calibrate and self.config.goals != {"sample"} and (scored or not self.reports_errors)

    def in_parts(self) -> tuple[LocalRun, Evidence]:
        """Fit a model that cross-fits, and evaluate its parts."""
        run = self._run(0, 1)
        self.model.fit(self.data, run)
        if not self.calibrated:
            return run, Evidence(None, None)
        folds = self.model.folds(len(self.data))
        return run, cross_fit(self.data, folds, lambda _, fold: self.model.without(fold))

    def and_cross_fit(self) -> tuple[LocalRun, Evidence]:
        """Fit the model, and before it one for each fold, which is evaluated."""
        config, data = self.config, self.data
        count = config.folds or fold_count(len(data))
        folds = self._run(0, 1).folds(data.without_label(), count) if self.calibrated else np.zeros(0, dtype=np.intp)
        parts = int(folds.max(initial=-1)) + 2
        evidence = Evidence(None, None)
        if parts > 2:

            def fit(rows: NDArray[np.intp], fold: int) -> GuardedModel:
                run = self._run(fold, parts)
                run.goals = frozenset({"score"}) if self.reports_errors else config.goals
                return config.create(self.registry, self.modality).fit(data.take(rows), run)

            evidence = cross_fit(data, folds, fit, config.keep, hide=not self.reports_errors)
        main = self._run(parts - 1, parts)
        self.model.fit(data, main)
        return main, evidence

    def _run(self, part: int, parts: int) -> LocalRun:
        run = self.config.run(self.registry, self.modality, part, parts)
        run.time = self.time
        return run


def reported_errors(model: GuardedModel, data: Encoded, hidden: HiddenCells | None) -> HiddenCells | None:
    """Return the errors of fills that the model reports, with the intervals of expected values that are known.

    `hidden` is what is known without it; that alone if the model reports none.
    """
    if not model.can(ReportsErrors):
        return hidden
    reported = model.hidden_cells(len(data.layout.blocks))
    return reported if hidden is None or reported is None else replace(reported, width=hidden.width)


def time_block(data: Encoded, schema: Schema) -> int | None:
    """Return the number of the block that holds the rows' times, if there is one."""
    return time_column(data.layout, {column.name for column in schema.features if column.kind == "datetime"})

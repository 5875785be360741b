"""A model fitted on encoded rows, and calibrated by cross-fitting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalo.calibration.column_drift import Marginals
from anomalo.calibration.conformal import Calibration
from anomalo.calibration.cross_fitting import Evidence, cross_fit
from anomalo.calibration.occlusion import unreadable_surprisal
from anomalo.calibration.regimes import Regimes, drift_in_time
from anomalo.encoding.encoded import Encoded, Scores
from anomalo.encoding.layout import Block
from anomalo.errors import UsageError
from anomalo.models.base import is_goal
from anomalo.models.capabilities import (
    CanClassify,
    CanImpute,
    CanScore,
    CanStart,
    CrossFits,
    ReportsErrors,
    SamplesClasses,
)
from anomalo.models.folds import fold_count
from anomalo.models.guarded import GuardedModel
from anomalo.models.results import HiddenCells, models_in
from anomalo.models.run import LocalRun
from anomalo.models.series.folds import apart
from anomalo.models.series.view import every, learned
from anomalo.pipeline.config import FitConfig, phases
from anomalo.pipeline.out_of_core.large_table import TrainingRows
from anomalo.registry.registry import Registry
from anomalo.tabular.schema import Schema


@dataclass(frozen=True)
class Trained:
    """What is known of a model once it is fitted.

    Attributes
    ----------
    calibration, hidden, marginals, regimes
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
    regimes: Regimes


def require_able(model: GuardedModel, config: FitConfig, starts: bool, classes: bool) -> bool:
    """Return whether the model is fitted to sample; raise unless it can start from another and learn classes, if asked.

    Raises
    ------
    UsageError
        It cannot, or learns nothing but classes and there are none, or there are constraints and it does not sample.
    """
    if starts and not model.can(CanStart):
        raise UsageError(f"model {model.name!r} cannot start from another model; a neural network can")
    if classes and not (model.can(CanClassify) or model.can(SamplesClasses)):
        raise UsageError(f"model {model.name!r} does not learn from a label; model 'classifier' does")
    if not classes and model.can(CanClassify):
        how = "fit it with --label COL --supervised, or by TableClassifier"
        raise UsageError(f"model {model.name!r} learns from labels: {how}")
    samples = "sample" in model.verbs and is_goal(config.goals, "sample")
    if config.constraints and not samples:
        raise UsageError(f"constraints are for models that sample; model {model.name!r} is not fitted to")
    return samples


def train(
    model: GuardedModel,
    data: Encoded,
    schema: Schema,
    config: FitConfig,
    registry: Registry,
    large: TrainingRows | None = None,
) -> Trained:
    """Fit the model on the rows, the label shown, and calibrate it.

    Parameters
    ----------
    large : TrainingRows, optional
        What the rows are a sample of.
    """
    shown = data.without_label()
    count = len(data) if large is None else large.count
    fingerprint = f"{int(shown.hashes().sum()):016x}"
    if config.keep is not None:
        config.keep.agree(table=fingerprint)
    plan = model.plan(data.layout, count, config.goals)
    if plan is not None:
        config.announce(plan)
    fit = _Fit(model, data, config, registry, schema.modality, large)
    main, evidence = fit.fitted()
    hidden = reported_errors(model, data, evidence.hidden) if fit.reports_errors else evidence.hidden
    calibration, marginals, scores, regimes = Calibration.empty(), None, None, Regimes.none()
    if evidence.scores is not None:
        calibration, regimes, scores = _calibrated(model, shown, evidence.scores)
        marginals = Marginals.of(shown)
    if config.progress is not None:
        config.progress(1.0, "done")
    facts = {
        "parameters": model.model.params(),
        "seed": config.seed,
        "goals": sorted(config.goals),
        "calibrated": config.calibrate,
        "rows": count,
        "history": main.history,
        "training": {
            "device": main.device.replace("auto", "cpu"),
            "resumed": 0 if config.keep is None else config.keep.attempts - 1,
            "phases": phases(main.history),
        },
        "fingerprint": fingerprint,
        "plan": None if plan is None else plan.text,
        "sampled": _sampled(model, data, large),
        "drift": drift_in_time(shown, regimes) if evidence.scores is not None else None,
    }
    return Trained(calibration, hidden, marginals, scores, facts, regimes)


def _sampled(model: GuardedModel, data: Encoded, large: TrainingRows | None) -> str | None:
    """Return a sentence on the sample that a model learned from, if it was one and the model does not say so."""
    if large is None or large.every is not None or model.can(CrossFits):
        return None
    learned = len(data) - int(large.held.sum())
    return (
        f"learned from a random sample of {learned:,} of {large.count:,} rows, since the table does not fit into the "
        "memory that it may take"
    )


def _calibrated(model: GuardedModel, data: Encoded, scores: Scores) -> tuple[Calibration, Regimes, Scores | None]:
    """Calibrate the model by out-of-fold scores of the training rows [n], nan where a row has none.

    Also returned are its scores of these rows, if all of them have one out of fold.
    """
    used = np.flatnonzero(np.isfinite(scores))
    rows = data.take(used)
    found = model.score(rows)
    regimes = Regimes.none() if model.can(CanClassify) else Regimes.find(scores[used], rows.time)
    calibration = Calibration.from_scores(
        regimes.adjusted(scores[used], rows.time),
        rows.hashes(),
        regimes.adjusted(found, rows.time),
        surprisal_of_unreadable(model, rows, len(data)),
        surprisal_of_broken_rules(model, rows),
    )
    return calibration, regimes, found if len(used) == len(data) else None


def surprisal_of_unreadable(model: GuardedModel, data: Encoded, training_rows: int) -> Scores:
    """Return what the cells that cannot be read add to the rows' scores, float64 [n] in nats.

    The scores of a classifier are probabilities, to which nothing is added.
    """
    if model.can(CanClassify):
        return np.zeros(len(data))
    total: Scores = unreadable_surprisal(data, training_rows).reshape(len(data), -1).sum(axis=1)
    return total


def surprisal_of_broken_rules(model: GuardedModel, data: Encoded) -> Scores:
    """Return what cells that break a rule, or are suspected texts, add to the rows' scores, float64 [n] in nats.

    Nothing for a classifier.
    """
    total = np.zeros(len(data))
    for surprisal in (None if data.evidence is None else data.evidence.surprisal, data.texts):
        if surprisal is not None and not model.can(CanClassify):
            total += surprisal.sum(axis=1, dtype=np.float64)
    return total


@dataclass(frozen=True)
class _Fit:
    """The fit of a model, and of what calibrates it."""

    model: GuardedModel
    data: Encoded
    config: FitConfig
    registry: Registry
    modality: str
    large: TrainingRows | None

    def fitted(self) -> tuple[LocalRun, Evidence]:
        """Fit the model, and evaluate it on rows that it has not learned from."""
        if self.model.can(CrossFits):
            return self.in_parts()
        return self.and_cross_fit() if self.large is None else self.but_for_held(self.large)

    @property
    def reports_errors(self) -> bool:
        """Whether the model says itself how well it predicts hidden cells."""
        return reports_its_errors(self.model, self.config.goals)

    @property
    def calibrated(self) -> bool:
        """Whether out-of-fold scores, or hidden cells, are needed."""
        return is_calibrated(self.model, self.config)

    def in_parts(self) -> tuple[LocalRun, Evidence]:
        """Fit a model that cross-fits, and evaluate its parts."""
        run = self._run(0, 1)
        self.model.fit(learned(self.data), run)
        if not self.calibrated:
            return run, Evidence(None, None)
        step = every(self.data)
        folds = np.repeat(self.model.folds(-(-len(self.data) // step)), step)[: len(self.data)]
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
                rows = apart(data, rows, np.flatnonzero(folds == fold))
                run = self._run(fold, parts)
                run.goals = frozenset({"score"}) if self.reports_errors else config.goals
                fresh = replace(config.create(self.registry, self.modality), view=self.model.view)
                return fresh.fit(learned(data.take(rows)), run)

            evidence = cross_fit(data, folds, fit, config.keep, hide=not self.reports_errors)
        main = self._run(parts - 1, parts)
        self.model.fit(learned(data), main)
        return main, evidence

    def but_for_held(self, large: TrainingRows) -> tuple[LocalRun, Evidence]:
        """Fit the model on all rows but those held, or on those of the sample, and evaluate it on those held.

        Reference: Papadopoulos et al. (2002), Inductive confidence machines for regression, ECML: rows that were held
        out calibrate as those of each fold do, for one fit instead of several.
        """
        run = self._run(0, 1)
        if large.every is None:
            self.model.fit(self.data.take(np.flatnonzero(~large.held)), run)
        else:
            self.model.fit_seen(large.every.ordered(), run)
        if not self.calibrated:
            return run, Evidence(None, None)
        folds = np.where(large.held, 0, -1)
        return run, cross_fit(self.data, folds, lambda *_: self.model, hide=not self.reports_errors)

    def _run(self, part: int, parts: int) -> LocalRun:
        rows = 0 if self.large is None else self.large.count
        return self.config.run(self.registry, self.modality, part, parts, rows)


def reports_its_errors(model: GuardedModel, goals: frozenset[str]) -> bool:
    """Whether a model that is fitted for these goals says itself how well it predicts hidden cells."""
    return model.can(ReportsErrors) and is_goal(goals, "impute")


def is_calibrated(model: GuardedModel, config: FitConfig) -> bool:
    """Whether a fit needs out-of-fold scores, or predictions of hidden cells."""
    scored = is_goal(config.goals, "score") and model.can(CanScore)
    if not scored and not model.can(CanImpute):
        return False
    return config.calibrate and config.goals != {"sample"} and (scored or not reports_its_errors(model, config.goals))


def reported_errors(model: GuardedModel, data: Encoded, hidden: HiddenCells | None) -> HiddenCells | None:
    """Return the errors of fills that the model reports, with the intervals of expected values that are known.

    `hidden` is what is known without it; that alone if the model reports none.
    """
    if not model.can(ReportsErrors):
        return hidden
    reported = model.hidden_cells(data)
    if reported is None:
        return None
    seen = data.flat()[1].sum(axis=0)
    reported = reported.with_enough(
        np.array([seen[cells].sum() for cells in data.layout.cells_of_block], dtype=np.intp)
    )
    return reported if hidden is None else replace(reported, width=hidden.width)


def described_errors(hidden: HiddenCells, blocks: Sequence[Block]) -> dict[str, dict[str, Any]]:
    """Return the expected error of each column whose hidden cells were predicted, JSON-ready; see `Fitted.errors`."""
    known = [block for block in blocks if np.isfinite(hidden.error[block.position])]
    return {
        block.name: {
            "kind": block.kind,
            "missing": block.missing,
            "error": float(hidden.error[block.position]),
            "baseline": float(hidden.baseline[block.position]),
        }
        for block in known
    }


def plugins_of(model: GuardedModel, modality: str, registry: Registry) -> dict[str, dict[str, str]]:
    """Return the plugin, distribution and version of a model and of all models in it, by their names."""
    names = [name for name in models_in(model.state()) if name != model.name]
    found = {model.name: model.origin} | {name: registry.origin(name, modality) for name in names}
    return {name: asdict(origin) for name, origin in found.items()}

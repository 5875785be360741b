"""A fitted model with its schema, encoder and calibration: fit, save, load, and the verbs on encoded rows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from anomalo.calibration.changes import UsualBlocks
from anomalo.calibration.column_drift import Marginals
from anomalo.calibration.conformal import Calibration
from anomalo.calibration.contamination import contaminated
from anomalo.calibration.novelty import score_with_novelty
from anomalo.calibration.regimes import ComparableModel, Regimes
from anomalo.calibration.results import Explained, Scored
from anomalo.encoding.encoded import Encoded, Floats, Scores
from anomalo.encoding.encoder import Encoder, writing
from anomalo.encoding.scaling import expand
from anomalo.encoding.target import Target
from anomalo.errors import SourceError, TrainingError, UsageError
from anomalo.evaluation.comparison.profile import Profile
from anomalo.feedback.patterns import Feedback
from anomalo.generators import constraints
from anomalo.generators.constraints import Constraint
from anomalo.models.base import Model, Run, is_goal
from anomalo.models.capabilities import CanClassify
from anomalo.models.guarded import GuardedModel
from anomalo.models.results import Filled, HiddenCells
from anomalo.models.view import View
from anomalo.pipeline.config import FitConfig
from anomalo.pipeline.explaining.explanation import explanation
from anomalo.pipeline.out_of_core.large_table import LargeTable, encoded
from anomalo.pipeline.row_order import by_content
from anomalo.pipeline.text_evidence import TextEvidence
from anomalo.pipeline.training import Trained, described_errors, plugins_of, reported_errors, require_able, train
from anomalo.registry.registry import Registry
from anomalo.tabular.columns import ParsedTable
from anomalo.tabular.schema import Schema

COMPOSED = {"repair": ("score", "impute")}
"""Verbs that are composed of several verbs of the model."""
GOALS = ("score", "impute", "embed", "sample")
"""The verbs that a model can be fitted for."""


@dataclass
class Fitted:
    """A fitted model with everything that its use on a table needs.

    Attributes
    ----------
    schema : Schema
        The columns, as understood.
    encoder : Encoder
        From batches to numbers and back.
    guarded : GuardedModel
        The fitted model, whose plugin each failure names.
    calibration : Calibration
        Out-of-fold scores; empty if the model was not calibrated.
    hidden : HiddenCells or None
        How well hidden cells are predicted, if the model imputes and was calibrated.
    facts : dict
        JSON-ready facts about the fit: the model's name, plugin and parameters, those of its parts, rows, seconds, …
    marginals : Marginals or None
        The distribution of each column's training cells, if the model was calibrated.
    constraints : list of Constraint
        What synthetic rows have to satisfy.
    regimes : Regimes
        How scores of different stretches of time are put on one scale.
    texts : TextEvidence or None
        What columns of texts that no model reads add to the scores.
    profile : Profile or None
        What later tables are compared with.
    feedback : Feedback or None
        Which rows reviews say are normal.
    usual : UsualBlocks or None
        Of series, what their levels are compared with.
    """

    schema: Schema
    encoder: Encoder
    guarded: GuardedModel
    calibration: Calibration
    hidden: HiddenCells | None
    facts: dict[str, Any]
    marginals: Marginals | None = None
    constraints: list[Constraint] = field(default_factory=list)
    regimes: Regimes = field(default_factory=Regimes.none)
    texts: TextEvidence | None = None
    profile: Profile | None = None
    feedback: Feedback | None = None
    usual: UsualBlocks | None = None

    @classmethod
    def fit(
        cls,
        table: pa.Table | ParsedTable,
        schema: Schema,
        config: FitConfig,
        registry: Registry,
        *,
        base: Fitted | None = None,
        target: Target | None = None,
        large: LargeTable | None = None,
    ) -> FitOutcome:
        """Fit a model on a whole table, and return it with what was computed of the training rows.

        Parameters
        ----------
        table : Table or ParsedTable
            What is parsed already, as by `infer`, is taken as it is.
        base : Fitted, optional
            What to start from: its columns, levels and scales stay, and its model is the run's `initial`.
        target : Target, optional
            The rows' classes, for a model that classifies; rows without one are left out.
        large : LargeTable, optional
            What `table` is a sample of; the outcome then has the rows of the sample.

        Raises
        ------
        SourceError
            The table has fewer than two rows.
        UsageError
            The model does not start from another, or does not classify, or only does.
        """
        started, table = time.perf_counter(), ParsedTable.of(table)
        if table.rows < 2:
            raise SourceError(f"the table has {table.rows} row (n_samples = {table.rows}); give at least 2 rows")
        model = config.create(registry, schema.modality)
        samples = require_able(model, config, base is not None, target is not None)
        schema = schema.fitted_for(samples) if base is None else schema.continuing(base.schema)
        encoder, data = encoded(table, schema, registry.encoder(schema.modality), base.encoder if base else None, large)
        model = replace(model, view=View.of(config.goals, samples) if base is None else base.guarded.view)
        fitted = cls(schema, encoder, model, Calibration.empty(), None, {})
        fitted.facts = {"model": model.name, "plugin": model.origin.plugin}
        if schema.time is None and target is None and is_goal(config.goals, "score") and "score" in model.verbs:
            fitted.texts, surprisal = TextEvidence.fit(table, schema)
            data = replace(data, texts=surprisal)
        if base is not None:
            fitted.facts["initial"] = {key: base.facts[key] for key in ("model", "fingerprint")}
            config = replace(config, initial=base.model)
        if target is not None:
            fitted.facts |= {"classes": list(target.classes), "unlabelled": len(data) - len(target.known)}
            data = target.on(data)
        if config.constraints:
            fitted._constrain(data, config.constraints)
        order = by_content(data)
        rows = None if large is None else large.training_rows(encoder, schema, model, config.goals, target, order)
        data = data.take(order)
        fitted._keep(trained := train(model, data, schema, config, registry, rows))
        fitted.facts |= trained.facts | {"plugins": plugins_of(model, schema.modality, registry)}
        fitted.facts["seconds"] = time.perf_counter() - started + (config.keep.seconds_before if config.keep else 0.0)
        return FitOutcome(fitted, data.without_label(), trained.scores).take(np.argsort(order))

    def _keep(self, trained: Trained) -> None:
        self.calibration, self.hidden = trained.calibration, trained.hidden
        self.marginals, self.regimes = trained.marginals, trained.regimes

    def extend(self, data: Encoded, config: FitConfig, registry: Registry) -> None:
        """Fit the model for the goals of `config` as well; its scores and their calibration stay.

        Parameters
        ----------
        data : Encoded
            The training rows, as `FitOutcome` has them.
        """
        started = time.perf_counter()
        run = config.run(registry, data.layout.modality, 0, 1)
        data = data.take(by_content(data))
        self.guarded.extend(data, run)
        self.hidden = reported_errors(self.guarded, data, self.hidden)
        self.facts["goals"] = sorted(config.goals)
        self.facts["history"] = [*self.facts["history"], *run.history]
        self.facts["plugins"] = plugins_of(self.guarded, data.layout.modality, registry)
        self.facts["seconds"] += time.perf_counter() - started

    def _constrain(self, data: Encoded, texts: Sequence[str]) -> None:
        cells = writing(self.encoder, points=True).to_original_units(data)
        self.constraints = constraints.parse(texts, self.schema, data.layout, cells)
        rows = int(constraints.broken(cells, self.constraints).sum())
        if rows:
            said = f"{rows:,} of {len(cells):,} training rows break the constraints; no synthetic row will"
            self.facts["broken"] = said

    def errors(self) -> dict[str, dict[str, Any]]:
        """Return the expected error of each column whose hidden cells were predicted, JSON-ready.

        `error` and `baseline`, that of the mean or mode, are root mean squared errors in original units, or for
        categories shares of wrong levels; `missing` is the share of missing training cells.
        """
        return {} if self.hidden is None else described_errors(self.hidden, self.encoder.layout.blocks)

    @property
    def model(self) -> Model:
        """The fitted model itself, an instance of its class."""
        return self.guarded.model

    @property
    def warnings(self) -> tuple[str, ...]:
        """Plain sentences on what the fit left out or could not do."""
        found = list(self.schema.warnings)
        skill = float("nan") if self.hidden is None else self.hidden.skill()
        if skill <= 0:
            found.append(
                f"model {self.model.name!r} predicts hidden cells no better than each column's mean or mode "
                f"(skill {skill:.2f}); its expected values and fills say little, try another model"
            )
        if self.hidden is not None:
            found.extend(self.hidden.notes)
        found.extend([*self.guarded.notes, *filter(None, map(self.facts.get, ("broken", "drift", "sampled")))])
        if self.facts.get("unlabelled"):
            found.append(f"{self.facts['unlabelled']:,} rows have no label and were left out")
        window = self.encoder.layout.window
        if not self.classifies and (said := contaminated(self.calibration.reference, window)):
            found.append(said)
        knew = self.facts.get("initial", {}).get("fingerprint") == self.facts.get("fingerprint")
        if len(self.calibration.reference) and knew:
            found.append(
                "the model that this one started from has seen these rows, none of which is new to it: p-values of "
                "new rows may be too small; pretrain on other rows, or fit without --from"
            )
        return tuple(found)

    @property
    def classifies(self) -> bool:
        """Whether the model learned classes; its score is then the probability of the rarest."""
        return self.guarded.can(CanClassify)

    def require(self, verb: str) -> None:
        """Raise unless the model can `verb`.

        Raises
        ------
        UsageError
            It cannot, or was not fitted for it; the message says what it can.
        """
        verbs, goals, needed = self.guarded.verbs, self.facts["goals"], COMPOSED.get(verb, (verb,))
        if not set(needed) <= set(verbs):
            takes = f", which takes {' and '.join(needed)}" if verb in COMPOSED else ""
            raise UsageError(f"model {self.model.name!r} cannot {verb}{takes}; it can: {', '.join(verbs) or 'nothing'}")
        for part in needed:
            if goals and part in GOALS and part not in goals:
                raise UsageError(f"this model was fitted to {' and '.join(goals)} only; fit it again, also for {part}")

    def encode(
        self,
        batch: pa.RecordBatch | pa.Table,
        first_row: int = 0,
        label: bool = False,
        strict: bool = False,
        rows: slice = slice(None),
    ) -> Encoded:
        """Parse and encode one batch, and return its `rows`; see `Schema.parse`, whose errors it raises.

        A label that the model learns is hidden unless `label`. Of a series, the other rows are points around them.
        """
        columns = self.schema.parse(batch, first_row, label, strict)
        data = self.encoder.encode(columns, label)
        reviewed = None if self.feedback is None else self.feedback.match(columns)
        return replace(data, reviewed=reviewed, texts=None if self.texts is None else self.texts.of(batch)).take(rows)

    def score(self, data: Encoded, score: Scores | None = None) -> Scored:
        """Score encoded rows; unseen levels, missing values in complete columns and broken rules add their surprisal.

        A row that was in training has its out-of-fold score, so that no larger score has a larger p-value. Rows that
        reviews say are normal have the median training score.

        Parameters
        ----------
        score : float64 [n], optional
            The model's scores of these rows, where they are known.
        """
        score = self.score_as_new(data, score)
        if not len(self.calibration.reference):
            return Scored(score, np.ones(len(score)), np.zeros(len(score), dtype=np.bool_))
        found, hashes = self.calibration, data.hashes()
        scored = Scored(found.out_of_fold(score, hashes), found.p_values(score, hashes), found.known(hashes))
        if self.feedback is None or data.reviewed is None:
            return scored
        return self.feedback.applied(scored, data.reviewed, found)

    def score_as_new(self, data: Encoded, score: Scores | None = None) -> Scores:
        """Return the model's scores, also of rows that were in training, float64 [n]; parameters as for `score`."""
        comparable = ComparableModel(self.guarded, self.regimes)
        score = comparable.score(data) if score is None else self.regimes.adjusted(score, data.time)
        nothing = data.evidence is None and data.texts is None and bool(data.observed.all())
        if self.classifies or not len(data) or nothing:
            return score
        return score_with_novelty(comparable, data, score, self.facts["rows"], self.calibration)

    def explain(self, data: Encoded) -> Explained:
        """Explain encoded rows cell by cell: where the model explains itself, contributions sum to the row's score."""
        rows = None if self.classifies else self.facts["rows"]
        return explanation(ComparableModel(self.guarded, self.regimes), data, rows, self.calibration, self.interval)

    def interval(self, expected: NDArray[np.float32], position: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the ends of 90 % intervals around the expected values of a column or channel.

        Parameters
        ----------
        expected : float32, any shape
            Encoded values.
        position : int
            Which column.

        Returns
        -------
        low, high : float64, of the same shape
            In original units; NaN for a category, or if no cell was hidden to estimate them.
        """
        block = self.encoder.layout.blocks[position]
        if block.kind != "number" or block.moment or self.hidden is None:
            return np.full(expected.shape, np.nan), np.full(expected.shape, np.nan)
        width = self.hidden.width[position]
        low, high = (expand(expected + by, block.offset, block.scale) for by in (-width, width))
        return low, high

    def impute(self, data: Encoded, draws: int = 0) -> Filled:
        """Fill encoded rows; with `draws` also that many random times.

        Where the model gives no intervals, they are those of `interval`.

        Raises
        ------
        UsageError
            The model gives no draws.
        """
        filled = self.guarded.impute(data, draws)
        if draws and filled.draws is None:
            raise UsageError(
                f"model {self.guarded.name!r} gives no draws: expected one that does, such as auto, chained or "
                "denoising; fit one of them, or leave out the draws"
            )
        if filled.low is not None or self.hidden is None:
            return filled
        width = np.where(data.observed, 0.0, data.layout.spread(self.hidden.width)).astype(np.float32)
        return replace(filled, low=filled.point - width, high=filled.point + width)

    def proba(self, data: Encoded) -> Floats:
        """Return the probabilities of the classes that `facts` lists, float32 [n, classes]."""
        return self.guarded.proba(data)

    def embed(self, data: Encoded) -> Floats:
        """Return the codes of encoded rows, float32 [n, latent]."""
        return self.guarded.embed(data)

    def decode(self, codes: Floats, round: bool = True) -> pa.RecordBatch:
        """Return the rows that codes [n, latent] stand for, with all columns of the training table.

        Numbers are clipped to the training range, whole ones rounded if `round`. Columns that no model reads are empty.
        """
        names = [column.name for column in self.schema.columns]
        empty = pa.RecordBatch.from_arrays([pa.nulls(len(codes)) for _ in names], names=names)
        point = self.guarded.decode(codes)
        return self.encoder.fill(empty, point, np.ones(point.shape, dtype=np.bool_), round)

    def sample(self, given: Encoded, run: Run) -> Encoded:
        """Return synthetic rows; observed cells of `given` are kept to the bit.

        Raises
        ------
        TrainingError
            The model drew rows that are not valid for this table.
        """
        rows = self.guarded.sample(given, run)
        values = np.where(given.observed, given.values, rows.values)
        observed = given.observed | rows.observed
        if not np.isfinite(values[observed]).all():
            raise TrainingError(
                f"model {self.model.name!r} drew rows that are not finite; fit it again, with fewer or smaller steps"
            )
        return Encoded(values, observed, given.layout, rows.target)


@dataclass(frozen=True)
class FitOutcome:
    """A fitted model, and what its fit computed of the training rows.

    Attributes
    ----------
    fitted : Fitted
        The model.
    data : Encoded [n]
        The training rows as the model scores them, without the label; where it learned classes, those that have one.
    scores : float64 [n] or None
        The model's scores of them, as `Fitted.score` takes them; None if it was not calibrated.
    """

    fitted: Fitted
    data: Encoded
    scores: Scores | None

    def take(self, rows: NDArray[np.intp]) -> FitOutcome:
        """Return the outcome with the rows in another order."""
        return replace(self, data=self.data.take(rows), scores=None if self.scores is None else self.scores[rows])

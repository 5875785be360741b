"""Learn from the first rows of a table to see how long learning from all of them takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pyarrow as pa

from anomalo.encoding.encoded import Encoded
from anomalo.models.guarded import GuardedModel
from anomalo.models.run import LocalRun
from anomalo.models.view import View
from anomalo.pipeline.config import FitConfig
from anomalo.pipeline.out_of_core.large_table import encoded
from anomalo.pipeline.planning.measuring import power, seconds_of, straight_line
from anomalo.pipeline.row_order import by_content
from anomalo.pipeline.text_evidence import TextEvidence
from anomalo.pipeline.training import require_able
from anomalo.registry.registry import Registry
from anomalo.tabular.columns import ParsedTable
from anomalo.tabular.schema import Schema, SchemaOptions, infer

CELLS = 600_000
"""Cells of the rows that are learned from here, at most."""
STEPS = 20
"""Batches of an epoch of a network."""
ENOUGH = 0.7
"""Seconds: no more rows are taken once learning takes so long."""
FEWEST, SCORED = 500, 4_096
"""Rows that are learned from first, and that are scored, at most."""


@dataclass(frozen=True)
class Prepared:
    """The first rows of a table as a fit has them before its model learns, and what that took.

    Attributes
    ----------
    schema : Schema
        As these rows have it.
    data : Encoded [n]
        In the order of a fit.
    fixed, per_row : float
        Seconds of parsing, encoding and all else that a fit does with a table.
    """

    schema: Schema
    data: Encoded
    fixed: float
    per_row: float

    @classmethod
    def of(cls, table: pa.Table, options: SchemaOptions, config: FitConfig, registry: Registry) -> Prepared:
        """Prepare rows as a fit does, some of them and then all; raises as `infer` and `FitConfig.create` do."""
        found: list[tuple[Schema, Encoded]] = []
        table = table.slice(0, max(CELLS // max(table.num_columns, 1), 1))

        def prepare(rows: pa.Table) -> None:
            parsed = ParsedTable(rows)
            schema = infer(parsed, options)
            samples = require_able(config.create(registry, schema.modality), config, starts=False, classes=False)
            schema = schema.fitted_for(samples)
            _, data = encoded(parsed, schema, registry.encoder(schema.modality), None, None)
            TextEvidence.fit(parsed, schema)
            found.append((schema, data.take(by_content(data))))

        seconds_of(partial(prepare, table.slice(0, FEWEST)))  # what is imported does not count
        some = table.num_rows // 4
        few = (some, seconds_of(partial(prepare, table.slice(0, some)))) if some >= FEWEST else (0, 0.0)
        many = table.num_rows, seconds_of(partial(prepare, table))
        return cls(*found[-1], *straight_line(few, many))


@dataclass(frozen=True)
class Learning:
    """How long a model learns, and how long it takes to score and impute.

    Attributes
    ----------
    fit : callable
        Returns the seconds of a fit on so many rows.
    score, impute : float
        Seconds of a row.
    at_most : bool
        Whether a fit may end sooner.
    batch : int or None
        Rows that it trains on at a time; None if it takes all of them.
    device : str
        Where it computes.
    """

    fit: Callable[[int], float]
    score: float
    impute: float
    at_most: bool
    batch: int | None
    device: str


@dataclass
class Pilot:
    """Fits of a model on the first rows of a table; nothing of them is kept.

    Parameters
    ----------
    config : FitConfig
        Of the fit that they stand for.
    prepared : Prepared
        The rows.
    device : str
        Where it computes, "cpu" or another.
    """

    config: FitConfig
    registry: Registry
    prepared: Prepared
    device: str

    def __post_init__(self) -> None:
        self.config = replace(self.config, progress=None, keep=None, logs={}, initial=None)
        model = self.config.create(self.registry, self._modality)
        samples = "sample" in model.verbs
        self.view = View.of(self.config.goals, samples)
        params = model.model.params()
        self.batch = params.get("batch_size") if "epochs" in params else None
        self.epochs = params.get("epochs")

    @property
    def _modality(self) -> str:
        return self.prepared.schema.modality

    def _model(self, **params: Any) -> GuardedModel:
        model = self.config.create(self.registry, self._modality)
        if params:
            model = self.registry.guarded(replace(model.model, **params))
        return replace(model, view=self.view)

    def _run(self) -> LocalRun:
        return replace(self.config.run(self.registry, self._modality, 0, 1), notify=None)

    def _fitted(self, rows: int, **params: Any) -> tuple[GuardedModel, float]:
        model, data = self._model(**params), self.prepared.data.take(slice(0, rows))
        took = seconds_of(lambda: model.fit(data, self._run()), self.device)
        return model, took

    def learning(self) -> Learning:
        """Fit the model on few rows, and on more."""
        if self.epochs and self.batch:
            model, fit = self._network(self.epochs, self.batch)
        else:
            model, fit = self._other()
        score = self._per_row(model.score) if "score" in model.verbs else 0.0
        impute = self._per_row(model.impute) if "impute" in model.verbs else 0.0
        return Learning(fit, score, impute, bool(self.epochs), self.batch, self.device)

    def _network(self, epochs: int, batch: int) -> tuple[GuardedModel, Callable[[int], float]]:
        """Train for one epoch and for two: all epochs of all rows cost in proportion, what surrounds them once."""
        most = min(len(self.prepared.data), STEPS * batch)
        rows = min(most, max(most // 8, FEWEST))
        self._fitted(min(rows, FEWEST), epochs=1)  # what is imported does not count
        model, one = self._fitted(rows, epochs=1)
        if rows < most and one < ENOUGH:
            rows = min(most, int(rows * max(ENOUGH / max(one, 1e-3), 1)))
            model, one = self._fitted(rows, epochs=1)
        two = self._fitted(rows, epochs=2)[1] if epochs > 1 else 2 * one
        epoch = min(max(two - one, 0.0), one)
        per_row = (epochs * epoch + one - epoch) / rows
        return model, lambda count: count * per_row

    def _other(self) -> tuple[GuardedModel, Callable[[int], float]]:
        """Fit on more rows, as long as that is quick."""
        every, rows = len(self.prepared.data), min(len(self.prepared.data), FEWEST)
        self._fitted(rows)
        model, took = self._fitted(rows)
        taken = [(rows, took)]
        while rows < every and took < ENOUGH:
            rows = min(every, 4 * rows)
            model, took = self._fitted(rows)
            taken.append((rows, took))
        few, many = taken[max(len(taken) - 3, 0)], taken[-1]
        return model, lambda count: power(few, many, count) if count > many[0] else took * count / many[0]

    def _per_row(self, verb: Callable[[Encoded], object]) -> float:
        data = self.prepared.data
        few, many = (
            data.take(slice(0, rows)) for rows in (max(min(FEWEST, len(data) // 4), 1), min(SCORED, len(data)))
        )
        verb(few)
        first = len(few), seconds_of(lambda: verb(few), self.device)
        if len(many) * first[1] > 4 * len(few) * ENOUGH:
            return first[1] / len(few)
        return straight_line(first, (len(many), seconds_of(lambda: verb(many), self.device)))[1]

"""Rows of a table held out, and others that trees are trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from anomalo.encoding.encoded import Scores
from anomalo.models.learners.boosting import few_threads
from anomalo.pipeline.augmentation.part import Labels, Part
from anomalo.pipeline.config import FitConfig
from anomalo.pipeline.fitted import Fitted
from anomalo.pipeline.generator import CHUNK, Generator, repeated
from anomalo.tabular.columns import ParsedTable


@dataclass
class TablePart(Part):
    """Rows of a table; the classifier is gradient boosting (scikit-learn's HistGradientBoostingClassifier)."""

    generators: ClassVar[tuple[str, ...]] = ("smote", "latent", "edm", "cgan")
    budgets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "edm": {"updates": 2000, "even": 0.5, "candidates": 0},  # density ratios cannot be estimated of few rare rows
        "cgan": {"epochs": 30},
    }
    most: ClassVar[int] = 5_000

    def __post_init__(self) -> None:
        super().__post_init__()
        self.inputs, self.unseen = self._encoded(self.rows), self._encoded(self.table.take(self.test))

    def _encoded(self, table: pa.Table | ParsedTable) -> Scores:
        """Return the encoded cells, float64 [n, columns]; nan for a missing value."""
        data = self.encoder.encode(self.schema.parse(table))
        return np.where(data.observed, data.values, np.nan).astype(np.float64)

    def scores(self, method: str, params: Mapping[str, Any]) -> Scores:
        """Train trees in one way, and return the probabilities of the rows held out."""
        inputs, truth = self.inputs, self.rare
        if method not in ("none", "weights"):
            synthetic = self._synthetic(method, params)
            inputs = np.concatenate([inputs, synthetic])
            truth = np.concatenate([truth, np.ones(len(synthetic), dtype=np.bool_)])
        return self._probabilities(inputs, truth, "balanced" if method == "weights" else None)

    def _synthetic(self, name: str, params: Mapping[str, Any]) -> Scores:
        """Return encoded synthetic rows of the rare class."""
        config = FitConfig(name, params, seed=self.seed, calibrate=False, goals=frozenset({"sample"}))
        fitted = Fitted.fit(self.rows, self.schema, config, self.registry).fitted
        fitted.require("sample")
        label, count = str(self.schema.label), self.count()
        generator = Generator(fitted, seed=self.seed, device="cpu")
        same = repeated(fitted, {label: self.positive}, min(count, CHUNK))
        batches = [generator.rows(same.slice(0, min(CHUNK, count - at))) for at in range(0, count, CHUNK)]
        return self._encoded(pa.Table.from_batches(batches)) if batches else self.inputs[:0]

    def _probabilities(self, inputs: Scores, truth: Labels, weight: str | None) -> Scores:
        from sklearn.ensemble import HistGradientBoostingClassifier

        categories = [block.kind == "category" for block in self.encoder.layout.blocks]
        model = HistGradientBoostingClassifier(
            categorical_features=categories, class_weight=weight, random_state=self.seed, early_stopping=False
        )
        with few_threads(inputs.size):
            return np.asarray(model.fit(inputs, truth).predict_proba(self.unseen)[:, 1], dtype=np.float64)

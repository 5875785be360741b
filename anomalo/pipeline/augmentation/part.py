"""Some labelled rows held out, and others that classifiers of their rare class are trained on in several ways."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from anomalo.encoding.encoded import Scores
from anomalo.encoding.encoder import Encoder
from anomalo.errors import SourceError, UsageError
from anomalo.evaluation.metrics import average_precision
from anomalo.pipeline.augmentation.advice import Trial
from anomalo.registry.registry import Registry
from anomalo.tabular.columns import ParsedTable
from anomalo.tabular.schema import Schema

Labels = NDArray[np.bool_]


@dataclass
class Part:
    """Some rows held out, and others trained on.

    Attributes
    ----------
    table : Table [n]
        With its label.
    schema : Schema
        Its columns.
    truth : bool [n]
        Which rows are of the rare class.
    positive : str
        The label's value in those.
    train, test : int
        Row numbers.
    registry : Registry
        Where generators come from.
    seed : int
        Everything random follows from it.
    """

    generators: ClassVar[tuple[str, ...]]
    """The generators that are compared with no synthetic rows and with class weights."""
    budgets: ClassVar[Mapping[str, Mapping[str, Any]]]
    """Hyperparameters of models that by default take minutes for each part."""
    most: ClassVar[int]
    """At most so many rows are trained on: they suffice to see whether synthetic rows help."""

    table: pa.Table
    schema: Schema
    truth: Labels
    positive: str
    train: NDArray[np.intp]
    test: NDArray[np.intp]
    registry: Registry
    seed: int

    def __post_init__(self) -> None:
        self.rows = ParsedTable(self.table.take(self.train))
        encoder = self.registry.encoder(self.schema.modality)()
        self.encoder: Encoder = encoder.fit(self.schema.parse(self.rows), self.schema)
        self.rare = self.truth[self.train]

    @classmethod
    def check(cls, registry: Registry) -> None:
        """Check that all that every part needs is installed.

        Raises
        ------
        UsageError
            It is not.
        """

    def count(self) -> int:
        """Return how many synthetic rows bring the rare class up to half of the other rows."""
        return max(int((~self.rare).sum() // 2 - self.rare.sum()), 0)

    def run(self, trial: Trial, params: Mapping[str, Any]) -> None:
        """Train and assess one way on this part."""
        if trial.failure or trial.hopeless:
            return
        started = time.perf_counter()
        try:
            trial.precision.append(average_precision(self.truth[self.test], self.scores(trial.method, params)))
        except (UsageError, SourceError, ValueError, RuntimeError) as error:
            trial.failure = str(error)
        trial.seconds += time.perf_counter() - started

    def scores(self, method: str, params: Mapping[str, Any]) -> Scores:
        """Train a classifier in one way, and return what it gives the rows held out; higher is the rare class."""
        raise NotImplementedError

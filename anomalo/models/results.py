"""What a model's verbs return, and the state of a fitted model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from anomalo.encoding.encoded import Floats, Scores


@dataclass(frozen=True)
class Cells:
    """The contribution of each cell to its row's anomaly score.

    Attributes
    ----------
    contribution : float64 [n, *shape]
        Each cell's part of the row's score; a row's contributions sum to its score.
    expected : float32 [n, *shape]
        The conditional expectation of each cell given the row's other cells, in encoded units (for a
        category the code of the most probable known level).
    derived : Cells [n, derived] or None
        The same of what is derived from points in time; its contributions are part of those of their columns.
    """

    contribution: NDArray[np.float64]
    expected: Floats
    derived: Cells | None = None


def relative(contribution: Scores) -> Scores:
    """Return the positive parts of contributions [n, cells] as shares that sum to 1 (equal ones if none is)."""
    positive = np.maximum(contribution, 0.0, dtype=np.float64)
    total = positive.sum(axis=1, keepdims=True)
    found: Scores = np.full(positive.shape, 1 / max(1, positive.shape[1]))
    np.divide(positive, total, out=found, where=total > 0)
    return found


@dataclass(frozen=True)
class Filled:
    """Values for missing cells.

    Attributes
    ----------
    point : float32 [n, *shape]
        Encoded values; observed cells are returned unchanged, missing ones hold the fill.
    draws : float32 [K, n, *shape] or None
        Multiple imputations.
    proba : dict of position to float32 [n, size]
        Class probabilities of categories, in the order of the block's codes.
    low, high : float32 [n, *shape] or None
        The ends of a 90 % interval for each missing number, in encoded units; both equal the value of an observed
        number, and are NaN for categories. None if the model gives no intervals.
    """

    point: Floats
    draws: Floats | None = None
    proba: Mapping[int, Floats] = field(default_factory=dict)
    low: Floats | None = None
    high: Floats | None = None


ENOUGH = 30
"""Errors are estimated from at least so many cells."""


@dataclass(frozen=True)
class HiddenCells:
    """How well a model predicts cells that it cannot see, column by column.

    Attributes
    ----------
    width : float64 [columns]
        Half the width of a 90 % interval around an expected value, in encoded units; NaN for
        categories and where there is no evidence.
    error : float64 [columns]
        Root mean squared error of numbers in the column's original units, error rate of categories; NaN where there is
        too little evidence.
    baseline : float64 [columns]
        The same for the column's mean, or its most frequent level.
    notes : tuple of str
        Further findings about the table's missing values, one sentence each.
    """

    width: Scores
    error: Scores
    baseline: Scores

    notes: tuple[str, ...] = ()

    def with_enough(self, cells: NDArray[np.intp]) -> Self:
        """Return these with errors, and their baselines, only of columns with enough cells, given how many each has."""
        few = cells < ENOUGH
        return replace(self, error=np.where(few, np.nan, self.error), baseline=np.where(few, np.nan, self.baseline))

    def skill(self) -> float:
        """Return 1 less the mean error relative to mean and mode: 0 is no better than them, 1 is perfect.

        NaN where no column could be evaluated.
        """
        known = self.baseline > 0
        return float(1 - np.mean(self.error[known] / self.baseline[known])) if known.any() else float("nan")


PROCESS = 550e6
"""Bytes of a process that has loaded what models need, and of a model that does not say what it takes itself."""


@dataclass(frozen=True)
class Plan:
    """What a fit is going to do.

    Attributes
    ----------
    text : str
        One sentence without a full stop.
    seconds : float
        About how long it takes on one core, the table read and encoded: an estimate for people, nothing depends on it;
        0 if the model does not know.
    memory : float
        About how many bytes the process takes besides the table's rows; 0 if the model does not know.
    scoring : float
        About how many seconds it takes to score all rows once it is fitted; 0 if the model does not know.
    """

    text: str
    seconds: float
    memory: float = 0.0
    scoring: float = 0.0


@dataclass
class ModelState:
    """The state of a fitted model: arrays, JSON values and nested models.

    Attributes
    ----------
    arrays : dict of str to ndarray
        Saved as safetensors.
    values : dict
        JSON-ready values, saved in the manifest.
    models : dict of str to (name, parameters, state)
        Nested models, saved in sub-folders.
    """

    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    models: dict[str, tuple[str, dict[str, Any], ModelState]] = field(default_factory=dict)


def models_in(state: ModelState) -> Iterator[str]:
    """Yield the names of all models that are nested in a state."""
    for name, _, inner in state.models.values():
        yield name
        yield from models_in(inner)

"""A row that the model was fitted on is normal after a repair only if it also were for a model that never saw it."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from anomalo.calibration.conformal import Calibration
from anomalo.calibration.thresholds import Boundary
from anomalo.encoding.table_encoder import TableEncoder
from anomalo.models.guarded import GuardedModel
from anomalo.pipeline.fitted import Fitted
from anomalo.pipeline.repair import repair
from anomalo.plugin import Encoded, Filled, Model, Run, Scores
from anomalo.tabular.schema import infer


@dataclass(kw_only=True)
class Weighted(Model):
    """Scores a row by the weighted sum of its encoded values, and imputes the lowest value of each column."""

    name: ClassVar[str] = "weighted"

    def fit(self, data: Encoded, run: Run) -> Self:
        return self

    def score(self, data: Encoded) -> Scores:
        return (data.values - self.low_).astype(np.float64) @ self.weights_

    def impute(self, data: Encoded, draws: int = 0) -> Filled:
        return Filled(np.where(data.observed, data.values, self.low_).astype(np.float32))


@pytest.fixture(scope="module")
def case() -> tuple[Fitted, Encoded]:
    """A row of score 21, of which column a gives 14 and b gives 7; scores in training are 0 to 10, most at 5."""
    frame = pd.DataFrame({"a": np.linspace(0, 1, 101), "b": np.linspace(0, 2, 101)})
    table = pa.Table.from_pandas(frame, preserve_index=False)
    schema = infer(table)
    columns = schema.parse(table)
    encoder = TableEncoder().fit(columns, schema)
    data = encoder.encode(columns)
    model: Any = Weighted()
    model.low_ = data.values[0]
    row = data.take(np.array([100]))
    model.weights_ = np.array([14.0, 7.0]) / (row.values[0] - model.low_)
    calibration = Calibration(np.linspace(0, 10, 1001), np.zeros(1, np.uint64), np.full(1, 5.0), 1.0)
    return Fitted(schema, encoder, GuardedModel.of(model), calibration, None, {"rows": 101, "goals": []}), row


def replaced(fitted: Fitted, row: Encoded, out_of_fold: float | None) -> list[bool]:
    """Which cells a repair replaces if the row's out-of-fold score is this, or if it was not in training."""
    if out_of_fold is not None:
        reference = fitted.calibration.reference
        fitted.calibration = Calibration(reference, row.hashes(), np.array([out_of_fold]), 1.0)
    found = repair(fitted, row, Boundary(0.1))
    assert found.normal.all()
    return found.cells[0].tolist()


def test_a_new_row_needs_the_one_cell_that_makes_it_normal(case: tuple[Fitted, Encoded]) -> None:
    assert replaced(*case, None) == [True, False]  # 7 is less than nine tenths of the scores


@pytest.mark.parametrize("out_of_fold", [21.0, 22.0])
def test_so_does_a_row_that_the_model_hardly_knew(case: tuple[Fitted, Encoded], out_of_fold: float) -> None:
    assert replaced(*case, out_of_fold) == [True, False]


def test_a_row_that_the_model_knew_well_needs_more(case: tuple[Fitted, Encoded]) -> None:
    # Out of fold its excess over 5 was three times as large: after the repair 7 stands for 11, which no row reaches.
    assert replaced(*case, 53.0) == [True, True]

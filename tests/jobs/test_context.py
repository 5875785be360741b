"""When values outside the training range are worth a warning."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from anomalo.jobs.context import DataQualityMonitor, JobContext, counts
from anomalo.jobs.fitting.fit import fit
from anomalo.jobs.scoring.score import score
from anomalo.pipeline.config import FitConfig
from anomalo.pipeline.fitted import Fitted
from anomalo.tabular.schema import SchemaOptions


@pytest.fixture(scope="module")
def fitted(untouched: Path) -> Fitted:
    return JobContext.at(untouched).load("full", "score", "cpu")[1]


def warnings(fitted: Fitted, frame: pd.DataFrame, outside: int) -> list[str]:
    """What is said of 100 rows of which some lie outside, seen in two batches."""
    rows = frame.drop(columns="sick").iloc[:100].copy()
    heights = frame["height"]
    rows["height"] = np.linspace(heights.quantile(0.2), heights.quantile(0.8), 100)
    rows.iloc[:outside, rows.columns.get_loc("height")] = heights.max() + 1
    monitor = DataQualityMonitor(fitted)
    for part in (rows.iloc[:30], rows.iloc[30:]):
        (batch,) = pa.Table.from_pandas(part, preserve_index=False).to_batches()
        monitor.see(len(part), counts(fitted.encode(batch)))
    return [text for text in monitor.warnings() if "'height'" in text]


@pytest.mark.parametrize("outside", [0, 1, 24, 25])
def test_up_to_a_quarter_may_lie_outside(fitted: Fitted, patients: pd.DataFrame, outside: int) -> None:
    assert warnings(fitted, patients, outside) == []


@pytest.mark.parametrize("outside", [26, 100])
def test_more_than_a_quarter_is_worth_a_warning(fitted: Fitted, patients: pd.DataFrame, outside: int) -> None:
    assert warnings(fitted, patients, outside) == [
        f"column 'height': {outside} of 100 values lie outside the training range; is it the same column?"
    ]


@pytest.mark.parametrize(("days", "expected"), [(400, []), (-400, ["column 'seen'"])])
def test_later_times_are_no_warning_and_earlier_ones_are(tmp_path: Path, days: int, expected: list[str]) -> None:
    table = pd.DataFrame({"seen": pd.date_range("2024-01-01", periods=200), "x": np.arange(200) % 7.0})
    table.to_parquet(tmp_path / "then.parquet")
    table.assign(seen=table["seen"] + pd.Timedelta(days=days)).to_parquet(tmp_path / "now.parquet")
    context = JobContext.at(tmp_path)
    fit(context, str(tmp_path / "then.parquet"), "m", FitConfig("knn", device="cpu"), SchemaOptions())
    found = score(context, str(tmp_path / "now.parquet"), "m", device="cpu").warnings
    assert [text.partition(":")[0] for text in found if "training range" in text] == expected

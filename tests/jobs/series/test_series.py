"""Series from a file to alerts, intervals and fills."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from anomalo.calibration.thresholds import Threshold
from anomalo.errors import UsageError
from anomalo.jobs.context import JobContext
from anomalo.jobs.fitting.fit import fit
from anomalo.jobs.imputing.impute import impute
from anomalo.jobs.imputing.repair import repair
from anomalo.jobs.scanning.scan import scan
from anomalo.jobs.scoring.explain import explain
from anomalo.jobs.scoring.score import ScoreResult, score
from anomalo.pipeline.config import FitConfig
from anomalo.tabular.schema import SchemaOptions

ROWS, ODD = 600, (400, 408)
OPTIONS = SchemaOptions(time="time", entity="pump", window=12)
CONFIG = FitConfig("window-pca")


def source(place: JobContext, name: str = "pumps.csv") -> str:
    return str(place.store.workspace.parent / name)


def scored(place: JobContext, name: str = "pumps.csv", model: str = "pumps", rows: int | None = None) -> ScoreResult:
    return score(replace(place, batch_rows=rows), source(place, name), model, threshold=Threshold.parse("budget=4"))


def test_an_odd_stretch_is_one_interval_with_its_channel(place: JobContext) -> None:
    out = Path(source(place, "scores.csv"))
    found = score(place, source(place), "pumps", output=out, threshold=Threshold.parse("budget=4"))
    rows = np.flatnonzero(found.alert)
    assert {*rows.tolist()} <= {*range(ODD[0] - 8, ODD[1] + 8, 2)}
    assert found.run.summary["alerts"] == len(rows) >= 4
    assert found.run.summary["intervals"] == 1
    beside = pq.read_table(out.with_name("scores.intervals.parquet")).to_pylist()
    assert beside == pq.read_table(found.run.path / "intervals.parquet").to_pylist()
    (interval,) = beside
    assert (interval["entity"], interval["channels"][0], interval["points"]) == ("a", "flow", len(rows))
    assert (interval["start_row"], interval["end_row"]) == (rows[0], rows[-1])
    peak = interval["peak_row"]
    assert found.score[peak] == found.score.max() == interval["score"]
    assert found.p_value[peak] == interval["p_value"]
    assert interval["peak"] == str(pd.Timestamp("2026-03-01") + pd.Timedelta(peak // 2, "h"))
    (top,) = found.top
    assert top["reasons"][0]["column"] == "flow"
    expected = {"row": peak, "time": interval["peak"], "pump": "a", "points": len(rows), "alert": True}
    assert {name: top[name] for name in expected} == expected
    assert (top["score"], top["p_value"]) == (interval["score"], interval["p_value"])


def test_the_peaks_of_intervals_are_shown_the_most_anomalous_first(place: JobContext) -> None:
    table = pd.read_csv(source(place))
    table.loc[[101, 251], "flow"] += [60, 150]  # two points of the other pump
    table.to_csv(source(place, "three.csv"), index=False)
    found = score(place, source(place, "three.csv"), "pumps", threshold=Threshold.parse("budget=50"))
    intervals = pq.read_table(found.run.path / "intervals.parquet").to_pylist()
    order = sorted(intervals, key=lambda one: -one["score"])[:10]
    assert [(one["row"], one["time"], one["pump"]) for one in found.top] == [
        (one["peak_row"], one["peak"], one["entity"]) for one in order
    ]
    assert found.top[0]["score"] == found.score.max()
    assert {one["pump"] for one in found.top} == {"a", "b"}
    assert all(one["reasons"] for one in found.top)
    assert len({one["row"] for one in found.top}) == len(intervals) >= 3


@pytest.mark.parametrize("model", ["pumps", "causal"])
def test_a_score_depends_neither_on_batches_nor_on_the_order_of_rows(place: JobContext, model: str) -> None:
    whole, parts = scored(place, model=model), scored(place, model=model, rows=170)
    np.testing.assert_array_equal(whole.score, parts.score)
    np.testing.assert_array_equal(whole.alert, parts.alert)
    order = np.random.default_rng(2).permutation(ROWS)
    pd.read_csv(source(place)).iloc[order].to_csv(source(place, "mixed.csv"), index=False)
    mixed = scored(place, "mixed.csv", model, rows=290)
    np.testing.assert_array_equal(mixed.score, whole.score[order])
    np.testing.assert_array_equal(mixed.alert, whole.alert[order])
    assert any("not in the order of 'time'" in text for text in mixed.warnings)
    assert mixed.run.summary["intervals"] == whole.run.summary["intervals"]


def test_a_causal_score_does_not_depend_on_later_points(place: JobContext) -> None:
    pd.read_csv(source(place)).iloc[:300].to_csv(source(place, "early.csv"), index=False)
    early, whole = scored(place, "early.csv", "causal"), scored(place, model="causal")
    np.testing.assert_array_equal(early.score, whole.score[:300])


def test_one_row_is_explained_as_in_the_run(place: JobContext) -> None:
    found = scored(place)
    row = found.top[0]["row"]
    explained = explain(place, source(place), "pumps", row)
    assert explained["score"] == pytest.approx(found.score[row])
    assert explained["cells"][0]["column"] == "flow"
    cells = pq.read_table(found.run.path / "cells.parquet", filters=[("row", "==", row)]).to_pylist()
    assert {cell["column"]: cell["expected"] for cell in cells} == {
        cell["column"]: cell["expected"] for cell in explained["cells"]
    }


def test_holes_are_filled_from_both_sides_and_all_else_stays(place: JobContext) -> None:
    out = Path(source(place, "filled.csv"))
    impute(place, source(place), "pumps", output=out)
    before, after = pd.read_csv(source(place)), pd.read_csv(out)
    holes = before["heat"].isna()
    pd.testing.assert_frame_equal(after[~holes], before[~holes])
    wave = np.sin(np.arange(ROWS) // 2 / 6 * np.pi)
    assert np.abs(after["heat"][holes] - (20 + 2 * wave[holes])).max() < 1
    parts = Path(source(place, "parts.csv"))
    impute(replace(place, batch_rows=190), source(place), "pumps", output=parts)
    assert parts.read_text() == out.read_text()


def test_scan_fits_scores_and_fills_a_series(place: JobContext) -> None:
    found = scan(place, source(place), CONFIG, OPTIONS, Threshold.parse("budget=4"))
    again = scored(place)
    np.testing.assert_array_equal(found.scored.score, again.score)
    assert found.scored.run.summary["intervals"] == 1
    assert found.filled is not None


def test_what_a_series_cannot_do_is_said(place: JobContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anomalo.jobs.scoring.shadow.Registry.load", lambda: place.registry)
    with pytest.raises(UsageError, match="rows of modality 'series' cannot be written; expected a model of a table"):
        repair(place, source(place), "pumps", output=Path(source(place, "out.csv")))
    with pytest.raises(UsageError, match="--shadow is for tables"):
        score(place, source(place), "pumps", shadow="causal")
    with pytest.raises(UsageError, match="'iforest' is for modality 'table', and the rows are of modality 'series'"):
        fit(place, source(place), "none", FitConfig("iforest"), OPTIONS)
    with pytest.raises(UsageError, match="--entity is for series; give the column with the times"):
        SchemaOptions(entity="pump")


def test_a_new_series_is_scored_and_said(place: JobContext) -> None:
    pd.read_csv(source(place)).replace({"pump": {"b": "c"}}).to_csv(source(place, "new.csv"), index=False)
    found = scored(place, "new.csv")
    assert any("column 'pump': 300" in text and "not in the training data" in text for text in found.warnings)


def test_a_scan_by_the_default_model_scores_and_fills(place: JobContext, tmp_path: Path) -> None:
    everything = JobContext.at(tmp_path)
    found = scan(everything, source(place), FitConfig("auto"), OPTIONS, Threshold.parse("budget=4"))
    assert set(np.flatnonzero(found.scored.alert)) <= {*range(ODD[0] - 8, ODD[1] + 8, 2)}
    assert found.filled is not None
    filled, truth = pd.read_csv(str(found.filled.table))["heat"], 20 + 2 * np.sin(np.arange(ROWS) // 2 / 6 * np.pi)
    assert np.abs(filled - truth)[50:71:5].max() < 1

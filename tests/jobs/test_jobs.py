"""What jobs promise: the files they write, scores that depend on the row alone, and fills that change nothing else."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import roc_auc_score

from anomalo.calibration.thresholds import Threshold
from anomalo.errors import UsageError
from anomalo.jobs.context import DataQualityMonitor, JobContext, counts, limited
from anomalo.jobs.engines.ahead import ahead
from anomalo.jobs.fitting.fit import fit
from anomalo.jobs.imputing.impute import impute
from anomalo.jobs.scanning.demo import demo
from anomalo.jobs.scanning.scan import evaluate, scan
from anomalo.jobs.scoring.explain import explain
from anomalo.jobs.scoring.score import ScoreResult, score
from anomalo.pipeline.config import FitConfig
from anomalo.tabular.schema import SchemaOptions

BUDGET = Threshold("budget", 7)
REASON = pa.struct(
    [("column", pa.string()), ("contribution", pa.float64()), ("observed", pa.string()), ("expected", pa.string())]
)


@pytest.fixture(scope="module")
def context(workspace: Path) -> JobContext:
    return JobContext.at(workspace)


@pytest.fixture(scope="module")
def scored(context: JobContext, tables: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[ScoreResult, Path]:
    output = tmp_path_factory.mktemp("scores") / "scores.parquet"
    result = score(context, str(tables / "patients.csv"), "full", output=output, threshold=BUDGET, explain=20)
    return result, output


def test_the_columns_of_scores_their_order_and_types(scored: tuple[ScoreResult, Path], patients: pd.DataFrame) -> None:
    table = pq.read_table(scored[1])
    assert table.schema.names == ["row", "name", "score", "p_value", "alert", "reasons"]
    kinds = [pa.int64(), pa.string(), pa.float64(), pa.float64(), pa.bool_()]
    assert table.schema.types[:5] == kinds
    assert table.schema.types[5].value_type == REASON
    assert table["row"].to_pylist() == list(range(len(patients)))
    assert table["name"].to_pylist() == patients["name"].tolist()
    assert not any(column.null_count for column in table.columns)
    assert np.isfinite(table["score"].to_numpy()).all()
    assert ((table["p_value"].to_numpy() > 0) & (table["p_value"].to_numpy() <= 1)).all()


def test_reasons_are_for_alerts_and_the_most_anomalous_rows_largest_first(scored: tuple[ScoreResult, Path]) -> None:
    table = pq.read_table(scored[1])
    alert, reasons = np.array(table["alert"]), table["reasons"].to_pylist()
    assert alert.sum() == 7
    most_anomalous = np.lexsort((-table["score"].to_numpy(), table["p_value"].to_numpy()))
    assert set(np.flatnonzero(alert)) == set(most_anomalous[:7])
    assert {row for row, why in enumerate(reasons) if why} == set(most_anomalous[:20])
    for why in filter(None, reasons):
        contributions = [reason["contribution"] for reason in why]
        assert contributions == sorted(contributions, reverse=True)
        assert contributions[-1] > 0


def test_the_planted_rows_are_found_for_what_is_wrong_with_them(scored: tuple[ScoreResult, Path]) -> None:
    top = scored[0].top[:2]
    assert {row["row"] for row in top} == {17, 101}
    assert {row["reasons"][0]["column"] for row in top} == {"weight"}
    assert {row["reasons"][0]["observed"] for row in top} == {"190.25", "9.75"}


def test_the_run_keeps_scores_cells_and_raw_rows(
    scored: tuple[ScoreResult, Path], patients: pd.DataFrame, context: JobContext
) -> None:
    result, output = scored
    folder = result.run.path
    assert pq.read_table(folder / "scores.parquet").equals(pq.read_table(output))
    cells, rows = pq.read_table(folder / "cells.parquet"), pq.read_table(folder / "rows.parquet")
    assert cells.schema.names == ["row", "column", "contribution", "observed", "expected", "low", "high"]
    assert cells.schema.types == [
        pa.int64(), pa.string(), pa.float64(), pa.string(), pa.string(), pa.float64(), pa.float64()
    ]  # fmt: skip
    explained = rows["row"].to_pylist()
    assert explained == sorted(explained)
    assert len(explained) == 20
    assert rows.schema.names == ["row", *patients.columns]
    features = ["height", "weight", "children", "colour", "smoker"]
    assert cells["row"].to_pylist() == [row for row in explained for _ in features]
    assert cells["column"].to_pylist() == features * 20
    raw = {(row["row"], name): row[name] for row in rows.to_pylist() for name in features}
    for cell in cells.to_pylist():
        assert (cell["observed"] or "") == raw[cell["row"], cell["column"]]
        assert (cell["low"] is None) == (cell["column"] in ("colour", "smoker"))
        if cell["low"] is not None:
            assert cell["low"] - 0.5 <= float(cell["expected"]) <= cell["high"] + 0.5
    total = pd.DataFrame(cells.to_pylist()).groupby("row")["contribution"].sum()
    np.testing.assert_allclose(total, result.score[explained], rtol=1e-5)
    record = context.store.run(result.run.id)
    label = record.summary["label"]
    assert (label["positive"], label["rows"], label["positives"], label["hits"]) == ("yes", 240, 2, 2)
    assert label["auroc"] == label["ap"] == 1.0
    assert {name: fact for name, fact in record.summary.items() if name not in ("drift", "label")} == {
        "rows": 240, "alerts": 7, "threshold": "budget=7", "explained": 20, "output": str(output), "warnings": []
    }  # fmt: skip
    assert record.model == "full@1"
    assert json.dumps(record.to_json())


def test_training_rows_have_their_own_out_of_fold_scores(scored: tuple[ScoreResult, Path], context: JobContext) -> None:
    _, fitted = context.load("full", "score", "cpu")
    calibration = fitted.calibration
    # Every training row has its rank among the others: the p-values are the ranks themselves.
    expected = 1 - np.searchsorted(calibration.reference, calibration.reference) / 240
    np.testing.assert_allclose(np.sort(scored[0].p_value), np.sort(expected))


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".tsv", ".parquet"])
def test_every_format_holds_the_same_scores(
    scored: tuple[ScoreResult, Path], context: JobContext, tables: Path, tmp_path: Path, suffix: str
) -> None:
    output = tmp_path / f"scores{suffix}"
    score(context, str(tables / "patients.parquet"), "full", output=output, threshold=BUDGET, explain=20)
    table = pq.read_table(scored[1]).to_pandas()
    if suffix == ".parquet":
        found = pq.read_table(output).to_pandas()
    else:
        found = pd.read_csv(output, sep="\t" if suffix == ".tsv" else ",", converters={"reasons": json.loads})
    for column in ("row", "name", "score", "p_value", "alert"):
        np.testing.assert_array_equal(found[column], table[column])
    assert [[r["column"] for r in why] for why in found["reasons"]] == [
        [r["column"] for r in why] for why in table["reasons"]
    ]


def test_a_model_of_the_csv_scores_the_parquet_alike_and_the_reverse(
    context: JobContext, tables: Path, tmp_path: Path
) -> None:
    text, typed = str(tables / "patients.csv"), str(tables / "patients.parquet")
    options = SchemaOptions(id="name", label="sick")
    for source, name in ((text, "of-text"), (typed, "of-typed")):
        fit(context, source, name, FitConfig("linear", {"epochs": 2}, device="cpu"), options)
    results = [score(context, source, name) for name in ("of-text", "of-typed") for source in (text, typed)]
    for other in results[1:]:
        np.testing.assert_array_equal(results[0].score, other.score)
        np.testing.assert_array_equal(results[0].p_value, other.p_value)


@pytest.mark.parametrize("model", ["full", "near"])
def test_a_rows_score_does_not_depend_on_the_rows_around_it(
    context: JobContext, patients: pd.DataFrame, tmp_path: Path, model: str
) -> None:
    rng = np.random.default_rng(5)
    many = patients.loc[rng.integers(0, len(patients), 70_000)].reset_index(drop=True)
    many["height"] += rng.normal(0, 5, len(many)).round(1)
    many.to_parquet(tmp_path / "many.parquet", index=False)
    whole = score(context, str(tmp_path / "many.parquet"), model, explain=0)
    assert len(whole.score) == 70_000
    for start, stop in ((0, 1), (69_999, 70_000), (32_760, 32_780), (40_000, 40_300)):
        many[start:stop].to_csv(tmp_path / "part.csv", index=False)
        part = score(context, str(tmp_path / "part.csv"), model, explain=1)
        np.testing.assert_array_equal(part.score, whole.score[start:stop])
        np.testing.assert_array_equal(part.p_value, whole.p_value[start:stop])
    shuffled = rng.permutation(len(many))
    many.loc[shuffled].to_parquet(tmp_path / "shuffled.parquet", index=False)
    again = score(context, str(tmp_path / "shuffled.parquet"), model, explain=0)
    np.testing.assert_array_equal(again.score, whole.score[shuffled])


def test_every_alert_has_its_own_reasons_wherever_it_is_in_a_long_table(
    context: JobContext, patients: pd.DataFrame, tmp_path: Path
) -> None:
    many = pd.concat([patients] * 300, ignore_index=True)
    at = [0, 32_767, 32_768, 50_001, 71_999]
    many.loc[at, "weight"] = [500.0, 501.0, 502.0, 503.0, 504.0]
    many.to_csv(tmp_path / "many.csv", index=False)
    result = score(context, str(tmp_path / "many.csv"), "full", threshold=Threshold("budget", 5), explain=0)
    assert np.flatnonzero(result.alert).tolist() == at
    reasons = pq.read_table(result.run.path / "scores.parquet")["reasons"].to_pylist()
    assert [row for row, why in enumerate(reasons) if why] == at
    assert [(reasons[row][0]["column"], reasons[row][0]["observed"]) for row in at] == [
        ("weight", f"{weight}.0") for weight in range(500, 505)
    ]
    raw = pq.read_table(result.run.path / "rows.parquet").to_pandas()
    assert raw["row"].tolist() == at
    assert raw["name"].tolist() == many.loc[at, "name"].tolist()
    cells = pq.read_table(result.run.path / "cells.parquet").to_pandas()
    numbers = cells[cells["low"].notna()]
    # What is expected lies within what training saw, however far off the row is.
    assert numbers["expected"].astype(float).between(0, 200).all()
    assert numbers[["low", "high"]].stack().between(-1e-4, 200).all()
    total = cells.groupby("row")["contribution"].sum()
    np.testing.assert_allclose(total, result.score[at], rtol=1e-5)


def test_without_alerts_and_explanations_the_files_still_have_their_columns(context: JobContext, tables: Path) -> None:
    result = score(context, str(tables / "patients.csv"), "near", threshold=Threshold("share", 0.0001), explain=0)
    assert pq.read_schema(result.run.path / "cells.parquet").names[:2] == ["row", "column"]
    assert pq.read_schema(result.run.path / "rows.parquet").names[:2] == ["row", "name"]
    assert set(map(len, pq.read_table(result.run.path / "scores.parquet")["reasons"].to_pylist())) == {0}
    assert result.warnings == ("threshold share=0.0001 can never fire: it needs 9999 training rows, there are 240",)


def test_label_and_id_may_be_absent_and_an_id_may_have_any_name(
    context: JobContext, patients: pd.DataFrame, tmp_path: Path
) -> None:
    renamed = patients.rename(columns={"name": "score"})
    renamed["score"] = np.arange(len(renamed)) * 10
    renamed.to_parquet(tmp_path / "t.parquet", index=False)
    options = SchemaOptions(id="score", label="sick")
    fit(context, str(tmp_path / "t.parquet"), "odd", FitConfig("knn"), options)
    score(context, str(tmp_path / "t.parquet"), "odd", output=tmp_path / "o.parquet")
    table = pq.read_table(tmp_path / "o.parquet")
    assert table.schema.names == ["row", "score_", "score", "p_value", "alert", "reasons"]
    assert table.schema.field("score_").type == pa.int64()
    renamed.drop(columns=["score", "sick"]).to_csv(tmp_path / "bare.csv", index=False)
    bare = score(context, str(tmp_path / "bare.csv"), "odd", output=tmp_path / "o.csv")
    assert bare.warnings == ()
    assert pd.read_csv(tmp_path / "o.csv").columns.tolist() == ["row", "score", "p_value", "alert", "reasons"]
    np.testing.assert_array_equal(bare.score, table["score"].to_numpy())


def test_one_row_explained_is_what_scoring_said(
    scored: tuple[ScoreResult, Path], context: JobContext, tables: Path
) -> None:
    found = explain(context, str(tables / "patients.csv"), "full", 101)
    assert found["score"] == scored[0].score[101]
    assert found["p_value"] == scored[0].p_value[101]
    cells = pq.read_table(scored[0].run.path / "cells.parquet", filters=[("row", "==", 101)]).to_pylist()
    assert [cell["contribution"] for cell in found["cells"]] == sorted((c["contribution"] for c in cells), reverse=True)
    assert sum(cell["contribution"] for cell in found["cells"]) == pytest.approx(found["score"])
    assert {cell["column"]: cell["kind"] for cell in found["cells"]} == {
        "height": "number", "weight": "number", "children": "integer", "colour": "category", "smoker": "boolean"
    }  # fmt: skip


def test_moments_are_written_without_empty_fractions(context: JobContext, tmp_path: Path) -> None:
    moments = pd.date_range("2024-01-01", periods=60, freq="h")
    frame = pd.DataFrame({"when": moments, "size": np.random.default_rng(2).normal(size=60)})
    frame.to_parquet(tmp_path / "t.parquet", index=False)
    fit(
        context, str(tmp_path / "t.parquet"), "timed", FitConfig("linear", {"epochs": 1}, device="cpu"), SchemaOptions()
    )
    cells = {cell["column"]: cell for cell in explain(context, str(tmp_path / "t.parquet"), "timed", 5)["cells"]}
    assert cells["when"]["observed"] == "2024-01-01 05:00:00"
    assert cells["when"]["low"] is None


def test_a_scan_fits_scores_and_compares_with_the_label(
    context: JobContext, patients: pd.DataFrame, tables: Path
) -> None:
    config = FitConfig("linear", {"epochs": 2}, device="cpu")
    result = scan(context, str(tables / "patients.csv"), config, SchemaOptions(id="name", label="sick"), BUDGET)
    assert result.fitted.record.name == "patients"
    assert result.evaluation is not None
    sick = patients["sick"] == "yes"
    assert result.evaluation["auroc"] == pytest.approx(roc_auc_score(sick, result.scored.score))
    expected = {
        "positive": "yes",
        "rows": 240,
        "positives": 2,
        "alerts": 7,
        "hits": int(result.scored.alert[sick].sum()),
    }
    assert expected.items() <= result.evaluation.items()
    assert "sick" not in [block.name for block in result.fitted.fitted.encoder.layout.blocks]


def test_a_label_is_compared_where_it_is_known_and_has_two_values(scored: tuple[ScoreResult, Path]) -> None:
    result = scored[0]
    labels = pa.array(["no"] * 238 + ["yes", None])
    found = evaluate(result, labels)
    assert found is not None
    assert (found["rows"], found["positives"]) == (239, 1)
    assert found["alerts"] == result.alert[:239].sum()
    assert evaluate(result, pa.array(["no"] * 240)) is None
    assert evaluate(result, pa.array(["a", "b", "c"] * 80)) is None
    numbers = evaluate(result, pa.array([0.0] * 239 + [1.0]))
    assert numbers is not None
    assert numbers["positive"] == "1"


def test_a_label_of_many_values_is_said_to_be_of_no_use(context: JobContext, tables: Path) -> None:
    options = SchemaOptions(id="name", label="colour")
    result = scan(context, str(tables / "patients.csv"), FitConfig("knn"), options, BUDGET)
    assert result.evaluation is None
    assert result.warnings[-1] == "label 'colour' does not have two values: the scores are not compared with it"


@pytest.mark.slow
def test_the_demonstration_finds_anomalous_patients(tmp_path: Path) -> None:
    context = JobContext.at(tmp_path / "w")
    result = demo(context, params={"members": "ecod,covariance"}, device="cpu")
    assert result.scan.evaluation is not None
    assert result.scan.evaluation["auroc"] > 0.9
    assert result.filled.rows == 3163
    assert result.scan.filled is not None
    assert sum(result.scan.filled.filled.values()) == 5329
    assert (result.filled.run.path / "filled.csv").is_file()
    assert {"TSH", "sex"} <= {column.column for column in result.hidden}
    assert all(column.baseline > 0 for column in result.hidden)
    assert [run.verb for run in context.store.runs()] == ["score", "impute"]


def test_a_stopped_run_leaves_only_what_it_takes_to_go_on(workspace: Path, tables: Path, tmp_path: Path) -> None:
    def stop(share: float, text: str) -> None:
        raise KeyboardInterrupt

    context = JobContext.at(workspace, stop)

    def tree() -> set[Path]:
        kept = workspace / "unfinished"
        return {path for path in workspace.rglob("*") if path.name[:10] != "anomalo.db" and kept not in path.parents}

    before = tree() | {workspace / "unfinished"}
    source, output = str(tables / "patients.csv"), tmp_path / "out.csv"
    jobs: list[Any] = [
        lambda: score(context, source, "full", output=output),
        lambda: impute(context, source, "full", output=output),
        lambda: fit(context, source, "new", FitConfig("linear", {"epochs": 2}, device="cpu"), SchemaOptions()),
    ]
    for job in jobs:
        with pytest.raises(KeyboardInterrupt):
            job()
    assert tree() == before
    assert list(tmp_path.iterdir()) == []
    assert all(record.name != "new" for record in context.store.models())


def test_the_next_batch_is_prepared_meanwhile_in_order_and_errors_come_where_they_occur() -> None:
    def items() -> Any:
        yield from range(3)
        raise UsageError("the fourth")

    found = ahead(items())
    assert [next(found), next(found), next(found)] == [0, 1, 2]
    with pytest.raises(UsageError, match="the fourth"):
        next(found)


def test_what_changed_since_training_is_noticed(context: JobContext, patients: pd.DataFrame) -> None:
    _, fitted = context.load("full", "score", "cpu")
    frame = patients.assign(height=patients["height"] * 100, colour=None)
    batch = pa.RecordBatch.from_pandas(frame, preserve_index=False)
    monitor = DataQualityMonitor(fitted)
    monitor.see(len(frame), counts(fitted.encode(batch)))
    assert monitor.warnings() == [
        "column 'colour' is empty here, but was not in the training data",
        "column 'height': 240 of 240 values lie outside the training range; is it the same column?",
    ]


@pytest.mark.slow
def test_threads_are_limited_inside_and_given_back() -> None:
    code = (
        "from anomalo.jobs.context import limited\n"
        "import os, pyarrow\n"
        "with limited(1):\n"
        "    import numpy, torch\n"
        "    from threadpoolctl import threadpool_info\n"
        "    numpy.ones((9, 9)) @ numpy.ones((9, 9))\n"
        "    assert torch.get_num_threads() == 1 and pyarrow.cpu_count() == 1\n"
        "    assert {pool['num_threads'] for pool in threadpool_info()} == {1}, threadpool_info()\n"
        "assert 'OMP_NUM_THREADS' not in os.environ\n"
    )
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    before = dict(os.environ), pa.cpu_count()
    with limited(None):
        assert (dict(os.environ), pa.cpu_count()) == before
    with limited(1):
        assert os.environ["OMP_NUM_THREADS"] == "1"
    assert (dict(os.environ), pa.cpu_count()) == before

"""A cell that cannot be read is the finding of its row: flagged, named and left as it is, never a failure."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from anomalo.errors import SchemaError
from anomalo.jobs.context import JobContext
from anomalo.jobs.fitting.fit import fit
from anomalo.jobs.imputing.impute import impute
from anomalo.jobs.imputing.repair import repair
from anomalo.jobs.scoring.score import ScoreResult, score
from anomalo.pipeline.config import FitConfig
from anomalo.pipeline.training import surprisal_of_unreadable
from anomalo.tabular.schema import SchemaOptions

MODELS = ("knn", "covariance", "iforest", "undercomplete")
ROWS = 200


def clean(rows: int = ROWS, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age = rng.integers(20, 70, rows)
    weight = (50 + 0.4 * age + rng.normal(scale=4, size=rows)).round(1)
    grp = rng.choice(["A", "B", "C"], rows)
    return pd.DataFrame({"grp": grp, "weight_kg": weight, "age": age}).astype(str)


def written(folder: Path, frame: pd.DataFrame, name: str) -> str:
    frame.to_csv(folder / name, index=False)
    return str(folder / name)


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> JobContext:
    folder = tmp_path_factory.mktemp("unreadable")
    context = JobContext.at(folder / "workspace")
    source = written(folder, clean(), "clean.csv")
    for model in MODELS:
        params: dict[str, Any] = {"epochs": 3} if model == "undercomplete" else {}
        fit(context, source, model, FitConfig(model, params), SchemaOptions())
    return context


def found(context: JobContext, tmp_path: Path, frame: pd.DataFrame, model: str = "knn") -> ScoreResult:
    return score(context, written(tmp_path, frame, "today.csv"), model)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("cell", ["n/k", "#REF!", "70 kg", "7O.5", "see note", "1.2.3", "-", "70,5kg?"])
def test_it_is_the_most_anomalous_row_and_its_first_reason(
    context: JobContext, tmp_path: Path, model: str, cell: str
) -> None:
    today = clean(30, seed=1)
    today.loc[7, "weight_kg"] = cell
    result = found(context, tmp_path, today, model)
    if cell == "-":  # which stands for a missing cell
        assert not any("cannot be read" in text for text in result.warnings)
        return
    assert result.top[0]["row"] == 7
    assert result.alert[7]
    reason = result.top[0]["reasons"][0]
    assert (reason["column"], reason["observed"]) == ("weight_kg", cell)
    assert float(reason["expected"]) == pytest.approx(70, abs=25)
    assert any("'weight_kg': 1 of 30 cells cannot be read as a number" in text for text in result.warnings)


def test_the_other_rows_score_as_without_it(context: JobContext, tmp_path: Path) -> None:
    today = clean(30, seed=1)
    before = found(context, tmp_path, today).score
    today.loc[7, ["weight_kg", "age"]] = "n/k"
    after = found(context, tmp_path, today).score
    others = np.arange(30) != 7
    np.testing.assert_array_equal(after[others], before[others])
    today.loc[7, "age"] = "33"
    assert found(context, tmp_path, today).score[7] < after[7]


def test_a_single_row_is_scored(context: JobContext, tmp_path: Path) -> None:
    today = clean(1, seed=1)
    today["age"] = "old"
    assert found(context, tmp_path, today).top[0]["reasons"][0]["observed"] == "old"


def test_it_is_rarer_the_fewer_there_were_in_training(tmp_path: Path) -> None:
    context, scores = JobContext.at(tmp_path / "w"), []
    for bad in (0, 1, 15):
        table = clean()
        table.loc[: bad - 1, "weight_kg"] = "n/k"
        name = f"with-{bad}"
        fit(context, written(tmp_path, table, f"{name}.csv"), name, FitConfig("knn"), SchemaOptions())
        today = clean(30, seed=1)
        today.loc[7, "weight_kg"] = "n/k"
        scored = found(context, tmp_path, today, name)
        scores.append(scored.p_value[7])
    assert scores[0] == pytest.approx(1 / 201)
    assert scores[0] <= scores[1] < scores[2]
    assert scores[2] == pytest.approx(15 / 201, abs=0.03)


def test_strict_stops_at_the_first_one(context: JobContext, tmp_path: Path) -> None:
    today = clean(30, seed=1)
    today.loc[7, "weight_kg"] = "n/k"
    with pytest.raises(SchemaError, match="'weight_kg' holds 'n/k' in row 7"):
        found(replace(context, strict=True), tmp_path, today)


def test_another_column_under_the_same_name_is_refused(context: JobContext, tmp_path: Path) -> None:
    today = clean(30, seed=1)
    today["weight_kg"] = today["grp"]
    with pytest.raises(SchemaError, match=r"'weight_kg' holds '[ABC]' in row 0"):
        found(context, tmp_path, today)


def test_the_end_of_a_file_may_hold_anything(context: JobContext, tmp_path: Path) -> None:
    today = clean(200, seed=1)
    today.loc[160:, "weight_kg"] = "n/k"
    result = found(replace(context, batch_rows=40), tmp_path, today)
    assert any("'weight_kg': 40 of 200 cells cannot be read as a number" in text for text in result.warnings)
    whole = found(context, tmp_path, today)
    np.testing.assert_array_equal(result.score, whole.score)


def test_imputation_leaves_it_as_it_is_and_says_so(tmp_path: Path) -> None:
    context, table = JobContext.at(tmp_path / "w"), clean()
    table.loc[3, "weight_kg"], table.loc[5, "age"], table.loc[9, "weight_kg"] = "n/k", "", ""
    source = written(tmp_path, table, "table.csv")
    fit(context, source, "m", FitConfig("chained"), SchemaOptions())
    result = impute(context, source, "m", output=tmp_path / "out.csv")
    filled = pd.read_csv(tmp_path / "out.csv", dtype=str, keep_default_na=False)
    assert filled.loc[3, "weight_kg"] == "n/k"
    assert result.filled == {"weight_kg": 1, "age": 1}
    assert any("'weight_kg': 1 of 200 cells cannot be read" in text for text in result.warnings)
    same = filled.to_numpy() == table.to_numpy()
    assert (~same).sum() == 2


def test_repair_suggests_what_it_should_have_been(tmp_path: Path) -> None:
    context, table = JobContext.at(tmp_path / "w"), clean()
    fit(context, written(tmp_path, table, "table.csv"), "m", FitConfig("chained"), SchemaOptions())
    fit(context, str(tmp_path / "table.csv"), "both", FitConfig("undercomplete", {"epochs": 3}), SchemaOptions())
    today = clean(30, seed=1)
    today.loc[7, "weight_kg"] = "n/k"
    source = written(tmp_path, today, "today.csv")
    repair(context, source, "both", output=tmp_path / "fixed.csv", apply=True)
    fixed = pd.read_csv(tmp_path / "fixed.csv", dtype=str)
    assert float(fixed.loc[7, "weight_kg"]) == pytest.approx(70, abs=25)


def test_a_model_sees_a_missing_cell(context: JobContext, tmp_path: Path) -> None:
    today = clean(30, seed=1)
    for cell in ("", "n/k"):
        today.loc[7, "weight_kg"] = cell
        found(context, tmp_path, today)
    runs = sorted((context.store.workspace / "runs").glob("*/scores.parquet"))[-2:]
    missing, unreadable = (pq.read_table(run)["score"].to_numpy()[7] for run in runs)
    # both are without precedent, and nothing else differs
    assert unreadable == pytest.approx(missing)


def test_it_adds_to_the_scores_of_training_rows_but_not_to_a_probability(tmp_path: Path) -> None:
    context, table = JobContext.at(tmp_path / "w"), clean()
    table.loc[:2, "weight_kg"] = "n/k"
    source = written(tmp_path, table, "table.csv")
    detector = fit(context, source, "d", FitConfig("knn"), SchemaOptions(label="grp")).outcome
    config = FitConfig("classifier", {"epochs": 1})
    classifier = fit(context, source, "c", config, SchemaOptions(label="grp"), supervised=True).fitted
    added = surprisal_of_unreadable(detector.fitted.guarded, detector.data, ROWS)
    np.testing.assert_allclose(added, np.where(np.arange(ROWS) < 3, np.log(201 / 3.5), 0))
    assert not surprisal_of_unreadable(classifier.guarded, detector.data, ROWS).any()

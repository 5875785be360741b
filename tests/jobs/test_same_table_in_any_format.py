"""One table as CSV, Parquet, Feather, JSON lines and a workbook: the same columns, scores and fills."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from anomalo.jobs.context import JobContext
from anomalo.jobs.fitting.fit import fit
from anomalo.jobs.imputing.impute import impute
from anomalo.jobs.scoring.score import score
from anomalo.pipeline.config import FitConfig
from anomalo.tabular.schema import SchemaOptions
from anomalo.tabular.writing.writer import TableWriter

FORMATS = ("csv", "csv.gz", "tsv", "parquet", "feather", "jsonl", "xlsx")


def table(rows: int = 120) -> pa.Table:
    rng = np.random.default_rng(0)
    size = rng.normal(10, 2, rows).round(2)
    frame = pd.DataFrame(
        {
            "size": size,
            "count": rng.poisson(30, rows),
            "weight": (3 * size + rng.normal(size=rows)).round(1),
            "sort": rng.choice(["red", "green", "dark blue"], rows),
            "fast": rng.random(rows) < 0.5,
            "day": pd.date_range("2024-01-01", periods=rows).date,
        }
    )
    whole = pa.Table.from_pandas(frame, preserve_index=False)
    for name in ("weight", "sort"):
        at, hidden = whole.column_names.index(name), pa.array(rng.random(rows) < 0.1)
        cells = whole.column(name).combine_chunks()
        whole = whole.set_column(at, name, pa.compute.if_else(hidden, pa.scalar(None, cells.type), cells))
    return whole


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("formats")
    paths = {form: folder / f"table.{form}" for form in FORMATS}
    for path in paths.values():
        with TableWriter(path) as writer:
            for batch in table().to_batches():
                writer.write(batch)
    return paths


def found(source: Path, folder: Path) -> tuple[dict[str, str], list[float], list[tuple[int, str, str]]]:
    context = JobContext.at(folder / "workspace")
    fitted = fit(context, str(source), "m", FitConfig("chained"), SchemaOptions())
    detector = fit(context, str(source), "d", FitConfig("knn"), SchemaOptions())
    kinds = {column.name: column.kind for column in fitted.fitted.schema.columns}
    scores = score(context, str(source), detector.record.reference).score
    filled = impute(context, str(source), fitted.record.reference)
    fills = pq.read_table(filled.run.path / "fills.parquet").select(["row", "column", "value"]).to_pylist()
    return kinds, scores.round(12).tolist(), sorted((fill["row"], fill["column"], fill["value"]) for fill in fills)


@pytest.mark.parametrize(
    "form",
    [
        pytest.param(form, marks=() if form in ("csv", "xlsx") else pytest.mark.slow)
        for form in FORMATS
        if form != "parquet"
    ],
)
def test_kinds_scores_and_fills_are_those_of_parquet(written: dict[str, Path], form: str, tmp_path: Path) -> None:
    kinds, scores, fills = found(written["parquet"], tmp_path / "typed")
    assert kinds == {
        **{"size": "number", "count": "integer", "weight": "number", "sort": "category"},
        **{"fast": "boolean", "day": "datetime"},
    }
    assert len(fills) == sum(column.null_count for column in table().columns) > 10
    others, same_scores, same_fills = found(written[form], tmp_path / "other")
    assert others == kinds
    assert same_scores == scores
    assert [fill[:2] for fill in same_fills] == [fill[:2] for fill in fills]
    for (_, column, value), (_, _, typed) in zip(same_fills, fills, strict=True):
        assert value == typed or (column == "weight" and abs(float(value) - float(typed)) <= 0.0501)

"""What imputing promises: no observed cell changes, and each fill has an interval or a probability."""

import math
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from anomalo.encoding.scaling import expand
from anomalo.jobs.context import JobContext
from anomalo.jobs.fitting.fit import fit
from anomalo.jobs.imputing.impute import impute
from anomalo.pipeline.config import FitConfig
from anomalo.tabular.schema import SchemaOptions


@pytest.fixture(scope="module")
def context(workspace: Path) -> JobContext:
    return JobContext.at(workspace)


@pytest.mark.parametrize("model", ["full", "fill"])
def test_filling_changes_no_observed_cell_to_the_character(
    context: JobContext, patients: pd.DataFrame, tmp_path: Path, model: str
) -> None:
    text = patients.astype(str).replace({"nan": "", "None": "NA"})
    text["height"] = " " + text["height"] + "0"
    text.loc[9, "smoker"] = '"y, es"'
    text.insert(2, "remark", [f"as; it, is {row}" for row in range(len(text))])
    text.to_csv(tmp_path / "in.csv", index=False)
    result = impute(context, str(tmp_path / "in.csv"), model, output=tmp_path / "out.csv")
    assert result.filled == {"weight": 3, "colour": 2}
    before = pyarrow.csv.read_csv(tmp_path / "in.csv", convert_options=all_text(text)).to_pandas()
    after = pyarrow.csv.read_csv(tmp_path / "out.csv", convert_options=all_text(text)).to_pandas()
    missing = before.isin(["", "NA"])
    assert missing.to_numpy().sum() == 5
    assert after.columns.tolist() == before.columns.tolist()
    assert (after == before).to_numpy()[~missing.to_numpy()].all()
    assert pd.to_numeric(after["weight"]).between(9.75, 190.25).all()
    assert after["colour"].isin(["red", "green", "blue"]).all()
    fills = pq.read_table(result.run.path / "fills.parquet").to_pylist()
    assert {(fill["row"], fill["column"]) for fill in fills} == {
        (3, "weight"), (50, "weight"), (51, "weight"), (4, "colour"), (50, "colour")
    }  # fmt: skip
    assert all(after[fill["column"]][fill["row"]] == fill["value"] for fill in fills)


def test_a_fill_has_an_interval_or_a_probability(context: JobContext, patients: pd.DataFrame, tmp_path: Path) -> None:
    frame = patients.assign(height=patients["height"].where(patients.index % 7 > 0))
    frame.loc[7, "weight"] = 1e9  # the height is predicted beyond all that training saw
    frame.to_csv(tmp_path / "missing.csv", index=False)
    result = impute(context, str(tmp_path / "missing.csv"), "full")
    assert result.table == result.run.path / "filled.csv"
    table = pq.read_table(result.run.path / "fills.parquet")
    assert table.schema.names == ["row", "name", "column", "value", "low", "high", "probability", "draws"]
    assert table.schema.types == [
        pa.int64(), *[pa.string()] * 3, *[pa.float64()] * 3, pa.list_(pa.string())
    ]  # fmt: skip
    assert table["draws"].null_count == len(table)
    fills = table.to_pandas()
    numbers, categories = fills[fills["column"] != "colour"], fills[fills["column"] == "colour"]
    assert len(numbers) == 35 + 3
    assert numbers["probability"].isna().all()
    assert numbers["value"].astype(float).between(numbers["low"] - 0.01, numbers["high"] + 0.01).all()
    heights = numbers[numbers["column"] == "height"]
    assert heights["low"].ge(patients["height"].min() - 0.01).all()
    assert heights["high"].le(patients["height"].max() + 0.01).all()
    assert heights["high"][heights["row"] == 7].item() == pytest.approx(patients["height"].max())
    assert categories[["low", "high"]].isna().all().all()
    assert categories["probability"].between(1 / 3, 1).all()
    _, fitted = context.load("full", "impute", "cpu")
    data = fitted.encode(pa.RecordBatch.from_pandas(frame, preserve_index=False))
    filled = fitted.impute(data)
    for row, probability in zip(categories["row"], categories["probability"], strict=True):
        level = fitted.encoder.layout.blocks[3].levels.index(categories.set_index("row")["value"][row])
        assert filled.proba[3][row, level] == probability == filled.proba[3][row].max()
    block = fitted.encoder.layout.blocks[1]
    weight = numbers.set_index(["column", "row"]).loc["weight", 50]
    for end, outward in (("low", math.floor), ("high", math.ceil)):  # weights have two decimals
        exact = expand(getattr(filled, end)[50, 1], block.offset, block.scale)
        assert weight[end] == pytest.approx(outward(100 * exact) / 100)


def test_without_intervals_or_probabilities_they_are_null(context: JobContext, tables: Path) -> None:
    source = str(tables / "patients.csv")
    fit(context, source, "uncalibrated", FitConfig("mean", calibrate=False), SchemaOptions(id="name", label="sick"))
    fills = pq.read_table(impute(context, source, "uncalibrated").run.path / "fills.parquet").to_pandas()
    assert fills[["low", "high"]].isna().all().all()
    assert fills["probability"].notna().tolist() == (fills["column"] == "colour").tolist()


def all_text(frame: pd.DataFrame) -> pyarrow.csv.ConvertOptions:
    kinds = dict.fromkeys(frame.columns, pa.string())
    return pyarrow.csv.ConvertOptions(column_types=kinds, strings_can_be_null=False)


def test_filling_a_parquet_file_keeps_its_types(context: JobContext, patients: pd.DataFrame, tmp_path: Path) -> None:
    table = pa.Table.from_pandas(patients, preserve_index=False)
    kinds = {"height": pa.float32(), "children": pa.int8(), "colour": pa.dictionary(pa.int8(), pa.string())}
    for name, kind in kinds.items():
        table = table.set_column(table.schema.get_field_index(name), name, table[name].cast(kind))
    table = table.append_column("tags", pa.array([["a", "b"]] * len(patients)))
    pq.write_table(table, tmp_path / "in.parquet")
    result = impute(context, str(tmp_path / "in.parquet"), "full", output=tmp_path / "out.parquet")
    after, before = pq.read_table(tmp_path / "out.parquet"), pq.read_table(tmp_path / "in.parquet")
    assert result.filled == {"weight": 3, "colour": 2}
    assert after.schema.types == before.schema.types
    assert after.schema.names == before.schema.names
    for name in before.schema.names:
        seen = before[name].is_valid()
        assert after[name].null_count == 0
        assert after[name].filter(seen).to_pylist() == before[name].filter(seen).to_pylist()


def test_a_fill_does_not_depend_on_the_rows_around_it(
    context: JobContext, patients: pd.DataFrame, tmp_path: Path
) -> None:
    patients.to_csv(tmp_path / "all.csv", index=False)
    patients[50:52].to_csv(tmp_path / "two.csv", index=False)
    for name in ("all", "two"):
        impute(context, str(tmp_path / f"{name}.csv"), "full", output=tmp_path / f"{name}.out.csv")
    everything = (tmp_path / "all.out.csv").read_text().splitlines()
    assert (tmp_path / "two.out.csv").read_text().splitlines()[1:] == everything[51:53]


def test_without_an_output_the_filled_table_is_in_the_run(context: JobContext, tables: Path) -> None:
    for source, name in (("patients.csv", "filled.csv"), ("patients.parquet", "filled.parquet")):
        result = impute(context, str(tables / source), "fill")
        assert (result.run.path / name).is_file()
        assert result.run.summary["filled"] == {"weight": 3, "colour": 2}

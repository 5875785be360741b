"""Files for spreadsheets hold no formulas, and numbers stay numbers."""

import doctest
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from anomalo.tabular import safe_csv
from anomalo.tabular.writing.writer import TableWriter

FORMULAS = [
    '=HYPERLINK("http://evil.example","x")',
    "=1+1",
    "+1+1",
    "-1+1",
    "- none",
    "-",
    "+",
    "@SUM(A1)",
    "\t=1",
    "\ttext",
    "\rtext",
    " =1+1",
    "-5;=1",
    "-1.2.3",
    "+49 30 1234",
    "\uff1d1+1",
]
NUMBERS = ["-5", "+5", "-1e-3", "-1,5", "+1.234,5", "-1,234.5", "-.5", "-inf", " -5 "]
TEXTS = ["", "a=b", "'=1", "5", "x-y", "1e5", "2020-01-01", "a\tb"]


def written(path: Path, cells: list[str | None], **options: bool) -> list[str]:
    with TableWriter(path, **options) as writer:
        writer.write(pa.record_batch({"=cell": pa.array(cells, pa.string()), "other": list(range(len(cells)))}))
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert frame.columns.tolist() == [("'" if options else "") + "=cell", "other"]
    return frame.iloc[:, 0].tolist()


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
def test_formulas_begin_with_an_apostrophe(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"table{suffix}"
    cells = FORMULAS + NUMBERS + TEXTS
    assert written(path, cells, safe_csv=True) == [f"'{cell}" for cell in FORMULAS] + NUMBERS + TEXTS


def test_without_the_option_cells_are_unchanged(tmp_path: Path) -> None:
    cells = FORMULAS + NUMBERS + TEXTS
    assert written(tmp_path / "table.csv", cells) == cells


def test_typed_columns_and_missing_cells_are_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    batch = pa.record_batch(
        {
            "number": [-1.5, float("-inf")],
            "whole": [-5, None],
            "level": pa.array(["=x", None]).dictionary_encode(),
            "list": [["=a"], None],
        }
    )
    with TableWriter(path, safe_csv=True) as writer:
        writer.write(batch)
    assert path.read_text() == 'number,whole,level,list\n-1.5,-5,\'=x,"[""=a""]"\n-inf,,,\n'


def test_parquet_is_untouched(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    with TableWriter(path, safe_csv=True) as writer:
        writer.write(pa.record_batch({"=a": ["=1"]}))
    assert pd.read_parquet(path).to_dict("list") == {"=a": ["=1"]}


def test_examples() -> None:
    assert doctest.testmod(safe_csv).failed == 0

"""How large a source is, without reading it."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from anomalo.errors import SourceError
from anomalo.tabular.reading import size
from anomalo.tabular.reading.size import size_of

ROWS = 3_000


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame({"a": rng.normal(size=ROWS), "b": rng.choice(["x", "line\nbreak"], ROWS)})


@pytest.mark.parametrize("first", [10_000, 1 << 20], ids=["the first of its lines", "all lines"])
def test_lines_of_a_text_are_counted_but_for_the_header_and_those_in_quotes(
    frame: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: int
) -> None:
    monkeypatch.setattr(size, "FIRST", first)
    path = tmp_path / "t.csv"
    frame.to_csv(path, index=False)
    found = size_of(str(path))
    assert found is not None
    assert (found.bytes, found.exact, found.why) == (path.stat().st_size, False, "from the size of the first lines")
    assert found.rows == ROWS if first > path.stat().st_size else abs(found.rows - ROWS) < 0.05 * ROWS  # type: ignore[operator]


@pytest.mark.parametrize("ending", ["\r\n", "\r", ""])
def test_line_ends_of_any_kind_and_a_last_line_without_one(tmp_path: Path, ending: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes((ending or "\n").join(["a,b", "1,2", "3,4", "5,6" + ending]).encode())
    found = size_of(str(path))
    assert found is not None
    assert found.rows == 3


def test_files_that_say_it_are_asked(frame: pd.DataFrame, tmp_path: Path) -> None:
    frame.to_parquet(tmp_path / "t.parquet", row_group_size=1_000)
    frame.to_feather(tmp_path / "t.feather")
    for name in ("t.parquet", "t.feather"):
        found = size_of(str(tmp_path / name))
        assert found is not None
        assert (found.rows, found.exact, found.why) == (ROWS, True, "from the file's metadata")


def test_folders_and_patterns_are_sums(frame: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        frame.to_parquet(tmp_path / f"{number}.parquet")
        frame[: 100 * (number + 1)].to_csv(tmp_path / f"{number}.csv", index=False)
    typed, texts = size_of(str(tmp_path / "*.parquet")), size_of(str(tmp_path / "*.csv"))
    assert typed is not None
    assert texts is not None
    assert (typed.rows, typed.exact, typed.why) == (3 * ROWS, True, "from 3 files' metadata")
    assert (texts.rows, texts.why) == (600, "from the size of some files' first lines")
    assert texts.bytes == sum(path.stat().st_size for path in tmp_path.glob("*.csv"))
    monkeypatch.setattr(size, "LOOKED_AT", 1)
    assert abs(size_of(str(tmp_path / "*.csv")).rows - 600) < 30  # type: ignore[operator, union-attr]


def test_json_lines_are_lines_and_a_list_is_not(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n' * 9)
    (tmp_path / "b.json").write_text('[{"a": 1},\n {"a": 2}]\n')
    assert [size_of(str(tmp_path / name)).rows for name in ("a.jsonl", "b.json")] == [9, None]  # type: ignore[union-attr]


def test_what_only_reading_can_say(frame: pd.DataFrame, tmp_path: Path) -> None:
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(frame.to_csv().encode()))
    frame[:9].to_excel(tmp_path / "t.xlsx")
    with pa.OSFile(str(tmp_path / "t.arrow"), "wb") as file, pa.ipc.new_stream(file, pa.schema({"a": pa.int8()})):
        pass
    for path in tmp_path.iterdir():
        found = size_of(str(path))
        assert found is not None
        assert (found.rows, found.bytes) == (None, path.stat().st_size), path.name
    for source in ("-", "s3://bucket/t.csv", "sqlite:///t.db::t", str(tmp_path / "absent.csv")):
        assert size_of(source) is None


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    path.write_bytes(b"PAR1 and no more")
    with pytest.raises(SourceError, match=r"t\.parquet is damaged or truncated"):
        size_of(str(path))

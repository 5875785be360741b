"""A folder of Parquet files is written whole or not at all, and read back as the same table."""

from pathlib import Path

import pyarrow as pa
import pytest

from anomalo.errors import OutputError, UsageError
from anomalo.tabular.reading.reader import read
from anomalo.tabular.writing import folder as written
from anomalo.tabular.writing.folder import ParquetFolder

TABLE = pa.table({"x": list(range(10)), "year": [2023, 2024] * 5, "s": ["a", None] * 5})


def write(target: str, table: pa.Table = TABLE) -> None:
    found = ParquetFolder.parse(target)
    assert found is not None
    found.check()
    with found.writer(table.schema) as writer:
        for batch in table.to_batches(max_chunksize=3):
            writer.write(batch)


def back(folder: Path) -> pa.Table:
    batches = read(str(folder))
    assert batches is not None
    return pa.Table.from_batches(list(batches))


def test_without_partitions_the_table_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(written, "ROWS", 5)
    write(f"{tmp_path}/out/")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["part-00000.parquet", "part-00001.parquet"]
    assert back(tmp_path / "out").to_pydict() == TABLE.to_pydict()


def test_partitions_are_folders_and_keep_the_order_of_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(written, "ROWS", 4)
    write(f"{tmp_path}/out/?by=year")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["year=2023", "year=2024"]
    assert back(tmp_path / "out")["x"].to_pylist() == [0, 2, 4, 6, 8, 1, 3, 5, 7, 9]
    assert back(tmp_path / "out")["year"].to_pylist() == [2023] * 5 + [2024] * 5


def test_nothing_is_overwritten_and_nothing_is_left_in_part(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(OutputError, match="it exists already"):
        write(f"{tmp_path}/there/")
    found = ParquetFolder.parse(f"{tmp_path}/out/")
    assert found is not None
    with pytest.raises(KeyboardInterrupt), found.writer(None) as writer:  # noqa: PT012
        writer.write(TABLE.to_batches()[0])
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_a_column_that_is_absent_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no column 'town' to partition by; the columns are: x, year, s"):
        write(f"{tmp_path}/out/?by=town")
    with pytest.raises(UsageError, match="no column is left"):
        write(f"{tmp_path}/out/?by=x,year,s")


def test_no_rows_are_a_file_with_the_columns(tmp_path: Path) -> None:
    write(f"{tmp_path}/out/", TABLE.slice(0, 0))
    (path,) = (tmp_path / "out").iterdir()
    assert pa.parquet.read_schema(path).names == TABLE.column_names

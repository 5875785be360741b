"""A folder or pattern of files is one table, in the order of the files' names."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from anomalo.errors import EmptySourceError, SourceError
from anomalo.tabular.column import read_notes
from anomalo.tabular.read_options import ReadOptions
from anomalo.tabular.reading.folder.partitions import NULL
from anomalo.tabular.reading.reader import read


def table(source: Path | str, **options: str) -> pa.Table:
    batches = read(str(source), ReadOptions(**options))
    assert batches is not None
    return pa.Table.from_batches(list(batches))


def write(folder: Path, **files: str | dict[str, list[object]]) -> None:
    """Write files, whose names have a double underscore for a slash and a single one for a point."""
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_", ".").replace("EQ", "=")
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            path.write_text(content)
        else:
            pq.write_table(pa.table(content), path)


def test_text_files_are_each_understood_by_themselves(tmp_path: Path) -> None:
    write(tmp_path, a_csv="name,price\nAnn,1\n", c_csv='price;name\n"2,5";Bo\n')
    (tmp_path / "b.csv").write_bytes("name\tprice\nZoé\t3\n".encode("cp1252"))
    assert table(tmp_path).to_pydict() == {"name": ["Ann", "Zoé", "Bo"], "price": ["1", "3", "2,5"]}
    assert table(tmp_path / "[ac].csv").to_pydict() == {"name": ["Ann", "Bo"], "price": ["1", "2,5"]}


def test_files_are_read_by_name_and_rows_in_order(tmp_path: Path) -> None:
    write(tmp_path, b_parquet={"x": [4, 5]}, a10_parquet={"x": [1, 2]}, a2_parquet={"x": [3]})
    assert table(tmp_path)["x"].to_pylist() == [1, 2, 3, 4, 5]


def test_partitions_are_columns(tmp_path: Path) -> None:
    write(
        tmp_path,
        yearEQ2023__townEQNew__a_parquet={"x": [1]},
        yearEQ2024__townEQ01__a_parquet={"x": [2]},
    )
    found = table(tmp_path)
    assert found.to_pydict() == {"x": [1, 2], "year": [2023, 2024], "town": ["New", "01"]}
    assert table(tmp_path / "year=2024").to_pydict() == {"x": [2], "town": ["01"]}
    assert table(tmp_path / "*" / "town=*" / "*.parquet").equals(found)


def test_partitions_of_text_files_are_texts_and_a_missing_one_is_missing(tmp_path: Path) -> None:
    write(tmp_path, kEQ1__a_csv="x,y\n1,2\n")
    (tmp_path / f"k={NULL}").mkdir()
    (tmp_path / f"k={NULL}" / "a.csv").write_text("x,y\n3,4\n")
    assert table(tmp_path).to_pydict() == {"x": ["1", "3"], "y": ["2", "4"], "k": ["1", ""]}


def test_a_partition_that_the_file_has_too_is_the_files(tmp_path: Path) -> None:
    write(tmp_path, kEQ1__a_parquet={"k": [7], "x": [1]})
    assert table(tmp_path).to_pydict() == {"k": [7], "x": [1]}


def test_types_become_those_that_hold_all(tmp_path: Path) -> None:
    write(tmp_path, a_jsonl='{"x": 1, "s": "u"}\n{"x": 2, "s": null}\n', b_jsonl='{"x": 2.5, "s": null}\n')
    assert table(tmp_path).to_pydict() == {"x": [1.0, 2.0, 2.5], "s": ["u", None, None]}
    assert {str(batch.schema) for batch in table(tmp_path).to_batches()} == {str(table(tmp_path).schema)}


def test_strings_of_parquet_have_one_type_however_they_are_encoded(tmp_path: Path) -> None:
    write(tmp_path, a_parquet={"s": ["u", "v"]})
    pq.write_table(
        pa.table({"s": ["w"]}), tmp_path / "b.parquet", use_dictionary=False, column_encoding={"s": "DELTA_BYTE_ARRAY"}
    )
    found = table(tmp_path)
    assert found["s"].to_pylist() == ["u", "v", "w"]
    assert read_notes(found.schema)["strings"] == {}


def test_files_that_do_not_agree_are_named_with_the_column(tmp_path: Path) -> None:
    write(tmp_path, a_parquet={"x": [1], "y": [1]}, b_parquet={"x": [1]})
    with pytest.raises(SourceError, match=r"b\.parquet has no column 'y', which .*a\.parquet has"):
        table(tmp_path)
    write(tmp_path, b_parquet={"x": ["u"], "y": [1]})
    with pytest.raises(SourceError, match=r"column 'x' is int64 in .*a\.parquet and string in .*b\.parquet"):
        table(tmp_path)
    write(tmp_path / "text", a_csv="x,y\n1,2\n", b_csv="x,y,z\n1,2,3\n")
    with pytest.raises(SourceError, match=r"b\.csv has a column 'z', which .*a\.csv has not"):
        table(tmp_path / "text")
    write(tmp_path / "sorts", a_csv="x,y\n1,2\n", b_parquet={"x": [1], "y": [2]})
    with pytest.raises(SourceError, match=r"a\.csv is a text file, and .*b\.parquet is not"):
        table(tmp_path / "sorts")
    write(tmp_path / "keys", kEQ1__a_csv="x,y\n1,2\n", a_csv="x,y\n1,2\n")
    with pytest.raises(SourceError, match=r"a\.csv lies in no folder k=…"):
        table(tmp_path / "keys")


def test_what_is_no_data_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, a_csv="x,y\n1,2\n", README_md="# Visits")
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / ".a.csv.crc").write_bytes(b"\0")
    (tmp_path / "_temporary").mkdir()
    (tmp_path / "_temporary" / "a.csv").write_text("z\n1\n")
    assert table(tmp_path)["x"].to_pylist() == ["1"]


def test_files_without_rows_are_passed_over_but_one_must_have_some(tmp_path: Path) -> None:
    write(tmp_path, a_csv="x,y\n", b_csv="x,y\n1,2\n")
    assert table(tmp_path)["x"].to_pylist() == ["1"]
    (tmp_path / "b.csv").unlink()
    with pytest.raises(EmptySourceError, match="has no rows: none of 1 files has any"):
        table(tmp_path)


def test_nothing_to_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds no table"):
        table(tmp_path)
    with pytest.raises(SourceError, match=r"no table matches .*\*\.csv"):
        table(tmp_path / "*.csv")
    write(tmp_path, a_csv="x,y\n1,2\n", b_csv="x,y\n1,2,3\n")
    with pytest.raises(SourceError, match=r"b\.csv"):
        table(tmp_path)


def test_a_file_whose_name_is_like_a_pattern_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "a[1].csv").write_text("x,y\n1,2\n")
    (tmp_path / "a1.csv").write_text("x,y\n3,4\n")
    assert table(tmp_path / "a[1].csv")["x"].to_pylist() == ["1"]


def test_the_notes_of_all_files_are_kept(tmp_path: Path) -> None:
    write(
        tmp_path,
        a_jsonl=json.dumps({"day": "2024-01-31", "l": 1}) + "\n",
        b_jsonl=json.dumps({"day": "2024-02-01", "l": 2}) + "\n",
    )
    assert read_notes(table(tmp_path).schema)["text_columns"] == ["day"]


def test_options_hold_for_each_file(tmp_path: Path) -> None:
    write(tmp_path, a_csv="1,2\n", b_csv="3,4\n")
    assert table(tmp_path, header="none").num_rows == 2

"""Coded tables: joined by name, sampled by content, the same after a file; no text does them harm."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomalo.cleaning.coded import CodedColumn, CodedTable


def texts(table: CodedTable) -> dict[str, list[str]]:
    return {column.name: [column.values[code] for code in column.codes] for column in table.columns}


TABLE = {"a": ["x", "y", "x", "", "🙂"], "b": ["1", "1", "2", "a\x00b", "שלום"]}


def test_new_rows_stand_behind_the_reference_and_are_in_no_count() -> None:
    new = CodedTable.of_texts({"c": ["?", "?"], "b": ["3", "1"], "a": ["y", "z"]})
    joined = CodedTable.joined(CodedTable.of_texts(TABLE), new)
    assert (joined.rows, joined.reference) == (7, 5)
    assert texts(joined) == {"a": [*TABLE["a"], "y", "z"], "b": [*TABLE["b"], "3", "1"]}
    assert dict(zip(joined.columns[0].values, joined.columns[0].counts, strict=True)) == {
        "x": 2, "y": 1, "": 1, "🙂": 1, "z": 0
    }  # fmt: skip
    assert [column.distinct for column in joined.columns] == [4, 4]


def test_a_new_table_without_a_column_of_the_reference_is_refused() -> None:
    with pytest.raises(KeyError, match="b"):
        CodedTable.joined(CodedTable.of_texts(TABLE), CodedTable.of_texts({"a": ["x"]}))


def test_a_new_row_is_known_as_the_first_equal_one() -> None:
    reference = CodedTable.of_texts({"a": ["x", "y", "x", "x"], "b": ["1", "1", "2", "2"]})
    new = CodedTable.of_texts({"a": ["x", "y", "x", "y"], "b": ["2", "2", "1", "2"]})
    assert CodedTable.joined(reference, new).originals.tolist() == [0, 1, 2, 3, 2, 5, 0, 7]


def test_a_sample_has_the_same_rows_in_any_order_of_rows_and_columns() -> None:
    random = np.random.default_rng(0)
    columns = {"id": [str(at) for at in range(400)], "b": random.choice(list("uvw"), 400).tolist()}
    found = texts(CodedTable.of_texts(columns).sampled(50))
    order = random.permutation(400)
    shuffled = {name: [columns[name][at] for at in order] for name in ("b", "id")}
    other = texts(CodedTable.of_texts(shuffled).sampled(50))
    assert len(found["id"]) == 50
    assert [int(at) for at in found["id"]] == sorted(map(int, found["id"]))
    assert set(zip(found["id"], found["b"], strict=True)) == set(zip(other["id"], other["b"], strict=True))
    assert min(map(int, found["id"])) < 40 < 360 < max(map(int, found["id"]))


def test_a_sample_has_no_text_that_none_of_its_rows_has() -> None:
    sample = CodedTable.of_texts({"id": [str(at) for at in range(100)]}).sampled(7)
    assert sample.columns[0].distinct == len(sample.columns[0].values) == 7
    assert sample.columns[0].codes.tolist() == list(range(7))


def test_a_small_table_is_no_sample() -> None:
    table = CodedTable.of_texts(TABLE)
    assert table.sampled(5) is table


@given(st.lists(st.tuples(st.text(max_size=4), st.text(max_size=2)), max_size=12))
def test_a_table_is_the_same_after_a_file(rows: list[tuple[str, str]]) -> None:
    table = CodedTable.of_texts({"a": [one for one, _ in rows], "b": [other for _, other in rows]})
    sink = pa.BufferOutputStream()
    pyarrow.parquet.write_table(table.to_arrow(), sink)
    read = CodedTable.of_arrow(pyarrow.parquet.read_table(pa.BufferReader(sink.getvalue())))
    assert (read.rows, read.names) == (table.rows, table.names)
    for one, other in zip(read.columns, table.columns, strict=True):
        assert one.values == other.values
        assert one.codes.tolist() == other.codes.tolist()


def test_a_table_is_the_same_after_a_feather_file(tmp_path: Path) -> None:
    pyarrow.feather.write_feather(CodedTable.of_texts(TABLE).to_arrow(), tmp_path / "table.arrow")
    assert texts(CodedTable.of_arrow(pyarrow.feather.read_table(tmp_path / "table.arrow"))) == TABLE


def test_half_a_surrogate_pair_is_read_as_the_replacement_character() -> None:
    column = CodedColumn.of("a", ["a\ud83d", "\udfffb", "🙂"])
    assert column.values == ["a\ufffd", "\ufffdb", "🙂"]

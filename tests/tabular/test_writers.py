"""What is written as text is read again to the character, whatever is in a cell."""

import csv
from pathlib import Path

import pyarrow as pa
import pytest

from anomalo.registry.hooks import anomalo_read
from anomalo.tabular.writing.writer import TableWriter

CELLS = ["plain", "a\rb", "\r", "a\r\nb", "a\nb", 'a"b', "a,b", "a;b", "\t", " ", "", "a\r"]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".csv.gz"])
@pytest.mark.parametrize("cell", CELLS)
def test_each_kind_of_cell_is_read_again_as_it_was(tmp_path: Path, cell: str, suffix: str) -> None:
    path = tmp_path / f"table{suffix}"
    table = pa.record_batch({"a": ["1", cell, "3"], "b": ["x", "y", "z"]})
    with TableWriter(path) as writer:
        writer.write(table)
    (batch,) = anomalo_read(str(path)) or ()
    assert batch.to_pydict() == table.to_pydict()


@pytest.mark.parametrize("cell", CELLS)
def test_other_readers_agree(tmp_path: Path, cell: str) -> None:
    path = tmp_path / "table.csv"
    with TableWriter(path) as writer:
        writer.write(pa.record_batch({"a": [cell], "b": ["y"]}))
    with path.open(newline="") as file:
        assert list(csv.reader(file)) == [["a", "b"], [cell, "y"]]


def test_a_carriage_return_alone_is_a_reason_for_quotes(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    with TableWriter(path) as writer:
        writer.write(pa.record_batch({"a": ["x\ry", "plain"], "b": ["1", "2"]}))
    assert path.read_bytes() == b'a,b\n"x\ry",1\nplain,2\n'

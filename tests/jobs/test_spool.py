"""Rows that wait on disk come back as they were, in pieces of any size."""

from pathlib import Path

import pyarrow as pa
import pytest

from anomalo.errors import OutputError
from anomalo.jobs.scoring.spool import Ascending, Spool, in_slices


def batches(*lengths: int) -> list[pa.RecordBatch]:
    table = pa.table({"row": range(sum(lengths))})
    starts = [sum(lengths[:at]) for at in range(len(lengths))]
    return [
        table.slice(start, rows).combine_chunks().to_batches()[0] for start, rows in zip(starts, lengths, strict=True)
    ]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "rows.arrow")
    assert spool.empty
    assert list(spool.read()) == []
    for batch in batches(3, 1, 4):
        spool.write(batch)
    assert not spool.empty
    assert [batch.num_rows for batch in spool.read()] == [3, 1, 4]


def test_dictionaries_may_differ_from_batch_to_batch(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "rows.arrow")
    for word in ("a", "b"):
        spool.write(pa.RecordBatch.from_pydict({"word": pa.array([word, None]).dictionary_encode()}))
    (found,) = in_slices(spool.read(), 10)
    assert found.column("word").to_pylist() == ["a", None, "b", None]


def test_a_folder_that_is_absent_is_reported(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot write"):
        Spool(tmp_path / "absent" / "rows.arrow").write(batches(1)[0])


@pytest.mark.parametrize("lengths", [(1,), (5,), (2, 3), (1, 1, 1, 7, 2), (12, 1)])
def test_slices_have_one_size(lengths: tuple[int, ...]) -> None:
    found = list(in_slices(batches(*lengths), 3))
    assert {batch.num_rows for batch in found[:-1]} <= {3}
    assert [row for batch in found for row in batch.column(0).to_pylist()] == list(range(sum(lengths)))


def test_ascending_rows_are_taken_up_to_a_row() -> None:
    rows = Ascending(batches(2, 3, 1))
    found = [[row for batch in rows.before(stop) for row in batch.column(0).to_pylist()] for stop in (1, 1, 4, 9, 12)]
    assert found == [[0], [], [1, 2, 3], [4, 5], []]

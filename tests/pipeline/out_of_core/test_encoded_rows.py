"""Encoded rows on disk, in the order of their content."""

from pathlib import Path

import numpy as np
import pytest

from anomalo.encoding.encoded import Encoded
from anomalo.encoding.layout import Block, Layout
from anomalo.encoding.mapped import is_mapped
from anomalo.errors import OutputError
from anomalo.pipeline.out_of_core import encoded_rows
from anomalo.pipeline.out_of_core.encoded_rows import EncodedRows
from anomalo.pipeline.row_order import by_content

LAYOUT = Layout("table", (3,), tuple(Block(name, "number", at) for at, name in enumerate("abc")))


def rows(count: int, seed: int = 0) -> Encoded:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(count, 3)).round(1).astype(np.float32)
    return Encoded(values, rng.random(values.shape) < 0.9, LAYOUT)


@pytest.mark.parametrize("bucket", [64 * 2**20, 4096], ids=["one bucket", "many buckets"])
def test_the_rows_are_those_of_a_fit_in_memory_in_its_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bucket: int
) -> None:
    monkeypatch.setattr(encoded_rows, "BUCKET", bucket)
    monkeypatch.setattr(encoded_rows, "WRITTEN", 100)
    data = rows(5_000)
    written = EncodedRows(tmp_path / "encoded", LAYOUT, 5_000)
    for start in range(0, 5_000, 777):
        written.add(data.take(slice(start, start + 777)))
    found, expected = written.ordered(), data.take(by_content(data))
    assert is_mapped(found)
    np.testing.assert_array_equal(found.values, expected.values)
    np.testing.assert_array_equal(found.observed, expected.observed)
    assert sorted(path.name for path in (tmp_path / "encoded").iterdir()) == ["observed", "values"]


def test_equal_rows_stay_all(tmp_path: Path) -> None:
    data = Encoded.concatenate([rows(100)] * 3)
    written = EncodedRows(tmp_path / "encoded", LAYOUT, 300)
    written.add(data)
    hashes, counts = np.unique(written.ordered().hashes(), return_counts=True)
    assert len(hashes) <= 100
    assert counts.sum() == 300


def test_a_full_disk_is_an_error_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = EncodedRows(tmp_path / "encoded", LAYOUT, 10)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("builtins.open", full)
    with pytest.raises(OutputError, match="No space left on device; a table that does not fit into memory needs space"):
        written.add(rows(10))

"""Rows in mapped files: read in parts, and their memory given back."""

from pathlib import Path

import numpy as np

from anomalo.encoding.encoded import Encoded
from anomalo.encoding.layout import Block, Layout
from anomalo.encoding.mapped import Stretch, is_mapped, mapping, release, row_parts

LAYOUT = Layout("table", (2,), (Block("a", "number", 0), Block("b", "number", 1)))


def rows(folder: Path, count: int) -> Encoded:
    values = np.arange(2 * count, dtype=np.float32).reshape(count, 2)
    (values).tofile(folder / "values")
    np.ones((count, 2), dtype=bool).tofile(folder / "observed")
    return Encoded(
        np.memmap(folder / "values", np.float32, "r", shape=(count, 2)),
        np.memmap(folder / "observed", np.bool_, "r", shape=(count, 2)),
        LAYOUT,
    )


def resident() -> int:
    """Pages of mapped files that this process holds, in KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssFile:"))


def test_views_are_mapped_and_copies_are_not(tmp_path: Path) -> None:
    data = rows(tmp_path, 10)
    assert is_mapped(data)
    assert is_mapped(data.take(slice(2, 5)))
    assert not is_mapped(data.take(np.array([3, 1])))
    assert mapping(np.zeros(3)) is None


def test_parts_are_all_rows_in_order(tmp_path: Path) -> None:
    data = rows(tmp_path, 1000)
    parts = [part.values.copy() for part in row_parts(data, 300)]
    assert [len(part) for part in parts] == [300, 300, 300, 100]
    np.testing.assert_array_equal(np.concatenate(parts), data.values)


def test_pages_that_were_read_are_given_back(tmp_path: Path) -> None:
    data = rows(tmp_path, 4_000_000)  # 32 MB of values
    before = resident()
    for part in row_parts(data, 500_000):
        part.values.sum()
        assert resident() < before + 16_000
    data.values.sum()
    assert resident() > before + 24_000, "otherwise this test shows nothing"
    release(data.values)
    assert resident() < before + 16_000
    assert data.values[-1, -1] == 7_999_999, "what was given back is read again"


def test_a_mapped_array_is_mapped_again_where_it_lies(tmp_path: Path) -> None:
    values = rows(tmp_path, 5000).values
    for array in (values, values[700:4100]):
        stretch = Stretch.of(array)
        assert stretch is not None
        again = stretch.map()
        assert mapping(again) is not None
        assert np.array_equal(again, array)


def test_an_array_in_memory_or_in_parts_of_a_file_is_nowhere_to_map(tmp_path: Path) -> None:
    values = rows(tmp_path, 5000).values
    assert Stretch.of(np.array(values)) is None
    assert Stretch.of(values[::2]) is None

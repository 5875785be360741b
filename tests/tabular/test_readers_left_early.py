"""A reader that is left early, or fails, leaves nothing behind that the end of the interpreter trips over."""

import gc
import gzip
import io
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from anomalo.errors import SourceError
from anomalo.registry.hooks import anomalo_read

ROWS = b"a,b\n" + b"1.5,x\n" * 200_000
FAILS = """
import sys
from anomalo.errors import SourceError
from anomalo.registry.hooks import anomalo_read
try:
    list(anomalo_read(sys.argv[1]))
except SourceError as error:
    print(error)
"""


def opened(path: Path) -> list[object]:
    """The Python objects that have a file open."""
    files = [item for item in gc.get_objects() if issubclass(type(item), io.BufferedReader | gzip.GzipFile)]
    return [file for file in files if not file.closed and file.name == str(path)]


@pytest.mark.parametrize("name", ["table.csv", "table.csv.gz"])
def test_arrow_reads_a_text_file_without_a_python_object(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(ROWS, 1) if name.endswith("gz") else ROWS)
    batches = anomalo_read(str(path))
    assert batches is not None
    assert next(batches).num_rows > 1
    # A thread of Arrow's that reads ahead would need it, and abort the process if the interpreter has ended.
    assert not opened(path)


@pytest.mark.parametrize("encode", [bytes, gzip.compress, lambda rows: b"\xff\xfe" + rows.decode().encode("utf-16-le")])
def test_a_reader_that_is_left_early_closes_its_file(tmp_path: Path, encode: object) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(encode(ROWS))  # type: ignore[operator]
    batches = anomalo_read(str(path))
    assert batches is not None
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    assert not opened(path)


@pytest.mark.parametrize("rows", [1, 100_000])
def test_zeros_after_a_gzip_file_are_no_damage(tmp_path: Path, rows: int) -> None:
    path = tmp_path / "table.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * rows) + bytes(512))
    assert sum(batch.num_rows for batch in anomalo_read(str(path)) or ()) == rows


def test_several_gzip_files_in_one_are_one_table(tmp_path: Path) -> None:
    path = tmp_path / "table.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n1,2\n") + gzip.compress(b"3,4\n"))
    assert [batch.to_pylist() for batch in anomalo_read(str(path)) or ()] == [
        [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]
    ]


@pytest.mark.parametrize("at", [slice(None, -100), slice(None, -4), slice(4, -4)])
def test_a_damaged_gzip_file_is_reported_as_one(tmp_path: Path, at: slice) -> None:
    path = tmp_path / "table.csv.gz"
    content = gzip.compress(os.urandom(50_000).hex().encode().join([b"a,b\n", b",1\n" * 50_000]))
    damaged = content[at] if at.start is None else content[:-8] + b"abcd" + content[-4:]
    path.write_bytes(damaged)
    with pytest.raises(SourceError, match=r"is a damaged or truncated gzip file: .*; copy it again"):
        list(anomalo_read(str(path)) or ())


@pytest.mark.slow
def test_a_header_without_rows_ends_in_an_error_and_never_in_an_abort(tmp_path: Path) -> None:
    """Forty times, six at once on one core, as on a busy machine."""
    path = tmp_path / "header.csv"
    path.write_text("a,b,c\n")
    (core,) = list(os.sched_getaffinity(0))[:1]

    def end(_: int) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-c", f"import os; os.sched_setaffinity(0, {{{core}}}){FAILS}", str(path)],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout.strip() or done.stderr

    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(end, range(40))) == {(0, f"{path} has a header but no rows")}

"""Results behind URLs, here in memory and on a server that speaks S3."""

from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from anomalo.errors import OutputError, UsageError
from anomalo.registry.registry import Registry
from tests.conftest import Call

REGISTRY = Registry.load()
TABLE = pa.table({"x": [1, 2], "y": ["a", None]})


def write(target: str, table: pa.Table = TABLE) -> None:
    destination = REGISTRY.destination(target)
    destination.check()
    with destination.writer(table.schema) as sink:
        for batch in table.to_batches():
            sink.write(batch)


def listed(root: str) -> set[str]:
    filesystem, path = fsspec.core.url_to_fs(root)
    filesystem.invalidate_cache()
    return {name.removeprefix(f"{path}/") for name in filesystem.find(path)}


@pytest.mark.parametrize("name", ["new.parquet", "deep/er/new.csv", "one.csv"])
def test_what_is_written_is_read_again(root: str, name: str) -> None:
    before = listed(root)
    write(f"{root}/{name}")
    assert listed(root) == before | {name}, "nothing else is left there"
    found = pa.Table.from_batches(list(REGISTRY.read(f"{root}/{name}")))
    assert found.to_pydict() == {"x": [1, 2], "y": ["a", None]} or found["x"].to_pylist() == ["1", "2"]


def test_a_failure_leaves_what_was_there(root: str) -> None:
    before = listed(root)
    destination = REGISTRY.destination(f"{root}/new.parquet")

    def fail() -> None:
        with destination.writer(None) as sink:
            sink.write(TABLE.to_batches()[0])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert listed(root) == before


def test_a_server_of_files_gets_the_name_at_the_end(tmp_path: Path) -> None:
    write(f"file://{tmp_path}/new.parquet")
    assert pq.read_table(tmp_path / "new.parquet").equals(TABLE)
    assert [path.name for path in tmp_path.iterdir()] == ["new.parquet"]


@pytest.mark.parametrize(
    ("target", "error", "message"),
    [
        ("memory://bucket/out/", UsageError, "behind a URL only a file can be written"),
        ("memory://bucket/?by=x", UsageError, "behind a URL only a file can be written"),
        ("memory://bucket/out.txt", UsageError, "cannot infer the format of 'out.txt'"),
        ("ftp://ann:s3cret@127.0.0.1:1/x.csv", OutputError, "cannot write ftp://"),
    ],
)
def test_what_cannot_be_written_is_one_line_before_the_job(target: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as raised:
        REGISTRY.destination(target).check()
    assert "s3cret" not in str(raised.value)


def test_a_job_writes_its_scores_there(anomalo: Call, tmp_path: Path, memory: str) -> None:
    pq.write_table(pa.table({"x": [float(at % 7) for at in range(60)]}), tmp_path / "t.parquet")
    common = ("--workspace", tmp_path)
    assert anomalo("fit", tmp_path / "t.parquet", "--model", "knn", "--as", "m", *common).code == 0
    refused = anomalo("score", tmp_path / "t.parquet", "--with", "m", "-o", f"{memory}/s.csv", "--safe-csv", *common)
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    scored = anomalo("score", tmp_path / "t.parquet", "--with", "m", "-o", f"{memory}/s.parquet", *common)
    assert scored.code == 0, scored.err
    found = pa.Table.from_batches(list(REGISTRY.read(f"{memory}/s.parquet")))
    assert found["row"].to_pylist() == list(range(60))

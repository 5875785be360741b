"""Tables behind URLs are read as local ones are, here from memory and from a server that speaks S3."""

from pathlib import Path

import pyarrow as pa
import pytest

from anomalo.errors import SourceError
from anomalo.registry.registry import Registry
from tests.plugins.remote.conftest import FILES

REGISTRY = Registry.load()


def read(source: str) -> pa.Table:
    return pa.Table.from_batches(list(REGISTRY.read(source)))


def test_a_text_file_is_understood_as_a_local_one(root: str, tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_bytes(FILES["one.csv"])
    remote, local = read(f"{root}/one.csv"), read(str(tmp_path / "one.csv"))
    assert remote.equals(local)
    assert remote.schema.metadata == local.schema.metadata


@pytest.mark.parametrize("below", ["/*/*.parquet", "/year=*", "/year=202?/"])
def test_a_folder_or_pattern_is_one_table(root: str, below: str) -> None:
    table = read(f"{root}{below}")
    assert table.to_pydict() == {"x": [1.0, 2.0, 3.0, 4.0, 5.5], "year": [2023, 2023, 2023, 2023, 2024]}


def test_files_that_do_not_agree_are_named(root: str) -> None:
    with pytest.raises(SourceError, match=r"one\.csv lies in no folder year=…, as .*2023/a\.parquet does"):
        read(f"{root}/")


def test_what_is_not_there_is_one_line(root: str) -> None:
    for below in ("/no.csv", "/no/*.csv", "/no/"):
        with pytest.raises(SourceError, match=r"no table is at|there is no"):
            read(f"{root}{below}")


def test_a_copy_is_gone_when_it_was_read(memory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    batches = iter(REGISTRY.read(f"{memory}/one.csv"))
    next(batches)
    assert list(tmp_path.iterdir())
    assert list(batches) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("source", ["ftp://ann:s3cret@127.0.0.1:1/x.csv", "s3://key:s3cret@nowhere/x.csv"])
def test_no_message_shows_a_password(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(SourceError) as raised:
        read(source)
    assert "s3cret" not in str(raised.value)


def test_a_library_that_is_absent_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "s3fs", None)
    fsspec = pytest.importorskip("fsspec.registry")
    monkeypatch.delitem(fsspec._registry, "s3", raising=False)
    with pytest.raises(SourceError, match=r'is not installed; .*"anomalo-engine\[s3\]"'):
        read("s3://bucket/x.csv")

"""A shard is serialised once and hashed once when it is kept, and hashed once when it is read."""

from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from anomalo.jobs.sharding import MANIFEST, Shards
from anomalo.persistence import checksums
from anomalo.persistence.resume import ResumableState

ROWS = np.arange(1_000)
ARRAYS = {"score": np.arange(1_000.0), "cells": np.ones((1_000, 20), np.float32)}
BYTES = sum(array.nbytes for array in ARRAYS.values())


class Work:
    """Counts bytes that are hashed, and calls that serialise."""

    def __init__(self) -> None:
        self.hashed, self.serialised = 0, 0


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    found, original, save = Work(), checksums.hashlib.sha256, safetensors.numpy.save

    class Counted:
        def __init__(self, content: bytes = b"") -> None:
            self.inner = original()
            self.update(content)

        def update(self, content: bytes) -> None:
            found.hashed += memoryview(content).nbytes
            self.inner.update(content)

        def hexdigest(self) -> str:
            return self.inner.hexdigest()

    def counted(*arguments: object) -> bytes:
        found.serialised += 1
        return save(*arguments)

    monkeypatch.setattr("hashlib.sha256", Counted)
    monkeypatch.setattr("hashlib.file_digest", lambda file, name: Counted(file.read()))
    monkeypatch.setattr(safetensors.numpy, "save", counted)
    return found


def test_it_is_kept_and_read_with_the_least_work(tmp_path: Path, work: Work) -> None:
    shards = Shards(ResumableState(tmp_path))
    shards.save("scores", ROWS, ARRAYS, {"missing": {"a": 3}})
    assert work.serialised == 1
    assert work.hashed < 1.1 * (BYTES + ROWS.nbytes)
    work.hashed = 0
    arrays, counts = Shards(ResumableState(tmp_path)).load("scores", ROWS) or pytest.fail("it is lost")
    assert work.serialised == 1
    assert work.hashed < 1.1 * (BYTES + ROWS.nbytes)
    assert counts == {"missing": {"a": 3}}
    assert all(np.array_equal(arrays[name], array) for name, array in ARRAYS.items())


def test_a_part_that_is_not_the_one_listed_is_not_taken(tmp_path: Path) -> None:
    """A job may be killed after it has replaced a shard, and before it has listed it."""
    job = ResumableState(tmp_path)
    Shards(job).save("scores", ROWS, ARRAYS, {})
    (path,) = tmp_path.glob("*.safetensors")
    job.save(path.stem, {"score": np.zeros(1_000)}, {})
    assert Shards(job).load("scores", ROWS) is None
    assert job.load(path.stem) is not None


@pytest.mark.parametrize("at", [-1, 200, 8])
def test_a_changed_byte_is_noticed(tmp_path: Path, at: int) -> None:
    Shards(ResumableState(tmp_path)).save("scores", ROWS, ARRAYS, {})
    (path,) = tmp_path.glob("*.safetensors")
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
    assert Shards(ResumableState(tmp_path)).load("scores", ROWS) is None


def test_a_line_without_a_checksum_is_not_trusted(tmp_path: Path) -> None:
    Shards(ResumableState(tmp_path)).save("scores", ROWS, ARRAYS, {})
    manifest = tmp_path / MANIFEST
    manifest.write_text(manifest.read_text().replace('"sha256"', '"sha255"'))
    assert Shards(ResumableState(tmp_path)).load("scores", ROWS) is None

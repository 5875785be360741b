"""A job that is killed once its output is complete, and before it is recorded, does not write it again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from anomalo.jobs.context import JobContext
from anomalo.jobs.fitting.fit import fit
from anomalo.jobs.scoring import score as scoring
from anomalo.pipeline.config import FitConfig
from anomalo.registry.registry import Registry
from anomalo.tabular.schema import SchemaOptions
from tests.conftest import Call

ROWS = 60
REGISTRY = Registry.load()
pytestmark = pytest.mark.usefixtures("frugal")


class Killed(KeyboardInterrupt):
    """What ends a job."""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "table.csv"
    pd.DataFrame(np.random.default_rng(0).normal(size=(ROWS, 3)), columns=list("abc")).to_csv(path, index=False)
    fit(JobContext.at(tmp_path / "w"), str(path), "m", FitConfig("zscore"), SchemaOptions())
    return path


def killed_after_writing(monkeypatch: pytest.MonkeyPatch) -> None:
    job = scoring._Job
    write: Callable[..., Any] = job.write

    def die(self: Any, folder: Path) -> Any:
        write(self, folder)
        monkeypatch.setattr(job, "write", write)
        raise Killed

    monkeypatch.setattr(job, "write", die)


def rows(target: str) -> list[int]:
    found = pa.Table.from_batches(list(REGISTRY.read(target)))
    return sorted(found["row"].to_pylist())


@pytest.mark.parametrize("where", ["sqlite", "duckdb", "folder"])
@pytest.mark.parametrize("mode", ["create", "append", "replace"])
def test_once(
    anomalo: Call, tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch, where: str, mode: str
) -> None:
    if where == "duckdb":
        pytest.importorskip("duckdb_engine", reason="duckdb-engine is not installed")
    if where == "folder" and mode != "create":
        pytest.skip("a folder is always a new one")
    database = f"{where}:///{tmp_path / 'data.db'}::scores"
    target, read = (f"{tmp_path}/scores/",) * 2 if where == "folder" else (f"{database}?mode={mode}", database)
    score = ("score", source, "--with", "m", "-o", target, "--workspace", tmp_path / "w")
    first = ROWS if mode == "append" else 0
    if mode == "append":
        assert anomalo("score", source, "--with", "m", "-o", database, "--workspace", tmp_path / "w").code == 0
    killed_after_writing(monkeypatch)
    assert anomalo(*score).code == 5
    assert len(rows(read)) == first + ROWS, "it was written"
    for force in ((), ("--force",))[: 2 if mode != "create" else 1]:  # nothing is left to resume the second time
        resumed = anomalo(*score, "--resume", *force)
        assert resumed.code == 0, resumed.err
        assert len(rows(read)) == first + ROWS
        assert "nothing to do" in anomalo(*score).out
        assert len(rows(read)) == first + ROWS, "the same job appends nothing"
        first += ROWS if mode == "append" else 0
    if where == "folder":
        assert {path.suffix for path in (tmp_path / "scores").iterdir()} == {".parquet"}
    else:
        with pytest.raises(Exception, match="there is no such table"):
            rows(f"{where}:///{tmp_path / 'data.db'}::anomalo_jobs")


def test_a_job_that_starts_anew_writes_again(
    anomalo: Call, tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = f"sqlite:///{tmp_path / 'data.db'}::scores"
    score = ("score", source, "--with", "m", "-o", f"{database}?mode=append", "--workspace", tmp_path / "w")
    killed_after_writing(monkeypatch)
    assert anomalo(*score).code == 5
    assert anomalo(*score).code == 0
    assert len(rows(database)) == 2 * ROWS

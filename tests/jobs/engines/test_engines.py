"""Every engine gives the bytes of the job in one process, with any number of workers, whatever happens to them."""

import os
import shutil
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from anomalo.calibration.thresholds import Threshold
from anomalo.errors import SchemaError
from anomalo.jobs.context import JobContext
from anomalo.jobs.describing.embed import embed
from anomalo.jobs.engines.local import LocalEngine
from anomalo.jobs.engines.worker_process import WorkerProcess
from anomalo.jobs.imputing.impute import impute
from anomalo.jobs.imputing.repair import repair
from anomalo.jobs.scoring.score import score
from anomalo.registry.engine import EngineChoice

VERBS: dict[str, Callable[..., Any]] = {
    "score": score,
    "impute": impute,
    "embed": embed,
    "repair": partial(repair, threshold=Threshold("budget", 9), apply=True),
}


def results(verb: str, context: Any, table: Path, **options: Any) -> dict[str, bytes]:
    """Do a job to its end, and return all files that it writes."""
    output = table.parent / "out.csv"
    result: Any = VERBS[verb](context, str(table), "full", output=output, device="cpu", **options)
    return {path.name: path.read_bytes() for path in [output, *result.run.path.iterdir()] if path.is_file()}


@pytest.fixture
def table(tables: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(tables / "patients.csv", tmp_path))


@pytest.mark.parametrize(
    "verb", [pytest.param(verb, marks=() if verb == "score" else pytest.mark.slow) for verb in VERBS]
)
def test_every_file_equals_that_of_one_process(verb: str, engine: str, at: Any, home: Path, table: Path) -> None:
    expected = results(verb, at(home, "local", 1), table)
    found = results(verb, at(home, engine), table)
    assert sorted(found) == sorted(expected)
    assert [name for name in expected if found[name] != expected[name]] == []
    assert len(expected) >= 2


@pytest.mark.slow
def test_workers_compute_and_this_process_does_not(
    engine: str, at: Any, home: Path, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anomalo.pipeline.fitted.Fitted.score", None)
    monkeypatch.setattr("anomalo.pipeline.fitted.Fitted.explain", None)
    assert len(score(at(home, engine), str(table), "full", device="cpu").score) == 240
    with pytest.raises(TypeError):
        score(at(home, "local", 1), str(table), "full", device="cpu")


def interrupt(context: Any, table: Path, after: int, **options: Any) -> None:
    """Stop a scoring after some batches."""
    calls = iter(range(after))

    def stop(share: float, text: str) -> None:
        if next(calls, None) is None:
            raise KeyboardInterrupt

    context.progress = stop
    with pytest.raises(KeyboardInterrupt):
        score(context, str(table), "full", device="cpu", **options)


@pytest.mark.slow
def test_a_job_is_resumed_with_other_workers(engine: str, at: Any, home: Path, table: Path, workers_of: Any) -> None:
    expected = results("score", at(home, "local", 1), table)
    before = set(workers_of(os.getpid()))
    interrupt(at(home, engine, 2), table, 1)
    if engine == "local":
        assert set(workers_of(os.getpid())) == before
    (manifest,) = home.glob("unfinished/*/manifest.jsonl")
    kept = len(manifest.read_text().split())
    assert kept >= 2
    interrupt(at(home, "local", 1), table, 2, resume=True)
    found = results("score", at(home, engine, 2), table, resume=True)
    assert [name for name in expected if found[name] != expected[name]] == []


@pytest.mark.slow
def test_a_worker_that_is_killed_changes_nothing(
    engine: str, at: Any, home: Path, table: Path, workers_of: Any
) -> None:
    expected = results("score", at(home, "local", 1), table)
    killed: list[int] = []

    def kill(share: float, text: str) -> None:
        """Kill all workers after the first and the third batch."""
        if text in ("50 rows", "150 rows"):
            for pid in workers_of(os.getpid()):
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)

    found = results("score", at(home, engine, 2, kill), table)
    assert len(killed) >= 2
    assert [name for name in expected if found[name] != expected[name]] == []


@pytest.mark.slow
def test_an_error_in_a_worker_is_the_users_error(
    engine: str, at: Any, home: Path, patients: pd.DataFrame, tmp_path: Path
) -> None:
    bad = patients.astype({"children": object})
    bad.loc[120, "children"] = "many"
    bad.to_csv(tmp_path / "bad.csv", index=False)
    raised = []
    for name, workers in (("local", 1), (engine, 2)):
        context = at(home, name, workers)
        context.strict = True
        with pytest.raises(SchemaError) as error:
            score(context, str(tmp_path / "bad.csv"), "full", device="cpu")
        raised.append(str(error.value))
    assert raised[0] == raised[1]
    assert "'many' in row 120" in raised[0]
    assert list((home / "unfinished").iterdir()) == []


def test_what_only_a_model_in_memory_knows_is_computed_here(
    at: Any, home: Path, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from anomalo.jobs.context import Opened

    monkeypatch.setattr(WorkerProcess, "start", None)
    context = at(home, "local", 2)
    opened = Opened(*context.load("full", "score", "cpu"))
    assert len(score(context, str(table), opened, device="cpu").score) == 240


@pytest.mark.slow
def test_alerts_in_the_first_rows_are_explained_by_a_worker(
    engine: str, at: Any, home: Path, patients: pd.DataFrame, tmp_path: Path
) -> None:
    numbers = list(patients.select_dtypes("number"))
    odd = patients.astype(dict.fromkeys(numbers, object))
    odd.loc[:5, numbers] = "many"  # all of the alerts, and not most of the first batch
    odd.to_csv(tmp_path / "odd.csv", index=False)
    outcomes = [
        results("score", at(home, name, workers), tmp_path / "odd.csv", threshold=Threshold("budget", 6), explain=1)
        for name, workers in (("local", 1), (engine, 2))
    ]
    assert outcomes[0] == outcomes[1]


@pytest.mark.slow
def test_workers_of_a_long_job_start_while_the_model_is_loaded(
    home: Path, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = results("score", JobContext.at(home, batch_rows=50), table)
    events: list[str] = []
    start, load = WorkerProcess.start, JobContext.load
    monkeypatch.setattr(WorkerProcess, "start", lambda compute: (events.append("start"), start(compute))[1])
    monkeypatch.setattr(JobContext, "load", lambda self, *of: (events.append("load"), load(self, *of))[1])
    monkeypatch.setattr("anomalo.jobs.sharding.LARGE", 1000)
    monkeypatch.setattr(LocalEngine, "patience", 0.0)
    found = results("score", JobContext.at(home, batch_rows=50, engine=EngineChoice("local", 2)), table)
    assert events == ["start", "start", "load"]
    assert found == expected


def test_a_short_job_starts_no_process(anomalo: Any, home: Path, table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WorkerProcess, "start", None)
    common = ("--with", "full", "--workspace", home, "--device", "cpu")
    outcome = anomalo("score", table, *common, "--workers", 2)
    assert outcome.code == 0, outcome.err

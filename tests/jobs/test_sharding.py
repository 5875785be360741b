"""A scoring or an imputation that is killed resumes where it was, and writes the same files as an uninterrupted one."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from anomalo.calibration.thresholds import Threshold
from anomalo.errors import SchemaError, UsageError
from anomalo.jobs.context import JobContext
from anomalo.jobs.describing.embed import embed
from anomalo.jobs.imputing.impute import impute
from anomalo.jobs.imputing.repair import repair
from anomalo.jobs.scoring.score import score
from anomalo.jobs.sharding import MANIFEST, Shards
from anomalo.models.run import Progress
from anomalo.persistence.resume import ResumableState, resumable_state
from anomalo.tabular.text import table as text_table

BATCH = 50
"""Rows in a batch here: the table of 240 rows comes in five."""
VERBS: dict[str, Callable[..., Any]] = {
    "score": score,
    "impute": impute,
    "embed": embed,
    "repair": partial(repair, threshold=Threshold("budget", 9), apply=True),
}
FILES = {
    "score": ("scores.parquet", "cells.parquet", "rows.parquet", "neighbours.parquet", "normal_rows.parquet"),
    "impute": ("fills.parquet",),
    "embed": ("codes.parquet",),
    "repair": ("repairs.parquet",),
}
KILLS = Path(__file__).parents[2] / "benchmarks" / "kills.py"


def at(workspace: Path, progress: Progress | None = None) -> JobContext:
    """Return the surroundings of a job that works on small batches."""
    return JobContext.at(workspace, progress, BATCH)


@pytest.fixture
def home(untouched: Path, tmp_path: Path) -> Path:
    """A workspace with models and no runs, of this test alone."""
    shutil.copytree(untouched / "models", tmp_path / "w" / "models")
    shutil.copy(untouched / "anomalo.db", tmp_path / "w")
    for run in JobContext.at(tmp_path / "w").store.runs():
        pytest.fail(f"the workspace has run {run.id} already")
    return tmp_path / "w"


@pytest.fixture
def table(tables: Path, tmp_path: Path) -> Path:
    """The table, to be changed."""
    return Path(shutil.copy(tables / "patients.csv", tmp_path))


def interrupt(verb: str, home: Path, table: Path, after: int, *, resume: bool = False, **options: Any) -> Path:
    """Stop a job after some batches, and return the folder of what is kept."""
    calls = iter(range(after))

    def stop(share: float, text: str) -> None:
        if next(calls, None) is None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        VERBS[verb](at(home, stop), str(table), "full", resume=resume, device="cpu", **options)
    (folder,) = (path for path in (home / "unfinished").iterdir() if path.is_dir())
    return folder


def results(verb: str, home: Path, table: Path, **options: Any) -> dict[str, bytes]:
    """Do a job to its end, and return the files that it writes."""
    output = home.parent / "out.csv"
    result: Any = VERBS[verb](at(home), str(table), "full", output=output, device="cpu", **options)
    paths = [output, *(result.run.path / name for name in FILES[verb])]
    return {path.name: path.read_bytes() for path in paths}


def entries(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / MANIFEST).read_text().splitlines() if line.endswith("}")]


def forge(folder: Path, kind: str, rows: np.ndarray[Any, Any], **values: float) -> None:
    """Replace the results of a shard by others."""
    shards = Shards(ResumableState(folder))
    arrays, counts = shards.load(kind, rows) or pytest.fail("there is no such shard")
    shards.save(
        kind, rows, arrays | {name: np.full_like(arrays[name], value) for name, value in values.items()}, counts
    )


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_an_interrupted_job_goes_on_and_ends_as_if_nothing_had_been(
    verb: str, suffix: str, home: Path, tables: Path
) -> None:
    table = tables / f"patients.{suffix}"
    expected = results(verb, home, table)
    for after in (1, 3):
        folder = interrupt(verb, home, table, after, resume=after > 1)
    assert [(entry["first"], entry["rows"]) for entry in entries(folder)] == [
        (0, 50), (50, 50), (100, 50), (150, 50)
    ]  # fmt: skip
    assert results(verb, home, table, resume=True) == expected
    assert list((home / "unfinished").iterdir()) == []
    assert len(at(home).store.runs()) == 2


@pytest.mark.parametrize("verb", VERBS)
def test_batches_without_rows_change_nothing(
    verb: str, home: Path, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = results(verb, home, table)
    slices = text_table.slices

    def with_empty_ones(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        for part in slices(batch):
            yield from (part.slice(0, 0), part)

    monkeypatch.setattr(text_table, "slices", with_empty_ones)
    assert results(verb, home, table) == expected


def test_what_is_finished_is_not_computed_again(home: Path, table: Path) -> None:
    folder = interrupt("score", home, table, 2)
    forge(folder, "scores", np.arange(50, 100), score=1e6, p_value=0.001)
    found = score(at(home), str(table), "full", device="cpu", resume=True)
    assert np.flatnonzero(found.score == 1e6).tolist() == list(range(50, 100))
    assert found.warnings == ()
    folder = interrupt("impute", home, table, 2)
    forge(folder, "fills", np.arange(50), value=0.0, probability=0.25)
    filled = impute(at(home), str(table), "full", device="cpu", resume=True)
    folder = interrupt("embed", home, table, 2)
    forge(folder, "codes", np.arange(50, 100), codes=7.5)
    embedded = embed(at(home), str(table), "full", device="cpu", resume=True)
    codes = pq.read_table(embedded.run.path / "codes.parquet").to_pandas()
    assert np.flatnonzero(codes["code_0"] == 7.5).tolist() == list(range(50, 100))
    fills = pq.read_table(filled.run.path / "fills.parquet").to_pandas()
    assert (fills["probability"] == 0.25).tolist() == (fills["row"] < 50).tolist()


@pytest.mark.slow
def test_explained_rows_are_kept_too_but_only_for_the_same_rows(
    home: Path, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anomalo.jobs.scoring.score.ROWS", 6)

    def begun(budget: int) -> list[int]:
        """Return the alerts that are explained first."""
        alert = score(at(home), str(table), "full", threshold=Threshold("budget", budget), device="cpu").alert
        return np.flatnonzero(alert)[:6].tolist()

    first = begun(30)
    more = next(budget for budget in range(31, 240) if begun(budget) != first)
    assert begun(more)[0] == first[0]  # so that the shards have the same name
    options: dict[str, Any] = {"device": "cpu", "explain": 0}
    folder = interrupt("score", home, table, 5 + 2, threshold=Threshold("budget", 30), explain=0)
    assert [entry["shard"][:5] for entry in entries(folder)] == ["score"] * 5 + ["cells"] * 3
    forge(folder, "cells", np.array(first), contribution=7.5)
    shutil.copytree(folder, home / "kept")
    for budget, used in ((30, first), (more, [])):
        shutil.copytree(home / "kept", folder, dirs_exist_ok=True)
        found = score(
            at(home),
            str(table),
            "full",
            threshold=Threshold("budget", budget),
            resume=True,
            **options,
        )
        cells = pq.read_table(found.run.path / "cells.parquet").to_pandas()
        assert cells["row"].unique().tolist() == np.flatnonzero(found.alert).tolist()
        assert cells["row"][cells["contribution"] == 7.5].unique().tolist() == used


@pytest.mark.parametrize("verb", VERBS)
def test_a_damaged_shard_is_computed_again(verb: str, home: Path, table: Path) -> None:
    expected = results(verb, home, table)
    folder = interrupt(verb, home, table, 3)
    shards = sorted(folder.glob("*-0*.safetensors"))
    assert len(shards) == 4
    flipped = bytearray(shards[0].read_bytes())
    flipped[-1] ^= 1
    shards[0].write_bytes(flipped)
    shards[1].write_bytes(shards[1].read_bytes()[:-9])
    shards[2].unlink()
    manifest = folder / MANIFEST
    manifest.write_text(manifest.read_text()[:-20])  # the last line is torn
    assert results(verb, home, table, resume=True) == expected
    folder = interrupt(verb, home, table, 3)
    (folder / MANIFEST).write_bytes(b'[1]\n{"shard": 1}\n\xff\xfe\nnull\n')
    assert results(verb, home, table, resume=True) == expected


def test_a_torn_line_of_the_manifest_spoils_no_later_one(home: Path, table: Path) -> None:
    folder = interrupt("score", home, table, 1)
    with (folder / MANIFEST).open("a") as file:
        file.write('\n{"shard": "scores-0000')
    interrupt("score", home, table, 2, resume=True)
    assert len(Shards(ResumableState(folder))) == 3


def test_without_resume_a_job_begins_anew(home: Path, table: Path) -> None:
    folder = interrupt("score", home, table, 2)
    forge(folder, "scores", np.arange(50), score=1e6)
    assert score(at(home), str(table), "full", device="cpu").score.max() < 1e6


def test_nothing_to_resume_is_said(home: Path, table: Path) -> None:
    for verb, job in VERBS.items():
        result: Any = job(at(home), str(table), "full", device="cpu", resume=True)
        assert result.warnings == (f"nothing to resume: `{verb}` started from the beginning",)
        assert result.run.summary["warnings"] == []


def test_another_source_model_or_device_is_refused(home: Path, table: Path) -> None:
    def refused(**options: Any) -> str:
        with pytest.raises(UsageError, match=r"^cannot resume score-\w{12}: .*; start anew without --resume$") as error:
            score(at(home), str(table), "full", resume=True, **{"device": "cpu", **options})
        return str(error.value)

    folder = interrupt("score", home, table, 2)
    assert 'device was "cpu" and is "auto"' in refused(device="auto")
    written = table.stat().st_mtime_ns
    os.utime(table, ns=(written, written + 1))
    assert "source.modified was " in refused()
    table.write_text(table.read_text() + "p240,170,70,1,red,no,no\n")
    os.utime(table, ns=(written, written))
    assert "source.bytes was " in refused()
    shutil.rmtree(home / "models" / "full" / "1")
    shutil.copytree(home / "models" / "near" / "1", home / "models" / "full" / "1")
    assert "model.sha256 was " in refused()
    assert len(entries(folder)) == 3


def test_one_job_at_a_time(home: Path, table: Path) -> None:
    folder = interrupt("score", home, table, 2)
    with suppress(KeyboardInterrupt), resumable_state(folder, {}, resume=True):
        with pytest.raises(UsageError, match=r"score-\w{12} is already running in another process"):
            score(at(home), str(table), "full", device="cpu", resume=True)
        # The same verb with another model is another job.
        score(at(home), str(table), "near", device="cpu")
        raise KeyboardInterrupt
    assert len(entries(folder)) == 3


def test_a_job_that_has_nothing_to_keep_leaves_nothing(home: Path, patients: pd.DataFrame, tmp_path: Path) -> None:
    for first in (10, 100):  # so many bad cells that it is another column, in the first batch or in all of them
        bad = patients.astype({"children": object})
        bad.loc[first:, "children"] = "many"
        bad.to_csv(tmp_path / "bad.csv", index=False)
        with pytest.raises(SchemaError, match=r"'many' in row|column 'children': 140 of 240 cells cannot be read"):
            score(at(home), str(tmp_path / "bad.csv"), "full", device="cpu")
    assert list((home / "unfinished").iterdir()) == []


def test_the_warnings_of_a_resumed_job_are_those_of_the_whole(
    home: Path, patients: pd.DataFrame, tmp_path: Path
) -> None:
    frame = patients.assign(colour="violet", height=patients["height"] * 10)
    frame.loc[[0, 239], "smoker"] = None
    frame.to_csv(tmp_path / "new.csv", index=False)
    context = at(home)
    whole = score(context, str(tmp_path / "new.csv"), "full", device="cpu")
    interrupt("score", home, tmp_path / "new.csv", 2)
    resumed = score(context, str(tmp_path / "new.csv"), "full", device="cpu", resume=True)
    assert resumed.warnings == whole.warnings
    assert len(whole.warnings) == 4  # two columns, a range, and drift


EVERY_STEP = """
import os, shutil, signal, sys
from pathlib import Path

from anomalo.jobs.describing.embed import embed
from anomalo.jobs.imputing.impute import impute
from anomalo.jobs.context import JobContext
from anomalo.jobs.scoring.score import score

home, source, folder = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
STEPS = ("os.rename", "os.remove", "os.mkdir", "shutil.rmtree", "sqlite3.connect")

def at(base):
    return JobContext.at(base / "w", batch_rows=150)

def attempt(job, base, resume, steps=0):
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    left = [steps]
    def kill(event, arguments):
        if event in STEPS:
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(kill)
    job(at(base), source, "full", output=base / "out" / "o.csv", device="cpu", resume=resume)
    os._exit(0)

def found(base):
    (run,) = JobContext.at(base / "w").store.runs()
    (shown,) = (base / "w" / "runs").iterdir()
    assert run.path == shown, (run, shown)
    assert not list((base / "w" / "unfinished").iterdir()), list((base / "w" / "unfinished").iterdir())
    assert not list(base.rglob(".*")), list(base.rglob(".*"))
    files = [base / "out" / "o.csv", *sorted(run.path.iterdir())]
    return {path.name: path.read_bytes() for path in files}

def fresh(name):
    shutil.rmtree(folder / name, ignore_errors=True)
    shutil.copytree(home, folder / name / "w")
    (folder / name / "out").mkdir()
    return folder / name

for first, job in enumerate((score, impute, embed), start=-2):
    job(at(fresh("warm")), source, "full", device="cpu")  # so that forks need not import anything
    whole = fresh("whole")
    assert attempt(job, whole, False) == 0
    expected = found(whole)
    steps, after_the_end = first, 0
    while True:
        steps += 3  # each verb at other steps
        base = fresh("killed")
        if attempt(job, base, False, steps) == 0:
            break
        unfinished = base / "w" / "unfinished"
        if (base / "w" / "runs").exists() and not list(unfinished.glob("*/task.json")):
            after_the_end += 1
            shutil.rmtree(unfinished)
            unfinished.mkdir()
            (base / "out" / ".o.csv.lock").unlink(missing_ok=True)  # as the next job on this output would
        else:
            assert attempt(job, base, True) == 0
        assert found(base) == expected, steps
    print(steps, after_the_end)
"""


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_job_killed_at_any_step_of_its_writing_ends_with_one_run_and_nothing_else(
    home: Path, table: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", EVERY_STEP, str(home), str(table), str(tmp_path)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    for steps, after_the_end in (map(int, line.split()) for line in done.stdout.splitlines()):
        assert steps - 3 * after_the_end > 20


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_random_kills() -> None:
    options = ("--kills", "4", "--rows", "34000", "--training", "300", "--format", ".parquet")
    command = [sys.executable, str(KILLS), "--verb", *VERBS, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    summaries = [json.loads(line) for line in done.stdout.splitlines()[1::2]]
    assert [found["verb"] for found in summaries] == list(VERBS)
    for found in summaries:
        assert (found["kills"], found["unequal"]) == (4, [])
        assert found["jobs"] >= 1


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_command_says_how_to_go_on(
    number: signal.Signals,
    anomalo: Callable[..., Any],
    home: Path,
    patients: pd.DataFrame,
    tmp_path: Path,
) -> None:
    pd.concat([patients] * 800, ignore_index=True).to_csv(tmp_path / "long.csv", index=False)
    # The child stops itself when it lists the fourth shard: seen from outside, a quick machine may be done already.
    # A shell starts background jobs with SIGINT ignored, which children inherit: the child takes it back.
    code = f"""
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
shards = []
def stop(event, arguments):
    if event == "open" and str(arguments[0]).endswith({MANIFEST!r}):
        shards.append(arguments)
        if len(shards) == 4:
            os.kill(os.getpid(), {int(number)})
sys.addaudithook(stop)
from anomalo.cli import main
main()
"""
    verb = ("impute", tmp_path / "long.csv", "--with", "full", "--workspace", home, "--device", "cpu")
    done = subprocess.run([sys.executable, "-c", code, *map(str, verb)], stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 5, done.stderr
    assert done.stderr.splitlines()[-1].endswith("run the command again with --resume to continue")
    (manifest,) = home.glob(f"unfinished/*/{MANIFEST}")
    assert len(entries(manifest.parent)) > 1
    assert not (home / "runs").exists()
    outcome = anomalo(*verb, "--resume", "--json")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.json["summary"]["filled"] == {"weight": 2400, "colour": 1600}

"""Kill a job again and again, resume it to its end, and compare what it wrote with an uninterrupted run, byte by byte.

A job is started, killed at a moment drawn uniformly from the time that it takes, resumed, killed again, and so on until
an attempt outlives its moment; then the next job is started, until there were enough kills. To spend the time on the
job and not on imports, an attempt is a fork of this process that calls the job; with --cli it is the real command.
With --workers every second victim, by chance, is one of the workers: then the attempt must go through with the others.
With --database the output is appended to a table; its rows, in order, are written to a file to be compared.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import random
import secrets
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anomalo.jobs.context import JobContext

THREADS = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
SIGNALS = {"kill": signal.SIGKILL, "int": signal.SIGINT}
INTERRUPTED = 5


def make_tables(folder: Path, rows: int, training: int, suffix: str) -> None:
    """Write a table with numbers, categories, missing values and an id, and the one that models are fitted on."""
    import numpy as np
    import pyarrow as pa

    from anomalo.tabular.writing.writer import TableWriter

    rng = np.random.default_rng(0)
    signals = rng.normal(size=(rows, 3))
    columns: dict[str, Any] = {"id": [f"r{row}" for row in range(rows)]}
    for number in range(6):
        values = np.round(signals[:, number % 3] * (number + 1) + rng.normal(size=rows), 3)
        columns[f"number{number}"] = pa.array(values, mask=rng.random(rows) < 0.05 * (number % 2))
    for number in range(3):
        level = np.digitize(signals[:, number] + 0.3 * rng.normal(size=rows), [-1.0, 0.0, 1.0])
        levels = np.array(["red", "green", "blue", "white"])[level]
        columns[f"category{number}"] = pa.array(levels, mask=rng.random(rows) < 0.05)
    table = pa.table(columns)
    for name, part in (("table", table), ("training", table.slice(0, training))):
        with TableWriter(folder / f"{name}{suffix}") as writer:
            for batch in part.to_batches(32_768):
                writer.write(batch)


@dataclass(frozen=True)
class Case(ABC):
    """What is done, and to what."""

    options: argparse.Namespace
    folder: Path

    @property
    def base(self) -> Path:
        """The workspace that every job starts with a copy of."""
        return self.folder / "base"

    def table(self, name: str) -> str:
        """Return the path of the table that is worked on, or of the one for training."""
        return str(self.folder / f"{name}{self.options.format}")

    def context(self, workspace: Path) -> JobContext:
        """Return the context of a job, with the engine that is asked for; every part is computed by workers."""
        from anomalo.jobs.context import JobContext
        from anomalo.jobs.engines.local import LocalEngine
        from anomalo.registry.engine import EngineChoice

        LocalEngine.patience = 0.0
        choice = EngineChoice(self.options.engine, self.options.workers, self.options.address)
        return JobContext.at(workspace, batch_rows=self.options.batch, engine=choice)

    @abstractmethod
    def prepare(self) -> None:
        """Fill the base, and do a small job, so that forks of this process need not import anything."""

    @abstractmethod
    def work(self, workspace: Path, out: Path, resume: bool) -> None:
        """Do the job in this process."""

    @abstractmethod
    def arguments(self, out: Path) -> list[str]:
        """Return what is special about the command."""

    @abstractmethod
    def shown(self, workspace: Path) -> list[Path]:
        """Return the folders of the results that the workspace shows."""

    @abstractmethod
    def files(self, folder: Path, out: Path) -> list[Path]:
        """Return the files to compare, given the result's folder."""

    @abstractmethod
    def clear(self, out: Path) -> None:
        """Remove what an earlier job has left outside of its folders."""

    @abstractmethod
    def check(self, workspace: Path, out: Path) -> None:
        """Raise unless an uninterrupted job's results are sound."""

    def command(self, workspace: Path, out: Path, resume: bool) -> list[str]:
        """Return the job as a command."""
        common = ["--workspace", str(workspace), "--device", "cpu", "--threads", "1", "--force", *["--resume"] * resume]
        return [sys.executable, "-m", "anomalo", self.options.verb, *self.arguments(out), *common]

    def fit(self, workspace: Path, *, resume: bool = False, every: float = 10.0) -> None:
        """Fit the model `m` in this process."""
        from anomalo.jobs.context import JobContext, limited
        from anomalo.jobs.fitting.fit import fit
        from anomalo.pipeline.config import FitConfig
        from anomalo.tabular.schema import SchemaOptions

        with limited(1):
            context = JobContext.at(workspace)
            settings = dict(text.split("=", 1) for text in self.options.set)
            params = context.registry.get(self.options.model).parse(settings)
            plan = FitConfig(self.options.model, params, device="cpu", every=every)
            fit(context, self.table("training"), "m", plan, SchemaOptions(id="id"), resume=resume)


class Fit(Case):
    """Fit a model; its state is saved at every iteration."""

    def prepare(self) -> None:
        """Only import."""
        self.fit(self.folder / "warm")

    def work(self, workspace: Path, out: Path, resume: bool) -> None:
        """Fit."""
        self.fit(workspace, resume=resume, every=0.0)

    def arguments(self, out: Path) -> list[str]:
        """Name the model and its parameters."""
        settings = [text for setting in self.options.set for text in ("--set", setting)]
        model = ["--as", "m", "--model", self.options.model, "--id", "id", *settings]
        return [self.table("training"), *model, "--checkpoint-every", "0"]

    def shown(self, workspace: Path) -> list[Path]:
        """Return all models' folders."""
        from anomalo.workspace.workspace import Workspace

        return [record.path for record in Workspace(workspace).models()]

    def files(self, folder: Path, out: Path) -> list[Path]:
        """Return weights and calibration."""
        return [folder / "model.safetensors", folder / "calibration.safetensors"]

    def check(self, workspace: Path, out: Path) -> None:
        """Let the files speak."""

    def clear(self, out: Path) -> None:
        """Do nothing: there is nothing else."""


class Rows(Case):
    """Score, impute, embed or repair a table with a saved model."""

    def prepare(self) -> None:
        """Fit the model, and import."""
        self.fit(self.base)
        workspace, out = fresh(self, "warm")
        if self.options.engine == "local":  # a process that was a driver of Ray cannot be forked
            self._do(workspace, out, "training")

    def _do(self, workspace: Path, out: Path, table: str, resume: bool = False) -> None:
        from anomalo.jobs.context import limited
        from anomalo.jobs.describing.embed import embed
        from anomalo.jobs.imputing.impute import impute
        from anomalo.jobs.imputing.repair import repair
        from anomalo.jobs.scoring.score import score

        jobs: dict[str, Callable[..., object]] = {
            "score": score,
            "impute": impute,
            "embed": embed,
            "repair": partial(repair, apply=True),
        }
        with limited(1):
            jobs[self.options.verb](
                self.context(workspace), self.table(table), "m", output=self.output(out), device="cpu", resume=resume
            )

    def target(self, out: Path) -> str | None:
        """Return the table that the output is appended to; None if it is a file."""
        known = {None: None, "sqlite": f"sqlite:///{out.with_suffix('.db')}::kills"}
        return known.get(self.options.database, f"{self.options.database}::kills")

    def output(self, out: Path) -> Any:
        """Return the output."""
        from anomalo.tabular.writing.destination import output_of

        target = self.target(out)
        return out if target is None else output_of(f"{target}?mode=append")

    def clear(self, out: Path) -> None:
        """Drop the table of an earlier job."""
        import sqlalchemy

        if self.options.database and "://" in self.options.database:
            engine = sqlalchemy.create_engine(self.options.database.replace("postgresql:", "postgresql+psycopg:"))
            with engine.begin() as connection:
                connection.execute(sqlalchemy.text("DROP TABLE IF EXISTS kills"))

    def work(self, workspace: Path, out: Path, resume: bool) -> None:
        """Score, impute, embed or repair."""
        self._do(workspace, out, "table", resume)

    def arguments(self, out: Path) -> list[str]:
        """Name the model and the output."""
        applied = ["--apply"] if self.options.verb == "repair" else []
        address = ["--address", self.options.address] if self.options.address else []
        engine = ["--engine", self.options.engine, "--workers", str(self.options.workers), *address]
        target = self.target(out)
        named = str(out) if target is None else f"{target}?mode=append"
        return [self.table("table"), "--with", "m", "-o", named, *engine, *applied]

    def shown(self, workspace: Path) -> list[Path]:
        """Return all runs' folders."""
        from anomalo.workspace.workspace import Workspace

        return [record.path for record in Workspace(workspace).runs()]

    def files(self, folder: Path, out: Path) -> list[Path]:
        """Return the output and all that is in the run."""
        if (target := self.target(out)) is not None:
            self._export(target, out)
        return [out, *sorted(folder.iterdir())]

    def _export(self, target: str, out: Path) -> None:
        """Write the rows of a table to a file, in order."""
        import pyarrow as pa

        from anomalo.registry.registry import Registry
        from anomalo.tabular.writing.writer import TableWriter

        rows = pa.Table.from_batches(list(Registry.load().read(target))).sort_by("row").combine_chunks()
        with TableWriter(out) as writer:
            writer.write(rows.to_batches()[0])

    def check(self, workspace: Path, out: Path) -> None:
        """Raise unless each row is in the results once, in order, and each missing value is filled once."""
        import numpy as np

        from anomalo.jobs.context import JobContext

        context, (run,) = JobContext.at(workspace), self.shown(workspace)
        self.files(run, out)
        before, after = context.table(self.table("table")).to_pandas(), context.table(str(out)).to_pandas()
        if not (after["id"] == before["id"]).all():
            raise AssertionError("the rows' ids are not those of the table")
        if self.options.verb == "repair":
            return
        if self.options.verb != "impute":
            if not (after["row"].astype(int) == np.arange(len(before))).all():
                raise AssertionError("the rows' numbers do not count from 0")
            return
        imputed = context.table(str(run / "fills.parquet")).to_pandas()
        missing = np.argwhere((before.isna() | (before == "")).to_numpy())
        expected = sorted((int(row), before.columns[column]) for row, column in missing)
        if sorted(zip(imputed["row"], imputed["column"], strict=True)) != expected:
            raise AssertionError("the imputed cells are not the table's missing values")


def fresh(case: Case, name: str) -> tuple[Path, Path]:
    """Return a copy of the workspace, and where the output goes."""
    folder = case.folder / name
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "out").mkdir(parents=True)
    case.clear(folder)
    return shutil.copytree(case.base, folder / "workspace"), folder / "out" / f"out{case.options.format}"


def results(case: Case, workspace: Path, out: Path) -> dict[str, str]:
    """Return the checksums of the files of the one result that there must be; nothing else may be left."""
    shown, hidden = case.shown(workspace), [str(path) for path in (*workspace.rglob(".*"), *out.parent.glob(".*"))]
    if len(shown) != 1 or hidden:
        raise SystemExit(f"{len(shown)} results are shown, expected one; hidden files: {hidden or 'none'}")
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in case.files(shown[0], out)}


def start(case: Case, workspace: Path, out: Path, resume: bool) -> int:
    """Start an attempt and return its process: a fork of this one, which becomes the real command with --cli."""
    if process := os.fork():
        return process
    code = 1
    try:
        with (case.folder / "log").open("w") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if case.options.cli:
            command = case.command(workspace, out, resume)
            os.execv(command[0], command)
        case.work(workspace, out, resume)
        code = 0
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def ended(process: int, seconds: float = math.inf) -> int | None:
    """Wait for a process, at most so long; return its exit code, negative if a signal ended it, or None."""
    until = time.monotonic() + seconds
    while True:
        done, status = os.waitpid(process, 0 if seconds == math.inf else os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > until:
            return None
        time.sleep(0.001)


def require_good(case: Case, code: int | None) -> None:
    """Stop here if an attempt failed of itself."""
    if code:
        raise SystemExit(f"an attempt ended with {code}:\n{(case.folder / 'log').read_text()}")


@dataclass
class Tally:
    """What has happened so far.

    `worker_kills` hit a worker; `parts_at_kills` is how many parts of its work each killed attempt had kept;
    `kills_after_the_end` hit a job that was done but for its farewell; `shortest` is how long the shortest attempt took
    that ended, in seconds: the uninterrupted job is the first one, and may have taken longer.
    """

    kills: int = 0
    worker_kills: int = 0
    kills_after_the_end: int = 0
    jobs: int = 0
    shortest: float = math.inf
    unequal: list[str] = field(default_factory=list)
    parts_at_kills: list[int] = field(default_factory=list)


def survived(case: Case, process: int, seconds: float, rng: random.Random, tally: Tally) -> int | None:
    """Wait for an attempt until it has ended, or the moment comes to kill it (None); kill some workers before.

    At most two, since a part that loses three workers ends the job.
    """
    losses, begun = 0, time.monotonic()
    while tally.kills < case.options.kills:
        code = ended(process, rng.uniform(0, min(seconds, tally.shortest)))
        if code is not None:
            if not losses:
                tally.shortest = min(tally.shortest, time.monotonic() - begun)
            return code
        workers = (
            listed_workers(case, process) if case.options.workers > 1 and losses < 2 and rng.random() < 0.5 else []
        )
        if not workers:
            return None
        with suppress(ProcessLookupError):  # it may have ended since
            os.kill(rng.choice(workers), signal.SIGKILL)
            losses += 1
            tally.kills += 1
            tally.worker_kills += 1
    return ended(process)


def listed_workers(case: Case, process: int) -> list[int]:
    """Return the processes of the workers of an attempt, or of the cluster."""
    mark = b"ray::_run" if case.options.engine == "ray" else b"worker_process import serve"
    found = []
    for folder in Path("/proc").iterdir():
        with suppress(OSError, ValueError, IndexError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if mark in (folder / "cmdline").read_bytes() and (case.options.engine == "ray" or parent == process):
                found.append(int(folder.name))
    return sorted(found)


def one_job(case: Case, workspace: Path, out: Path, seconds: float, rng: random.Random, tally: Tally) -> None:
    """Start the job, kill it and resume it until it is done."""
    number, resumable = SIGNALS[case.options.signal], workspace / "unfinished"
    resume = False
    while True:
        process = start(case, workspace, out, resume)
        code = survived(case, process, seconds, rng, tally)
        if code is None:
            os.kill(process, number)
            code = ended(process)
        if code not in (-number, INTERRUPTED):
            return require_good(case, code)
        if case.shown(workspace) and not list(resumable.glob("*/task.json")):
            tally.kills_after_the_end += 1
            out.with_name(f".{out.name}.lock").unlink(missing_ok=True)  # as the next job on this output would
            return None
        tally.kills += 1
        tally.parts_at_kills.append(len(list(resumable.glob("*/*.safetensors"))))
        resume = True


def run(case: Case) -> dict[str, Any]:
    """Do jobs until there were enough kills, and return what was found."""
    rng, tally, started = random.Random(case.options.seed), Tally(), time.monotonic()
    whole = fresh(case, "whole")
    begun = time.monotonic()
    require_good(case, ended(start(case, *whole, False)))
    seconds = time.monotonic() - begun
    case.check(*whole)
    expected = results(case, *whole)
    print(f"{seconds:.1f} s uninterrupted", file=sys.stderr)
    while tally.kills < case.options.kills:
        folders = fresh(case, "killed")
        one_job(case, *folders, seconds, rng, tally)
        tally.jobs += 1
        found = results(case, *folders)
        tally.unequal += [name for name in expected if found.get(name) != expected[name]]
        print(f"\r{tally.kills} kills, {tally.jobs} jobs", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    parts = tally.parts_at_kills
    return {
        **{
            name: getattr(case.options, name)
            for name in ("verb", "model", "format", "rows", "signal", "cli", "engine", "workers", "database")
        },
        "kills": tally.kills,
        "worker_kills": tally.worker_kills,
        "kills_after_the_end": tally.kills_after_the_end,
        "jobs": tally.jobs,
        "files": sorted(expected),
        "unequal": tally.unequal,
        "parts_at_kills": {"least": min(parts), "median": statistics.median(parts), "most": max(parts)}
        if parts
        else {},
        "seconds_uninterrupted": round(seconds, 2),
        "seconds": round(time.monotonic() - started, 1),
    }


def parse() -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--verb", choices=["score", "impute", "embed", "repair", "fit"], nargs="+", required=True)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--model", help="default: linear")
    parser.add_argument("--set", action="append", metavar="NAME=VALUE", help="a parameter of the model")
    parser.add_argument("--format", choices=[".csv", ".parquet"], default=".csv", help="of the table and the output")
    parser.add_argument("--rows", type=int, default=200_000, help="rows to score or to fill")
    parser.add_argument("--training", type=int, default=2_000, help="rows to fit on")
    parser.add_argument("--signal", choices=list(SIGNALS), default="kill")
    parser.add_argument("--cli", action="store_true", help="run the real command")
    parser.add_argument("--engine", choices=["local", "ray"], default="local", help="where parts are computed")
    parser.add_argument("--workers", type=int, default=1, help="with more than one, workers are killed too")
    parser.add_argument("--address", help="of a Ray cluster of this machine; by default one is started for the kills")
    parser.add_argument("--database", metavar="sqlite|URL", help="append the scores to a table of a database")
    parser.add_argument("--batch", type=int, help="rows in a part, at most")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.kills < 1:
        parser.error(f"--kills {options.kills}: expected at least 1")
    if options.model is None:
        options.model, options.set = "linear", options.set or ["epochs=3"]
    options.set = options.set or []
    if options.engine == "ray" and options.workers < 2:
        parser.error("--engine ray: give --workers 2 or more")
    return options


@contextmanager
def cluster(options: argparse.Namespace) -> Iterator[None]:
    """Start a Ray cluster of this machine, as attempts that each start one would only be killed at that."""
    if options.engine != "ray" or options.address:
        yield
        return
    # A token for this cluster alone, which the attempts inherit.
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_USAGE_STATS_ENABLED": "0"}
    ray, port = str(Path(sys.executable).with_name("ray")), 6399
    start = [
        "start",
        "--head",
        "--block",
        f"--port={port}",
        f"--num-cpus={options.workers}",
        "--include-dashboard=false",
    ]
    head = subprocess.Popen([ray, *start], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    options.address = f"127.0.0.1:{port}"
    try:
        while not listening(port):
            if head.poll() is not None:
                raise SystemExit(f"the Ray cluster ended with {head.returncode}")
            time.sleep(0.5)
        yield
    finally:
        head.terminate()  # which ends its processes
        head.wait()


def listening(port: int) -> bool:
    """Return whether somebody listens at a port of this machine."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 5):
        return True
    return False


def main() -> None:
    os.environ.update(THREADS)  # before anything is imported that reads them
    options = parse()
    with cluster(options):
        unequal = [verb for verb in options.verb if kill(argparse.Namespace(**vars(options) | {"verb": verb}))]
    sys.exit(bool(unequal))


def kill(options: argparse.Namespace) -> bool:
    """Do the jobs of one verb, print what was found, and return whether files differ."""
    with tempfile.TemporaryDirectory() as name:
        case: Case = (Fit if options.verb == "fit" else Rows)(options, Path(name))
        case.base.mkdir()
        make_tables(case.folder, options.rows, options.training, options.format)
        case.prepare()
        found = run(case)
    equal = f"NOT EQUAL: {found['unequal']}" if found["unequal"] else "all files equal to the byte"
    print(f"{options.verb}: {found['kills']} kills in {found['jobs']} jobs; {equal}")
    print(json.dumps(found))
    return bool(found["unequal"])


if __name__ == "__main__":
    main()

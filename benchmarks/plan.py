"""`anomalo plan` beside what the processes then take: seconds of the processor and peak memory, and their ratios.

The tables are those of `scale.py`. A job is a verb and a model, such as fit:knn; of score and impute the model is
fitted before, on the first 20,000 rows of its table. Each plan and each job is a process of its own with one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import scale
from harness import Results, names
from processes import NAN, launch
from summary import filled, markdown, publish

JOBS = "fit:auto,fit:undercomplete:epochs=2,fit:knn,fit:iforest,score:auto,score:undercomplete:epochs=2"
SIZES = "1000x16,20000x16,200000x16,1000000x16"
KEY = ("size", "seed", "job")
LEARNED = 20_000
"""Rows that a model is fitted on which is then used."""


@dataclass
class Row:
    """One line of the results: a table, a job, what its plan says and what its process took."""

    size: str
    seed: int
    job: str
    planned_s: float = NAN
    cpu_s: float = NAN
    planned_mib: float = NAN
    peak_mib: float = NAN
    plan_cpu_s: float = NAN
    status: str = "ok"


@dataclass(frozen=True)
class Bench:
    """One table on disk, and the jobs on it."""

    options: argparse.Namespace
    folder: Path

    def measure(self, row: Row) -> Row:
        """Plan a job, run it, and return both."""
        verb, model, *settings = row.job.split(":")
        chosen = [*(part for setting in settings for part in ("--set", setting)), *self.options.also]
        if verb == "fit":
            planned, done = ["table.csv", "--model", model, *chosen], ["--as", "one"]
        else:
            fitted = self._run(["fit", "few.csv", "--model", model, *chosen, "--as", "one"])
            if fitted.status != "ok":
                return replace(row, status=fitted.status)
            planned, done = ["table.csv", "--with", "one"], []
        plan, took = self._plan(planned)
        found = self._run([verb, *planned, *done])
        its = plan["verbs"][verb]
        return replace(
            row,
            planned_s=its["seconds"],
            planned_mib=its["memory_bytes"] / 2**20,
            cpu_s=found.cpu_s,
            peak_mib=found.peak_mib,
            plan_cpu_s=took,
            status=found.status,
        )

    def _command(self, arguments: list[str]) -> list[str]:
        return [sys.executable, "-m", "anomalo", *arguments, "--workspace", "workspace", "--threads", "1"]

    def _environment(self) -> dict[str, str]:
        return os.environ | dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")

    def _run(self, arguments: list[str]) -> scale.Measured:
        return launch(self._command([*arguments, "--force"]), self.options.limit, self.folder, self._environment())

    def _plan(self, arguments: list[str]) -> tuple[dict, float]:
        """Return a plan, and the seconds of the processor that it took to find."""
        before = os.times()
        command = self._command(["plan", *arguments, "--json"])
        done = subprocess.run(
            command, check=True, stdout=subprocess.PIPE, cwd=self.folder, env=self._environment(), text=True
        )
        after = os.times()
        took = after.children_user + after.children_system - before.children_user - before.children_system
        return json.loads(done.stdout), took


def run(options: argparse.Namespace) -> None:
    """Measure every job that the results do not hold yet."""
    results = Results(options.out, Row, KEY)
    for size in options.sizes:
        pending = [row for job in options.jobs if not results.holds(row := Row(size, options.seed, job))]
        if not pending:
            continue
        with tempfile.TemporaryDirectory() as temporary:
            table = scale.table(*map(int, size.split("x")), options.seed)
            table.to_csv(Path(temporary) / "table.csv", index=False)
            table[:LEARNED].to_csv(Path(temporary) / "few.csv", index=False)
            del table
            for row in pending:
                row = Bench(options, Path(temporary)).measure(row)
                results.add(row)
                print(size, row.job, f"planned {row.planned_s:.1f} CPU {row.cpu_s:.1f} s", row.status, flush=True)


def report_lines(results: pd.DataFrame) -> Iterator[str]:
    """Give the report paragraph by paragraph, in Markdown."""
    shown = results[["size", "job"]].copy()
    for name, (planned, found) in {"s": ("planned_s", "cpu_s"), "MiB": ("planned_mib", "peak_mib")}.items():
        shown[f"planned {name}"] = [filled("{:.0f}", value) for value in results[planned]]
        shown[f"taken {name}"] = [filled("{:.0f}", value) for value in results[found]]
        shown[f"ratio of {name}"] = [filled("{:.2f}", value) for value in results[planned] / results[found]]
    shown["plan's own CPU s"] = [filled("{:.0f}", value) for value in results["plan_cpu_s"]]
    yield "CPU seconds and peak memory of whole processes, as planned and as taken; the ratios are planned to taken."
    yield markdown(shown.assign(status=results["status"]))


def main() -> None:
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("--out", type=Path, required=True, help="a CSV file; jobs that it holds are not run again")
    command.add_argument("--sizes", type=names, default=names(SIZES), help=f"ROWSxCOLUMNS; by default {SIZES}")
    command.add_argument("--jobs", type=names, default=names(JOBS), help=f"VERB:MODEL[:NAME=VALUE]; by default {JOBS}")
    command.add_argument(
        "--also", nargs="*", default=[], help="further options of plans and fits, such as --max-memory 1G"
    )
    command.add_argument("--seed", type=int, default=0, help="of the tables")
    command.add_argument("--limit", type=float, default=3600, metavar="SECONDS", help="end a process after so long")
    command.add_argument("--summary", type=Path, help="write the report to this Markdown file too")
    options = command.parse_args()
    run(options)
    publish(report_lines(pd.read_csv(options.out)), options.summary)


if __name__ == "__main__":
    main()

"""What it costs to know that a job was done before: the digest of a table, beside scoring it.

    python benchmarks/same_job.py [--rows 1000000]

It scores a synthetic table of 12 columns with a saved model, once as the Python functions do (without the identity of
the job) and once as the command line does, and then runs the same job again. Processor seconds of this process are
reported, since other work on the machine does not change them.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from anomalo.jobs.context import JobContext
from anomalo.jobs.fitting.fit import fit
from anomalo.jobs.repeating import former_run
from anomalo.jobs.scoring.score import score
from anomalo.persistence.checksums import files_digest
from anomalo.pipeline.config import FitConfig
from anomalo.tabular.schema import SchemaOptions


def table(path: Path, rows: int) -> None:
    rng = np.random.default_rng(0)
    columns = {f"number{at}": rng.normal(size=rows).round(4) for at in range(10)}
    columns |= {f"level{at}": rng.choice(["red", "green", "blue"], rows) for at in range(2)}
    pyarrow.csv.write_csv(pa.table(columns), path)


def seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        source, small = home / "table.csv", home / "small.csv"
        table(source, rows)
        table(small, 20_000)
        fit(JobContext.at(home / "w"), str(small), "m", FitConfig("hbos"), SchemaOptions())

        def run(known: bool) -> None:
            context = JobContext.at(home / "w")
            if known:
                former_run(context, "score", {}, [str(source)], models=["m"], force=True)
            score(context, str(source), "m", explain=0)

        def again() -> None:
            assert former_run(JobContext.at(home / "w"), "score", {}, [str(source)], models=["m"]) is not None

        size = source.stat().st_size / 1e6
        digest = seconds(lambda: files_digest([("", source)]))
        plain, noted = seconds(lambda: run(False)), seconds(lambda: run(True))
        repeated = seconds(again)
    print(f"{rows:,} rows, {size:,.0f} MB")
    print(f"digest                      {digest:7.2f} s   {size / digest:,.0f} MB/s")
    print(f"score, without an identity  {plain:7.2f} s")
    print(f"score, with an identity     {noted:7.2f} s   the digest is {100 * digest / plain:.1f} % of the former")
    print(f"the same job again          {repeated:7.2f} s")


if __name__ == "__main__":
    main()

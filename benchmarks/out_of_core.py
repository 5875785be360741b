"""Fits with and without `--max-memory`, as whole processes on one large table: memory, seconds, and what they find.

The table is that of `scale.py`, as Parquet in row groups of 250,000 rows: 1 % of the rows are anomalous. Both models
score its last 50,000 rows, which they have not learned from; their AUROC is compared.

    python benchmarks/out_of_core.py --out out-of-core.csv [--rows 5000000] [--columns 16] [--models auto,covariance]
        [--max-memory 2G] [--threads 1] [--summary out-of-core.md]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import scale
from harness import Results, names
from processes import NAN, launch
from summary import filled, markdown, publish

from anomalo.metrics import roc_auc

PART = 250_000
TESTED = 50_000
LIMIT = 7200.0
"""Seconds after which a process is ended."""


@dataclass
class Row:
    """One line of the results."""

    rows: int
    columns: int
    seed: int
    model: str
    memory: str
    wall_s: float = NAN
    cpu_s: float = NAN
    peak_mb: float = NAN
    auroc: float = NAN
    status: str = "ok"


KEY = ("rows", "columns", "seed", "model", "memory")


def write_tables(folder: Path, rows: int, columns: int, seed: int) -> np.ndarray:
    """Write the rows to learn from and those to score; return which of the latter are anomalous, bool [TESTED]."""
    every = rows + TESTED
    table = pa.Table.from_pandas(scale.table(every, columns, seed), preserve_index=False)
    pq.write_table(table.slice(0, rows), folder / "table.parquet", row_group_size=PART)
    pq.write_table(table.slice(rows), folder / "test.parquet")
    anomalous = np.zeros(every, dtype=bool)
    anomalous[np.random.default_rng([seed, 1]).permutation(every)[: every // 100]] = True  # as `scale.table` draws them
    return anomalous[rows:]


def measure(row: Row, folder: Path, anomalous: np.ndarray, threads: int) -> Row:
    """Fit a model in a process of its own, and score the other rows with it."""
    name = f"{row.model}-{row.memory or 'all'}"
    command = [sys.executable, "-m", "anomalo"]
    limit = ["--max-memory", row.memory] if row.memory else []
    common = ["--threads", str(threads), "--workspace", "workspace"]
    environment = {**os.environ, **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))}
    seed = ["--seed", str(row.seed)]
    fit = [*command, "fit", "table.parquet", "--model", row.model, "--as", name, *seed, *limit, *common]
    found = launch(fit, LIMIT, folder, environment)
    row.wall_s, row.cpu_s, row.peak_mb = found.wall_s, found.cpu_s, found.peak_mib * 1.048576
    row.status = found.status
    if row.status == "ok":
        score = [*command, "score", "test.parquet", "--with", name, "-o", f"{name}.parquet", "--explain", "0", *common]
        row.status = launch(score, LIMIT, folder, environment).status
    if row.status == "ok":
        scores = pq.read_table(folder / f"{name}.parquet", columns=["score"])["score"].to_numpy()
        row.auroc = roc_auc(anomalous, scores)
    return row


def report(results: pd.DataFrame) -> Iterator[str]:
    """Give the results in Markdown."""
    lines = results[list(KEY)].astype(str)
    lines["memory"] = results["memory"].fillna("no limit")
    for name, template in (("wall_s", "{:.1f}"), ("cpu_s", "{:.1f}"), ("peak_mb", "{:,.0f}"), ("auroc", "{:.4f}")):
        lines[name] = [filled(template, value) for value in results[name]]
    lines["status"] = results["status"]
    yield markdown(lines)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--columns", type=int, default=16)
    parser.add_argument("--models", type=names, default=["auto"])
    parser.add_argument("--max-memory", default="2G")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--summary", type=Path)
    options = parser.parse_args()
    results = Results(options.out, Row, KEY)
    cells = [(model, memory) for model in options.models for memory in (options.max_memory, "")]
    rows = [Row(options.rows, options.columns, options.seed, model, memory) for model, memory in cells]
    with tempfile.TemporaryDirectory(dir=options.out.resolve().parent) as temporary:
        folder = Path(temporary)
        anomalous = write_tables(folder, options.rows, options.columns, options.seed)
        for row in rows:
            if not results.holds(row):
                results.add(measure(row, folder, anomalous, options.threads))
                print(row, flush=True)
    publish(report(pd.read_csv(options.out)), options.summary)


if __name__ == "__main__":
    main()

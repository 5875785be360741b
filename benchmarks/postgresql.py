"""Score a table of PostgreSQL into another one, beside COPY to a file, the same job from that file, and COPY back.

    python benchmarks/postgresql.py --url postgresql://user@host/database [--rows 5000000] [--columns 16]
        [--model undercomplete] [--repeat 1] [--threads 1]

The tables `anomalo_bench_in` and `anomalo_bench_out` of the database are replaced. Seconds are wall: the server works
too.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import scale
from processes import Measured, launch

from anomalo.registry.registry import Registry

IN, OUT = "anomalo_bench_in", "anomalo_bench_out"
LEARNED = 20_000
LIMIT = 7200.0


def anomalo(folder: Path, threads: int, *words: str) -> Measured:
    """Run a command of anomalo in the folder; it must end well."""
    command = [
        sys.executable,
        "-m",
        "anomalo",
        *words,
        "--force",
        "--threads",
        str(threads),
        "--workspace",
        "workspace",
    ]
    found = launch(command, LIMIT, folder, dict(os.environ))
    if found.status != "ok":
        raise SystemExit(f"{' '.join(words)}: {found.status}")
    return found


def prepare(folder: Path, options: argparse.Namespace) -> None:
    """Fill the table, and fit the model on some of its rows."""
    table = pa.Table.from_pandas(scale.table(options.rows, options.columns, 0), preserve_index=False)
    pq.write_table(table.slice(0, LEARNED), folder / "learn.parquet")
    with Registry.load().destination(f"{options.url}::{IN}?mode=replace").writer(None) as writer:
        for batch in table.to_batches(max_chunksize=65_536):
            writer.write(batch)
    anomalo(folder, options.threads, "fit", "learn.parquet", "--model", options.model, "--as", "m")


def direct(folder: Path, options: argparse.Namespace) -> None:
    """Score from table to table."""
    output = f"{options.url}::{OUT}?mode=replace"
    words = ("score", f"{options.url}::{IN}", "--with", "m", "-o", output, "--explain", "1000")
    anomalo(folder, options.threads, *words)


def by_files(folder: Path, options: argparse.Namespace) -> None:
    """Copy to a file, score from file to file, and copy the result back."""
    statement = f"COPY {IN} TO STDOUT (FORMAT csv, HEADER)"
    with (
        psycopg.connect(options.url) as connection,
        open(folder / "in.csv", "wb") as file,
        connection.cursor().copy(statement) as copy,
    ):
        for block in copy:
            file.write(block)
    anomalo(folder, options.threads, "score", "in.csv", "--with", "m", "-o", "out.csv", "--explain", "1000")
    with psycopg.connect(options.url) as connection, open(folder / "out.csv", "rb") as file:
        columns = "row bigint, score float8, p_value float8, alert boolean, reasons text"
        connection.execute(f"DROP TABLE IF EXISTS {OUT}")
        connection.execute(f"CREATE TABLE {OUT} ({columns})")
        with connection.cursor() as cursor, cursor.copy(f"COPY {OUT} FROM STDIN (FORMAT csv, HEADER)") as copy:
            while block := file.read(2**20):
                copy.write(block)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--columns", type=int, default=16)
    parser.add_argument("--model", default="undercomplete")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    seconds: dict[str, list[float]] = {"direct": [], "by files": []}
    ways: dict[str, Callable[[Path, argparse.Namespace], None]] = {"direct": direct, "by files": by_files}
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as temporary:
        prepare(Path(temporary), options)
        for turn in range(options.repeat):
            for name in sorted(ways, reverse=bool(turn % 2)):
                started = time.perf_counter()
                ways[name](Path(temporary), options)
                seconds[name].append(time.perf_counter() - started)
                print(f"{name}: {seconds[name][-1]:.1f} s", flush=True)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    print(f"direct / by files: {medians['direct'] / medians['by files']:.2f}")


if __name__ == "__main__":
    main()

"""Rows per CPU second and peak memory of `anomalo score` and `impute` from file to file, beside a floor.

The table is written as Parquet batch by batch: correlated numbers, or with `--mixed` also categories and missing cells
(then 200,000 rows are repeated). A model is fitted on 20,000 other rows of the same kind. The floors read the same file
batch by batch into a float32 matrix ("read"), multiply each row by the matrices of the fitted network's layers
("multiply"), and write a file of scores ("write"). All are processes with one thread that take turns. Each also runs on
the 20,000 rows: rates are those of the additional rows, so that a process's start does not count.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import scale
from harness import Results, names
from processes import NAN, launch
from summary import filled, markdown, publish

BATCH, CHUNK = 200_000, 4096
FIRST = 20_000
"""Rows that a model is fitted on."""
FLOORS = ("read", "multiply", "write")
KEY = ("rows", "columns", "model", "method", "turn")


@dataclass
class Row:
    """One line of the results: what a process took for the table, and for the rows of the fit."""

    rows: int
    columns: int
    model: str
    method: str
    turn: int
    cpu_s: float = NAN
    start_cpu_s: float = NAN
    peak_mib: float = NAN
    status: str = "ok"


def write_table(path: Path, rows: int, columns: int, mixed: bool) -> None:
    """Write a synthetic table; one of `FIRST` rows has other rows than larger ones."""
    same = scale.table(BATCH + FIRST, columns, 0) if mixed else None
    writer: pq.ParquetWriter | None = None
    mix = np.random.default_rng(columns).standard_normal((4, columns))
    for number, start in enumerate(range(0, rows, BATCH)):
        size, rng = min(BATCH, rows - start), np.random.default_rng([number, columns, rows])
        if same is not None:
            table = pa.Table.from_pandas(same[:FIRST] if rows == FIRST else same[FIRST:][:size], preserve_index=False)
        else:
            values = rng.standard_normal((size, 4)) @ mix + 0.3 * rng.standard_normal((size, columns))
            table = pa.table({f"n{at}": column for at, column in enumerate(values.T)})
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def floor(kind: str, path: Path, workspace: Path) -> None:
    """Read the table; multiply its rows by the network's matrices; write as many scores."""
    import torch  # slow to load, and not needed elsewhere

    from anomalo.pipeline.saved_model import load_fitted
    from anomalo.registry.registry import Registry

    pa.set_cpu_count(1)
    torch.set_num_threads(1)
    net = load_fitted(workspace / "models" / "table" / "1", Registry.load(), "cpu").model.net
    weights = [each.detach() for name, each in net.named_parameters() if name.endswith("weight")]
    layers, writer = [each.T.contiguous() for each in weights], None
    with pq.ParquetFile(path, pre_buffer=False) as file, torch.inference_mode():
        for batch in file.iter_batches(32_768):
            matrix = np.empty((batch.num_rows, batch.num_columns), dtype=np.float32)
            for at, column in enumerate(batch.columns):
                matrix[:, at] = column.to_numpy(zero_copy_only=False)
            for start in range(0, len(matrix) if kind != "read" else 0, CHUNK):
                rows = torch.from_numpy(matrix[start : start + CHUNK])
                for layer in layers:
                    rows = rows @ layer
            if kind == "write":
                scores = pa.array(matrix[:, 0].astype(np.float64))
                columns = {"row": pa.array(np.arange(len(matrix))), "score": scores, "p_value": scores}
                written = pa.RecordBatch.from_pydict(columns)
                writer = writer or pq.ParquetWriter(workspace / "floor.parquet", written.schema, use_dictionary=False)
                writer.write_batch(written)
    if writer is not None:
        writer.close()


def commands(options: argparse.Namespace) -> dict[str, list[str]]:
    """Return the methods' commands, for a table called `{table}`."""
    script = str(Path(__file__).resolve())
    found = {f"floor: {kind}": [sys.executable, script, "--floor", kind, "{table}"] for kind in options.floors}
    for verb in options.verbs:
        command = [sys.executable, "-m", "anomalo", verb, "{table}", "--with", "table", "-o", "out.parquet", "--force"]
        for threshold in options.thresholds if verb == "score" else [""]:
            chosen = ["--threshold", threshold, "--explain", str(options.explain)] if threshold else []
            found[f"{verb} {threshold}".strip()] = [*command, "--threads", "1", "--workspace", "workspace", *chosen]
    return found


def run(options: argparse.Namespace) -> None:
    """Measure every cell that the results do not hold yet."""
    results = Results(options.out, Row, KEY)
    threads = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    environment = {**os.environ, **dict.fromkeys(threads, "1")}
    with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
        folder = Path(temporary)
        write_table(folder / "first.parquet", FIRST, options.columns, options.mixed)
        fit = [sys.executable, "-m", "anomalo", "fit", "first.parquet", "--as", "table", "--workspace", "workspace"]
        found = launch([*fit, "--model", options.model, "--threads", "1"], options.limit, folder, environment)
        if found.status != "ok":
            raise SystemExit(f"fit: {found.status}")
        for rows in options.rows:
            write_table(folder / "all.parquet", rows, options.columns, options.mixed)
            for turn in range(options.repeat):
                for method, command in commands(options).items():
                    row = Row(rows, options.columns, options.model, method, turn)
                    if results.holds(row):
                        continue
                    taken = [
                        launch(
                            [table if part == "{table}" else part for part in command],
                            options.limit,
                            folder,
                            environment,
                        )
                        for table in ("first.parquet", "all.parquet")
                    ]
                    row = replace(row, cpu_s=taken[1].cpu_s, start_cpu_s=taken[0].cpu_s, peak_mib=taken[1].peak_mib)
                    results.add(replace(row, status=taken[1].status))
                    print(rows, method, f"CPU {row.cpu_s:.1f} s, {row.peak_mib:.0f} MiB", taken[1].status, flush=True)


def report_lines(results: pd.DataFrame) -> Iterator[str]:
    """Give the report: medians over the turns."""
    results = results[results["status"] == "ok"]
    rates = (results["rows"] - FIRST) / (results["cpu_s"] - results["start_cpu_s"])
    keys = ["model", "columns", "rows", "method"]
    lines = results.assign(rate=rates).groupby(keys, sort=False)[["cpu_s", "rate", "peak_mib"]].median().reset_index()
    shown = lines[keys].astype(str)
    shown["CPU s"] = [filled("{:.1f}", value) for value in lines["cpu_s"]]
    shown["rows per CPU s"] = [filled("{:,.0f}", value) for value in lines["rate"]]
    shown["peak MiB"] = [filled("{:.0f}", value) for value in lines["peak_mib"]]
    for kind in FLOORS:
        floors = lines[lines["method"] == f"floor: {kind}"].set_index(["model", "columns", "rows"])["rate"]
        of = [floors.get(tuple(line), NAN) for line in lines[["model", "columns", "rows"]].itertuples(index=False)]
        shown[f"of {kind}"] = [filled("{:.0%}", value) for value in lines["rate"] / of]
    yield markdown(shown)


def _parse() -> argparse.Namespace:
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("--out", type=Path, help="a CSV file; cells that it holds are not run again")
    command.add_argument("--rows", type=lambda text: [int(item) for item in names(text)], default=[2_000_000])
    command.add_argument("--columns", type=int, default=30)
    command.add_argument(
        "--mixed", action="store_true", help="a quarter of the columns are categories, 3 %% is missing"
    )
    command.add_argument("--model", default="undercomplete")
    command.add_argument("--verbs", type=names, default=["score"])
    command.add_argument("--thresholds", type=names, default=["budget=1000", "share=0.01"], help="of score")
    command.add_argument("--explain", type=int, default=1000, help="rows that are explained besides alerts")
    command.add_argument("--floors", type=names, default=list(FLOORS), help="'' for none; a network is needed")
    command.add_argument("--repeat", type=int, default=1)
    command.add_argument("--limit", type=float, default=3600, metavar="SECONDS")
    command.add_argument("--folder", type=Path, help="where the table is written; by default the temporary folder")
    command.add_argument("--summary", type=Path, help="write the report to this Markdown file too")
    command.add_argument("--floor", nargs=2, help=argparse.SUPPRESS)
    options = command.parse_args()
    if options.out is None and options.floor is None:
        command.error("--out is needed")
    return options


def main() -> None:
    options = _parse()
    if options.floor:
        floor(options.floor[0], Path(options.floor[1]), Path("workspace"))
        return
    run(options)
    publish(report_lines(pd.read_csv(options.out)), options.summary)


if __name__ == "__main__":
    main()

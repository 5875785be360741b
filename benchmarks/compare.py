"""Comparisons of tables: false alarms, power, and the cost on a large table; beside per-column tests and Evidently.

    python benchmarks/compare.py --out compare.csv [--parts calibration,power,large] [--pairs 200] [--trials 50]
        [--peers ks,evidently] [--half tuning|reported] [--rows 3000000] [--columns 100] [--format parquet,csv]

Parameters were chosen on seeds from 0 (`--half tuning`); seeds from 100,000 are reported. Evidently, whose versions of
libraries are others, runs in an environment of its own: give its Python as `--evidently PYTHON`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
from harness import Results, names
from processes import NAN, launch
from scipy import stats

from anomalo.evaluation.comparison.compare import compare
from anomalo.evaluation.comparison.profiling import profile
from anomalo.evaluation.comparison.result import Comparison
from anomalo.tabular.columns import ParsedTable
from anomalo.tabular.schema import infer

LEVEL = 0.05
HALVES = {"tuning": 0, "reported": 100_000}
Frame = pd.DataFrame
Generator = np.random.Generator


@dataclass
class Row:
    """One line of the results: how often a method says that two tables differ, and names what does."""

    part: str
    table: str
    method: str
    trials: int
    alarms: float = NAN
    named: float = NAN
    cpu_s: float = NAN
    peak_mib: float = NAN
    status: str = "ok"


def independent(rng: Generator, rows: int = 2000) -> Frame:
    """Twelve independent numbers of several distributions and four categories."""
    numbers = {f"x{i}": rng.normal(size=rows) for i in range(6)} | {
        f"e{i}": rng.exponential(size=rows) for i in range(3)
    }
    numbers |= {f"n{i}": rng.integers(0, 10, rows).astype(float) for i in range(3)}
    return pd.DataFrame(numbers | {f"c{i}": rng.choice(list("abcdef"), rows) for i in range(4)})


def correlated(rng: Generator, rows: int = 2000) -> Frame:
    """Twenty numbers with a common factor, correlated by .98, and a category cut from it."""
    factor = rng.normal(size=rows)
    numbers = {f"x{i}": factor + 0.15 * rng.normal(size=rows) for i in range(20)}
    return pd.DataFrame(numbers | {"c": np.where(factor > 0.5, "high", "low")})


def sparse(rng: Generator, rows: int = 2000) -> Frame:
    """Columns of which 90 % are missing, of numbers and of levels, missing together in part."""
    table, hidden = independent(rng, rows), rng.random(rows) < 0.8
    for name in table:
        table.loc[hidden | (rng.random(rows) < 0.5), name] = None
    return table


def texts(rng: Generator, rows: int = 2000) -> Frame:
    """Categories of a heavy tail with thousands of levels, identifiers, free texts and a growing time."""
    tail = rng.zipf(1.3, rows)
    words = np.array([f"word{i}" for i in range(3000)])
    return pd.DataFrame(
        {
            "shop": [f"shop {min(i, 10**9)}" for i in tail],
            "user": [f"u{i}" for i in rng.integers(0, 5000, rows)],
            "id": [f"{i:012x}" for i in rng.integers(0, 2**48, rows)],
            "note": [" ".join(rng.choice(words, rng.integers(2, 12))) for _ in range(rows)],
            "when": pd.Timestamp("2026-01-01") + pd.to_timedelta(np.sort(rng.integers(0, 86_400, rows)), unit="s"),
            "amount": np.round(rng.lognormal(3, 1, rows), 2),
        }
    )


def copied(rng: Generator, rows: int = 2000) -> Frame:
    """Every row three times."""
    return independent(rng, rows // 3).iloc[np.tile(np.arange(rows // 3), 3)].sample(frac=1, random_state=rng)


SAME: dict[str, Callable[..., Frame]] = {
    "independent": independent,
    "correlated": correlated,
    "90 % missing": sparse,
    "texts": texts,
    "copied rows": copied,
}


def base(rng: Generator, rows: int = 5000) -> Frame:
    """Fifteen numbers and five categories: a hundredth of the rows of segments of two levels have 2 %."""
    numbers = {f"x{i}": rng.normal(size=rows) for i in range(15)}
    categories = {f"c{i}": rng.choice(list("abcdefg"), rows) for i in range(3)}
    region = rng.choice(["north", "south", "east", "west"], rows, p=[0.1, 0.4, 0.3, 0.2])
    kind = rng.choice(["web", "shop", "phone"], rows, p=[0.2, 0.5, 0.3])
    return pd.DataFrame(numbers | categories | {"region": region, "kind": kind})


def shifted(rng: Generator) -> Frame:
    table = base(rng)
    return table.assign(x3=table.x3 + 0.3)


def related(rng: Generator) -> Frame:
    """A correlation of .25 instead of none, with equal margins."""
    table = base(rng)
    return table.assign(x5=0.25 * table.x4 + np.sqrt(1 - 0.25**2) * table.x5)


def unrelated_signs(rng: Generator) -> Frame:
    """A correlation of .8 with the sign of a third column's, where there was none: no pair is correlated."""
    table = base(rng)
    product = 0.5 * table.x4 * np.sign(table.x6) + np.sqrt(1 - 0.25) * table.x5
    return table.assign(x5=product)


def segment(rng: Generator) -> Frame:
    """A segment of two levels at three times its share of 2 %."""
    table = base(rng)
    chosen = rng.random(len(table)) < 0.04 / 0.98
    return table.assign(region=np.where(chosen, "north", table.region), kind=np.where(chosen, "web", table.kind))


def single(rng: Generator) -> Frame:
    """A level of 2 % of the rows at three times its share."""
    table = rare(rng)
    return table.assign(rare=np.where(rng.random(len(table)) < 0.04 / 0.98, "yes", table.rare))


def rare(rng: Generator) -> Frame:
    table = base(rng)
    return table.assign(rare=rng.choice(["yes", "no", "maybe"], len(table), p=[0.02, 0.68, 0.3]))


def named_first(*columns: str) -> Callable[[Comparison], bool]:
    return lambda found: found.columns[0].column in columns


def has_segment(*columns: str) -> Callable[[Comparison], bool]:
    return lambda found: any(sorted(one.columns) == sorted(columns) for one in found.segments)


OTHER: dict[str, tuple[Callable[..., Frame], Callable[..., Frame], Callable[[Comparison], bool]]] = {
    "shift of .3 sd": (base, shifted, named_first("x3")),
    "correlation of .25": (base, related, named_first("x4", "x5")),
    "interaction of three": (base, unrelated_signs, named_first("x4", "x5", "x6")),
    "segment of two": (base, segment, has_segment("kind", "region")),
    "segment of one": (rare, single, has_segment("rare")),
}


def compared(before: Frame, after: Frame) -> Comparison:
    """Compare two tables as `anomalo compare` does."""
    sides = [ParsedTable(pa.Table.from_pandas(side, preserve_index=False)) for side in (before, after)]
    schema = infer(sides[0])
    return compare(*(profile(side, schema) for side in sides), level=LEVEL)


def smirnov(before: Frame, after: Frame) -> bool:
    """Whether one of the tests of Kolmogorov and Smirnov of the numeric columns, by Bonferroni, finds a difference."""
    numeric = [name for name in before if pd.api.types.is_numeric_dtype(before[name])]
    pairs = [(before[name].dropna(), after[name].dropna()) for name in numeric]
    found = [stats.ks_2samp(*pair).pvalue for pair in pairs if len(pair[0]) and len(pair[1])]
    return bool(found) and min(found) * len(found) <= LEVEL


def evidently(python: str, pairs: list[tuple[Frame, Frame]]) -> tuple[float, str]:
    """Return how often Evidently's default preset finds drift in the data set, and in at least one column."""
    with tempfile.TemporaryDirectory() as folder:
        for at, pair in enumerate(pairs):
            for name, side in zip(("before", "after"), pair, strict=True):
                side.to_parquet(Path(folder) / f"{at}-{name}.parquet")
        script = Path(__file__).with_name("evidently_peer.py")
        command = [python, str(script), folder, str(len(pairs))]
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        return NAN, done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "failed"
    facts = json.loads(done.stdout.strip().splitlines()[-1])
    return facts["dataset"], f"a column {facts['column']:.3f}"


def rates(
    part: str,
    name: str,
    pairs: Iterator[tuple[Frame, Frame]],
    named: Callable[[Comparison], bool] | None,
    options: argparse.Namespace,
) -> Iterator[Row]:
    """Yield how often each method says that tables differ."""
    alarms, hits, simple, kept, trials, started = 0, 0, 0, [], 0, time.process_time()
    for before, after in pairs:
        found = compared(before, after)
        alarms += found.p_value <= LEVEL
        hits += found.p_value <= LEVEL and named is not None and named(found)
        trials += 1
        simple += smirnov(before, after) if "ks" in options.peers else 0
        kept.append((before, after))
    seconds = (time.process_time() - started) / trials
    yield Row(part, name, "anomalo", trials, alarms / trials, NAN if named is None else hits / trials, seconds)
    if "ks" in options.peers:
        yield Row(part, name, "KS, Bonferroni", trials, simple / trials)
    if "evidently" in options.peers and options.evidently:
        rate, status = evidently(options.evidently, kept)
        yield Row(part, name, "Evidently", trials, rate, status=status)


def calibration(options: argparse.Namespace) -> Iterator[Row]:
    for name, make in SAME.items():
        first = HALVES[options.half]
        pairs = (
            tuple(make(np.random.default_rng([first + at, side])) for side in (0, 1)) for at in range(options.pairs)
        )
        yield from rates("false alarms", name, pairs, None, options)


def power(options: argparse.Namespace) -> Iterator[Row]:
    for name, (before, after, named) in OTHER.items():
        seeds = range(HALVES[options.half], HALVES[options.half] + options.trials)
        pairs = ((before(np.random.default_rng([at, 2])), after(np.random.default_rng([at, 3]))) for at in seeds)
        yield from rates("power", name, pairs, named, options)


def large(options: argparse.Namespace) -> Iterator[Row]:
    """Compare two tables of many rows with the command, as a whole process."""
    for form in options.format:
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder) / f"{name}.{form}" for name in ("before", "after")]
            for seed, path in enumerate(paths):
                write_large(path, options.rows, options.columns, seed)
            command = [sys.executable, "-m", "anomalo", "compare", *map(str, paths), "--workspace", f"{folder}/w"]
            found = launch(command, 3600.0, Path(folder), os.environ)
            name = f"{options.rows:,} x {options.columns}, {form}"
            yield Row("large", name, "anomalo", 1, cpu_s=found.cpu_s, peak_mib=found.peak_mib, status=found.status)


def write_large(path: Path, rows: int, columns: int, seed: int) -> None:
    """Write a table of numbers with three decimals, whole numbers and categories, 5 % of a tenth of them missing."""
    rng, part, writer = np.random.default_rng(seed), 100_000, None
    for start in range(0, rows, part):
        size = min(part, rows - start)
        table = {"id": [f"r{start + at}" for at in range(size)]}
        for at in range(columns - 1):
            if at % 5 == 4:
                values: np.ndarray = rng.choice([f"level {i}" for i in range(20)], size)
            else:
                values = np.round(rng.normal(size=size) * 100, 3) if at % 5 else rng.integers(0, 1000, size)
            table[f"c{at}"] = pa.array(values, mask=rng.random(size) < 0.05 if at % 10 == 0 else None)
        batch = pa.table(table)
        if writer is None:
            kind = pc.CSVWriter if path.suffix == ".csv" else pq.ParquetWriter
            writer = kind(str(path), batch.schema)
        writer.write_table(batch)
    assert writer is not None
    writer.close()


PARTS = {"calibration": calibration, "power": power, "large": large}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--parts", type=names, default=tuple(PARTS))
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--peers", type=names, default=("ks",))
    parser.add_argument("--evidently", default="")
    parser.add_argument("--half", choices=list(HALVES), default="reported")
    parser.add_argument("--rows", type=int, default=3_000_000)
    parser.add_argument("--columns", type=int, default=100)
    parser.add_argument("--format", type=names, default=("parquet",))
    options = parser.parse_args()
    results = Results(options.out, Row, ("part", "table", "method"))
    for part in options.parts:
        for row in PARTS[part](options):
            results.add(row)
            print(row, flush=True)


if __name__ == "__main__":
    main()

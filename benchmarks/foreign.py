"""Which corruptions does `anomalo scan FILE` put among the first rows of somebody else's table?

The tables are seaborn-data's titanic, mpg and taxis (the first 1,500 rows). Each corruption of `foreign_corruptions.py`
is done once, in a row that the seed picks among those that it would break, no row twice. The table is written as CSV,
and fitted on and scored by the job behind `anomalo scan`, without options. A corruption is found if its row is among
the first 2 k, ordered by p-value and then by score, where k rows are corrupted.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from foreign_corruptions import CORRUPTIONS, Corruption, Row
from harness import Results, calm, names
from methods import COMPOSED, listed
from summary import markdown, publish

from anomalo.calibration.thresholds import Threshold, most_anomalous
from anomalo.errors import UsageError
from anomalo.jobs.context import JobContext
from anomalo.jobs.scanning.scan import find
from anomalo.pipeline.config import FitConfig
from anomalo.registry.registry import Registry
from anomalo.tabular.schema import SchemaOptions

MOST = {"taxis": 1500}
"""So many first rows of a table are used."""
WITHIN = 2
"""A row is found within so many times the number of corrupted rows."""


@dataclass
class Line:
    """One line of the results: a corruption in a table.

    `rank` counts from 1; `reason` is the column of the row's first reason, and `named` whether it is a corrupted cell.
    `seconds` are CPU seconds of the whole table's scan.
    """

    set: str
    seed: int
    model: str
    corruption: str
    row: int = -1
    rank: int = 0
    found: bool = False
    reason: str = ""
    named: bool = False
    seconds: float = float("nan")
    status: str = "ok"


KEY = ("set", "seed", "model", "corruption")


@dataclass(frozen=True)
class Corrupted:
    """A table with corrupted rows.

    Attributes
    ----------
    rows : list of Row
        All rows, in the file's order.
    at : list of int
        The row that each corruption changed.
    cells : list of set of str
        The columns that it changed.
    """

    rows: list[Row]
    at: list[int]
    cells: list[set[str]]


def corrupt(rows: Sequence[Row], corruptions: Sequence[Corruption], seed: int) -> Corrupted:
    """Apply each corruption to a random row that it breaks and that is not corrupted yet.

    Raises
    ------
    ValueError
        There is no such row, or a corruption leaves a cell as it was.
    """
    rng = np.random.default_rng(seed)
    changed, at, cells = [dict(row) for row in rows], list[int](), list[set[str]]()
    for corruption in corruptions:
        able = [number for number, row in enumerate(rows) if number not in at and corruption(row) is not None]
        if not able:
            raise ValueError(f"no row for {_title(corruption)}")
        number = able[rng.integers(len(able))]
        changes = corruption(rows[number]) or {}
        if any(rows[number][name] == value for name, value in changes.items()):
            raise ValueError(f"{_title(corruption)} changes nothing in row {number}")
        changed[number] |= changes
        at.append(number)
        cells.append(set(changes))
    return Corrupted(changed, at, cells)


def read(path: Path) -> list[Row]:
    """Read a CSV file's rows, each cell as it is written there."""
    with path.open(newline="") as file:
        return list(itertools.islice(csv.DictReader(file), MOST.get(path.stem)))


def write(path: Path, rows: Sequence[Row]) -> None:
    """Write rows as CSV, with a header."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def scan(rows: Sequence[Row], name: str, model: str, params: dict[str, Any]) -> tuple[np.ndarray, list[str]]:
    """Scan the rows as a file, and return each row's rank, from 1, and the column of its first reason ("" for none)."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / f"{name}.csv"
        write(source, rows)
        context = JobContext.at(Path(folder) / "workspace")
        found = find(context, str(source), FitConfig(model, params), SchemaOptions(), Threshold())
        scores = pq.read_table(found.scored.run.path / "scores.parquet")
    order = most_anomalous(scores["p_value"].to_numpy(), scores["score"].to_numpy())
    ranks = np.empty(len(order), dtype=int)
    ranks[order] = np.arange(1, len(order) + 1)
    return ranks, [reasons[0]["column"] if reasons else "" for reasons in scores["reasons"].to_pylist()]


def measure(lines: list[Line], rows: Sequence[Row], model: str, params: dict[str, Any]) -> list[Line]:
    """Corrupt a table, scan it, and return the lines with what was found; a failure becomes their status."""
    name, seed = lines[0].set, lines[0].seed
    started = time.process_time()
    try:
        corrupted = corrupt(rows, CORRUPTIONS[name], seed)
        ranks, reasons = scan(corrupted.rows, name, model, params)
    except Exception as error:
        return [
            replace(line, status=f"{type(error).__name__}: {(str(error) or ' ').splitlines()[0]}") for line in lines
        ]
    seconds = time.process_time() - started
    return [
        replace(
            line,
            row=row,
            rank=int(ranks[row]),
            found=bool(ranks[row] <= WITHIN * len(lines)),
            reason=reasons[row],
            named=reasons[row] in cells,
            seconds=seconds,
        )
        for line, row, cells in zip(lines, corrupted.at, corrupted.cells, strict=True)
    ]


def run(options: argparse.Namespace, models: dict[str, tuple[str, dict[str, Any]]]) -> None:
    """Measure every table, seed and model that the results do not hold yet."""
    results = Results(options.out, Line, KEY)
    for name in options.sets:
        rows = read(options.data / f"{name}.csv")
        for seed, (label, (model, params)) in itertools.product(options.seeds, models.items()):
            lines = [Line(name, seed, label, _title(corruption)) for corruption in CORRUPTIONS[name]]
            if all(map(results.holds, lines)):
                continue
            for line in measure(lines, rows, model, params):
                if not results.holds(line):
                    results.add(line)
            print(name, seed, label, "done", flush=True)


def _title(corruption: Corruption) -> str:
    return corruption.__name__.replace("_", " ")


def report_lines(results: pd.DataFrame) -> Iterator[str]:
    """Give the report paragraph by paragraph, in Markdown: what was found in each table, and means over seeds."""
    yield "Corruptions that were found, for each seed and in the mean."
    yield markdown(counts(results))
    for (name, seed, model), lines in results.groupby(["set", "seed", "model"], sort=False):
        yield f"## {name}, seed {seed}, {model}: {lines['found'].sum()} of {len(lines)} found"
        if (failed := lines["status"] != "ok").any():
            yield str(lines.loc[failed, "status"].iloc[0])
            continue
        shown = lines[["corruption", "row", "rank", "found", "reason", "named"]].astype(str)
        for column in ("found", "named"):
            shown[column] = lines[column].map({True: "yes", False: ""})
        yield markdown(shown)


def counts(results: pd.DataFrame) -> pd.DataFrame:
    """Return one line of texts for each table and model: the number of corruptions, those found by seed, their mean."""
    found = results.groupby(["set", "model", "seed"], sort=False)["found"].sum().unstack("seed")
    corrupted = results.groupby(["set", "model"], sort=False)["corruption"].nunique()
    shown = pd.DataFrame({"set": found.index.get_level_values("set"), "model": found.index.get_level_values("model")})
    shown["corrupted"] = corrupted.loc[found.index].astype(str).to_numpy()
    for seed in found:
        shown[f"seed {seed}"] = ["" if np.isnan(value) else f"{value:.0f}" for value in found[seed]]
    return shown.assign(mean=[f"{value:.2f}" for value in found.mean(axis=1)])


def _parse() -> tuple[argparse.Namespace, dict[str, tuple[str, dict[str, Any]]]]:
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("--data", type=Path, required=True, help="the folder of titanic.csv, mpg.csv and taxis.csv")
    command.add_argument("--out", type=Path, required=True, help="a CSV file; cells that it holds are not run again")
    text = "ours: NAME or NAME[PARAMETER=VALUE;…], separated by commas"
    command.add_argument("--models", default=COMPOSED, help=text)
    command.add_argument("--sets", type=names, default=list(CORRUPTIONS), help="some of the tables; all by default")
    command.add_argument("--seeds", type=lambda text: [int(item) for item in names(text)], default=[0, 1, 2, 3, 4])
    command.add_argument("--threads", type=int, default=1, help="threads of every library")
    command.add_argument("--summary", type=Path, help="write the summary to this Markdown file too")
    options = command.parse_args()
    if unknown := set(options.sets) - set(CORRUPTIONS):
        command.error(f"--sets {', '.join(sorted(unknown))}: expected some of {', '.join(CORRUPTIONS)}")
    if absent := [name for name in options.sets if not (options.data / f"{name}.csv").is_file()]:
        command.error(f"--data {options.data}: {absent[0]}.csv is not there")
    try:
        return options, listed(options.models, Registry.load())
    except UsageError as error:
        command.error(str(error))


def main() -> None:
    options, models = _parse()
    with calm(options.threads):
        run(options, models)
    publish(report_lines(pd.read_csv(options.out, keep_default_na=False, na_values={"seconds": [""]})), options.summary)


if __name__ == "__main__":
    main()

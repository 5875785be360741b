"""Quality and cost of filling hidden cells over a folder of complete tables, beside peers.

A sample of each table's rows loses cells of any column by a mechanism (mcar30: 30 % completely at random; mar30,
mnar30). Every method is fitted on its first 70 %, with their missing values, and fills these (in sample) and the other
30 % (out of sample).

One fixed configuration serves all tables. Times are CPU seconds of this process, over all its threads.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import imputation_metrics
import numpy as np
import pandas as pd
from harness import Results, calm, names
from imputers import PEERS, Creator, Imputer, ours, peers
from masked_tables import MaskedTable, folder_of, mask_cells, parse_mechanism, read, read_filled, read_manifest, save
from ratios import CELL, report

from anomalo.errors import UsageError
from anomalo.registry.registry import Registry

NAN = float("nan")
KEY = (*CELL, "method")
MECHANISMS = ("mcar10", "mcar30", "mcar50", "mar30", "mnar30")


@dataclass
class Row:
    """One line of the results: how a method fills one masked sample, out of sample and (`in_…`) in sample."""

    rows: int
    table: str
    mechanism: str
    seed: int
    method: str
    rmse: float = NAN
    accuracy: float = NAN
    f1: float = NAN
    in_rmse: float = NAN
    in_accuracy: float = NAN
    in_f1: float = NAN
    coverage: float = NAN
    width: float = NAN
    crps: float = NAN
    expected: float = NAN
    fit_s: float = NAN
    fill_s: float = NAN
    spread_s: float = NAN
    status: str = "ok"


def measure(row: Row, masked: MaskedTable, create: Creator) -> Row:
    """Fit, fill and evaluate one method; a failure becomes the row's status."""
    try:
        imputer, clock = create(row.seed), time.process_time
        started = clock()
        imputer.fit(masked.train)
        row.fit_s, started = clock() - started, clock()
        test = imputer.fill(masked.test)
        row.fill_s = clock() - started
        train = imputer.fill_training(masked.train)
        _evaluate(row, masked, train, held=False)
        _evaluate(row, masked, test, held=True)
        _evaluate_uncertainty(row, masked, imputer, test)
    except Exception as error:
        row.status = _status(error)
    return row


def measure_filled(row: Row, masked: MaskedTable, folder: Path) -> Row:
    """Evaluate the training rows that a method of another environment filled; no file becomes the row's status."""
    try:
        rows, row.fit_s = read_filled(masked, folder, row.method)
        row.fill_s = 0.0
        _evaluate(row, masked, rows, held=False)
    except Exception as error:
        row.status = _status(error)
    return row


def _status(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"


def _evaluate(row: Row, masked: MaskedTable, rows: pd.DataFrame, *, held: bool) -> None:
    part = masked.part(held)
    _check(part, rows)
    for name, value in imputation_metrics.point_metrics(part, rows, imputation_metrics.scales(masked.complete)).items():
        setattr(row, name if held else f"in_{name}", value)


def _check(part: MaskedTable, rows: pd.DataFrame) -> None:
    if empty := int(rows.isna().to_numpy().sum()):
        raise ValueError(f"{empty} cells were left empty")
    changed = (rows != part.complete).to_numpy() & ~part.hidden
    if changed.any():
        raise ValueError(f"{changed.sum()} observed cells were changed")


def _evaluate_uncertainty(row: Row, masked: MaskedTable, imputer: Imputer, test: pd.DataFrame) -> None:
    """Evaluate the uncertainty that the method reports, if it reports any."""
    scale, part = imputation_metrics.scales(masked.complete), masked.part(held=True)
    if hasattr(imputer, "uncertainty"):
        started = time.process_time()
        uncertainty = imputer.uncertainty(masked.test)
        row.spread_s = time.process_time() - started
        for name, value in imputation_metrics.uncertainty_metrics(part, uncertainty, scale).items():
            setattr(row, name, value)
    if hasattr(imputer, "expected_errors"):
        found = imputation_metrics.column_errors(part, test, scale)
        row.expected = imputation_metrics.expected_ratio(imputer.expected_errors(), found, scale)


def warm_up(creators: Iterable[Creator]) -> None:
    """Let imports and compilation happen before anything is timed."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.standard_normal((100, 3)), columns=["a", "b", "c"])
    table["d"] = rng.choice(["x", "y"], 100)
    for create in creators:
        imputer, masked = create(0), table.mask(rng.random(table.shape) < 0.2)
        imputer.fit(masked)
        imputer.fill(masked)


def cells(options: argparse.Namespace) -> Iterator[tuple[int, int, str, str]]:
    """Give rows, seed, table and mechanism of each masked sample; a table of fewer rows is left out, and named."""
    for rows in options.rows:
        for seed in options.seeds:
            for table in options.tables:
                if len(read(options.data, table)) < rows:
                    print(f"{table}: left out at {rows} rows, it has fewer")
                    continue
                for mechanism in options.mechanisms:
                    yield rows, seed, table, mechanism


def run(options: argparse.Namespace, creators: dict[str, Creator]) -> None:
    """Measure every cell that the results do not hold yet."""
    results = Results(options.out, Row, KEY)
    for rows, seed, table, mechanism in cells(options):
        pending = [Row(rows, table, mechanism, seed, method) for method in (*creators, *options.filled)]
        pending = [row for row in pending if not results.holds(row)]
        if not pending and not options.save:
            continue
        masked = mask_cells(read(options.data, table), mechanism, rows, seed)
        folder = folder_of(options.save, rows, table, mechanism, seed) if options.save else Path()
        if options.save:
            save(masked, folder)
        for row in pending:
            outside = row.method in options.filled
            measured = measure_filled(row, masked, folder) if outside else measure(row, masked, creators[row.method])
            results.add(measured)
            print(*(getattr(row, name) for name in KEY), _figures(row), flush=True)


def _figures(row: Row) -> str:
    errors = f"rmse {row.rmse:.4f} in sample {row.in_rmse:.4f} accuracy {row.accuracy:.4f}"
    return f"{errors} fit {row.fit_s:.2f} s fill {row.fill_s:.2f} s {row.status}"


def _parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("--data", type=Path, required=True, help="a folder of CSV files with manifest.json")
    found.add_argument("--out", type=Path, required=True, help="a CSV file; cells that it holds are not run again")
    found.add_argument("--models", default="", help="ours: NAME or NAME[PARAMETER=VALUE;…], separated by commas")
    found.add_argument("--peers", type=names, nargs="?", const=list(PEERS), default=[], help="all, or a list")
    found.add_argument("--tables", type=names, default=[], help="names in the manifest; all by default")
    found.add_argument("--mechanisms", type=names, default=list(MECHANISMS), help="such as mcar30,mar30,mnar30")
    found.add_argument("--rows", type=_integers, default=[1000], help="sizes of the samples, such as 1000,5000")
    found.add_argument("--seeds", type=_integers, default=[0, 1, 2])
    found.add_argument("--threads", type=int, default=1, help="threads of every library")
    found.add_argument("--save", type=Path, help="write the masked samples to this folder, for other environments")
    found.add_argument("--filled", type=names, default=[], help="methods whose filled tables are there: hyperimpute")
    found.add_argument("--against", help="the method that the summary compares with every other, cell by cell")
    found.add_argument("--summary", type=Path, help="write the summary to this Markdown file too")
    return found


def _integers(text: str) -> list[int]:
    return [int(item) for item in names(text)]


def _parse() -> tuple[argparse.Namespace, dict[str, Creator]]:
    command = _parser()
    options = command.parse_args()
    if options.filled and not options.save:
        command.error("--filled: expected --save, the folder that holds the filled tables")
    try:
        manifest = read_manifest(options.data)
        options.tables = options.tables or list(manifest)
        if absent := set(options.tables) - set(manifest):
            command.error(f"--tables {', '.join(sorted(absent))}: expected some of {', '.join(manifest)}")
        for mechanism in options.mechanisms:
            parse_mechanism(mechanism)
        creators = {**ours(options.models, Registry.load()), **peers(options.peers)}
    except (OSError, ValueError, UsageError) as error:
        command.error(str(error))
    return options, creators


def main() -> None:
    options, creators = _parse()
    with calm(options.threads):
        warm_up(creators.values())
        run(options, creators)
    report([options.out], options.against, options.summary)


if __name__ == "__main__":
    main()

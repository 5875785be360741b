"""Does a repair find the corrupted cells, and does it bring them nearer to the truth?

Each table: fit on a random part of the rows, take 200 of the others that are no alerts, and corrupt one or two cells
of each. Kinds:

- typical: the value of another row, other than the cell's own; any column;
- outlier: the cell's own value, moved by 3 standard deviations of its column to a random side; numbers only.

Of the rows that are alerts then: in how many a repair was found, in how many of those it replaces a corrupted cell
(`found`), and how many of the corrupted cells that it replaces come nearer to the truth than the corrupted value was
(`nearer`; a level counts only if it is the true one).
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from harness import Results, calm, names
from methods import specified
from numpy.typing import NDArray

from anomalo.calibration.thresholds import Threshold
from anomalo.pipeline.config import FitConfig
from anomalo.pipeline.fitted import Fitted
from anomalo.pipeline.repair import repair
from anomalo.registry.registry import Registry
from anomalo.tabular.schema import infer

KINDS = ("typical", "outlier")
NORMAL = 0.05
"""Rows with a larger p-value before they are corrupted are normal."""
Generator = np.random.Generator


@dataclass
class Row:
    """One line of the results."""

    set: str
    model: str
    kind: str
    cells: int
    seed: int
    threshold: str
    rows: int = 0
    alerts: int = 0
    repaired: float = float("nan")
    found: float = float("nan")
    all_found: float = float("nan")
    nearer: float = float("nan")
    size: float = float("nan")
    seconds: float = float("nan")


KEY = ("set", "model", "kind", "cells", "seed", "threshold")


@dataclass(frozen=True)
class Corrupted:
    """Rows with corrupted cells.

    Attributes
    ----------
    clean, rows : DataFrame [n, columns]
        Before and after.
    cells : bool [n, columns]
        Which cells are corrupted.
    """

    clean: pd.DataFrame
    rows: pd.DataFrame
    cells: NDArray[np.bool_]


def corrupt(clean: pd.DataFrame, pool: pd.DataFrame, kind: str, cells: int, rng: Generator) -> Corrupted:
    """Corrupt so many random cells of each row [n, columns]; `pool` [m, columns] gives values and deviations."""
    usable = [
        name
        for name in clean
        if pool[name].nunique() > 1 and (kind == "typical" or pd.api.types.is_numeric_dtype(pool[name]))
    ]
    rows, mask = clean.copy(), np.zeros(clean.shape, dtype=bool)
    drawn = [rng.choice(usable, min(cells, len(usable)), replace=False) for _ in range(len(clean))]
    for at, name in ((at, name) for at, some in enumerate(drawn) for name in some):
        rows.iat[at, clean.columns.get_loc(name)] = _value(clean[name].iat[at], pool[name], kind, rng)
        mask[at, clean.columns.get_loc(name)] = True
    return Corrupted(clean, rows, mask)


def _value(current: object, pool: pd.Series, kind: str, rng: Generator) -> object:
    if kind == "typical":
        others = pool[pool != current]
        return others.iat[rng.integers(len(others))]
    moved = float(current) + rng.choice([-3.0, 3.0]) * float(pool.std())
    return round(moved) if pd.api.types.is_integer_dtype(pool) else moved


def nearer(corrupted: Corrupted, repairs: pd.DataFrame, replaced: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return for each corrupted cell that is replaced whether its repair is nearer to the truth than the corruption."""
    found = []
    for at, column in zip(*np.nonzero(corrupted.cells & replaced), strict=True):
        truth, wrong, repaired = (frame.iat[at, column] for frame in (corrupted.clean, corrupted.rows, repairs))
        found.append(repaired == truth if isinstance(truth, str) else abs(repaired - truth) < abs(wrong - truth))
    return np.array(found, dtype=bool)


def tables(folder: Path, some: list[str]) -> Iterator[tuple[str, pd.DataFrame]]:
    """Read the tables of a folder: CSV with `manifest.json`, or Parquet of numbers with `label` (normal rows only)."""
    for file in sorted([*folder.glob("*.csv"), *folder.glob("*.parquet")], key=lambda file: file.stat().st_size):
        if some and file.stem not in some:
            continue
        if file.suffix == ".csv":
            facts = json.loads((folder / "manifest.json").read_text())[file.stem]
            yield file.stem, pd.read_csv(file, dtype=dict.fromkeys(facts["categorical"], str), keep_default_na=False)
        else:
            table = pd.read_parquet(file)
            normal = table[table["label"] != 1].drop(columns="label").reset_index(drop=True)
            yield file.stem, normal.astype(dict.fromkeys(normal.select_dtypes("floating"), np.float64))


def measure(row: Row, fitted: Fitted, corrupted: Corrupted) -> Row:
    """Corrupt, raise alerts, repair, and compare with the truth."""
    batch = pa.RecordBatch.from_pandas(corrupted.rows, preserve_index=False)
    data, threshold = fitted.encode(batch), Threshold.parse(row.threshold)
    scored = fitted.score(data)
    alert = np.flatnonzero(threshold.alerts(scored.p_value, scored.score))
    started = time.process_time()
    repaired = repair(fitted, data.take(alert), threshold.boundary(scored.p_value, scored.score))
    seconds = time.process_time() - started
    cells, value = np.zeros((2, *data.values.shape))
    cells[alert], value[alert] = repaired.cells, repaired.value
    replaced = cells.astype(bool)
    repairs = fitted.encoder.fill(batch, value.astype(np.float32), where=replaced).to_pandas()
    hit = (corrupted.cells & replaced)[alert[repaired.normal]]
    close = nearer(corrupted, repairs, replaced)
    return replace(
        row,
        rows=len(data),
        alerts=len(alert),
        repaired=_mean(repaired.normal),
        found=_mean(hit.any(axis=1)),
        all_found=_mean((hit | ~corrupted.cells[alert[repaired.normal]]).all(axis=1)),
        nearer=_mean(close),
        size=_mean(repaired.cells[repaired.normal].sum(axis=1)),
        seconds=seconds,
    )


def _mean(values: NDArray[np.generic]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def fit(table: pd.DataFrame, model: str, seed: int, most: int, registry: Registry) -> tuple[Fitted, pd.DataFrame]:
    """Fit on a random part, 70 % of the rows and no more than `most`; return also the others."""
    order = np.random.default_rng([seed, 1]).permutation(len(table))
    rows = min(most, int(0.7 * len(table)))
    train = pa.Table.from_pandas(table.iloc[order[:rows]], preserve_index=False)
    name, params = specified(model, registry)
    plan = FitConfig(name, params, seed=seed, device="cpu")
    return Fitted.fit(train, infer(train), plan, registry).fitted, table.iloc[order[rows:]].reset_index(drop=True)


def run(options: argparse.Namespace) -> None:
    """Measure every cell that the results do not hold yet."""
    registry, results = Registry.load(), Results(options.out, Row, KEY)
    for name, table in tables(options.data, options.sets):
        for model, seed in itertools.product(options.models, options.seeds):
            rows = [
                Row(name, model, kind, cells, seed, options.threshold)
                for kind, cells in itertools.product(KINDS, (1, 2))
            ]
            rows = [row for row in rows if not results.holds(row)]
            if not rows:
                continue
            fitted, held = fit(table, model, seed, options.training, registry)
            scored = fitted.score(fitted.encode(pa.RecordBatch.from_pandas(held, preserve_index=False)))
            clean = held[scored.p_value > NORMAL].head(options.rows).reset_index(drop=True)
            for row in rows:
                rng = np.random.default_rng([seed, KINDS.index(row.kind), row.cells])
                results.add(found := measure(row, fitted, corrupt(clean, held, row.kind, row.cells, rng)))
                print(
                    " ".join(
                        f"{value:.3g}" if isinstance(value, float) else str(value) for value in vars(found).values()
                    )
                )


def summary(path: Path) -> pd.DataFrame:
    """Return the figures of each table and model, and threshold, over kinds and seeds, weighted by alerts."""
    lines = pd.read_csv(path)
    lines = lines[lines["alerts"] > 0]
    weights = {"repaired": lines["alerts"], "found": (some := lines["alerts"] * lines["repaired"]), "nearer": some}
    grouped = [lines["model"], lines["threshold"], lines["set"]]
    shares = {
        name: (lines[name].fillna(0) * weight).groupby(grouped).sum()
        / weight.where(lines[name].notna(), 0).groupby(grouped).sum()
        for name, weight in weights.items()
    }
    return pd.DataFrame({"alerts": lines["alerts"].groupby(grouped).sum()} | shares).round(3)


def _parse() -> argparse.Namespace:
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("--data", type=Path, required=True, help="a folder of tables")
    command.add_argument("--out", type=Path, required=True, help="a CSV file; cells that it holds are not run again")
    command.add_argument("--models", type=names, default=["undercomplete", "masked"])
    command.add_argument("--sets", type=names, default=[], help="file names without suffix; all by default")
    command.add_argument("--seeds", type=lambda text: [int(item) for item in names(text)], default=[0])
    command.add_argument("--rows", type=int, default=200, help="corrupt so many rows")
    command.add_argument("--training", type=int, default=5000, help="fit on so many rows at most")
    command.add_argument("--threshold", default="share=0.01", help="when a row is an alert")
    command.add_argument("--threads", type=int, default=1, help="threads of every library")
    return command.parse_args()


def main() -> None:
    options = _parse()
    with calm(options.threads):
        run(options)
    print(summary(options.out).to_string())


if __name__ == "__main__":
    main()

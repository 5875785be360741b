"""How many alerts of a dirty table have a repair with its texts, and without; how many texts become the true ones?

    python benchmarks/text_repairs.py --data FOLDER [--inject RATE]

FOLDER is as in `benchmarks/cells.py`; with `--inject`, its true tables with errors put into that share of the texts
that no model reads, a kind at a time, and with a column of codes. Each table: fit on the dirty cells, and repair its
alerts, once with the suspected texts replaced first, once without. Of the replaced texts: how many were wrong, and how
many are true then. `as scored`: the repaired rows whose score is the one that they have when they are read again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from cell_errors import ERRORS
from cells import texts
from harness import calm, names
from numpy.typing import NDArray

from anomalo.calibration.thresholds import Threshold
from anomalo.pipeline.config import FitConfig
from anomalo.pipeline.fitted import Fitted
from anomalo.pipeline.repair import repair
from anomalo.pipeline.text_repairs import TextRepairs, repair_texts
from anomalo.registry.registry import Registry
from anomalo.tabular.schema import infer

MOST = 5
"""Cells of a repair."""


def with_errors(clean: pd.DataFrame, kind: str, rate: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a table with errors in a share of its texts that no model reads, and the true one, both with codes."""
    random = np.random.default_rng(0)
    codes = [f"{letter}{letter}-{at:05}" for at, letter in enumerate(random.choice(list("ABC"), len(clean)))]
    clean = clean.assign(code=random.permutation(np.array(codes, dtype=object)))
    dirty = clean.copy()
    for name in infer(pa.Table.from_pandas(clean, preserve_index=False)).texts:
        cells = clean[name].to_numpy(dtype=object, copy=True)
        for row in np.flatnonzero(random.random(len(cells)) < rate):
            cells[row] = ERRORS[kind](cells[row], clean[name].to_numpy(dtype=object), random)
        dirty[name] = cells
    return dirty, clean


def counts(repairs: TextRepairs, rows: NDArray[np.intp], dirty: pd.DataFrame, clean: pd.DataFrame) -> tuple[int, int]:
    """Return how many of the replaced cells of some rows [n] were wrong, and how many are true then."""
    wrong = true = 0
    for row, column in np.argwhere(repairs.cells):
        name = repairs.columns[column]
        before, truth = (frame[name].iat[rows[row]] for frame in (dirty, clean))
        wrong += before != truth
        true += (repairs.after[row, column] or "") == truth
    return wrong, true


def measured(dirty: pd.DataFrame, clean: pd.DataFrame, model: str, rule: str) -> str:
    """Fit, raise alerts, repair them twice, and say what was found."""
    table = pa.Table.from_pandas(dirty, preserve_index=False)
    outcome = Fitted.fit(table, infer(table), FitConfig(model), Registry.load())
    fitted, threshold = outcome.fitted, Threshold.parse(rule)
    scored = fitted.score(outcome.data, outcome.scores)
    alerts = np.flatnonzero(threshold.alerts(scored.p_value, scored.score))
    boundary = threshold.boundary(scored.p_value, scored.score)
    data = outcome.data.take(alerts)
    (batch,) = table.take(pa.array(alerts)).combine_chunks().to_batches()
    without = repair(fitted, data, boundary, MOST)
    found, start = repair_texts(fitted.texts, batch, data, MOST)
    done = repair(fitted, data, boundary, MOST, start=start)
    written = found.only(done.normal[:, None])
    after = fitted.encoder.fill(written.written(batch), done.value, where=done.cells)
    same = (fitted.score(fitted.encode(after)).score == done.score)[done.normal]
    wrong, true = counts(written, alerts, dirty, clean)
    suspected = 0 if data.texts is None else int(data.texts.any(axis=1).sum())
    return (
        f"alerts {len(alerts)}, with suspected texts {suspected}; repaired {without.normal.sum()} without texts, "
        f"{done.normal.sum()} with, of these {(written.cells.any(axis=1) & ~done.cells.any(axis=1)).sum()} by texts "
        f"alone; texts replaced {written.cells.sum()}, wrong {wrong}, true then {true}; as scored {same.mean():.3f}"
    )


def main() -> None:
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("--data", type=Path, required=True, help="a folder of dirty tables with the true ones")
    command.add_argument("--sets", type=names, default=["hospital", "beers", "rayyan"])
    command.add_argument("--model", default="undercomplete")
    command.add_argument("--threshold", default="share=0.05", help="when a row is an alert")
    command.add_argument("--inject", type=float, help="put errors into this share of the texts of the true tables")
    options = command.parse_args()
    for name in options.sets:
        dirty, clean = (texts(options.data / name / f"{which}.csv") for which in ("dirty", "clean"))
        clean.columns = dirty.columns
        pairs = {"as it is": (dirty, clean)}
        if options.inject:
            pairs = {kind: with_errors(clean, kind, options.inject) for kind in ("typo", "format", "missing")}
        for kind, pair in pairs.items():
            with calm(1):
                print(f"{name}, {kind}: {measured(*pair, options.model, options.threshold)}", flush=True)


if __name__ == "__main__":
    main()

"""Modes that adversarial models find on a grid of Gaussians, with each remedy for mode collapse by itself.

A table of two columns: 25 Gaussians of standard deviation 0.05 on the points of a grid from -4 to 4, as they are or
turned by 30 degrees (then no single column shows the modes). A synthetic row is near if it is within 4 standard
deviations of a mode; a mode is found if at least one row in a thousand is near it. One CSV row for each grid, seed and
model:

- near: share of the synthetic rows that are near a mode;
- modes: modes found, of 25;
- least: the rarest mode's share of the near rows, times 25: 1 is even;
- coverage: share of real rows with a synthetic row near them (Naeem et al. 2020);
- fit_s: CPU seconds of training; rows_per_s: rows sampled in a CPU second.

The remedies on a real table: benchmarks/synthesis.py --tables adult --models "gan,gan[replay=10000],gan[pack=8],…".

References: Dumoulin et al. (2017), Adversarially learned inference, ICLR; Lin et al. (2018), PacGAN, NeurIPS.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from harness import Results, calm, names
from methods import listed
from numpy.typing import NDArray
from summary import markdown

from anomalo.models.run import LocalRun
from anomalo.plugin import Block, Encoded, Layout
from anomalo.registry.registry import Registry

SIDE, DEVIATION, NEAR = 5, 0.05, 4.0
GRIDS = {"straight": 0.0, "turned": 30.0}
SAMPLED = 10_000
ENOUGH = SAMPLED // 1000
KEY = ("grid", "rows", "seed", "model")
REMEDIES = (
    "wgan",
    "wgan[replay=10000]",
    "wgan[minibatch=discrimination]",
    "wgan[minibatch=deviation]",
    "wgan[spectral=yes]",
    "wgan[pack=4]",
    "gan",
    "cgan",
    "gan[game=non-saturating]",
    "gan[game=minimax;penalty=0]",
)
NAN = float("nan")


@dataclass
class Row:
    """One line of the results."""

    grid: str
    rows: int
    seed: int
    model: str
    near: float = NAN
    modes: int = 0
    least: float = NAN
    coverage: float = NAN
    fit_s: float = NAN
    rows_per_s: float = NAN


def centres(degrees: float) -> NDArray[np.float64]:
    """Return the modes of a grid turned by so much, [25, 2]."""
    line, turn = np.linspace(-4, 4, SIDE), np.deg2rad(degrees)
    points = np.stack(np.meshgrid(line, line), axis=2).reshape(-1, 2)
    turned: NDArray[np.float64] = points @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return turned


def table(modes: NDArray[np.float64], rows: int, seed: int) -> Encoded:
    """Draw rows from Gaussians around the modes, all equally often."""
    rng = np.random.default_rng(seed)
    values = modes[rng.integers(len(modes), size=rows)] + DEVIATION * rng.standard_normal((rows, 2))
    blocks = tuple(Block(name, "number", at, low=-7, high=7) for at, name in enumerate("xy"))
    return Encoded(values.astype(np.float32), np.ones(values.shape, dtype=bool), Layout("table", (2,), blocks))


def measure(row: Row, create: tuple[str, dict[str, object]], registry: Registry) -> Row:
    """Fit, sample and count."""
    modes = centres(GRIDS[row.grid])
    data, run = table(modes, row.rows, row.seed), LocalRun(seed=row.seed)
    started = time.process_time()
    model = registry.create(create[0], **create[1])
    model.fit(data, run)
    row.fit_s, started = time.process_time() - started, time.process_time()
    blank = np.zeros((SAMPLED, 2), dtype=np.float32)
    sampled = model.sample(Encoded(blank, blank > 0, data.layout), LocalRun(seed=row.seed + 1))
    row.rows_per_s = SAMPLED / (time.process_time() - started)
    distance = np.linalg.norm(sampled.values[:, None] - modes, axis=2)
    near = distance.min(axis=1) < NEAR * DEVIATION
    found = np.bincount(distance.argmin(axis=1)[near], minlength=len(modes))
    row.near, row.modes = float(near.mean()), int((found >= ENOUGH).sum())
    row.least = float(found.min() / max(near.sum(), 1) * len(modes))
    row.coverage = run.history[-1].get("coverage", NAN)
    return row


def summary(results: pd.DataFrame) -> str:
    """Return the medians over the seeds, in Markdown."""
    shown = results.groupby(["grid", "rows", "model"], sort=False).median(numeric_only=True).drop(columns="seed")
    return markdown(shown.round(3).reset_index().astype(str))


def main() -> None:
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("--out", type=Path, required=True, help="a CSV file; cells that it holds are not run again")
    command.add_argument("--models", default=",".join(REMEDIES), help="NAME or NAME[PARAMETER=VALUE;…], commas between")
    command.add_argument("--grids", type=names, default=list(GRIDS), help="straight, turned; both by default")
    command.add_argument("--rows", type=int, default=10_000, help="rows to train on")
    command.add_argument("--seeds", type=lambda text: [int(item) for item in names(text)], default=[0])
    command.add_argument("--threads", type=int, default=1, help="threads of every library")
    options = command.parse_args()
    registry = Registry.load()
    models, results = listed(options.models, registry), Results(options.out, Row, KEY)
    with calm(options.threads):
        for seed in options.seeds:
            for grid in options.grids:
                for name, create in models.items():
                    row = Row(grid, options.rows, seed, name)
                    if not results.holds(row):
                        results.add(measure(row, create, registry))
                        print(row, flush=True)
    print(summary(pd.read_csv(options.out)))


if __name__ == "__main__":
    main()

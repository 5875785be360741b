"""Modes that generators of images find on a ring of Gaussians, the usual test of mode collapse.

    python benchmarks/image_modes.py --out modes.csv [--families dcgan sagan] [--seconds 45] [--seeds 0 1 2]

An image has 16 x 16 pixels and one bright dot (a Gaussian of deviation 1 pixel). Its middle is drawn from 8 Gaussians
of deviation 0.2 pixels on a ring of radius 4. So a family is tested as it stands, with its networks, losses and
remedies, on images whose content is the two numbers of the usual test. The middle of a synthetic image is that of the
dot nearest to it in squared difference, on a grid of 0.05 pixels: the most likely one, if pixels have equal noise.
Families that need labels are given whether a mode's number is even. One CSV row for each family and seed:

- modes: modes found, of 8: at least one image in a hundred lies within 3 deviations of them;
- near: share of the images within 3 deviations of a mode; of real ones 1 - exp(-9 / 2) = .989;
- least: the rarest mode's share of these, times 8: 1 is even;
- spread: the root of the mean squared distance from the mode along one axis, of those near, in deviations; of real
  ones .97;
- rest: what a dot does not explain of an image: the median of the squared difference to the nearest dot, in parts of
  the dot's own sum of squares; of real ones 0;
- cpu_s: CPU seconds of training.

`real` are images that no family has seen, measured in the same way; `normal` has dots at the mean and with the
covariance of all middles, which is what a generator without modes would draw.

References: Metz, Poole, Pfau and Sohl-Dickstein (2017), Unrolled generative adversarial networks, ICLR (the ring);
Srivastava et al. (2017), VEEGAN: reducing mode collapse in GANs using implicit variational learning, NIPS (within 3
deviations).
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from harness import Results, calm
from image_generators import Flattened, sheet, trained
from numpy.typing import NDArray
from summary import markdown

from anomalo.models.run import LocalRun
from anomalo.plugin import Block, Encoded, Layout
from anomalo.registry.registry import Registry

Points = NDArray[np.float64]
SIDE, RADIUS, DEVIATION, DOT, NEAR = 16, 4.0, 0.2, 1.0, 3.0
MODES = 8
TRAINED, SAMPLED = 8000, 2000
ENOUGH = SAMPLED // 100
STEP = 0.05
KEY = ("family", "seconds", "seed")
FAMILIES = ("dcgan", "cdcgan", "wgan_image", "sagan", "biggan", "progan", "stylegan", "setgan", "flattened")
YARDSTICKS = ("real", "normal")


@dataclass
class Row:
    """One line of the results."""

    family: str
    seconds: float
    seed: int
    modes: int = 0
    near: float = 0.0
    least: float = 0.0
    spread: float = 0.0
    rest: float = 0.0
    cpu_s: float = 0.0


def centres() -> Points:
    """Return the modes [8, 2], in pixels from the upper left corner."""
    angle = 2 * np.pi * np.arange(MODES) / MODES
    return SIDE / 2 + RADIUS * np.column_stack([np.cos(angle), np.sin(angle)])


def middles(rows: int, rng: np.random.Generator) -> tuple[Points, NDArray[np.int64]]:
    """Draw middles of dots [n, 2], all modes equally often, and the mode of each."""
    mode = rng.integers(MODES, size=rows)
    return centres()[mode] + DEVIATION * rng.standard_normal((rows, 2)), mode


def along(position: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a dot's brightness along one axis, [n, 16]."""
    return np.exp(-0.5 * ((np.arange(SIDE) + 0.5 - position[:, None]) / DOT) ** 2)


def images(points: Points) -> Encoded:
    """Return images of one dot each."""
    values = along(points[:, 0])[:, :, None] * along(points[:, 1])[:, None]
    block = Block("grey", "number", 0, low=0.0, high=1.0)
    layout = Layout("image", (1, SIDE, SIDE), (block,), axis=0)
    whole = values[:, None].astype(np.float32)
    return Encoded(whole, np.ones(whole.shape, dtype=np.bool_), layout)


def found_middles(values: NDArray[np.float32]) -> tuple[Points, NDArray[np.float64]]:
    """Return the middle of the nearest dot of images [n, 1, 16, 16], and what it leaves, in parts of its squares."""
    grid = np.arange(0, SIDE + STEP / 2, STEP)
    template = along(grid)
    own = np.square(template).sum(axis=1)
    squares = np.outer(own, own)
    points, rest = np.empty((len(values), 2)), np.empty(len(values))
    for at, image in enumerate(values[:, 0].astype(np.float64)):
        error = np.square(image).sum() - 2 * template @ image @ template.T + squares
        row, column = np.unravel_index(error.argmin(), error.shape)
        points[at], rest[at] = (grid[row], grid[column]), error[row, column] / squares[row, column]
    return points, rest


def measured(row: Row, values: NDArray[np.float32]) -> Row:
    """Count the modes of images, and how close they are to them."""
    points, rest = found_middles(values)
    distance = np.linalg.norm(points[:, None] - centres(), axis=2)
    mode, nearest = distance.argmin(axis=1), distance.min(axis=1)
    near = nearest < NEAR * DEVIATION
    count = np.bincount(mode[near], minlength=MODES)
    row.modes, row.near = int((count >= ENOUGH).sum()), float(near.mean())
    row.least = float(count.min() / max(near.sum(), 1) * MODES)
    row.spread = float(np.sqrt(np.square(nearest[near]).mean() / 2) / DEVIATION) if near.any() else float("nan")
    row.rest = float(np.median(rest))
    return row


def yardstick(row: Row) -> Row:
    """Measure real images, or those of one Gaussian."""
    rng = np.random.default_rng(10_000 + row.seed)
    points, _ = middles(SAMPLED, rng)
    if row.family == "normal":
        points = rng.multivariate_normal(points.mean(axis=0), np.cov(points.T), SAMPLED)
    return measured(row, images(points).values)


def measure(row: Row, registry: Registry, settings: dict[str, str], sheets: Path | None) -> Row:
    """Fit a family, draw and count."""
    points, mode = middles(TRAINED, np.random.default_rng(row.seed))
    kind: Any = Flattened if row.family == "flattened" else registry.get(row.family, "image")
    model, layout, row.cpu_s, _ = trained(kind, images(points), mode % 2, row.seconds / 60, row.seed, settings)
    drawn = model.sample(Encoded.blank(layout, SAMPLED), LocalRun(seed=row.seed + 1)).values
    if sheets is not None:
        sheets.mkdir(parents=True, exist_ok=True)
        sheet(drawn[:, 0], sheets / f"{row.family}-{row.seed}.png")
    return measured(row, drawn)


def summary(results: pd.DataFrame) -> str:
    """Return the medians over the seeds, in Markdown."""
    shown = results.groupby(["family", "seconds"], sort=False).median(numeric_only=True).drop(columns="seed")
    return markdown(shown.round(3).reset_index().astype(str))


def main() -> None:
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("--out", type=Path, required=True, help="a CSV file; cells that it holds are not run again")
    command.add_argument("--families", nargs="+", default=[*YARDSTICKS, *FAMILIES])
    command.add_argument("--seconds", type=float, default=45.0, help="of CPU for each family and seed")
    command.add_argument("--seeds", type=int, nargs="+", default=[0])
    command.add_argument("--set", nargs="*", default=[], help="parameters of the families, as NAME=VALUE")
    command.add_argument("--sheets", type=Path, help="a folder for a contact sheet of each family")
    options = command.parse_args()
    settings = dict(item.split("=", 1) for item in options.set)
    registry, results = Registry.load(), Results(options.out, Row, KEY)
    with calm(1):
        for seed in options.seeds:
            for family in options.families:
                row = Row(family, options.seconds, seed)
                if results.holds(row):
                    continue
                done = yardstick(row) if family in YARDSTICKS else measure(row, registry, settings, options.sheets)
                results.add(done)
                print(done, flush=True)
    print(summary(pd.read_csv(options.out)))


if __name__ == "__main__":
    main()

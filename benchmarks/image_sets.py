"""Sets of points on MNIST: the Chamfer distance of synthetic sets to those of held-out digits, beside yardsticks.

    python benchmarks/image_sets.py --data FOLDER --out SHEETS [--minutes 5] [--seeds 0]

FOLDER has `mnist10k.npz`. A digit is a set of 100 points, drawn where it is bright. `setgan` learns from 8,000 digits
for so many CPU minutes; 300 sets that it draws are compared with those of 300 digits that it has not seen:

- nearest: the mean Chamfer distance from a held-out set to the nearest synthetic one, times 1,000 (minimum matching
  distance; points go from -1 to 1): lower is better;
- coverage: share of the held-out sets that are the nearest one of some synthetic set: higher is better;
- accuracy: how often the nearest other set of all 600 is of the same kind (1-nearest-neighbour accuracy): .5 is best,
  1 says that the kinds can be told apart.

The floor are as many random training sets (`training`). The ceilings are sets of points that know nothing of each
other: from one Gaussian with the mean and covariance of all training points (`normal`), and from the points of all
training sets (`pooled`). Between them lies `each`: each set is a Gaussian with the mean and covariance of one training
set. SHEETS gets a hundred sets of setgan, drawn as dots as `augment` draws them.

References: Achlioptas, Diamanti, Mitliagkas and Guibas (2018), Learning representations and generative models for 3D
point clouds, ICML (minimum matching distance, coverage); Yang et al. (2019), PointFlow: 3D point cloud generation with
continuous normalizing flows, ICCV (accuracy).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from image_generators import TRAINED, sheet, trained
from images import encoded
from torch import Tensor

from anomalo.encoding.encoded import Encoded
from anomalo.models.run import LocalRun
from anomalo.registry.registry import Registry
from anomalo_images_gan.families.setgan import SetGan
from anomalo_images_gan.networks.point_sets import points_of
from anomalo_images_gan.pixel_range import PixelRange

COMPARED, POINTS = 300, 100
COLUMNS = ("sets", "nearest x 1000", "coverage", "accuracy")


def sets_of(data: Encoded) -> Tensor:
    """Draw the points [n, 100, 2] of images."""
    return points_of(PixelRange(data.layout).to_unit(torch.tensor(data.values)), POINTS)


def distances(one: Tensor, other: Tensor) -> Tensor:
    """Return the Chamfer distance of each pair of sets, [n, m]."""
    rows = []
    for points in one:
        between = torch.cdist(points.expand_as(other), other)
        rows.append(between.amin(dim=2).square().mean(dim=1) + between.amin(dim=1).square().mean(dim=1))
    return torch.stack(rows)


def compared(synthetic: Tensor, real: Tensor) -> tuple[float, float, float]:
    """Return the minimum matching distance, the coverage and the accuracy of a nearest neighbour."""
    across = distances(real, synthetic)
    coverage = len(across.argmin(dim=0).unique()) / len(real)
    above, below = (
        torch.cat([distances(real, real), across], 1),
        torch.cat([across.T, distances(synthetic, synthetic)], 1),
    )
    nearest = torch.cat([above, below]).fill_diagonal_(torch.inf).argmin(dim=1)
    accuracy = ((nearest < len(real)) == (torch.arange(len(nearest)) < len(real))).float().mean()
    return float(across.amin(dim=1).mean()), coverage, float(accuracy)


def gaussian(mean: Tensor, deviation: Tensor, shape: tuple[int, int]) -> Tensor:
    """Draw points [*shape, 2] of Gaussians with these means and Cholesky factors."""
    return mean + torch.randn(*shape, 2) @ deviation.mT


def yardsticks(train: Tensor) -> dict[str, Tensor]:
    """Return sets that no network draws, [n, 100, 2]."""
    pool, some = train.flatten(0, 1), train[torch.randperm(len(train))[:COMPARED]]
    whole = gaussian(pool.mean(dim=0), torch.linalg.cholesky(pool.T.cov()), (COMPARED, POINTS))
    factors = torch.linalg.cholesky(torch.stack([one.T.cov() for one in some]) + 1e-6 * torch.eye(2))
    each = gaussian(some.mean(dim=1, keepdim=True), factors, (COMPARED, POINTS))
    pooled = pool[torch.randint(len(pool), (COMPARED, POINTS))]
    return {"training": some, "each": each, "pooled": pooled, "normal": whole}


@torch.no_grad()
def drawn_sets(model: SetGan, seed: int) -> Tensor:
    """Return sets of the averaged generator."""
    rng = torch.Generator().manual_seed(seed)
    whole = torch.randn(COMPARED, model.noise, generator=rng)
    sets: Tensor = model.net.average.net(whole, torch.randn(COMPARED, POINTS, model.noise, generator=rng))
    return sets


def line(name: str, found: tuple[float, float, float]) -> None:
    print(f"| {name} | {1000 * found[0]:.1f} | {found[1]:.2f} | {found[2]:.2f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder of mnist10k.npz")
    parser.add_argument("--out", type=Path, required=True, help="where the sheets are written")
    parser.add_argument("--minutes", type=float, default=5.0, help="of CPU for setgan, for each seed")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0])
    parser.add_argument("--set", nargs="*", default=[], help="parameters of setgan, as NAME=VALUE")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.data / "mnist10k.npz"
    data, labels = encoded(path, np.arange(TRAINED)), np.load(path)["labels"]
    rows = np.random.default_rng(0).permutation(len(labels) - TRAINED)[:COMPARED]  # neighbours are of one writer
    train, real = data.take(slice(0, TRAINED)), sets_of(data.take(TRAINED + np.sort(rows)))
    print("| " + " | ".join(COLUMNS) + " |\n|" + "---|" * len(COLUMNS))
    for name, sets in yardsticks(sets_of(train)).items():
        line(name, compared(sets, real))
    kind, settings = Registry.load().get("setgan", "image"), dict(item.split("=", 1) for item in args.set)
    for seed in args.seeds:
        model, layout, seconds, _ = trained(kind, train, labels[:TRAINED], args.minutes, seed, settings)
        line(f"`setgan`, seed {seed}, {seconds:.0f} CPU s", compared(drawn_sets(model, seed), real))
        images = model.sample(Encoded.blank(layout, 100), LocalRun(seed=seed)).values
        block = layout.blocks[0]
        sheet(images[:, 0] * block.scale + block.offset, args.out / f"setgan-{args.minutes:g}-{seed}.png")


if __name__ == "__main__":
    main()

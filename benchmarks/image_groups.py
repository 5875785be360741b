"""Do groups of similar images, in place of classes, help on other images than MNIST? Digits of scikit-learn, and tiles.

    python benchmarks/image_groups.py digits [--family dcgan] [--groups 0 16 32] [--seeds 0 1] [--epochs 60]
    python benchmarks/image_groups.py tiles --data FOLDER [--family dcgan] [--groups 0 32] [--seeds 0 1] [--epochs 100]

`digits`: 1,400 of 8 × 8 pixels, doubled; a classifier of these says of how many of 2,000 synthetic ones it is sure, and
its features give a Fréchet distance to the other 397, as in `image_generators.py`. `tiles`: FOLDER has
`magnetic_tiles.npz`; three quarters of the tiles, reduced to 32 × 32 pixels, are learned from, and the energy distance
of 500 synthetic ones to the others is reported, beside that of the training tiles. `--fewest` is the number of images
for each group below which there are fewer groups.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from image_generators import SYNTHETIC, classifier, compared
from images import encoded
from sklearn.datasets import load_digits
from tile_defects import reduced

import anomalo_images_gan.groups
from anomalo.encoding.encoded import Encoded
from anomalo.models.run import LocalRun
from anomalo.neural import energy_distance
from anomalo.registry.registry import Registry

LEARNED = 1_400
"""Of the 1,797 digits."""
SHARE = 0.75
"""Of the tiles, those of one part together."""
TILES = 500
"""Synthetic ones."""


def as_rows(images: np.ndarray, learned: int) -> Encoded:
    """Return images [n, H, W], uint8, encoded by the first of them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "images.npz")
        np.savez(path, images=images)
        return encoded(path, np.arange(learned))


def digits() -> tuple[Encoded, int, Callable[[np.ndarray], str]]:
    """Return digits, how many are learned from, and what says how good synthetic ones are."""
    bunch = load_digits()
    order = np.random.default_rng(0).permutation(len(bunch.images))
    images = np.repeat(np.repeat((bunch.images[order] * 255 / 16).astype(np.uint8), 2, axis=1), 2, axis=2)
    data, labels = as_rows(images, LEARNED), bunch.target[order]
    net, real = classifier(data.values[:LEARNED], labels[:LEARNED], epochs=25), data.values[LEARNED:]

    def told(values: np.ndarray) -> str:
        found = compared(net, values, real, None)
        return f"sure {found['sure']}, least frequent digit {found['least_digit']}, Fréchet distance {found['frechet']}"

    print("the other digits:", told(real), flush=True)
    return data, LEARNED, told


def tiles(folder: Path) -> tuple[Encoded, int, Callable[[np.ndarray], str]]:
    """Return tiles, those learned from first, how many these are, and what says how good synthetic ones are."""
    with np.load(folder / "magnetic_tiles.npz") as file:
        images, group = reduced(file["images"]), file["group"]
    parts = np.random.default_rng(0).permutation(np.unique(group))
    learned = np.isin(group, parts[: int(SHARE * len(parts))])
    count = int(learned.sum())
    data = as_rows(np.concatenate([images[learned], images[~learned]]), count)
    real = torch.tensor(data.values[count:])

    def told(values: np.ndarray) -> str:
        return f"energy distance {float(energy_distance(real, torch.tensor(values))):.3f}"

    print(f"{count} training tiles:", told(data.values[:count]), flush=True)
    return data, count, told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("digits", "tiles"))
    parser.add_argument("--data", type=Path, default=Path(), help="the folder of magnetic_tiles.npz")
    parser.add_argument("--family", default="dcgan")
    parser.add_argument("--groups", type=int, nargs="+", default=[0, 32])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--fewest", type=int, default=anomalo_images_gan.groups.FEWEST)
    args = parser.parse_args()
    torch.set_num_threads(1)
    anomalo_images_gan.groups.FEWEST = args.fewest
    data, learned, told = digits() if args.what == "digits" else tiles(args.data)
    count, epochs = (SYNTHETIC, 60) if args.what == "digits" else (TILES, 100)
    kind, train = Registry.load().get(args.family, "image"), data.take(slice(0, learned))
    for seed in args.seeds:
        for groups in args.groups:
            started = time.process_time()
            params = kind.parse({"groups": str(groups), "epochs": str(args.epochs or epochs)})
            model = kind(**params).fit(train, LocalRun(seed=seed))
            seconds = time.process_time() - started
            drawn = model.sample(Encoded.blank(data.layout, count), LocalRun(seed=seed + 1)).values
            print(f"{model.label_count} groups, seed {seed}: {told(drawn)}; {seconds:.0f} CPU s", flush=True)


if __name__ == "__main__":
    main()

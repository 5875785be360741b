"""What latents of image generators mean, on MNIST: interpolation, arithmetic, and mixed styles, as contact sheets.

    python benchmarks/image_latents.py --data FOLDER --out SHEETS [--family dcgan] [--minutes 5] [--style-minutes 10]

FOLDER has `mnist10k.npz`. A family and `stylegan` learn from 8,000 digits for so many CPU minutes each, and a
classifier of real digits names what is drawn of 10,000 latents. SHEETS gets:

- interpolation.png: in each row from a digit to the next one (9 to 0), both ones of which the classifier is sure, along
  the arc between their latents (White 2016, Sampling generative networks, arXiv:1609.04468);
- arithmetic.png: in each row the images of four latents, twice: the mean latent of the thick digits A, of the thin
  digits A and of the thin digits C, and the sum of the first and third without the second. Thick is the brightest
  quarter of a digit, thin the darkest one; latents are brought to the mean length. Over all pairs of digits is
  printed how often the sum is the digit C by the classifier, how often it is brighter than the thin C, and both;
- mixing.png: two tables. An image has the coarse styles (up to the crossover) of the leftmost one of its row, and the
  fine ones of the topmost one of its column; left the crossover is the second size, right the last one. Over 1,000
  random pairs is printed how often the classifier's digit is that of the coarse styles, and that of the fine ones, for
  each crossover.

References: Radford, Metz and Chintala (2016), Unsupervised representation learning with deep convolutional generative
adversarial networks, ICLR, section 6.3 (arithmetic of mean latents); Karras, Laine and Aila (2019), A style-based
generator architecture for generative adversarial networks, CVPR, figure 3 (mixed styles).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from image_generators import SURE, TRAINED, Classifier, classifier, trained
from images import encoded
from PIL import Image
from torch import Tensor

from anomalo.encoding.encoded import Encoded, Layout
from anomalo.registry.registry import Registry
from anomalo_images_gan.networks.layers.mixing import mixed

DRAWN, PAIRS = 10_000, 1000
DIGITS, STEPS, SOURCES = 10, 10, 6
ENOUGH, FEWEST = 20, 6
"""Latents that a digit's mean is of, at least, and digits that are needed for a sheet."""
WITHOUT_GROUPS = {"groups": "0"}
"""Latents alone choose what is drawn."""
GAP = 2
"""Pixels between the images of a sheet."""


def montage(images: Tensor, columns: int) -> np.ndarray:
    """Return images [n, 1, H, W] from -1 to 1 in rows of so many, with gaps, as bytes."""
    n, _, height, width = images.shape
    page = np.full((n // columns * (height + GAP) + GAP, columns * (width + GAP) + GAP), 128, dtype=np.uint8)
    for at, image in enumerate(images[:, 0].clamp(-1, 1).numpy()):
        top, left = GAP + at // columns * (height + GAP), GAP + at % columns * (width + GAP)
        page[top : top + height, left : left + width] = np.rint(127.5 * (image + 1))
    return page


class Judge:
    """The classifier of real digits, for images from -1 to 1."""

    def __init__(self, net: Classifier, layout: Layout) -> None:
        self.net, self.block = net, layout.blocks[0]

    @torch.no_grad()
    def __call__(self, images: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Return the digit of each image, and how sure the classifier is."""
        pixels = self.block.low + (self.block.high - self.block.low) * (images.clamp(-1, 1) + 1) / 2
        proba = self.net(pixels.float()).softmax(dim=1)
        return proba.argmax(dim=1).numpy(), proba.amax(dim=1).numpy()


def along_arc(start: Tensor, end: Tensor, steps: int) -> Tensor:
    """Return latents on the arc from one latent to another, [steps, width]."""
    angle = torch.arccos(torch.cosine_similarity(start, end, dim=0).clamp(-1, 1))
    share = torch.linspace(0, 1, steps)[:, None]
    return (torch.sin((1 - share) * angle) * start + torch.sin(share * angle) * end) / torch.sin(angle)


def by_digit(digits: np.ndarray, sure: np.ndarray) -> dict[int, np.ndarray]:
    """Return the rows of each digit of which the classifier is sure; digits that are hardly drawn are left out."""
    rows = {digit: np.flatnonzero((digits == digit) & (sure > SURE)) for digit in range(DIGITS)}
    rare = [digit for digit, found in rows.items() if len(found) < ENOUGH]
    if rare:
        print(f"digits drawn fewer than {ENOUGH} times of {DRAWN}, left out: {rare}")
    return {digit: found for digit, found in rows.items() if digit not in rare}


@torch.no_grad()
def interpolation(generator: Any, latents: Tensor, rows: dict[int, np.ndarray]) -> np.ndarray:
    """Return the sheet of latents between digits."""
    ends = [latents[found[0]] for found in rows.values()]
    between = [along_arc(*pair, STEPS) for pair in zip(ends, [*ends[1:], ends[0]], strict=True)]
    return montage(generator(torch.cat(between)), STEPS)


def to_shell(latents: Tensor) -> Tensor:
    """Return latents [n, width] with the length that Gaussian ones have on average."""
    return latents / latents.norm(dim=1, keepdim=True) * latents.shape[1] ** 0.5


def means_of(latents: Tensor, rows: dict[int, np.ndarray], bright: np.ndarray, least: float, most: float) -> Tensor:
    """Return the mean latent of each digit between two quantiles of brightness, [digits, width]."""
    means = []
    for found in rows.values():
        low, high = np.quantile(bright[found], (least, most))
        means.append(latents[found[(bright[found] >= low) & (bright[found] <= high)]].mean(dim=0))
    return torch.stack(means)


@torch.no_grad()
def arithmetic(generator: Any, judge: Judge, latents: Tensor, rows: dict[int, np.ndarray]) -> np.ndarray:
    """Return the sheet of mean latents, and print how often the sum is as it should be."""
    bright = generator(latents).mean(dim=(1, 2, 3)).numpy()
    thin, thick = (means_of(latents, rows, bright, *part) for part in ((0.0, 0.25), (0.75, 1.0)))
    count = len(rows)
    a, c = np.array([(a, c) for a in range(count) for c in range(count) if a != c]).T
    four = torch.stack([thick[a], thin[a], thin[c], thick[a] - thin[a] + thin[c]], dim=1)
    images = generator(to_shell(four.flatten(0, 1)))
    meant = np.array(list(rows))[c]
    found, brightness = judge(images)[0].reshape(-1, 4), images.mean(dim=(1, 2, 3)).view(-1, 4).numpy()
    right, brighter = found[:, 3] == meant, brightness[:, 3] > brightness[:, 2]
    shares = (found[:, 2] == meant).mean(), right.mean(), brighter.mean(), (right & brighter).mean()
    print("of {} pairs: thin C is C {:.2f}; the sum is C {:.2f}, brighter {:.2f}, both {:.2f}".format(len(a), *shares))
    shown = np.flatnonzero((c == (a + 1) % count) | (c == (a + 4) % count))[: 2 * count]
    return montage(images.view(-1, 4, *images.shape[1:])[shown].flatten(0, 1), 8)


@torch.no_grad()
def mixing(net: Any, judge: Judge, noise: Tensor, pixels: Tensor) -> np.ndarray:
    """Return the tables of mixed styles of noise [2 n, width], and print which styles choose the digit."""

    def draw(one: Tensor, other: Tensor, crossover: int) -> Tensor:
        styles = mixed(one, other, torch.full((len(one),), crossover), net.layers)
        return torch.cat([net.synthesise(some, pixels.expand(len(some), -1)) for some in styles.split(250)])

    latents = net.mapping(noise)
    coarse, fine = latents.chunk(2)
    whole = judge(draw(latents, latents, net.layers))[0]
    for crossover in range(2, net.layers, 2):
        digit = judge(draw(coarse, fine, crossover))[0]
        shares = [(digit == part).mean() for part in np.split(whole, 2)]
        print(f"crossover {crossover} of {net.layers}: coarse {shares[0]:.2f}, fine {shares[1]:.2f}")
    left, top, tables = coarse[:SOURCES], fine[:SOURCES], []
    above = draw(top, top, net.layers)
    for crossover in (2, net.layers - 2):
        rows = [torch.full_like(above[:1], 1.0), above]
        for one in left:
            rows += [draw(one[None], one[None], net.layers), draw(one.expand(SOURCES, -1), top, crossover)]
        tables.append(montage(torch.cat(rows), SOURCES + 1))
    return np.concatenate([tables[0], np.full((len(tables[0]), 6 * GAP), 255, np.uint8), tables[1]], axis=1)


def of_family(kind: Any, args: argparse.Namespace, train: Encoded, labels: np.ndarray, judge: Judge) -> None:
    """Draw the sheets of interpolation and of arithmetic."""
    model, _, seconds, epochs = trained(kind, train, labels, args.minutes, args.seed, WITHOUT_GROUPS)
    print(f"{kind.name}: {epochs} epochs, {seconds:.0f} CPU seconds")

    @torch.no_grad()
    def generator(latents: Tensor) -> Tensor:
        net = model.net.average.net.eval()
        return torch.cat([net(some, torch.zeros(len(some), dtype=torch.int64)) for some in latents.split(250)])

    latents = torch.randn(DRAWN, model.noise, generator=torch.Generator().manual_seed(args.seed + 1))
    rows = by_digit(*judge(generator(latents)))
    if len(rows) < FEWEST:
        print("too few digits for sheets: give more --minutes")
        return
    save(interpolation(generator, latents, rows), args.out / "interpolation.png")
    save(arithmetic(generator, judge, latents, rows), args.out / "arithmetic.png")


def of_styles(kind: Any, args: argparse.Namespace, train: Encoded, labels: np.ndarray, judge: Judge) -> None:
    """Draw the sheet of mixed styles."""
    model, _, seconds, epochs = trained(kind, train, labels, args.style_minutes, args.seed, WITHOUT_GROUPS)
    print(f"{kind.name}: {epochs} epochs, {seconds:.0f} CPU seconds")
    net, rng = model.net.average.net.eval(), torch.Generator().manual_seed(args.seed + 1)
    noise, pixels = (
        torch.randn(n, width, generator=rng) for n, width in ((2 * PAIRS, model.noise), (1, sum(net.pixels)))
    )
    save(mixing(net, judge, noise, pixels), args.out / "mixing.png")


def save(page: np.ndarray, path: Path) -> None:
    Image.fromarray(page).save(path, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder of mnist10k.npz")
    parser.add_argument("--out", type=Path, required=True, help="where the sheets are written")
    parser.add_argument("--family", default="dcgan", help="whose latents are interpolated and added")
    parser.add_argument("--minutes", type=float, default=5.0, help="of CPU for the family; 0 for none")
    parser.add_argument("--style-minutes", type=float, default=10.0, help="of CPU for stylegan; 0 for none")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.data / "mnist10k.npz"
    data, labels, registry = encoded(path, np.arange(TRAINED)), np.load(path)["labels"], Registry.load()
    train, labels = data.take(slice(0, TRAINED)), labels[:TRAINED]
    judge = Judge(classifier(train.values, labels), data.layout)
    if args.minutes:
        of_family(registry.get(args.family, "image"), args, train, labels, judge)
    if args.style_minutes:
        of_styles(registry.get("stylegan", "image"), args, train, labels, judge)


if __name__ == "__main__":
    main()

"""Generators of images on MNIST: how many synthetic digits a classifier of real ones is sure of, and how they differ.

    python benchmarks/image_generators.py --data FOLDER --out RESULTS --families dcgan flattened --minutes 5
    python benchmarks/image_generators.py --data FOLDER --out RESULTS --families image_ddpm --minutes 20 --seeds 0 1 2
    python benchmarks/image_generators.py --out RESULTS table

FOLDER has `mnist10k.npz`. A family trains for so many epochs as fit into the CPU minutes, by the time of the first
steps. Each family and seed leaves a file in RESULTS, and a contact sheet; what is there already is not done again.
`flattened` is the yardstick: a GAN of fully connected layers on the pixels.

The classifier learns from 8,000 real digits and scores the other 2,000: its accuracy on these, and the share of which
it is sure, are the best that synthetic digits can have. The Fréchet distance compares its features of synthetic digits
with those of these 2,000.

Reference: Heusel et al. (2017), GANs trained by a two time-scale update rule converge to a local Nash equilibrium, NIPS
(the distance; there with another network's features).
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from images import encoded
from PIL import Image
from scipy.linalg import sqrtm
from torch import Tensor, nn
from torch.nn import functional as F

from anomalo.encoding.encoded import Encoded
from anomalo.models.run import LocalRun
from anomalo.persistence.atomic import atomic_file
from anomalo.registry.registry import Registry
from anomalo_images_gan.image_gan import ImageGan

TRAINED, SYNTHETIC = 8000, 2000
"""Real digits that classifiers and generators learn from, and synthetic ones that are compared with the others."""
SURE = 0.9
TIMED = 1280
"""Images in the fits that are timed to know how many epochs fit."""
COLUMNS = (
    "family",
    "minutes",
    "seed",
    "cpu_seconds",
    "epochs",
    "sure",
    "least_digit",
    "frechet",
    "asked",
    "per_second",
)


@dataclass(kw_only=True)
class Flattened(ImageGan):
    """A GAN of fully connected layers on flattened pixels."""

    name = "flattened"

    def make_generator(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        layers = nn.Sequential(
            _dense(self.noise, 256), _dense(256, 512), nn.Linear(512, int(np.prod(shape))), nn.Tanh()
        )
        return _Ignoring(nn.Sequential(layers, nn.Unflatten(1, shape)))

    def make_critic(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        layers = (nn.Flatten(), _dense(int(np.prod(shape)), 512), _dense(512, 256), nn.Linear(256, 1), nn.Flatten(0))
        return _Ignoring(nn.Sequential(*layers))


class _Ignoring(nn.Module):
    """A network that does without labels."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        found: Tensor = self.net(x)
        return found


def _dense(before: int, after: int) -> nn.Module:
    return nn.Sequential(nn.Linear(before, after), nn.LeakyReLU(0.2))


class Classifier(nn.Module):
    """A small convolutional network of digits, of this many pixels to a side."""

    def __init__(self, side: int = 28) -> None:
        super().__init__()
        first, second = nn.Conv2d(1, 16, 3, padding=1), nn.Conv2d(16, 32, 3, padding=1)
        pooled = (first, nn.ReLU(), nn.MaxPool2d(2), second, nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())
        self.features = nn.Sequential(*pooled, nn.Linear(32 * (side // 4) ** 2, 64), nn.ReLU())
        self.head = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(x))
        return logits


def classifier(values: np.ndarray, labels: np.ndarray, epochs: int = 6) -> Classifier:
    torch.manual_seed(0)
    net, x, y = Classifier(values.shape[3]), torch.tensor(values), torch.tensor(labels.astype(np.int64))
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            torch.autograd.backward(F.cross_entropy(net(x[rows]), y[rows]))
            optimizer.step()
    return net.eval()


def frechet(one: np.ndarray, other: np.ndarray) -> float:
    """Return the Fréchet distance between two samples, taken to be Gaussian."""
    first, second = np.cov(one.T), np.cov(other.T)
    small = 1e-6 * np.eye(len(first))
    between = np.real(sqrtm((first + small) @ (second + small)))
    return float(np.square(one.mean(axis=0) - other.mean(axis=0)).sum() + np.trace(first + second - 2 * between))


@torch.no_grad()
def compared(net: Classifier, values: np.ndarray, real: np.ndarray, asked: np.ndarray | None) -> dict[str, Any]:
    proba = net(torch.tensor(values)).softmax(dim=1).numpy()
    features = [net.features(torch.tensor(some)).double().numpy() for some in (values, real)]
    found = np.bincount(proba.argmax(axis=1), minlength=10) / len(proba)
    return {
        "sure": round(float((proba.max(axis=1) > SURE).mean()), 3),
        "digits": [round(float(share), 3) for share in found],
        "least_digit": round(float(found.min()), 3),
        "frechet": round(frechet(*features), 2),
        "asked": None if asked is None else round(float((proba.argmax(axis=1) == asked).mean()), 3),
    }


def seconds_of(make: Any, data: Encoded, seed: int) -> float:
    """Return the CPU seconds of one epoch, by those of some steps once everything is loaded."""
    some = data.take(slice(0, TIMED))
    make(epochs=1).fit(some.take(slice(0, 128)), LocalRun(seed=seed))
    started = time.process_time()
    model = make(epochs=1).fit(some, LocalRun(seed=seed))
    steps = TIMED / min(model.batch_size, max(16, TIMED // 20))
    return (time.process_time() - started) / steps * len(data) / model.batch_size


def trained(
    kind: type[Any],
    data: Encoded,
    labels: np.ndarray,
    minutes: float,
    seed: int,
    settings: Any,
    *,
    labelled: bool = False,
) -> Any:
    """Return a fitted model, its layout, its CPU seconds and its epochs."""

    def make(**more: Any) -> Any:
        return kind(**kind.parse(settings), **more)

    if kind.needs_classes or labelled:
        layout = replace(data.layout, classes=tuple(str(label) for label in range(int(labels.max()) + 1)))
        data = replace(data, layout=layout, target=labels.astype(np.float64))
    epochs = max(1, int(60 * minutes / seconds_of(make, data, seed)))
    print(f"{kind.name}, seed {seed}: {epochs} epochs", flush=True)
    started = time.process_time()
    model = make(epochs=epochs).fit(data, LocalRun(seed=seed))
    return model, data.layout, time.process_time() - started, epochs


def sheet(pixels: np.ndarray, path: Path) -> None:
    """Write the first hundred images [n, H, W], from 0 to 1, side by side."""
    _, height, width = pixels.shape
    whole = pixels[:100].reshape(10, 10, height, width).transpose(0, 2, 1, 3).reshape(10 * height, 10 * width)
    Image.fromarray(np.rint(255 * whole.clip(0, 1)).astype(np.uint8)).save(path)


def measured(kind: type[Any], args: argparse.Namespace, data: Encoded, labels: np.ndarray, net: Any, seed: int) -> Any:
    train, new = data.take(slice(0, TRAINED)), data.take(slice(TRAINED, None))
    shown = labels[:TRAINED]
    model, layout, seconds, epochs = trained(kind, train, shown, args.minutes, seed, args.set, labelled=args.labelled)
    started = time.process_time()
    drawn = model.sample(Encoded.blank(layout, SYNTHETIC), LocalRun(seed=seed + 1))
    rate = SYNTHETIC / (time.process_time() - started)
    block = layout.blocks[0]
    sheet((drawn.values[:, 0] * block.scale) + block.offset, args.out / f"{cell(kind.name, args.minutes, seed)}.png")
    facts = {
        "family": kind.name,
        "minutes": args.minutes,
        "seed": seed,
        "cpu_seconds": round(seconds),
        "epochs": epochs,
    }
    return facts | compared(net, drawn.values, new.values, drawn.target) | {"per_second": round(rate, 1)}


def cell(family: str, minutes: float, seed: int) -> str:
    return f"{family}-{minutes:g}-{seed}"


def run(args: argparse.Namespace) -> None:
    args.out.mkdir(parents=True, exist_ok=True)
    wanted = [(family, seed) for family in args.families for seed in args.seeds]
    wanted = [each for each in wanted if not (args.out / f"{cell(each[0], args.minutes, each[1])}.json").exists()]
    if not wanted:
        return
    path = args.data / "mnist10k.npz"
    data, labels, registry = encoded(path, np.arange(TRAINED)), np.load(path)["labels"], Registry.load()
    net = classifier(data.values[:TRAINED], labels[:TRAINED])
    print("real:", compared(net, data.values[TRAINED:], data.values[TRAINED:], labels[TRAINED:]), flush=True)
    for family, seed in wanted:
        kind = Flattened if family == "flattened" else registry.get(family, "image")
        found = measured(kind, args, data, labels, net, seed)
        with atomic_file(args.out / f"{cell(family, args.minutes, seed)}.json") as place:
            place.write_text(json.dumps(found))
        print(found, flush=True)


def table(args: argparse.Namespace) -> None:
    """Print all results as a table."""
    print("| " + " | ".join(COLUMNS) + " |\n|" + "---|" * len(COLUMNS))
    for path in sorted(args.out.glob("*.json")):
        found = json.loads(path.read_text())
        print("| " + " | ".join(str(found[name]) for name in COLUMNS) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("run", "table"), default="run")
    parser.add_argument("--data", type=Path, help="the folder of mnist10k.npz")
    parser.add_argument("--out", type=Path, required=True, help="where the results are")
    parser.add_argument("--families", nargs="+", default=["dcgan", "flattened"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--minutes", type=float, default=5.0, help="of CPU for each family and seed")
    parser.add_argument("--labelled", action="store_true", help="give the digit to families that can do without")
    parser.add_argument("--set", nargs="*", default=[], help="parameters of the families, as NAME=VALUE")
    args = parser.parse_args()
    args.set = dict(item.split("=", 1) for item in args.set)
    torch.set_num_threads(1)
    if args.what == "table":
        table(args)
    else:
        run(args)


if __name__ == "__main__":
    main()

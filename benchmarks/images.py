"""Images: MNIST, one digit against the rest; magnetic tiles, good ones against those with defects.

    python benchmarks/images.py --data FOLDER mnist --models local_pca conv --digits 8 2
    python benchmarks/images.py --data FOLDER tiles --models filters patches
    python benchmarks/images.py --data FOLDER inpainting

FOLDER has `mnist10k.npz` and `magnetic_tiles.npz`. Models are fitted as `anomalo fit` fits them, without calibration.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from anomalo.encoding.encoded import Encoded
from anomalo.encoding.image_encoder import ImageEncoder
from anomalo.evaluation.metrics import roc_auc
from anomalo.models.base import Model
from anomalo.models.run import LocalRun
from anomalo.registry.registry import Registry
from anomalo.tabular.reading.reader import read
from anomalo.tabular.schema import infer

TRAINED = 8000
"""The first so many digits are learned from, the others are new."""
SHARE = 0.6
"""Of the groups of tiles without a defect."""
SQUARE = slice(9, 19)
"""Rows and columns of the hidden square."""


def encoded(path: Path, rows: np.ndarray) -> Encoded:
    """Return all images of an .npz by an encoder that learned from some of them."""
    table = pa.Table.from_batches(list(read(str(path)) or ()))
    schema = infer(table)
    encoder = ImageEncoder().fit(schema.parse(table.take(pa.array(rows))), schema)
    return encoder.encode(schema.parse(table))


def fitted(registry: Registry, name: str, data: Encoded, seed: int, settings: dict[str, str]) -> tuple[Model, float]:
    """Return a model of the rows, and the CPU seconds of its fit."""
    kind = registry.get(name, "image")
    model = kind(
        **kind.parse({key: value for key, value in settings.items() if key in {p.name for p in kind.parameters()}})
    )
    started = time.process_time()
    model.fit(data, LocalRun(seed=seed, registered=registry.part_creator("image")))
    return model, time.process_time() - started


def mnist(args: argparse.Namespace, registry: Registry) -> None:
    path = args.data / "mnist10k.npz"
    labels = np.load(path)["labels"]
    data = {digit: encoded(path, np.flatnonzero(labels[:TRAINED] == digit)) for digit in args.digits}
    for name in args.models:
        found = []
        for digit, rows in data.items():
            model, seconds = fitted(
                registry, name, rows.take(np.flatnonzero(labels[:TRAINED] == digit)), args.seed, args.set
            )
            score: Any = model
            auroc = roc_auc(labels[TRAINED:] != digit, score.score(rows.take(slice(TRAINED, None))))
            found.append(auroc)
            print(f"{name} digit {digit}: AUROC {auroc:.4f}, {seconds:.1f} CPU s", flush=True)
        print(f"{name}: mean {np.mean(found):.4f}, worst {min(found):.4f}", flush=True)


def tiles(args: argparse.Namespace, registry: Registry) -> None:
    path = args.data / "magnetic_tiles.npz"
    with np.load(path) as file:
        kind, group, masks = file["kind"], file["group"], file["masks"]
    free = kind == "Free"
    groups = np.setdiff1d(np.unique(group[free]), group[~free])
    chosen = np.random.default_rng(args.seed).permutation(groups)[: int(SHARE * len(groups))]
    learned = free & np.isin(group, chosen)
    data = encoded(path, np.flatnonzero(learned))
    new, kind, masks = data.take(np.flatnonzero(~learned)), kind[~learned], masks[~learned]
    for name in args.models:
        model, seconds = fitted(registry, name, data.take(np.flatnonzero(learned)), args.seed, args.set)
        explainer: Any = model
        part = explainer.explain(new).contribution[:, 0]
        score = part.sum(axis=(1, 2))
        of = {
            what: roc_auc(kind[here] == what, score[here])
            for what in ("Blowhole", "Crack")
            for here in [np.isin(kind, ("Free", what))]
        }
        print(
            f"{name}: image {roc_auc(kind != 'Free', score):.3f}, "
            f"blowhole {of['Blowhole']:.3f}, crack {of['Crack']:.3f}, "
            f"pixel {roc_auc(masks.ravel(), part.ravel()):.3f}; {learned.sum()} tiles learned, {seconds:.1f} CPU s",
            flush=True,
        )


def inpainting(args: argparse.Namespace, registry: Registry) -> None:
    path = args.data / "mnist10k.npz"
    data = encoded(path, np.arange(TRAINED))
    train, new = data.take(slice(0, TRAINED)), data.take(slice(TRAINED, TRAINED + 500))
    hidden = np.zeros(new.observed.shape, dtype=np.bool_)
    hidden[:, :, SQUARE, SQUARE] = True
    plain = np.sqrt(np.square((train.values.mean(axis=0) - new.values)[hidden]).mean())
    for name in args.models:
        model, seconds = fitted(registry, name, train, args.seed, args.set)
        filler: Any = model
        error = np.sqrt(np.square((filler.impute(new.hide(hidden)).point - new.values)[hidden]).mean())
        print(f"{name}: RMSE {error / plain:.3f} of the mean image's, {seconds:.1f} CPU s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("mnist", "tiles", "inpainting"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--models", nargs="+", default=["local_pca"])
    parser.add_argument("--digits", nargs="+", type=int, default=list(range(10)))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--set", nargs="*", default=[], metavar="NAME=VALUE", help="parameters of those models that have them"
    )
    args = parser.parse_args()
    args.set = dict(item.split("=", 1) for item in args.set)
    {"mnist": mnist, "tiles": tiles, "inpainting": inpainting}[args.what](args, Registry.load())


if __name__ == "__main__":
    main()

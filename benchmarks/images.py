"""Images: MNIST, one digit against the rest; magnetic tiles, good ones against those with defects.

    python benchmarks/images.py --data FOLDER mnist --models local_pca conv --digits 8 2
    python benchmarks/images.py --data FOLDER tiles --models filters patches
    python benchmarks/images.py --data FOLDER inpainting
    python benchmarks/images.py --data FOLDER classifier --models conv --seeds 0 1 2 --set distort=1 latent=64
    python benchmarks/images.py memory

FOLDER has `mnist10k.npz` and `magnetic_tiles.npz`. Models are fitted as `anomalo fit` fits them, without calibration;
`auto` cross-fits its members all the same. With several seeds the mean is printed last. `classifier` learns from
`LABELLED` labels of each digit, once with an encoder that saw all digits without labels and once without; `memory`
scores folders of small files with `anomalo score`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

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
LABELLED = 10
"""Labels of each digit that a classifier learns from."""
FILES = 2_000, 20_000
"""Images in the folders whose scoring is measured."""


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


def mnist(args: argparse.Namespace, registry: Registry, seed: int) -> dict[str, list[float]]:
    path, means = args.data / "mnist10k.npz", {}
    labels = np.load(path)["labels"]
    data = {digit: encoded(path, np.flatnonzero(labels[:TRAINED] == digit)) for digit in args.digits}
    for name in args.models:
        found = []
        for digit, rows in data.items():
            model, seconds = fitted(
                registry, name, rows.take(np.flatnonzero(labels[:TRAINED] == digit)), seed, args.set
            )
            score: Any = model
            auroc = roc_auc(labels[TRAINED:] != digit, score.score(rows.take(slice(TRAINED, None))))
            found.append(auroc)
            print(f"{name} digit {digit}: AUROC {auroc:.4f}, {seconds:.1f} CPU s", flush=True)
        print(f"{name}: mean {np.mean(found):.4f}, worst {min(found):.4f}", flush=True)
        means[name] = [float(np.mean(found)), min(found)]
    return means


def tiles(args: argparse.Namespace, registry: Registry, seed: int) -> dict[str, list[float]]:
    path = args.data / "magnetic_tiles.npz"
    with np.load(path) as file:
        kind, group, masks = file["kind"], file["group"], file["masks"]
    free = kind == "Free"
    groups = np.setdiff1d(np.unique(group[free]), group[~free])
    chosen = np.random.default_rng(seed).permutation(groups)[: int(SHARE * len(groups))]
    learned = free & np.isin(group, chosen)
    data = encoded(path, np.flatnonzero(learned))
    new, kind, masks = data.take(np.flatnonzero(~learned)), kind[~learned], masks[~learned]
    found = {}
    for name in args.models:
        model, seconds = fitted(registry, name, data.take(np.flatnonzero(learned)), seed, args.set)
        explainer: Any = model
        part = explainer.explain(new).contribution[:, 0]
        score = part.sum(axis=(1, 2))
        of = {
            what: roc_auc(kind[here] == what, score[here])
            for what in ("Blowhole", "Crack")
            for here in [np.isin(kind, ("Free", what))]
        }
        image, pixel = roc_auc(kind != "Free", score), roc_auc(masks.ravel(), part.ravel())
        found[name] = [image, of["Blowhole"], of["Crack"], pixel]
        print(
            f"{name}: image {image:.3f}, blowhole {of['Blowhole']:.3f}, crack {of['Crack']:.3f}, pixel {pixel:.3f}; "
            f"{learned.sum()} tiles learned, {seconds:.1f} CPU s",
            flush=True,
        )
    return found


def inpainting(args: argparse.Namespace, registry: Registry, seed: int) -> dict[str, list[float]]:
    path, found = args.data / "mnist10k.npz", {}
    data = encoded(path, np.arange(TRAINED))
    train, new = data.take(slice(0, TRAINED)), data.take(slice(TRAINED, TRAINED + 500))
    hidden = np.zeros(new.observed.shape, dtype=np.bool_)
    hidden[:, :, SQUARE, SQUARE] = True
    plain = np.sqrt(np.square((train.values.mean(axis=0) - new.values)[hidden]).mean())
    for name in args.models:
        model, seconds = fitted(registry, name, train, seed, args.set)
        filler: Any = model
        error = np.sqrt(np.square((filler.impute(new.hide(hidden)).point - new.values)[hidden]).mean())
        found[name] = [float(error / plain)]
        print(f"{name}: RMSE {error / plain:.3f} of the mean image's, {seconds:.1f} CPU s", flush=True)
    return found


def classifier(args: argparse.Namespace, registry: Registry, seed: int) -> dict[str, list[float]]:
    path, found = args.data / "mnist10k.npz", {}
    labels = np.load(path)["labels"]
    data = encoded(path, np.arange(TRAINED))
    train, new, rng = data.take(slice(0, TRAINED)), data.take(slice(TRAINED, None)), np.random.default_rng(seed)
    of_digit = [rng.permutation(np.flatnonzero(labels[:TRAINED] == digit))[:LABELLED] for digit in range(10)]
    rows = np.sort(np.concatenate(of_digit))
    few = train.take(rows)
    few = replace(few, layout=replace(few.layout, classes=tuple("0123456789")), target=labels[rows].astype(np.float64))

    def right(initial: Model | None, **params: Any) -> float:
        model: Any = registry.create_for("image", "classifier", params).fit(few, LocalRun(seed=seed, initial=initial))
        return float((model.proba(new).argmax(axis=1) == labels[TRAINED:]).mean())

    for name in args.models:
        encoder, seconds = fitted(registry, name, train, seed, args.set)
        sizes = {size: encoder.params()[size] for size in ("width", "latent")}
        found[name] = [right(encoder), right(None, **sizes)]
        print(
            f"{name}: {found[name][0]:.4f} right, {found[name][1]:.4f} from scratch; encoder {seconds:.1f} CPU s",
            flush=True,
        )
    return found


def memory(model: str) -> None:
    """Fit some of the smaller folder, and score both, each in a process of its own."""
    command = [sys.executable, "-m", "anomalo"]
    with tempfile.TemporaryDirectory() as place:
        for count in FILES:
            folder = Path(place) / str(count)
            folder.mkdir()
            pixels = np.random.default_rng(0).integers(0, 256, (count, 28, 28), dtype=np.uint8)
            for number, image in enumerate(pixels):
                Image.fromarray(image).save(folder / f"{number:05}.png")
        workspace = ["--workspace", str(Path(place) / "workspace")]
        few = str(Path(place) / str(FILES[0]) / "000*.png")
        subprocess.run([*command, "fit", few, "--model", model, "--as", "some", *workspace], check=True)
        for count in FILES:
            folder, scores = Path(place) / str(count), Path(place) / f"{count}.csv"
            process = subprocess.Popen(
                [*command, "score", str(folder), "--with", "some", "-o", str(scores), *workspace]
            )
            used = os.wait4(process.pid, 0)[2]
            print(f"{count} files: at most {used.ru_maxrss / 1024:.0f} MB, {used.ru_utime:.1f} CPU s", flush=True)


def main() -> None:
    benchmarks = {"mnist": mnist, "tiles": tiles, "inpainting": inpainting, "classifier": classifier}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=(*benchmarks, "memory"))
    parser.add_argument("--data", type=Path)
    parser.add_argument("--models", nargs="+", default=["local_pca"])
    parser.add_argument("--digits", nargs="+", type=int, default=list(range(10)))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument(
        "--set", nargs="*", default=[], metavar="NAME=VALUE", help="parameters of those models that have them"
    )
    args = parser.parse_args()
    if args.what == "memory":
        memory(args.models[0])
        return
    if args.data is None:
        parser.error("--data: expected the folder of the images")
    args.set = dict(item.split("=", 1) for item in args.set)
    registry = Registry.load()
    found = [benchmarks[args.what](args, registry, seed) for seed in args.seeds]
    for name in args.models if len(found) > 1 else ():
        values = np.array([one[name] for one in found])
        print(f"{name}, mean of {len(found)} seeds: {' '.join(f'{mean:.4f}' for mean in values.mean(axis=0))}")


if __name__ == "__main__":
    main()

"""Translation of MNIST digits: from edges to digits with pairs, and between thin and thick strokes without.

    python benchmarks/image_translation.py --data FOLDER --models pix2pix cyclegan augmented_cyclegan --epochs 1

FOLDER has `mnist10k.npz`. Models learn from 8,000 digits; those without pairs see one half of them thin and the other
half thick. A classifier of real digits says of 500 others how many it recognises before, after the translation, and
after the way back: "kept" is the share whose digit it gives after there and back, "as before" the share for which it
gives the same digit as of the input, right or not. Each model leaves a contact sheet: in rows the inputs, the
translations, and what comes back, or the real output.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from image_generators import TRAINED, Classifier, classifier, sheet
from images import encoded
from scipy.ndimage import grey_dilation, grey_erosion, sobel

from anomalo.encoding.encoded import Encoded
from anomalo.models.run import LocalRun
from anomalo.registry.registry import Registry

TESTED = 500


def edges(images: np.ndarray) -> np.ndarray:
    """Return the gradients of images [n, H, W] from 0 to 1, from 0 to 1."""
    size = np.stack([np.hypot(sobel(image, 0), sobel(image, 1)) for image in images])
    return np.minimum(1.5 * size / size.max(axis=(1, 2), keepdims=True).clip(min=1e-6), 1)


def recognised(net: Classifier, data: Encoded, unit: np.ndarray, labels: np.ndarray) -> float:
    """Return the share of images [n, 1, H, W] from -1 to 1 whose digit the classifier gives."""
    return round(float((digits(net, data, unit) == labels).mean()), 3)


def digits(net: Classifier, data: Encoded, unit: np.ndarray) -> np.ndarray:
    """Return the digits that the classifier sees in images [n, 1, H, W] from -1 to 1."""
    block = data.layout.blocks[0]
    with torch.no_grad():
        seen = net(torch.tensor(((unit + 1) / 2 - block.offset) / block.scale, dtype=torch.float32))
    return np.asarray(seen.argmax(dim=1).numpy())


def as_rows(data: Encoded, pixels: np.ndarray) -> Encoded:
    """Return images [n, H, W] from 0 to 1 as rows encoded like `data`."""
    block = data.layout.blocks[0]
    values = ((pixels[:, None] - block.offset) / block.scale).astype(np.float32)
    layout = replace(data.layout, shape=values.shape[1:])
    return Encoded(values, np.ones(values.shape, dtype=np.bool_), layout)


def unit(pixels: np.ndarray) -> np.ndarray:
    return (2 * pixels[:, None] - 1).astype(np.float32)


def of_pairs(model: Any, data: Encoded, pixels: np.ndarray, labels: np.ndarray, net: Classifier, path: Path) -> Any:
    pairs = np.concatenate([edges(pixels), pixels], axis=2)
    model.fit(as_rows(data, pairs[:TRAINED]), LocalRun(seed=0))
    new = slice(TRAINED, TRAINED + TESTED)
    found = model.translate(as_rows(data, pairs[new]))
    rows = np.concatenate([edges(pixels[new])[:10], (found[:10, 0] + 1) / 2, pixels[new][:10]])
    sheet(np.tile(rows, (4, 1, 1)), path)
    difference = round(float(np.abs(found - unit(pixels[new])).mean() / 2), 4)
    return {"after": recognised(net, data, found, labels[new]), "mean absolute difference": difference}


def without_pairs(
    model: Any, data: Encoded, pixels: np.ndarray, labels: np.ndarray, net: Classifier, path: Path
) -> Any:
    kinds = [np.stack([change(one, size) for one in pixels]) for change, size in CHANGES]
    half, new = TRAINED // 2, slice(TRAINED, TRAINED + TESTED)
    rows = as_rows(data, np.concatenate([kinds[0][:half], kinds[1][half:TRAINED]]))
    layout = replace(rows.layout, classes=("thin", "thick"))
    model.fit(replace(rows, layout=layout, target=np.repeat([0.0, 1.0], half)), LocalRun(seed=0))
    found, shown = {}, []
    for to, name in ((1, "thin to thick"), (0, "thick to thin")):
        before = unit(kinds[1 - to][new])
        there = model.translate(before, np.full(TESTED, to), np.random.default_rng(0))
        back = model.translate(there, np.full(TESTED, 1 - to), np.random.default_rng(1))
        shown += [images[:10, 0] for images in (before, there, back)]
        three = (recognised(net, data, images, labels[new]) for images in (before, there, back))
        found[name] = dict(zip(("before", "after", "kept"), three, strict=True))
        found[name]["as before"] = recognised(net, data, back, digits(net, data, before))
    sheet((np.tile(np.concatenate(shown), (2, 1, 1)) + 1) / 2, path)
    return found


CHANGES = ((grey_erosion, (2, 2)), (grey_dilation, (3, 3)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder of mnist10k.npz")
    parser.add_argument("--out", type=Path, default=Path(), help="where the contact sheets are written")
    parser.add_argument("--models", nargs="+", default=["pix2pix", "cyclegan", "augmented_cyclegan"])
    parser.add_argument("--epochs", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(1)
    path = args.data / "mnist10k.npz"
    with np.load(path) as file:
        pixels, labels = file["images"] / 255.0, file["labels"].astype(np.int64)
    data, registry = encoded(path, np.arange(TRAINED)), Registry.load()
    net = classifier(data.values[:TRAINED], labels[:TRAINED])
    for name in args.models:
        measure, started = (of_pairs if name == "pix2pix" else without_pairs), time.process_time()
        model = registry.get(name, "image")(epochs=args.epochs)
        found = measure(model, data, pixels, labels, net, args.out / f"{name}.png")
        print(name, f"{time.process_time() - started:.0f} CPU s", found, flush=True)


if __name__ == "__main__":
    main()

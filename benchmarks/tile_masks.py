"""Do defects that are painted into good tiles help to find real ones? `pix2pix` on masks, and the adviser's verdict.

    python benchmarks/tile_masks.py --data FOLDER --defect Crack

The tiles, the classifier and the parts are those of `tile_defects.py`. In each part `pix2pix` learns from the tiles
with a defect, on the left with the defect's mask in white. Then masks, mirrored at random, are drawn on tiles without
a defect, and what it paints there replaces the pixels of the mask.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image
from sklearn.model_selection import RepeatedStratifiedKFold
from tile_defects import REDUCED, chosen, write

from anomalo.encoding.encoded import Encoded
from anomalo.models.run import LocalRun
from anomalo.pipeline.augmentation.advice import Advice, Trial, give_up
from anomalo.pipeline.augmentation.image_part import ImagePart
from anomalo.pipeline.augmentation.study import TRIED
from anomalo.registry.registry import Registry
from anomalo.tabular.columns import ParsedTable
from anomalo.tabular.reading.reader import read
from anomalo.tabular.schema import SchemaOptions, infer

FOLDS, REPEATS = 5, 2
EPOCHS = 300
"""Of some thirty tiles each."""


class PaintedPart(ImagePart):
    """Images; synthetic ones are tiles without a defect that a defect is painted into."""

    masks: ClassVar[NDArray[np.bool_]]
    drawn: ClassVar[np.ndarray]
    """Of the last part, the tiles without and with the painted defect, [n, 2, H, W] from 0 to 1."""

    def _synthetic(self, name: str, params: Mapping[str, Any]) -> Encoded:
        rng, masks = np.random.default_rng(self.seed), self.masks[self.train][:, None]
        pairs = self._pairs(self.images.values, masks)
        model: Any = self.registry.get(name, "image")
        model = model(epochs=EPOCHS).fit(pairs.take(self.rare), LocalRun(seed=self.seed))
        good, bad = (rng.choice(np.flatnonzero(which), self.count()) for which in (~self.rare, self.rare))
        shapes = np.stack([_mirrored(mask, rng) for mask in masks[bad]])
        blank = self._pairs(self.images.values[good], shapes)
        blank = replace(blank, observed=np.concatenate([np.ones_like(shapes), ~shapes], axis=3))
        painted = model.impute(blank).point[..., shapes.shape[3] :]
        block = self.images.layout.blocks[0]
        shown = np.stack([self.images.values[good], painted], axis=1)[:, :, 0]
        type(self).drawn = shown * block.scale + block.offset
        return replace(self.images.take(good), values=painted, target=np.ones(len(good)))

    def _pairs(self, values: np.ndarray, masks: np.ndarray) -> Encoded:
        """Return images [n, C, H, 2 W]: those with the mask in white, and those as they are."""
        block = self.images.layout.blocks[0]
        white = (1 - block.offset) / block.scale
        pairs = np.concatenate([np.where(masks, white, values), values], axis=3).astype(np.float32)
        layout = replace(self.images.layout, classes=(), shape=pairs.shape[1:])
        return Encoded(pairs, np.ones(pairs.shape, dtype=np.bool_), layout)


def _mirrored(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    for axis in (1, 2):
        mask = np.flip(mask, axis) if rng.integers(2) else mask
    return mask


def masks_of(source: Path, defect: str) -> NDArray[np.bool_]:
    """Return the masks of the tiles that `write` writes, where any of the pixels of which one is made is masked."""
    with np.load(source) as file:
        masks = file["masks"][chosen(file, defect)]
    count, height, width = masks.shape
    blocks = masks.reshape(count, height // REDUCED, REDUCED, width // REDUCED, REDUCED)
    return np.asarray(blocks.any(axis=(2, 4)))


def advice(tiles: Path, defect: str, seed: int) -> Advice:
    table = pa.Table.from_batches(list(read(str(tiles)) or ()))
    schema = infer(ParsedTable(table), SchemaOptions(label="labels"))
    truth = np.array(table["labels"].to_pylist()) == defect
    trials, registry = [Trial("none"), Trial("weights"), Trial("pix2pix")], Registry.load()
    splits = RepeatedStratifiedKFold(n_splits=FOLDS, n_repeats=REPEATS, random_state=seed).split(truth, truth)
    for number, (train, test) in enumerate(splits):
        part = PaintedPart(table, schema, truth, defect, train, test, registry, seed + number)
        for trial in trials:
            part.run(trial, {})
        if trials[2].failure:
            raise SystemExit(trials[2].failure)
        print(number, *(f"{trial.method} {trial.precision[-1]:.3f}" for trial in trials if not trial.hopeless))
        if TRIED <= number + 1 < FOLDS * REPEATS:
            give_up(trials, FOLDS * REPEATS, len(test) / len(train))
    return Advice("labels", defect, int(truth.sum()), len(truth), trials, 1 / (FOLDS - 1))


def show(pairs: np.ndarray, path: Path) -> None:
    """Write ten of the pairs [n, 2, H, W], from 0 to 1, thrice as large: good tiles above those with a defect."""
    height = pairs.shape[2]
    rows = pairs[:10].transpose(1, 2, 0, 3).reshape(2 * height, -1)
    image = Image.fromarray(np.rint(255 * rows.clip(0, 1)).astype(np.uint8))
    image.resize((3 * rows.shape[1], 6 * height), Image.Resampling.NEAREST).save(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--defect", choices=("Crack", "Blowhole"), default="Crack")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sheet", type=Path, help="where good tiles and painted ones are written")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tiles = Path(folder, "tiles.npz")
        write(args.data / "magnetic_tiles.npz", tiles, args.defect)
        PaintedPart.masks = masks_of(args.data / "magnetic_tiles.npz", args.defect)
        found = advice(tiles, args.defect, args.seed)
    none = found.trials[0]
    for trial in found.trials:
        mean, low, high = found.gain(trial, none)
        print(f"{trial.method:8} {trial.mean():.3f}  {mean:+.3f} ({low:+.3f} to {high:+.3f}) {trial.seconds:.0f} s")
    print(found.recommendation())
    if args.sheet is not None:
        show(PaintedPart.drawn, args.sheet)


if __name__ == "__main__":
    main()

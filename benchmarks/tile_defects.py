"""Do synthetic defects help to find defects of magnetic tiles? The adviser's verdict.

    python benchmarks/tile_defects.py --data FOLDER --model cyclegan

FOLDER has `magnetic_tiles.npz`. Of each tile one exposure is taken, of 32 × 32 pixels: those without a defect, and
those of one kind of defect, the rare class. The command that gives the verdict is `anomalo augment tiles.npz --advise
--label labels`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

REDUCED = 3
"""Pixels to a side of which one is made."""


def chosen(file: Mapping[str, np.ndarray], defect: str) -> np.ndarray:
    """Return the number of one exposure of each tile without a defect, or with this one."""
    _, first = np.unique(file["group"], return_index=True)
    return np.asarray(first[np.isin(file["kind"][first], ("Free", defect))])


def reduced(images: np.ndarray) -> np.ndarray:
    """Return smaller images, uint8, of images [n, H, W]."""
    count, height, width = images.shape
    blocks = images.reshape(count, height // REDUCED, REDUCED, width // REDUCED, REDUCED)
    return np.rint(blocks.mean(axis=(2, 4))).astype(np.uint8)


def write(source: Path, path: Path, defect: str) -> None:
    """Write one exposure of each tile without a defect, or with this one."""
    with np.load(source) as file:
        images, kind, first = file["images"], file["kind"], chosen(file, defect)
    np.savez(path, images=reduced(images[first]), labels=kind[first])
    print(f"{len(first)} tiles, of which {(kind[first] == defect).sum()} have a {defect.lower()}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="cyclegan")
    parser.add_argument("--defect", choices=("Crack", "Blowhole"), default="Crack")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tiles = Path(folder, "tiles.npz")
        write(args.data / "magnetic_tiles.npz", tiles, args.defect)
        started = time.perf_counter()
        words = [
            "augment",
            str(tiles),
            "--advise",
            "--label",
            "labels",
            "--model",
            args.model,
            "--seed",
            str(args.seed),
        ]
        subprocess.run([sys.executable, "-m", "anomalo", *words, "--workspace", f"{folder}/workspace"], check=True)
        print(f"{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()

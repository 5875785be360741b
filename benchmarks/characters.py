"""Wrong cells by trigrams of characters, by a recurrent network instead, and by both.

    python benchmarks/characters.py --data FOLDER [--model strings] [--set epochs=10,hidden=96] [--refit BANK]
    python benchmarks/characters.py --clean FOLDER [--rows 1000] [--rate .02] [--seeds 0]

FOLDER is as in `benchmarks/cells.py`: dirty tables with the true ones, or clean tables into which typos, formats and
units are put. Prints for each table the average precision of all wrong cells by the product's trees with the
surprisals of the trigrams, of the network, of the network brought to the trigrams' quantiles (the trees know the scale
of these), with the larger and the mean of both; the same by the largest surprisal alone; and CPU seconds. With
`--refit`, the trees of each way are its own, fitted to every so many-th table of the bank, alone and joined.
"""

from __future__ import annotations

import argparse
import csv
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from cell_bank import CLEAN_CELLS, LIST, clean_table, fitted, joined_table
from cell_errors import inject
from cells import texts
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from anomalo.cleaning import suspects
from anomalo.cleaning.budget import within_budget
from anomalo.cleaning.coded import CodedTable
from anomalo.cleaning.features import NAMES, Characters, ColumnEvidence, evidence, trigrams
from anomalo.cleaning.trees import Trees
from anomalo.pipeline.characters import at_scale_of, model_surprisals
from anomalo.pipeline.config import FitConfig
from anomalo.registry.registry import Registry

KINDS = ("typo", "format", "unit")
AT = [NAMES.index("ngram_largest"), NAMES.index("ngram_mean")]
Texts = NDArray[np.object_]
Floats = NDArray[np.float64]


def quantiles(found: Floats, like: Floats) -> Floats:
    """Return surprisals [cells, 2] with the quantiles of others."""
    once = np.ones(len(found), dtype=np.int64)
    return np.stack([at_scale_of(one, other, once, one) for one, other in zip(found.T, like.T, strict=True)], axis=1)


WAYS = {
    "trigrams": lambda grams, net: grams,
    "network": lambda grams, net: net,
    "network, matched": lambda grams, net: quantiles(net, grams),
    "larger": lambda grams, net: np.maximum(grams, quantiles(net, grams)),
    "mean": lambda grams, net: (grams + quantiles(net, grams)) / 2,
}


@dataclass(frozen=True)
class Prepared:
    """A table's evidence, whether its cells are wrong, and both kinds of surprisals, [cells, 2] column by column."""

    columns: list[ColumnEvidence]
    features: NDArray[np.float32]
    wrong: NDArray[np.bool_]
    grams: Floats
    net: Floats
    seconds: dict[str, float]

    def by(self, way: str) -> NDArray[np.float32]:
        """Return the features with the surprisals of one of `WAYS`."""
        features = self.features.copy()
        features[:, AT] = WAYS[way](self.grams, self.net)
        return features


def prepared(dirty: Texts, clean: Texts, names: list[str], make: Network) -> Prepared:
    """Return the evidence of a table, and the CPU seconds that each kind of surprisals takes."""
    table = CodedTable.of_texts({name: dirty[:, at].tolist() for at, name in enumerate(names)})
    columns = list(evidence(table))
    start = time.process_time()
    by_trigrams = [trigrams(column) for column in table.columns]
    middle = time.process_time()
    network = make(table)
    by_network = [network(column) for column in table.columns]
    seconds = {"s trigrams": middle - start, "s network": time.process_time() - middle}
    grams, net = (
        np.concatenate([found[column.codes] for found, column in zip(parts, table.columns, strict=True)])
        for parts in (by_trigrams, by_network)
    )
    features = np.concatenate([one.features() for one in columns])
    return Prepared(columns, features, (dirty != clean).T.ravel(), grams, net, seconds)


def compared(found: Prepared, trees: Mapping[str, Trees] | None = None) -> dict[str, float]:
    """Return the average precision of each way on one table, by the product's trees or by those of the way."""
    result = {}
    for way in WAYS if trees is None else trees:
        model = suspects.model()[0] if trees is None else trees[way]
        features = found.by(way)
        chance = suspects.probabilities(model.log_odds(features)).reshape(len(found.columns), -1)
        parts = [within_budget(one.column, part) for one, part in zip(found.columns, chance, strict=True)]
        result[way if trees is None else f"{way}, refitted"] = average_precision_score(
            found.wrong, np.concatenate(parts)
        )
        result[f"{way} alone"] = average_precision_score(found.wrong, features[:, AT[0]])
    return result | found.seconds


def refitted(folder: Path, every: int, make: Network) -> dict[str, Trees]:
    """Return trees of each way, fitted as the product's, to errors put into some tables of the bank."""
    with LIST.open(newline="") as file:
        paths = [folder / line["file"] for line in csv.DictReader(file)]
    lots = []
    for path, other in list(zip(paths, [*paths[7:], *paths[:7]], strict=True))[::every]:
        random = np.random.default_rng(zlib.crc32(path.name.encode()))
        alone = clean_table(path, random)
        for clean in (alone, joined_table(alone, clean_table(other, random), random)):
            table = inject(clean, random)
            found = prepared(table.dirty, table.clean, [str(at) for at in range(clean.shape[1])], make)
            right = random.permutation(np.flatnonzero(~found.wrong))[:CLEAN_CELLS]
            rows = np.concatenate([np.flatnonzero(found.wrong), right])
            weights = np.where(found.wrong[rows], 1.0, (~found.wrong).sum() / max(len(right), 1))
            lots.append((found, rows, weights / weights.sum()))
    wrong, weights = (np.concatenate(part) for part in zip(*((f.wrong[r], w) for f, r, w in lots), strict=True))
    return {
        way: fitted(np.concatenate([found.by(way)[rows] for found, rows, _ in lots]), wrong, weights, 200)
        for way in ("trigrams", "network", "larger", "mean")
    }


class Network:
    """Fits a model of texts on a table."""

    def __init__(self, model: str, settings: dict[str, str]) -> None:
        self.config = FitConfig(model, settings=settings, device="cpu")
        self.registry = Registry.load()

    def __call__(self, table: CodedTable) -> Characters:
        return model_surprisals(table, self.config, self.registry)


def tables(options: argparse.Namespace) -> Iterator[tuple[str, Texts, Texts, list[str]]]:
    """Yield the name, the dirty cells, the true ones, and the columns of each table."""
    if options.data is not None:
        for folder in sorted(path for path in options.data.iterdir() if (path / "dirty.csv").is_file()):
            if not options.only or folder.name in options.only:
                dirty, clean = texts(folder / "dirty.csv"), texts(folder / "clean.csv")
                yield folder.name, dirty.to_numpy(dtype=object), clean.to_numpy(dtype=object), list(dirty)
    if options.clean is not None:
        for path in sorted(options.clean.glob("*.csv")):
            frame = texts(path)
            for seed in map(int, options.seeds.split(",") if not options.only or path.stem in options.only else ()):
                clean = frame.sample(min(options.rows, len(frame)), random_state=seed).to_numpy(dtype=object)
                for kind in KINDS:
                    table = inject(clean, np.random.default_rng(seed), options.rate, kind)
                    yield f"{path.stem}, {kind}", table.dirty, table.clean, list(frame)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a folder with a folder for each dirty table")
    parser.add_argument("--clean", type=Path, help="a folder of clean CSV files, for errors that are put into them")
    parser.add_argument("--rows", type=int, default=1000, help="rows of each clean table")
    parser.add_argument("--rate", type=float, default=0.02, help="share of wrong cells")
    parser.add_argument("--seeds", default="0", help="seeds of the errors")
    parser.add_argument("--refit", type=Path, help="the folder of `cell_bank.py`: fit trees of each way to its tables")
    parser.add_argument("--every", type=int, default=6, help="take each so many-th of these tables")
    parser.add_argument("--only", nargs="*", help="some tables by name")
    parser.add_argument("--model", default="strings", help="a model of texts")
    parser.add_argument("--set", default="", help="its parameters, such as epochs=30,hidden=96")
    options = parser.parse_args()
    make = Network(options.model, dict(pair.split("=") for pair in options.set.split(",") if pair))
    trees = None if options.refit is None else refitted(options.refit, options.every, make)
    found = {name: compared(prepared(*table, make), trees) for name, *table in tables(options)}
    frame = pd.DataFrame(found).T
    print(pd.concat([frame, frame.mean().to_frame("mean").T]).round(3).T.to_string())


if __name__ == "__main__":
    main()

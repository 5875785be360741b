"""Fit the model of cells: errors put into clean public tables, the evidence about every cell, and two sets of trees.

    python benchmarks/cell_bank.py --data FOLDER [--out anomalo/cleaning/cells.safetensors] [--folds 10] [--list]

FOLDER holds the CSV files of `benchmarks/cell_bank.csv`, which lists each one's repository, path and licence; copy each
there under its name. Prints, with every table left out of the fit that it is assessed by, the average precision of
detection and the F1 at the product's threshold; then fits all tables and writes the trees.
"""

from __future__ import annotations

import argparse
import csv
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import safetensors.numpy
from cell_errors import FORMATS, Injected, inject
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import average_precision_score, f1_score

from anomalo.cleaning import suspects
from anomalo.cleaning.candidates import FEATURES, candidates
from anomalo.cleaning.coded import CodedTable
from anomalo.cleaning.features import NAMES
from anomalo.cleaning.features import evidence as of_columns
from anomalo.cleaning.trees import Trees
from anomalo.tabular.parsing import MISSING_TEXTS

HERE = Path(__file__).parent
LIST = HERE / "cell_bank.csv"
ROWS, COLUMNS, CLEAN_CELLS = 1500, 24, 5000
VARIANTS = 4
RISING = ("dependency_best", "dependency_second", "dependency_trusted", "dependency_mean", "dependency_confirmed")
RISING += (
    "format_classes",
    "format_runs",
    "format_shape",
    "ngram_largest",
    "number_extreme",
    "no_number",
    "affix_surprisal",
)
RISING += ("dependency_elected", "dependency_expected", "dependency_median", "dependency_excess", "residual")
FALLING = ("dependency_lift", "dependency_support", "log_count")
AFFIXES = (
    ("", "%"),
    ("$", ""),
    ("", " people"),
    ("", " kg"),
    ("", " min"),
    ("A-", ""),
    ("No. ", ""),
    ("id", ""),
    ("", "th"),
)
OWN_WORDS = (
    "empty",
    "unknown",
    "none",
    "not available",
    "not applicable",
    "missing",
    "unspecified",
    "other",
    "no data",
)
"""A table may have a word of its own for cells that are not known; it is no error there."""


@dataclass(frozen=True)
class Lot:
    """The cells of one table with errors: what is known of them, whether they are wrong, and their weights."""

    table: str
    other: str
    cells: NDArray[np.float32]
    wrong: NDArray[np.bool_]
    weights: NDArray[np.float64]
    kinds: NDArray[np.object_]
    suggested: NDArray[np.float32]
    right: NDArray[np.bool_]
    all_cells: NDArray[np.float32]
    all_wrong: NDArray[np.bool_]


def clean_table(path: Path, random: np.random.Generator) -> NDArray[np.object_]:
    """Return a sample of the rows as texts, usual texts of missing cells as empty ones."""
    frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding_errors="replace")
    frame = frame.loc[:, [name for name in frame if frame[name].nunique() > 1 and name != "rownames"]]
    if frame.shape[1] > COLUMNS:
        frame = frame.iloc[:, np.sort(random.choice(frame.shape[1], COLUMNS, replace=False))]
    size = int(min(len(frame), random.integers(ROWS // 3, ROWS + 1)))
    start = int(random.integers(len(frame) - size + 1))
    picked = np.arange(start, start + size) if random.random() < 0.5 else np.sort(random.permutation(len(frame))[:size])
    texts = frame.iloc[picked].map(str.strip)
    texts = texts.where(~texts.isin(_missing(texts)), "")
    for name in texts:
        if random.random() < 0.4:
            texts[name] = texts[name].where(texts[name] != "", str(random.choice(OWN_WORDS)))
    return np.stack([_formatted(texts[name].to_numpy(dtype=object), random) for name in texts], axis=1)


def _formatted(column: NDArray[np.object_], random: np.random.Generator) -> NDArray[np.object_]:
    """Return some columns of numbers in another format, as other tables do: untidy, with a unit, a code, padded."""
    if random.random() < 0.08:
        ways = random.choice(len(FORMATS), size=8)
        return np.array(
            [FORMATS[random.choice(ways)](text) if random.random() < 0.5 else text for text in column], object
        )
    if random.random() > 0.2 or not all(text.isdigit() for text in column if text):
        return column
    width = max(map(len, column))
    before, after = random.choice(AFFIXES)
    if random.random() < 0.3:
        return np.array([f"{before}{text.zfill(width)}{after}" if text else text for text in column], dtype=object)
    return np.array([f"{before}{text}{after}" if text else text for text in column], dtype=object)


def joined_table(
    one: NDArray[np.object_], other: NDArray[np.object_], random: np.random.Generator
) -> NDArray[np.object_]:
    """Return rows of a first table, each with several rows of a second one, as a database's join has them."""
    parts = []
    for table in (one, other):
        rows = random.permutation(len(table))[: int(random.integers(8, 90))]
        columns = np.sort(random.permutation(table.shape[1])[: int(random.integers(2, 10))])
        parts.append(table[np.ix_(rows, columns)])
    pairs = np.array([(at, to) for at in range(len(parts[0])) for to in range(len(parts[1]))])
    kept = pairs[np.sort(random.permutation(len(pairs))[: int(random.integers(ROWS // 3, ROWS + 1))])]
    joined = np.concatenate([parts[0][kept[:, 0]], parts[1][kept[:, 1]]], axis=1)
    for _ in range(int(random.integers(3))):
        joined = np.concatenate([joined, _coarse(joined[:, random.integers(joined.shape[1])], random)[:, None]], axis=1)
    return joined[:, [len(np.unique(column.astype(str))) > 1 for column in joined.T]]


def _missing(texts: pd.DataFrame) -> list[str]:
    found = pd.unique(texts.to_numpy().ravel())
    return [text for text in found if text.lower() in MISSING_TEXTS]


def _coarse(column: NDArray[np.object_], random: np.random.Generator) -> NDArray[np.object_]:
    """Return a code of few levels that the column decides, such as the region of a city."""
    levels, codes = np.unique(column.astype(str), return_inverse=True)
    width, size = int(random.integers(1, 5)), int(random.integers(2, 9))
    letters = list("ABCDEFGHIJKLMNOPQRSTUVWXYZ" if random.random() < 0.5 else "abcdefghijklmnopqrstuvwxyz")
    names = ["".join(random.choice(letters, width)) for _ in range(size)] if random.random() < 0.7 else ["yes", "no"]
    of_level = random.choice(len(names), size=len(levels), p=random.dirichlet(np.full(len(names), 0.7)))
    return np.array(names, dtype=object)[of_level[codes]]


def lots(path: Path, other: Path, variants: int) -> list[Lot]:
    """Return a table's lots, each with other rows and other errors; every second one joined with another table."""
    random = np.random.default_rng(zlib.crc32(path.name.encode()))
    result = []
    for at in range(variants):
        clean = clean_table(path, random)
        if at % 2:
            clean = joined_table(clean, clean_table(other, random), random)
        result.append(lot(path.stem, inject(clean, random), random, other.stem if at % 2 else ""))
    return result


def lot(name: str, injected: Injected, random: np.random.Generator, other: str = "") -> Lot:
    """Return what is known of the cells of a table with errors."""
    table = CodedTable.of_texts({str(at): injected.dirty[:, at].tolist() for at in range(injected.dirty.shape[1])})
    cells, suggested, right = [], [], []
    for at, evidence in enumerate(of_columns(table)):
        features = evidence.features()
        cells.append(features)
        rows = np.flatnonzero(injected.dirty[:, at] != injected.clean[:, at])
        found = candidates(evidence, rows, features[rows])
        suggested.append(found.features)
        right.append(
            np.array([injected.clean[rows[row], at] == text for row, text in zip(found.row, found.text, strict=True)])
        )
    every = np.concatenate(cells)
    wrong = (injected.dirty != injected.clean).T.ravel()
    clean = np.flatnonzero(~wrong)
    kept = random.permutation(clean)[:CLEAN_CELLS]
    rows = np.concatenate([np.flatnonzero(wrong), kept])
    weights = np.concatenate([np.ones(wrong.sum()), np.full(len(kept), len(clean) / max(len(kept), 1))])
    kinds = injected.kinds.T.ravel()[rows]
    return Lot(
        name, other, every[rows], wrong[rows], weights / weights.sum(), kinds,
        np.concatenate(suggested), np.concatenate(right).astype(bool), every, wrong,
    )  # fmt: skip


def fitted(features: NDArray[np.float32], target: NDArray[np.bool_], weights: NDArray[np.float64], trees: int) -> Trees:
    """Return boosted trees as plain numbers."""
    names = [*NAMES, *FEATURES][: features.shape[1]]
    signs = [0] * len(names)
    if features.shape[1] == len(NAMES):
        signs = [1 if name in RISING else -1 if name in FALLING else 0 for name in names]
    model = HistGradientBoostingClassifier(
        max_iter=trees, learning_rate=0.1, max_leaf_nodes=20, min_samples_leaf=60, l2_regularization=10.0,
        monotonic_cst=signs, early_stopping=False, random_state=0,
    )  # fmt: skip
    model.fit(features, target, sample_weight=weights * len(weights) / weights.sum())
    return plain(model)


def plain(model: HistGradientBoostingClassifier) -> Trees:
    """Return the trees of a fitted model as arrays."""
    parts: dict[str, list[NDArray]] = {name: [] for name in ("feature", "threshold", "left", "right", "value")}
    roots, first = [], 0
    for (predictor,) in model._predictors:
        nodes = predictor.nodes
        leaf = nodes["is_leaf"].astype(bool)
        parts["feature"].append(np.where(leaf, -1, nodes["feature_idx"]).astype(np.int32))
        parts["threshold"].append(np.where(leaf, 0.0, nodes["num_threshold"]))
        parts["left"].append((nodes["left"] + first).astype(np.int32))
        parts["right"].append((nodes["right"] + first).astype(np.int32))
        parts["value"].append(np.where(leaf, nodes["value"], 0.0))
        roots.append(first)
        first += len(nodes)
    baseline = np.asarray(model._baseline_prediction, dtype=np.float64).reshape(1)
    return Trees(
        **{name: np.concatenate(part) for name, part in parts.items()},
        roots=np.array(roots, np.int32),
        baseline=baseline,
    )


def detector(some: list[Lot], trees: int) -> Trees:
    cells, wrong = np.concatenate([lot.cells for lot in some]), np.concatenate([lot.wrong for lot in some])
    return fitted(cells, wrong, np.concatenate([lot.weights for lot in some]), trees)


def assess(bank: list[Lot], folds: int, trees: int) -> None:
    """Print what trees fitted without a table say about its cells."""
    names = sorted({lot.table for lot in bank})
    results = []
    for fold in range(folds):
        left_out = set(names[fold::folds])
        model = detector([lot for lot in bank if not left_out & {lot.table, lot.other}], trees)
        for lot in bank:
            if lot.table in left_out:
                odds = model.log_odds(lot.all_cells)
                chance = suspects.probabilities(odds)
                flagged = chance > suspects.threshold(chance)
                results.append(
                    (
                        f"{lot.table}{' + ' * bool(lot.other)}{lot.other}",
                        lot.all_wrong.mean(),
                        average_precision_score(lot.all_wrong, odds),
                        f1_score(lot.all_wrong, flagged),
                        f1_score(lot.all_wrong, odds > 0),
                        chance.mean(),
                        *(
                            f1_score(lot.all_wrong, chance > max(suspects.threshold(chance), floor))
                            for floor in (0.33, 0.4)
                        ),
                    )
                )
    frame = pd.DataFrame(
        results, columns=["table", "wrong", "AP", "F1", "F1 at .5", "expected", "F1 floor .33", "F1 floor .4"]
    )
    print(frame.groupby("table").mean().round(3).to_string())
    print(frame.drop(columns="table").mean().round(3).to_string())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a folder with the CSV files of the list")
    parser.add_argument("--out", type=Path, default=suspects.MODEL, help="where the trees are written")
    parser.add_argument("--folds", type=int, default=10, help="tables are left out in so many groups; 0: not at all")
    parser.add_argument("--variants", type=int, default=VARIANTS, help="samples of each table")
    parser.add_argument("--trees", type=int, default=200, help="trees of the detector")
    parser.add_argument("--list", action="store_true", help="print the tables, and end")
    options = parser.parse_args()
    if options.list or options.data is None:
        print(LIST.read_text())
        return
    start = time.perf_counter()
    with LIST.open(newline="") as file:
        paths = [options.data / line["file"] for line in csv.DictReader(file)]
    others = [*paths[7:], *paths[:7]]
    bank = [lot for path, other in zip(paths, others, strict=True) for lot in lots(path, other, options.variants)]
    print(f"{len(paths)} tables, {sum(len(lot.wrong) for lot in bank)} cells, {time.perf_counter() - start:.0f} s")
    if options.folds:
        assess(bank, options.folds, options.trees)
    suggested = np.concatenate([lot.suggested for lot in bank])
    right = np.concatenate([lot.right for lot in bank])
    correction = fitted(suggested, right, np.ones(len(right)), options.trees)
    tensors = {**detector(bank, options.trees).tensors("wrong"), **correction.tensors("right")}
    safetensors.numpy.save_file(tensors, options.out, {"features": ",".join([*NAMES, *FEATURES])})
    print(f"{options.out}: {options.out.stat().st_size} bytes, {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()

"""Fit the model of cells: errors put into clean public tables, the evidence about every cell, and two sets of trees.

    python benchmarks/cell_bank.py --copy CLONES --data FOLDER
    python benchmarks/cell_bank.py --data FOLDER [--out anomalo/cleaning/cells.safetensors] [--folds 10] [--list]

FOLDER holds the CSV files of `benchmarks/cell_bank.csv`, which lists each one's repository, path and licence; `--copy`
takes them from the newest commit of git clones (bare ones will do) that lie in CLONES under `owner/name`, as on GitHub.
Prints, with every table left out of the fit that it is assessed by, the average precision of detection and the F1 at
the product's threshold; then fits all tables and writes the trees. The same tables and code give the same bytes.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import safetensors.numpy
from cell_encoding import misread
from cell_errors import Injected, inject
from cell_reports import reported_table
from cell_tables import clean_table, joined_table
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import average_precision_score, f1_score

from anomalo.cleaning import suspects
from anomalo.cleaning.candidates import FEATURES, candidates
from anomalo.cleaning.coded import CodedTable
from anomalo.cleaning.features import NAMES
from anomalo.cleaning.features import evidence as of_columns
from anomalo.cleaning.trees import Trees

HERE = Path(__file__).parent
LIST = HERE / "cell_bank.csv"
CLEAN_CELLS, WRONG_CELLS = 2500, 1500
"""At most so many cells of a table are learnt from."""
REPORTED, MISREAD = 0.3, 0.15
"""Shares of joined tables instead of which several sources report the rows of one, and of tables that are misread."""
VARIANTS = 2
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
RISING += ("conditional_odds", "conditional_excess", "damage", "ngram_excess")
FALLING = ("dependency_lift", "dependency_support", "log_count")


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


def lots(path: Path, other: Path, variants: int) -> list[Lot]:
    """Return a table's lots, each with other rows and other errors; every second one joined or told by sources."""
    random = np.random.default_rng(zlib.crc32(path.name.encode()))
    result = []
    for at in range(variants):
        clean, joined = clean_table(path, random), ""
        if at % 2 and random.random() < REPORTED:
            found, joined = reported_table(clean, random), "reports"
        elif at % 2:
            found, joined = inject(joined_table(clean, clean_table(other, random), random), random), other.stem
        else:
            found = inject(clean, random)
        if random.random() < MISREAD:
            found = misread(found, random)
        result.append(lot(path.stem, found, random, joined))
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
    parts, weights = [], []
    for mask, most in ((wrong, WRONG_CELLS), (~wrong, CLEAN_CELLS)):
        kept = random.permutation(np.flatnonzero(mask))[:most]
        parts.append(kept)
        weights.append(np.full(len(kept), mask.sum() / max(len(kept), 1)))
    rows, weight = np.concatenate(parts), np.concatenate(weights)
    kinds = injected.kinds.T.ravel()[rows]
    return Lot(
        name, other, every[rows], wrong[rows], weight / weight.sum(), kinds,
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


def copied(tables: Path, clones: Path, folder: Path) -> None:
    """Copy the tables of a list from git clones, `owner/name` in a folder, as their newest commit has them."""
    folder.mkdir(parents=True, exist_ok=True)
    with tables.open(newline="") as file:
        for line in csv.DictReader(file):
            command = ["git", "-C", str(clones / line["repository"]), "show", f"HEAD:{line['path']}"]
            (folder / line["file"]).write_bytes(subprocess.run(command, check=True, capture_output=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a folder with the CSV files of the list")
    parser.add_argument("--copy", type=Path, help="a folder of git clones to copy the files of the list from, and end")
    parser.add_argument("--tables", type=Path, default=LIST, help="another list of tables")
    parser.add_argument("--out", type=Path, default=suspects.MODEL, help="where the trees are written")
    parser.add_argument("--folds", type=int, default=10, help="tables are left out in so many groups; 0: not at all")
    parser.add_argument("--variants", type=int, default=VARIANTS, help="samples of each table")
    parser.add_argument("--trees", type=int, default=200, help="trees of the detector")
    parser.add_argument("--list", action="store_true", help="print the tables, and end")
    options = parser.parse_args()
    if options.list or options.data is None:
        print(options.tables.read_text())
        return
    if options.copy is not None:
        copied(options.tables, options.copy, options.data)
        return
    start = time.perf_counter()
    with options.tables.open(newline="") as file:
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

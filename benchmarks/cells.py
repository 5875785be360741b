"""Wrong cells of real dirty tables: found and corrected without a label, beside what the peers published.

    python benchmarks/cells.py --data FOLDER [--ablation] [--columns] [--model FILE]
    python benchmarks/cells.py --data FOLDER --labels 20 [--seeds 0,1,2,3,4]
    python benchmarks/cells.py --clean FOLDER [--rows 2000] [--rates .005,.02,.1] [--seeds 0,1,2] [--labels 20]

FOLDER holds a folder for each table, with `dirty.csv` and `clean.csv`; a cell is wrong where their texts differ. Prints
for each table precision, recall and F1 at the product's threshold, average precision, the F1 of corrections (right ones
among those suggested for flagged cells and among all wrong cells) and CPU seconds; with `--ablation`, the average
precision without each kind of evidence, and with that kind alone. With `--labels`, so many rows are asked for, answered
by `clean.csv`, and learned from: the figures are those of all other rows, means over the seeds of asking.

With `--clean`, FOLDER holds clean CSV files: errors of one kind at a time are put into that share of the cells, and the
average precision is printed for each table, kind and rate; with `--labels`, all kinds at once, and the figures of the
rows that are not asked for, without and with the answers.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from cell_errors import inject
from cell_labels import mean, taught
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from anomalo.cleaning import suspects
from anomalo.cleaning.coded import CodedTable
from anomalo.cleaning.evidence.dependency import votes
from anomalo.cleaning.features import GROUPS, NAMES, evidence
from anomalo.cleaning.suspects import Suspects

APPLIED = 0.9
"""Suggestions of this probability are counted by themselves: they would be applied."""
BROKEN = "dependency"
"""Another level of a column that depends on another one; where no column does, there is no such error."""
INJECTED = ("typo", "format", "unit", "other row", "missing", "other level", BROKEN)
"""Errors that are put into clean tables."""
DEPENDENT = 0.8
"""A column of which another one explains so much of the entropy depends on it."""
PEERS = {
    "hospital": {"Raha + Baran": (0.55, 0.62), "HoloClean": (0.17, 0.21)},
    "flights": {"Raha + Baran": (0.65, 0.74), "HoloClean": (0.33, 0.56)},
    "beers": {"Raha + Baran": (0.95, 0.98), "HoloClean": (0.00, 0.18)},
    "rayyan": {"Raha + Baran": (0.29, 0.34), "HoloClean": (0.00, 0.06)},
}
"""F1 of correction and of detection from their published outputs on the same files, with 20 rows labelled by hand."""


@dataclass(frozen=True)
class Figures:
    """What was measured on one table."""

    precision: float
    recall: float
    f1: float
    average_precision: float
    correction_precision: float
    correction_recall: float
    correction_f1: float
    threshold: float
    flags: int
    applied: int
    applied_precision: float
    seconds: float


def texts(path: Path) -> pd.DataFrame:
    """Return the cells of a CSV file as they are."""
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def measured(dirty: pd.DataFrame, clean: pd.DataFrame) -> tuple[Figures, Suspects, NDArray[np.bool_]]:
    """Return the figures of one table."""
    start = time.process_time()
    found = suspects.suspects(CodedTable.of_texts({name: dirty[name].tolist() for name in dirty}))
    seconds = time.process_time() - start
    truth, observed = clean.to_numpy(dtype=object), dirty.to_numpy(dtype=object)
    return figures(found, observed, truth, seconds), found, observed != truth


def figures(found: Suspects, observed: NDArray[np.object_], truth: NDArray[np.object_], seconds: float) -> Figures:
    """Compare what is suspected with the truth, both [n, columns]."""
    wrong, flagged = observed != truth, found.flagged
    hits = int((wrong & flagged).sum())
    changed = flagged & (found.suggestion != None)  # noqa: E711 - by element
    sure = found.suggested >= APPLIED
    right = int((changed & wrong & (found.suggestion == truth)).sum())
    precision, recall = hits / max(flagged.sum(), 1), hits / max(wrong.sum(), 1)
    correct, share = right / max(changed.sum(), 1), right / max(wrong.sum(), 1)
    ranked = float(average_precision_score(wrong.ravel(), found.probability.ravel()))
    return Figures(
        precision, recall, _f1(precision, recall), ranked, correct, share, _f1(correct, share), found.threshold,
        int(flagged.sum()), int(sure.sum()),
        int((sure & (found.suggestion == truth)).sum()) / max(sure.sum(), 1), seconds,
    )  # fmt: skip


def _f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def ablation(dirty: pd.DataFrame, wrong: NDArray[np.bool_]) -> None:
    """Print the average precision with each kind of evidence at its median, and with that kind alone."""
    table = CodedTable.of_texts({name: dirty[name].tolist() for name in dirty})
    features = [one.features() for one in evidence(table)]
    trees = suspects.model()[0]
    for kind, names in GROUPS.items():
        columns = [NAMES.index(name) for name in names]
        others = [at for at in range(len(NAMES)) if at not in columns and NAMES[at] not in GROUPS["column"]]
        values = []
        for neutral in (columns, others):
            odds = []
            for cells in features:
                changed = cells.copy()
                changed[:, neutral] = np.median(cells[:, neutral], axis=0)
                odds.append(trees.log_odds(changed))
            values.append(average_precision_score(wrong.T.ravel(), np.concatenate(odds)))
        print(f"    without {kind:<11} AP {values[0]:.3f}   {kind + ' alone':<17} AP {values[1]:.3f}")


def columns_of(found: Suspects, wrong: NDArray[np.bool_]) -> None:
    """Print flags, wrong cells and hits of each column that has any."""
    flagged = found.flagged
    for at, name in enumerate(found.names):
        if wrong[:, at].any() or flagged[:, at].any():
            kinds, counts = np.unique(found.kind[flagged[:, at], at].astype(str), return_counts=True)
            listed = ", ".join(f"{kind} {count}" for kind, count in zip(kinds, counts, strict=True))
            hits = int((wrong & flagged)[:, at].sum())
            print(
                f"    {name:<22} wrong {wrong[:, at].sum():>5} flags {flagged[:, at].sum():>5} hits {hits:>5}  {listed}"
            )


def dependent(clean: NDArray[np.object_]) -> list[int]:
    """Return the columns of a table [n, columns] that nearly depend on another one of them."""
    found = votes(CodedTable.of_texts({str(at): column.tolist() for at, column in enumerate(clean.T)}))
    return [at for at, one in enumerate(found) if one.determinants and one.determinants[0][1] >= DEPENDENT]


def injected(folder: Path, rows: int, rates: list[float], seeds: list[int]) -> None:
    """Print the average precision for errors put into clean tables, by table, kind and rate, and the means."""
    results = []
    for path in sorted(folder.glob("*.csv")):
        frame = texts(path)
        for rate, seed, kind in product(rates, seeds, INJECTED):
            random = np.random.default_rng(seed)
            clean = frame.sample(min(rows, len(frame)), random_state=seed).to_numpy(dtype=object)
            columns = dependent(clean) if kind == BROKEN else None
            table = inject(clean, random, rate, "other level" if kind == BROKEN else kind, columns)
            wrong = table.dirty != table.clean
            found = suspects.suspects(
                CodedTable.of_texts({n: table.dirty[:, at].tolist() for at, n in enumerate(frame)})
            )
            score = average_precision_score(wrong.ravel(), found.probability.ravel()) if wrong.any() else np.nan
            results.append((path.stem, rate, kind, score))
    table = pd.DataFrame(results, columns=["table", "rate", "kind", "AP"])
    print(table.pivot_table(index=["rate", "table"], columns="kind", values="AP", margins=True).round(3).to_string())


def with_answers(dirty: pd.DataFrame, clean: pd.DataFrame, rows: int, seeds: list[int]) -> None:
    """Print the figures of the rows that are not asked for, before and after the answers, as means over the seeds."""
    observed, truth = dirty.to_numpy(dtype=object), clean.to_numpy(dtype=object)
    found = list(taught(observed, truth, list(dirty), rows, seeds))
    for name in ("before", "after"):
        each = [figures(getattr(one, name), observed[one.rows], truth[one.rows], one.seconds) for one in found]
        result = mean(each)
        f1 = [one.f1 for one in each]
        print(
            f"  {rows} rows, {name:<7} detection P {result['precision']:.3f} R {result['recall']:.3f} "
            f"F1 {result['f1']:.3f} ({min(f1):.3f} to {max(f1):.3f}), AP {result['average_precision']:.3f}; correction "
            f"P {result['correction_precision']:.3f} F1 {result['correction_f1']:.3f}; {result['applied']:.0f} "
            f"suggestions of {APPLIED:.0%}, {result['applied_precision']:.3f} right; {result['seconds']:.1f} s"
        )


def injected_with_answers(folder: Path, rows: int, rates: list[float], seeds: list[int], labels: int) -> None:
    """Print the figures for errors of all kinds put into clean tables, without and with answers."""
    for path, rate in product(sorted(folder.glob("*.csv")), rates):
        frame = texts(path)
        for seed in seeds:
            clean = frame.sample(min(rows, len(frame)), random_state=seed)
            table = inject(clean.to_numpy(dtype=object), np.random.default_rng(seed), rate)
            print(f"{path.stem}, {rate:.1%} of the cells wrong, seed {seed}")
            with_answers(pd.DataFrame(table.dirty, columns=frame.columns), clean, labels, [seed])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a folder with a folder for each table")
    parser.add_argument("--clean", type=Path, help="a folder of clean CSV files, for errors that are put into them")
    parser.add_argument("--rows", type=int, default=2000, help="rows of each clean table")
    parser.add_argument("--rates", default="0.005,0.02,0.1", help="shares of wrong cells")
    parser.add_argument("--seeds", default="0,1,2", help="seeds of the errors, and of asking")
    parser.add_argument("--labels", type=int, default=0, help="ask for so many rows, and learn from the answers")
    parser.add_argument("--model", type=Path, help="other trees than those that are shipped")
    parser.add_argument("--ablation", action="store_true", help="leave out each kind of evidence in turn")
    parser.add_argument("--columns", action="store_true", help="print the columns of each table, too")
    options = parser.parse_args()
    if options.model is not None:
        suspects.MODEL = options.model
    seeds = [int(seed) for seed in options.seeds.split(",")]
    if options.clean is not None:
        rates = [float(rate) for rate in options.rates.split(",")]
        if options.labels:
            injected_with_answers(options.clean, options.rows, rates, seeds, options.labels)
        else:
            injected(options.clean, options.rows, rates, seeds)
    if options.data is None:
        return
    for folder in sorted(path for path in options.data.iterdir() if (path / "dirty.csv").is_file()):
        dirty, clean = texts(folder / "dirty.csv"), texts(folder / "clean.csv")
        result, found, wrong = measured(dirty, clean)
        print(f"{folder.name}: {dirty.shape[0]} x {dirty.shape[1]}, {wrong.sum()} wrong cells")
        print(
            f"  no labels     detection P {result.precision:.2f} R {result.recall:.2f} F1 {result.f1:.2f}, "
            f"AP {result.average_precision:.3f}; "
            f"correction P {result.correction_precision:.2f} F1 {result.correction_f1:.2f}; "
            f"threshold {result.threshold:.2f}, {result.flags} flags; "
            f"{result.applied} suggestions of {APPLIED:.0%}, {result.applied_precision:.2f} right; "
            f"{result.seconds:.1f} s"
        )
        for peer, (correction, detection) in PEERS.get(folder.name, {}).items():
            print(f"  {peer:<13} detection F1 {detection:.2f}; correction F1 {correction:.2f} (20 rows labelled)")
        if options.labels:
            with_answers(dirty, clean, options.labels, seeds)
        if options.columns:
            columns_of(found, wrong)
        if options.ablation:
            ablation(dirty, wrong)


if __name__ == "__main__":
    main()

"""Detection quality and cost over a folder of labelled tables, optionally beside PyOD's detectors.

Each Parquet file holds feature columns and `label` (1 = anomaly, never shown to a detector). Protocols:

- oneclass: train on a random half of the normal rows (shuffled by `default_rng(1000 + seed)`), test on the
  other half and all anomalies;
- unsupervised: fit on all rows, score the same rows.

One fixed configuration serves all tables. Times are CPU seconds of this process, over all its threads.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from anomalo import AnomalyDetector
from anomalo.metrics import average_precision, roc_auc

OURS = ("undercomplete", "linear", "iforest", "knn")
PYOD = {
    "KNN": "knn",
    "LOF": "lof",
    "IForest": "iforest",
    "HBOS": "hbos",
    "ECOD": "ecod",
    "COPOD": "copod",
    "PCA": "pca",
    "AutoEncoder": "auto_encoder",
}
SEEDED = {"IForest", "PCA", "AutoEncoder"}
LABEL = "label"


class Detector(Protocol):
    def fit(self, train: pd.DataFrame) -> None: ...

    def score(self, test: pd.DataFrame) -> NDArray[np.float64]: ...

    def score_training(self, train: pd.DataFrame) -> NDArray[np.float64]:
        """Score the rows that the detector was fitted on."""
        ...


class Ours:
    """One of our models, by the public door."""

    def __init__(self, name: str, seed: int) -> None:
        self.detector = AnomalyDetector(model=name, random_state=seed, calibrate=False, device="cpu")

    def fit(self, train: pd.DataFrame) -> None:
        self.detector.fit(train)

    def score(self, test: pd.DataFrame) -> NDArray[np.float64]:
        return -self.detector.score_samples(test)

    score_training = score


class Pyod:
    """One of PyOD's detectors with its default settings, on standardised columns."""

    def __init__(self, name: str, seed: int) -> None:
        kind = getattr(importlib.import_module(f"pyod.models.{PYOD[name]}"), name)
        settings = {"random_state": seed} if name in SEEDED else {}
        self.detector = kind(**settings, **({"verbose": 0} if name == "AutoEncoder" else {}))
        self.scaler = StandardScaler()

    def fit(self, train: pd.DataFrame) -> None:
        self.detector.fit(self.scaler.fit_transform(train.to_numpy(np.float64)))

    def score(self, test: pd.DataFrame) -> NDArray[np.float64]:
        return np.asarray(self.detector.decision_function(self.scaler.transform(test.to_numpy(np.float64))))

    def score_training(self, train: pd.DataFrame) -> NDArray[np.float64]:
        # Kept by PyOD's fit; a neighbour search leaves the row itself out there.
        return np.asarray(self.detector.decision_scores_)


@dataclass
class Row:
    """One line of the results: a table, a protocol, a seed, a method."""

    set: str
    protocol: str
    seed: int
    method: str
    auroc: float = float("nan")
    ap: float = float("nan")
    fit_s: float = float("nan")
    score_s: float = float("nan")
    n_train: int = 0
    n_test: int = 0
    status: str = "ok"

    @property
    def key(self) -> tuple[str, ...]:
        return (self.set, self.protocol, str(self.seed), self.method)


def split(table: pd.DataFrame, protocol: str, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the training and the test rows, labels included."""
    if protocol == "unsupervised":
        return table, table
    strange = np.flatnonzero(table[LABEL] == 1)
    normal = np.random.default_rng(1000 + seed).permutation(np.flatnonzero(table[LABEL] != 1))
    half = len(normal) // 2
    return table.iloc[normal[:half]], table.iloc[np.concatenate([normal[half:], strange])]


def measure(row: Row, table: pd.DataFrame, create: Callable[[int], Detector]) -> Row:
    """Fit, score and judge one method; a failure becomes the row's status."""
    train, test = split(table, row.protocol, row.seed)
    row.n_train, row.n_test = len(train), len(test)
    try:
        detector = create(row.seed)
        started = time.process_time()
        detector.fit(train.drop(columns=LABEL))
        fitted = time.process_time()
        score = detector.score if row.protocol == "oneclass" else detector.score_training
        scores = score(test.drop(columns=LABEL))
        row.fit_s, row.score_s = fitted - started, time.process_time() - fitted
        if not np.isfinite(scores).all():
            row.status = f"non-finite scores: {np.count_nonzero(~np.isfinite(scores))}"
            return row
        row.auroc, row.ap = roc_auc(test[LABEL], scores), average_precision(test[LABEL], scores)
    except Exception as error:
        row.status = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    return row


def warm_up(creators: Iterable[Callable[[int], Detector]]) -> None:
    """Let imports and compilation happen before anything is timed."""
    table = pd.DataFrame(np.random.default_rng(0).standard_normal((200, 3)), columns=["f0", "f1", "f2"])
    for create in creators:
        detector = create(0)
        detector.fit(table)
        detector.score(table)


def done(path: Path) -> set[tuple[str, ...]]:
    """Return the keys of the rows already in the results."""
    if not path.exists():
        return set()
    with path.open(newline="") as file:
        return {(line["set"], line["protocol"], line["seed"], line["method"]) for line in csv.DictReader(file)}


def append(path: Path, row: Row) -> None:
    """Add a row to the results, with a heading if they are new."""
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)])
        if new:
            writer.writeheader()
        rounded = {name: round(value, 6) if isinstance(value, float) else value for name, value in asdict(row).items()}
        writer.writerow(rounded)


def run(options: argparse.Namespace, creators: dict[str, Callable[[int], Detector]]) -> None:
    """Measure every cell that the results do not hold yet."""
    known = done(options.out)
    files = sorted(options.data.glob("*.parquet"), key=lambda file: file.stat().st_size)
    for file in files:
        if options.sets and file.stem not in options.sets:
            continue
        table = pd.read_parquet(file)
        for protocol in options.protocols:
            for seed in options.seeds:
                for method, create in creators.items():
                    row = Row(file.stem, protocol, seed, method)
                    if row.key not in known:
                        append(options.out, measure(row, table, create))
                        print(*row.key, f"auroc {row.auroc:.4f} ap {row.ap:.4f} fit {row.fit_s:.2f} s", row.status)


def summary(results: pd.DataFrame) -> pd.DataFrame:
    """Return one line for each protocol and method: means over the tables, after the mean over seeds.

    `rank` is by AUROC among the methods in the results, 1 for the best, over the tables that all of them finished.
    """
    finished = results[results["status"] == "ok"]
    cells = finished.groupby(["protocol", "method", "set"], as_index=False)[["auroc", "ap", "fit_s", "score_s"]].mean()
    wide = cells.pivot_table(index=["protocol", "set"], columns="method", values="auroc").dropna()
    rank = wide.rank(axis=1, ascending=False).groupby(level="protocol").mean().stack().rename("rank")
    lines = cells.groupby(["protocol", "method"]).agg(
        sets=("set", "size"),
        auroc=("auroc", "mean"),
        ap=("ap", "mean"),
        fit_s=("fit_s", "mean"),
        score_s=("score_s", "mean"),
    )
    lines[["auroc", "ap"]] *= 100
    lines = lines.join(rank).join(_problems(results))
    return lines.sort_values(["protocol", "auroc"], ascending=[True, False]).round(2)


def _problems(results: pd.DataFrame) -> pd.Series:
    problems = (results["status"] != "ok").groupby([results["protocol"], results["method"]]).sum()
    return problems.rename("problems")


def _list(text: str) -> list[str]:
    return [item for item in text.split(",") if item]


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a folder of Parquet files")
    parser.add_argument("--out", type=Path, required=True, help="a CSV file; cells that it holds are not run again")
    parser.add_argument("--models", type=_list, default=list(OURS), help="ours, separated by commas")
    parser.add_argument("--sets", type=_list, default=[], help="file names without suffix; all by default")
    parser.add_argument("--seeds", type=lambda text: [int(item) for item in _list(text)], default=[0, 1, 2])
    parser.add_argument("--protocols", type=_list, default=["oneclass", "unsupervised"])
    parser.add_argument(
        "--pyod",
        nargs="?",
        type=_list,
        const=list(PYOD),
        default=[],
        help="also PyOD's (extra `bench`): all, or a list",
    )
    parser.add_argument("--threads", type=int, default=1, help="threads of every library")
    options = parser.parse_args()
    if not any(options.data.glob("*.parquet")):
        parser.error(f"--data {options.data}: no Parquet file there")
    return options


def main() -> None:
    options = _parse()
    creators: dict[str, Callable[[int], Detector]] = {}
    for name in options.models:
        creators[name] = lambda seed, name=name: Ours(name, seed)
    for name in options.pyod:
        creators[f"PyOD {name}"] = lambda seed, name=name: Pyod(name, seed)
    torch.set_num_threads(options.threads)
    with warnings.catch_warnings(), threadpool_limits(options.threads):
        warnings.simplefilter("ignore")
        warm_up(creators.values())
        run(options, creators)
    print(summary(pd.read_csv(options.out)).to_string())


if __name__ == "__main__":
    main()

"""Detection quality and cost over a folder of labelled tables, optionally beside PyOD's detectors.

Each Parquet file holds feature columns and `label` (1 = anomaly, never shown to a detector). Protocols:

- oneclass: train on a random half of the normal rows (shuffled by `default_rng(1000 + seed)`), test on the
  other half and all anomalies;
- unsupervised: fit on all rows, score the same rows.

One fixed configuration serves all tables. Times are CPU seconds of this process, over all its threads.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from harness import LABEL, Results, calm, check_tables, halves, names, parser, tables
from methods import COMPOSED, Creator, ablations, ours, pyod
from peer_detectors import PYOD
from summary import DETECTION, report

from anomalo.errors import UsageError
from anomalo.metrics import average_precision, roc_auc
from anomalo.registry.registry import Registry

PROTOCOLS = ("oneclass", "unsupervised")


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


Split = Callable[[pd.DataFrame, str, int], tuple[pd.DataFrame, pd.DataFrame]]
"""Returns a table's training and test rows, with `label`, for a protocol and a seed; one object if they are equal."""


def split(table: pd.DataFrame, protocol: str, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the training and the test rows, labels included."""
    if protocol == "unsupervised":
        return table, table
    train, held = halves(table[LABEL], seed)
    return table.iloc[train], table.iloc[np.concatenate([held, np.flatnonzero(table[LABEL] == 1)])]


def measure(row: Row, table: pd.DataFrame, create: Creator, parts: Split = split) -> Row:
    """Fit, score and evaluate one method; a failure becomes the row's status."""
    try:
        train, test = parts(table, row.protocol, row.seed)
        row.n_train, row.n_test = len(train), len(test)
        detector = create(row.seed)
        started = time.process_time()
        detector.fit(train.drop(columns=LABEL))
        fitted = time.process_time()
        score = detector.score_training if test is train else detector.score
        scores = score(test.drop(columns=LABEL))
        row.fit_s, row.score_s = fitted - started, time.process_time() - fitted
        if not np.isfinite(scores).all():
            row.status = f"non-finite scores: {np.count_nonzero(~np.isfinite(scores))}"
            return row
        row.auroc, row.ap = roc_auc(test[LABEL], scores), average_precision(test[LABEL], scores)
    except Exception as error:
        row.status = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    return row


def warm_up(creators: Iterable[Creator]) -> None:
    """Let imports and compilation happen before anything is timed."""
    table = pd.DataFrame(np.random.default_rng(0).standard_normal((200, 3)), columns=["f0", "f1", "f2"])
    for create in creators:
        detector = create(0)
        detector.fit(table)
        detector.score(table)


def run(options: argparse.Namespace, creators: dict[str, Creator], parts: Split = split) -> None:
    """Measure every cell that the results do not hold yet."""
    results = Results(options.out, Row, DETECTION.key)
    for name, table in tables(options):
        for protocol in options.protocols:
            for seed in options.seeds:
                for method, create in creators.items():
                    row = Row(name, protocol, seed, method)
                    if not results.holds(row):
                        results.add(measure(row, table, create, parts))
                        figures = f"auroc {row.auroc:.4f} ap {row.ap:.4f} fit {row.fit_s:.2f} s"
                        print(name, protocol, seed, method, figures, row.status, flush=True)


def add_pyod(command: argparse.ArgumentParser) -> None:
    """Add the option for PyOD's detectors."""
    text = "also PyOD's (extra `bench`): all, or a list"
    command.add_argument("--pyod", nargs="?", type=names, const=list(PYOD), default=[], help=text)


def _parse() -> tuple[argparse.Namespace, dict[str, Creator]]:
    command = parser(__doc__)
    command.add_argument("--protocols", type=names, default=list(PROTOCOLS))
    command.add_argument(
        "--ablations",
        nargs="?",
        const=COMPOSED,
        help=f"also ablations of a model with members, {COMPOSED} if not named",
    )
    add_pyod(command)
    options = command.parse_args()
    check_tables(command, options)
    if unknown := set(options.protocols) - set(PROTOCOLS):
        command.error(f"--protocols {', '.join(sorted(unknown))}: expected some of {', '.join(PROTOCOLS)}")
    registry = Registry.load()
    try:
        creators: dict[str, Creator] = {**ours(options.models, registry), **pyod(options.pyod)}
        if options.ablations:
            creators |= ablations(options.ablations, registry)
    except UsageError as error:
        command.error(str(error))
    return options, creators


def main() -> None:
    options, creators = _parse()
    with calm(options.threads):
        warm_up(creators.values())
        run(options, creators)
    report([options.out], options.against, options.summary)


if __name__ == "__main__":
    main()

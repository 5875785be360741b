"""How often a corrupted cell is named as the first reason, over a folder of labelled tables.

For each Parquet file with enough feature columns (and `label`, 1 = anomaly, never shown to a method): train on a random
half of the normal rows, corrupt one cell in each of 200 of the other normal rows, and rank the row's cells. Kinds:

- far: the value is 3 to 6 robust standard deviations from the column's median, and at least 3 from the cell's own;
- mild: the value is another row's, 1 to 3 robust standard deviations from the cell's own;
- outlying: the value is another row's, 1 to 3 from the column's median, and at least 1 from the cell's own.

Beside our models (by their own contributions or, where they have none, by occlusion: `lof` is) run two yardsticks:
`marginal z`, the robust |z| of each cell, and `conditional Gaussian`, each cell's squared standardised residual given
the row's others. All get the same rows. Times are CPU seconds of this process; one fit serves all kinds.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import numpy as np
import pandas as pd
from corruption import Corrupted, Matrix, RobustScale, far, mild, ranked_first
from harness import LABEL, Results, calm, check_tables, halves, names, parser, tables
from methods import Ours, ours
from sklearn.covariance import LedoitWolf
from summary import ATTRIBUTION, report

from anomalo.errors import UsageError
from anomalo.registry.registry import Registry

KINDS = ("far", "mild", "outlying")


class Explainer(Protocol):
    def fit(self, train: pd.DataFrame) -> None: ...

    def explain(self, rows: pd.DataFrame) -> Matrix:
        """Return how much each cell contributes to its row's anomaly score [n, columns]."""
        ...


Creator = Callable[[int], Explainer]


class Reasons:
    """The contributions that one of our models gives, by the public door."""

    def __init__(self, ours: Ours) -> None:
        self.detector = ours.detector

    def fit(self, train: pd.DataFrame) -> None:
        self.detector.fit(train)

    def explain(self, rows: pd.DataFrame) -> Matrix:
        cells = self.detector.explain(rows)
        wide = cells.pivot(index="row", columns="column", values="contribution")
        return wide[list(rows.columns)].to_numpy(np.float64)


class MarginalZ:
    """The distance of each cell from its column's median, in robust standard deviations."""

    def fit(self, train: pd.DataFrame) -> None:
        self.scales = RobustScale.of(train.to_numpy())

    def explain(self, rows: pd.DataFrame) -> Matrix:
        return np.abs(rows.to_numpy() - self.scales.centre) / self.scales.scale


class ConditionalGaussian:
    """The squared residual of each cell given the row's others, over its variance, under one Gaussian.

    With precision matrix P and deviation d from the mean, cell j has residual (P d)_j / P_jj and variance 1 / P_jj.
    The covariance of the standardised columns is shrunk.

    Reference: Ledoit and Wolf (2004), A well-conditioned estimator for large-dimensional covariance matrices, Journal
    of Multivariate Analysis 88.
    """

    def fit(self, train: pd.DataFrame) -> None:
        values = train.to_numpy()
        self.centre, deviation = values.mean(axis=0), values.std(axis=0)
        self.scale = np.where(np.ptp(values, axis=0) > 0, deviation, 1.0)
        self.precision = LedoitWolf().fit((values - self.centre) / self.scale).precision_

    def explain(self, rows: pd.DataFrame) -> Matrix:
        pulled = (rows.to_numpy() - self.centre) / self.scale @ self.precision
        return np.square(pulled) / np.diag(self.precision)


YARDSTICKS: dict[str, Creator] = {
    "marginal z": lambda seed: MarginalZ(),
    "conditional Gaussian": lambda seed: ConditionalGaussian(),
}


@dataclass
class Row:
    """One line of the results: a table, a kind, a seed, a method."""

    set: str
    kind: str
    seed: int
    method: str
    first: float = float("nan")
    rows: int = 0
    columns: int = 0
    fit_s: float = float("nan")
    explain_s: float = float("nan")
    status: str = "ok"


@dataclass(frozen=True)
class Task:
    """Training rows, and the corrupted rows of each kind."""

    train: pd.DataFrame
    corrupted: dict[str, Corrupted]


def prepare(table: pd.DataFrame, seed: int, rows: int) -> Task:
    """Take a random half of the normal rows to train on, and corrupt so many of the others (all if fewer)."""
    features = table.drop(columns=LABEL).astype(np.float64)
    train, held = halves(table[LABEL], seed)
    pool, scales = features.iloc[held].to_numpy(), RobustScale.of(features.iloc[train].to_numpy())
    clean = pool[:rows]
    return Task(
        features.iloc[train],
        {
            "far": far(clean, scales, np.random.default_rng([seed, 0])),
            "mild": mild(clean, scales, np.random.default_rng([seed, 1]), pool),
            "outlying": mild(clean, scales, np.random.default_rng([seed, 2]), pool, outlying=True),
        },
    )


def measure(rows: list[Row], task: Task, create: Creator) -> Iterator[Row]:
    """Fit one method and evaluate its reasons, one row a kind; a failure becomes the row's status."""
    explainer = create(rows[0].seed)
    started = time.process_time()
    failure = _failure(lambda: explainer.fit(task.train))
    fit_s = time.process_time() - started
    for row in rows:
        corrupted = task.corrupted[row.kind]
        row = replace(row, rows=len(corrupted.column), columns=task.train.shape[1], fit_s=fit_s)
        evaluate = partial(_evaluate, row, task, corrupted, explainer)
        row.status = failure or _failure(evaluate) or "ok"
        yield row


def _evaluate(row: Row, task: Task, corrupted: Corrupted, explainer: Explainer) -> None:
    if not row.rows:
        raise ValueError("no row has a cell to corrupt")
    frame = pd.DataFrame(corrupted.values, columns=task.train.columns)
    started = time.process_time()
    contribution = explainer.explain(frame)
    row.explain_s = time.process_time() - started
    if bad := np.count_nonzero(~np.isfinite(contribution)):
        raise ValueError(f"non-finite contributions: {bad}")
    row.first = ranked_first(contribution, corrupted.column)


def _failure(action: Callable[[], Any]) -> str:
    """Return how an action failed, or nothing."""
    try:
        action()
    except Exception as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    return ""


def run(options: argparse.Namespace, creators: dict[str, Creator]) -> None:
    """Measure every cell that the results do not hold yet."""
    results = Results(options.out, Row, ATTRIBUTION.key)
    for name, table in tables(options):
        columns = table.shape[1] - 1
        if not options.columns <= columns <= options.widest:
            print(f"{name}: left out, it has {columns} columns", flush=True)
            continue
        for seed in options.seeds:
            task = prepare(table, seed, options.rows)
            for method, create in creators.items():
                rows = [row for kind in options.kinds if not results.holds(row := Row(name, kind, seed, method))]
                for row in measure(rows, task, create) if rows else ():
                    results.add(row)
                    figures = f"first {row.first:.3f} fit {row.fit_s:.2f} s explain {row.explain_s:.2f} s"
                    print(name, row.kind, seed, method, figures, row.status, flush=True)


def _parse() -> tuple[argparse.Namespace, dict[str, Creator]]:
    command = parser(__doc__)
    command.add_argument("--rows", type=int, default=200, help="corrupt at most so many rows of a table")
    command.add_argument("--columns", type=int, default=8, help="leave out tables with fewer feature columns")
    command.add_argument("--widest", type=int, default=1000, help="leave out tables with more feature columns")
    command.add_argument("--kinds", type=names, default=list(KINDS))
    options = command.parse_args()
    check_tables(command, options)
    if unknown := set(options.kinds) - set(KINDS):
        command.error(f"--kinds {', '.join(sorted(unknown))}: expected some of {', '.join(KINDS)}")
    try:
        listed = ours(options.models, Registry.load())
    except UsageError as error:
        command.error(str(error))
    return options, {name: _reasons(create) for name, create in listed.items()} | YARDSTICKS


def _reasons(create: Callable[[int], Ours]) -> Creator:
    return lambda seed: Reasons(create(seed))


def main() -> None:
    options, creators = _parse()
    with calm(options.threads):
        run(options, creators)
    report([options.out], options.against, options.summary)


if __name__ == "__main__":
    main()

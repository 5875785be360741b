"""Whether synthetic rows help to detect rare rows: a supervised classifier with a few labelled anomalies.

Each Parquet file holds feature columns and `label` (1 = anomaly). Per table and seed, `--positives` anomalies and
`--rows` normal rows, drawn by `default_rng(2000 + seed)`, are trained on; up to 20,000 others are tested on. Gradient
boosting is trained on the rows as they are, with class weights, and with synthetic rows of the anomaly class added by
each generator, as many as bring the anomalies up to half of the normal rows; generators train for as long as the
adviser lets them. `adviser` trains as `augment --advise` says, by cross-validation within the training rows alone.

The summary compares each way with the best of none, weights and SMOTE by table means over the seeds, with a bootstrap
interval over tables.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from harness import LABEL, Results, calm, check_tables, names, parser, tables

from anomalo.pipeline.augmentation.advice import Trial
from anomalo.pipeline.augmentation.study import advise
from anomalo.pipeline.augmentation.table_part import TablePart
from anomalo.registry.registry import Registry
from anomalo.tabular.schema import SchemaOptions, infer

TABLES = [
    "annthyroid",
    "campaign",
    "cardio",
    "cover",
    "letter",
    "mammography",
    "optdigits",
    "pendigits",
    "satellite",
    "thyroid",
]
"""Ten tables of different kinds with enough anomalies; the same for all methods."""
SIMPLE = ("none", "weights", "smote")
TESTED = 20_000
DRAWS = 2000


@dataclass
class Row:
    """One line of the results: a table, a seed, a way to train."""

    set: str
    seed: int
    method: str
    ap: float = float("nan")
    seconds: float = float("nan")
    advice: str = ""
    status: str = "ok"


KEY = ("set", "seed", "method")


def split(table: pd.DataFrame, positives: int, rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the row numbers to train on, and to test on."""
    rng = np.random.default_rng(2000 + seed)
    rare, normal = (rng.permutation(np.flatnonzero(table[LABEL] == value)) for value in (1, 0))
    many = min(rows, len(normal) // 2)
    few = min(positives, len(rare) // 2)
    tested = np.concatenate([rare[few:], normal[many:]])
    return np.concatenate([rare[:few], normal[:many]]), rng.permutation(tested)[:TESTED]


def measure(row: Row, part: TablePart, params: dict[str, dict[str, object]]) -> Row:
    """Train one way and evaluate it on the rows held out; CPU seconds of this process."""
    started = time.process_time()
    method = row.method
    if method == "adviser":
        generators = tuple(name for name in params if name not in ("none", "weights"))
        wish = SchemaOptions(label=LABEL)
        inner = advise(part.rows, wish, part.registry, generators=generators, seed=row.seed, repeats=1, tried=1)
        method = row.advice = inner.best().method
    trial = Trial(method)
    part.run(trial, params.get(method, {}))
    row.ap, row.status = trial.mean(), trial.failure or "ok"
    row.seconds = time.process_time() - started
    return row


def run(options: object) -> None:
    """Measure every cell that the results do not hold yet."""
    results, registry = Results(options.out, Row, KEY), Registry.load()
    params = {method: dict(TablePart.budgets.get(method, {})) for method in options.methods if method != "adviser"}
    for name, table in tables(options):
        arrow = pa.Table.from_pandas(table.astype({LABEL: "int64"}), preserve_index=False)
        schema = infer(arrow, SchemaOptions(label=LABEL))
        for seed in options.seeds:
            waiting = [row for method in options.methods if not results.holds(row := Row(name, seed, method))]
            if not waiting:
                continue
            train, test = split(table, options.positives, options.rows, seed)
            part = TablePart(arrow, schema, (table[LABEL] == 1).to_numpy(), "1", train, test, registry, seed)
            for row in waiting:
                results.add(measure(row, part, params))
                print(
                    name, seed, row.method, f"ap {row.ap:.4f} {row.seconds:.1f} s", row.advice, row.status, flush=True
                )


def summary(frame: pd.DataFrame) -> str:
    """Return the mean average precision of each way, and its gain over the best simple one, as Markdown."""
    means = frame[frame["status"] == "ok"].pivot_table(index="set", columns="method", values="ap")
    simple = means[[name for name in SIMPLE if name in means]].max(axis=1)
    rng = np.random.default_rng(0)
    lines = [
        "| trained with | mean AP | gain over the best of none, weights, SMOTE | worst table |",
        "|---|---|---|---|",
    ]
    for method in means.mean().sort_values(ascending=False).index:
        gain = (means[method] - simple).dropna().to_numpy()
        if not gain.size:
            lines.append(f"| {method} | {means[method].mean():.3f} | none of {', '.join(SIMPLE)} was run | |")
            continue
        drawn = rng.choice(gain, size=(DRAWS, len(gain))).mean(axis=1)
        low, high = np.quantile(drawn, [0.025, 0.975])
        shown = f"{gain.mean():+.3f} ({low:+.3f} to {high:+.3f})"
        lines.append(f"| {method} | {means[method].mean():.3f} | {shown} | {gain.min():+.3f} |")
    return "\n".join(lines)


def main() -> None:
    command = parser(__doc__)
    command.set_defaults(sets=TABLES, seeds=list(range(10)))
    command.add_argument("--methods", type=names, default=[*SIMPLE, "latent", "mixture", "edm", "cgan", "adviser"])
    command.add_argument("--positives", type=int, default=20)
    command.add_argument("--rows", type=int, default=2000)
    options = command.parse_args()
    check_tables(command, options)
    with calm(options.threads):
        run(options)
    text = summary(pd.read_csv(options.out))
    print(text)
    if options.summary:
        options.summary.write_text(text + "\n")


if __name__ == "__main__":
    main()

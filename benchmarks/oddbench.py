"""Detection over a folder of real tables whose split is fixed, beside the distance to the fifth neighbour.

Each Parquet file holds feature columns, `_split` ("train" or "test") and `_label` (1 = anomaly, never shown to a
detector). Protocols:

- oneclass (default): fit on the train part, score the test part;
- mixed (`--mixed SHARE`): normal rows of both parts, at most 3,000, and so many anomalies of the test part that they
  are that share of all rows; shuffled, fitted and scored on the same rows. A table with too few anomalies gets all of
  them.

One fixed configuration serves all tables. The tables in alphabetical order (capitals first) are two halves: those at
even positions, from 0, are for choosing a method ("choose"), the others for checking the choice ("check").
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from detection import add_pyod, run, warm_up
from harness import LABEL, calm, check_tables, parser
from methods import COMPOSED, Calibrated, Creator, Ours, ours, pyod
from peer_detectors import FIFTH, FifthNeighbour
from summary import (
    DETECTION,
    bootstrap,
    compared,
    comparison,
    differences,
    filled,
    markdown,
    overview,
    publish,
    read,
    shown_comparison,
    signed_rank,
)

from anomalo.errors import UsageError
from anomalo.registry.registry import Registry

SPLIT, TRUTH = "_split", "_label"
ONE_CLASS, MIXED = "oneclass", "mixed-"
MOST = 3000
"""Normal rows of a mixed table."""


def split(table: pd.DataFrame, protocol: str, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows to fit on and those to score, the same object if they are the same, with their `label`."""
    rows = table.drop(columns=SPLIT).rename(columns={TRUTH: LABEL})
    train = (table[SPLIT] == "train").to_numpy()
    if protocol == ONE_CLASS:
        return rows[train], rows[~train]
    anomaly = (rows[LABEL] == 1).to_numpy()
    chosen = mixed(np.flatnonzero(~anomaly), np.flatnonzero(anomaly & ~train), share_of(protocol), seed)
    both = rows.iloc[chosen].reset_index(drop=True)
    return both, both


def mixed(normal: np.ndarray, anomalies: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Return positions of normal rows and anomalies in random order, of which a share are anomalies.

    Raises
    ------
    ValueError
        There is no anomaly.
    """
    if not len(anomalies):
        raise ValueError("the test part has no anomaly")
    rng = np.random.default_rng(1000 + seed)
    odds = share / (1 - share)
    rows = min(MOST, len(normal))
    count = min(max(round(rows * odds), 1), len(anomalies))
    return rng.permutation(np.concatenate([rng.permutation(normal)[:rows], rng.permutation(anomalies)[:count]]))


def share_of(protocol: str) -> float:
    """Return the share of anomalies in a mixed protocol's name."""
    return float(protocol.removeprefix(MIXED))


def halves(folder: Path) -> dict[str, list[str]]:
    """Return the names of all tables in the folder, and of each half."""
    names = sorted(file.stem for file in folder.glob("*.parquet"))
    return {"all": names, "choose": names[::2], "check": names[1::2]}


def against_fifth(results: pd.DataFrame) -> pd.DataFrame:
    """Return one line for each method, the best first: means x 100, and by how much they exceed the fifth neighbour's.

    Returns
    -------
    DataFrame
        `sets` that the method finished, `auroc` and `ap`; over the tables that both finished `difference` of AUROC and
        `low` and `high` of its 95 % interval (10,000 bootstrap samples of the tables), `p` of Wilcoxon's signed-rank
        test that it is positive (one-sided), the same of AP (`ap difference` …) but for the test; `problems`.
    """
    lines = overview(results, DETECTION)[["sets", "auroc", "ap", "problems"]]
    known = set(results.loc[results["status"] == "ok", "method"])
    for method in known - {FIFTH} if FIFTH in known else ():
        paired = differences(results, DETECTION, str(method), FIFTH)
        if not len(paired):
            continue
        lines.loc[method, "p"] = signed_rank(paired["auroc"].to_numpy(), "greater")
        for measure, start in (("auroc", ""), ("ap", "ap ")):
            values = paired[measure].to_numpy()
            lines.loc[method, [f"{start}difference", f"{start}low", f"{start}high"]] = values.mean(), *bootstrap(values)
    return lines


def _shown(lines: pd.DataFrame) -> pd.DataFrame:
    columns = ["difference", "low", "high", "p", "ap difference", "ap low", "ap high"]
    lines = lines.reindex(columns=[*lines.columns, *(name for name in columns if name not in lines)])
    shown = pd.DataFrame({"method": lines.index, "tables": [str(int(value)) for value in lines["sets"]]})
    shown["AUROC / AP"] = [filled("{:.2f} / {:.2f}", *pair) for pair in lines[["auroc", "ap"]].to_numpy()]
    shown[f"AUROC less {FIFTH}"] = [filled("{:+.2f} ({:+.2f} to {:+.2f})", *v) for v in lines[columns[:3]].to_numpy()]
    shown["p (one-sided)"] = [filled("{:.4f}", value) for value in lines["p"]]
    shown[f"AP less {FIFTH}"] = [filled("{:+.2f} ({:+.2f} to {:+.2f})", *v) for v in lines[columns[4:]].to_numpy()]
    return shown.assign(problems=[str(int(value)) for value in lines["problems"]])


def report_lines(results: pd.DataFrame, folder: Path, against: str | None = None) -> Iterator[str]:
    """Give the report paragraph by paragraph, in Markdown: each protocol, over all tables and over each half.

    Raises
    ------
    ValueError
        No cell of `against` was finished.
    """
    chosen = compared(results, against)
    for protocol, whole in results.groupby("protocol"):
        for half, names in halves(folder).items():
            part = whole[whole["set"].isin(names)]
            known = set(part.loc[part["status"] == "ok", "method"])
            if not known:
                yield f"## {protocol}, {half}: no cell was finished"
                continue
            yield f"## {protocol}, {half}"
            yield "Means x 100 over the tables that a method finished; in brackets 95 % bootstrap intervals."
            yield markdown(_shown(against_fifth(part)))
            lines = comparison(part, DETECTION, chosen) if chosen and chosen in known else pd.DataFrame()
            if len(lines.columns) > 1:
                yield f"`{chosen}` less each other method, on the tables that both finished (p two-sided):"
                yield markdown(shown_comparison(lines, DETECTION))


def _creators(options: argparse.Namespace) -> dict[str, Creator]:
    found: dict[str, Creator] = {**ours(options.models, Registry.load(), Calibrated if options.calibrate else Ours)}
    if options.calibrate:
        found = {f"{name} calibrated": create for name, create in found.items()}
    return {**found, FIFTH: FifthNeighbour, **pyod(options.pyod)}


def _parse() -> tuple[argparse.Namespace, dict[str, Creator]]:
    command = parser(__doc__, models=COMPOSED)
    command.add_argument("--mixed", type=float, metavar="SHARE", help="the mixed protocol instead, such as .05")
    command.add_argument(
        "--calibrate", action="store_true", help="ours cross-fitted; training rows ranked as `anomalo scan` does"
    )
    add_pyod(command)
    options = command.parse_args()
    check_tables(command, options)
    if options.mixed is not None and not 0 < options.mixed < 1:
        command.error(f"--mixed {options.mixed:g}: expected a share between 0 and 1, such as .05")
    options.protocols = [ONE_CLASS if options.mixed is None else f"{MIXED}{options.mixed:g}"]
    try:
        return options, _creators(options)
    except UsageError as error:
        command.error(str(error))


def main() -> None:
    options, creators = _parse()
    with calm(options.threads):
        warm_up(creators.values())
        run(options, creators, split)
    results, _ = read([options.out])
    publish(report_lines(results, options.data, options.against), options.summary)


if __name__ == "__main__":
    main()

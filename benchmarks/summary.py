"""What results of detection or of attribution say: means, ranks, and one method against every other.

A cell is a table, a protocol (or a kind of corruption), a seed and a method. A table's figure is the mean over its
seeds; all else is over tables. Two methods are compared on the tables and seeds that both finished: Wilcoxon's
signed-rank test on the tables' figures, and an interval of the mean difference by the bootstrap over tables.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import wilcoxon

RESAMPLES = 10_000
PREFERRED = "auto"


@dataclass(frozen=True)
class Study:
    """How a benchmark's results are laid out: what parts them, what they measure (in shares), what they cost."""

    group: str
    measures: tuple[str, ...]
    seconds: tuple[str, ...]

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that name a cell."""
        return ("set", self.group, "seed", "method")


DETECTION = Study("protocol", ("auroc", "ap"), ("fit_s", "score_s"))
ATTRIBUTION = Study("kind", ("first",), ("fit_s", "explain_s"))
STUDIES = (DETECTION, ATTRIBUTION)
TITLES = {"auroc": "AUROC", "ap": "AP", "first": "ranked first"}


def read(paths: Sequence[Path]) -> tuple[pd.DataFrame, Study]:
    """Return the results of one or several files, and their study; of cells that are there twice, the last.

    Raises
    ------
    ValueError
        A file holds no results, or the files are of different benchmarks.
    """
    parts = [pd.read_csv(path) for path in paths]
    studies = [next((s for s in STUDIES if {*s.key, *s.measures, "status"} <= set(p.columns)), None) for p in parts]
    if None in studies or len(set(studies)) != 1:
        listed = ", ".join(map(str, paths))
        raise ValueError(f"{listed}: expected results of detection.py, or of attribution.py, not of both")
    study = studies[0]
    assert study is not None
    return pd.concat(parts, ignore_index=True).drop_duplicates(list(study.key), keep="last"), study


def overview(results: pd.DataFrame, study: Study) -> pd.DataFrame:
    """Return one line for each method of one protocol or kind, the best first.

    Returns
    -------
    DataFrame
        `sets` and `cells` that were finished; for each measure its mean x 100 and `rank …`, the mean rank (1 is the
        best) over the tables that every method finished; `lowest …` and `lowest set` of the first measure; seconds,
        summed over tables; `problems`, cells that were not finished.
    """
    finished = results[results["status"] == "ok"]
    per_set = finished.groupby(["method", "set"])[[*study.measures, *study.seconds]].mean()
    methods = per_set.groupby(level="method")
    lines = pd.DataFrame({"sets": methods.size(), "cells": finished.groupby("method").size()})
    for measure in study.measures:
        lines[measure] = 100 * methods[measure].mean()
    for measure in study.measures:
        lines[f"rank {measure}"] = _complete(per_set[measure]).rank(ascending=False).mean(axis=1)
    lowest = methods[study.measures[0]]
    lines[f"lowest {study.measures[0]}"] = 100 * lowest.min()
    lines["lowest set"] = [at[1] for at in lowest.idxmin()]
    lines = lines.join(methods[list(study.seconds)].sum())
    lines = lines.reindex(results["method"].unique())  # those that finished nothing too
    lines["problems"] = (results["status"] != "ok").groupby(results["method"]).sum()
    return lines.fillna({"sets": 0, "cells": 0}).sort_values(study.measures[0], ascending=False)


def _complete(figures: pd.Series) -> pd.DataFrame:
    """Return figures [methods, sets] of the sets that every method finished."""
    return figures.unstack("set").dropna(axis=1)


def comparison(results: pd.DataFrame, study: Study, against: str) -> pd.DataFrame:
    """Return one line for each other method of one protocol or kind: `against` less that method, x 100.

    Returns
    -------
    DataFrame
        `sets` that both finished and, for each measure: the mean difference, `… low` and `… high` of its 95 %
        bootstrap interval, `… p` of the signed-rank test, `… worst` and `… worst set`. A line without figures
        has no table in common with `against`.
    """
    finished = results[results["status"] == "ok"]
    lines = {}
    for method in finished["method"].unique():
        if method != against:
            difference = differences(results, study, against, method)
            lines[method] = {"sets": len(difference)} | _judged(difference)
    found = pd.DataFrame.from_dict(lines, orient="index").rename_axis("method")
    return found.sort_values(study.measures[0]) if len(found) else found


def differences(results: pd.DataFrame, study: Study, one: str, other: str) -> pd.DataFrame:
    """Return `one` less `other` x 100, [sets, measures]: means over the seeds of the tables that both finished."""
    finished = results[results["status"] == "ok"]
    cells = finished.set_index(["method", "set", "seed"])[list(study.measures)]
    paired = cells.loc[[one]].droplevel("method") - cells.loc[[other]].droplevel("method")
    return 100 * paired.dropna().groupby(level="set").mean()


def _judged(difference: pd.DataFrame) -> dict[str, float | str]:
    line: dict[str, float | str] = {}
    for measure, values in difference.items() if len(difference) else ():
        low, high = bootstrap(values.to_numpy())
        line[str(measure)] = values.mean()
        line |= {f"{measure} low": low, f"{measure} high": high, f"{measure} p": signed_rank(values.to_numpy())}
        line |= {f"{measure} worst": values.min(), f"{measure} worst set": str(values.idxmin())}
    return line


def bootstrap(difference: NDArray[np.float64], seed: int = 0) -> tuple[float, float]:
    """Return the 2.5 and 97.5 % quantiles of the mean over tables [n] that are drawn with replacement.

    Reference: Efron and Tibshirani (1993), An introduction to the bootstrap, chapter 13 (the percentile interval).
    """
    drawn = np.random.default_rng(seed).integers(0, len(difference), (RESAMPLES, len(difference)))
    low, high = np.quantile(difference[drawn].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)


def signed_rank(difference: NDArray[np.float64], alternative: str = "two-sided") -> float:
    """Return the p-value of Wilcoxon's signed-rank test (1945) on differences [n]; 1 if none differs.

    The alternative "greater" is that they are positive.
    """
    return float(wilcoxon(difference, alternative=alternative).pvalue) if difference.any() else 1.0


def markdown(frame: pd.DataFrame) -> str:
    """Return a table of strings as Markdown whose columns line up."""
    rows = [list(frame.columns), *frame.to_numpy().tolist()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def _shown_overview(lines: pd.DataFrame, study: Study) -> pd.DataFrame:
    shown = pd.DataFrame({"method": lines.index, "sets": _whole(lines["sets"]), "cells": _whole(lines["cells"])})
    for measure in study.measures:
        shown[TITLES[measure]] = _decimals(lines[measure], 2)
    for measure in study.measures:
        shown[f"rank ({TITLES[measure]})"] = _decimals(lines[f"rank {measure}"], 2)
    lowest = f"lowest {study.measures[0]}"
    shown["lowest"] = _named(lines[lowest], lines["lowest set"], "{:.1f}")
    for name in study.seconds:
        shown[name.replace("_", " ")] = _decimals(lines[name], 1)
    return shown.assign(problems=_whole(lines["problems"]))


def shown_comparison(lines: pd.DataFrame, study: Study) -> pd.DataFrame:
    """Return the lines of `comparison` as texts."""
    shown = pd.DataFrame({"method": lines.index, "sets": _whole(lines["sets"])})
    for measure in study.measures:
        bounds = zip(lines[f"{measure} low"], lines[f"{measure} high"], strict=True)
        shown[TITLES[measure]] = [filled("{:+.2f}", value) for value in lines[measure]]
        shown[f"95 % ({TITLES[measure]})"] = [filled("{:+.2f} to {:+.2f}", *bound) for bound in bounds]
        shown[f"p ({TITLES[measure]})"] = [filled("{:.4f}", value) for value in lines[f"{measure} p"]]
        worst = _named(lines[f"{measure} worst"], lines[f"{measure} worst set"], "{:+.1f}")
        shown[f"worst ({TITLES[measure]})"] = worst
    return shown


def filled(template: str, *values: float) -> str:
    """Return values in a template, or a dash if one is NaN."""
    return "-" if np.isnan(values).any() else template.format(*values)


def _decimals(values: pd.Series, digits: int) -> list[str]:
    return [filled(f"{{:.{digits}f}}", value) for value in values]


def _whole(values: pd.Series) -> list[str]:
    return [str(int(value)) for value in values]


def _named(values: pd.Series, sets: pd.Series, template: str) -> list[str]:
    return ["-" if np.isnan(v) else f"{template.format(v)} {name}" for v, name in zip(values, sets, strict=True)]


def compared(results: pd.DataFrame, against: str | None) -> str | None:
    """Return the method to compare with the others, by default auto if it finished a cell.

    Raises
    ------
    ValueError
        No cell of `against` was finished.
    """
    finished = set(results.loc[results["status"] == "ok", "method"])
    if against is not None and against not in finished:
        listed = ", ".join(method for method in results["method"].unique() if method in finished) or "none"
        raise ValueError(f"no finished cell of {against!r}; the methods are: {listed}")
    return PREFERRED if against is None and PREFERRED in finished else against


def summary_lines(results: pd.DataFrame, study: Study, against: str | None = None) -> Iterator[str]:
    """Give the summary paragraph by paragraph, in Markdown.

    Raises
    ------
    ValueError
        No cell of `against` was finished.
    """
    against = compared(results, against)
    for group, part in results.groupby(study.group):
        ok = part[part["status"] == "ok"]
        if not len(ok):
            yield f"## {group}: no cell was finished"
            continue
        common = _complete(ok.groupby(["method", "set"])[study.measures[0]].mean()).shape[1]
        yield f"## {group}"
        yield f"Means x 100 over the tables that a method finished; ranks over the {common} that all methods finished."
        yield markdown(_shown_overview(overview(part, study), study))
        lines = comparison(part, study, against) if against and against in set(ok["method"]) else pd.DataFrame()
        if len(lines.columns) > 1:
            yield f"`{against}` less each other method, on the tables that both finished:"
            yield markdown(shown_comparison(lines, study))


def report(paths: Sequence[Path], against: str | None = None, file: Path | None = None) -> None:
    """Print the summary of result files, and write it to a Markdown file; raises as `read` and `summary_lines` do."""
    publish(summary_lines(*read(paths), against), file)


def publish(paragraphs: Iterable[str], file: Path | None) -> None:
    """Print paragraphs, and write them to a Markdown file if there is one."""
    text = "\n\n".join(paragraphs) + "\n"
    print("\n" + text)
    if file is not None:
        file.write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, nargs="+", help="CSV files of detection.py, or of attribution.py")
    parser.add_argument("--against", help="the method that is compared with the others; auto, if it ran")
    parser.add_argument("--summary", type=Path, help="write the summary to this Markdown file too")
    options = parser.parse_args()
    try:
        report(options.results, options.against, options.summary)
    except (OSError, ValueError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()

"""What results of imputation say: every method's error relative to MissForest's, and two methods cell by cell.

A cell is a number of rows, a table, a mechanism and a seed. Ratios are geometric means over the cells that a method
and MissForest both finished; the interval of a comparison is that of the bootstrap over cells.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from summary import bootstrap, markdown

CELL = ["rows", "table", "mechanism", "seed"]
YARDSTICK, BASELINE = "MissForest", "mean/mode"
RELATIVE = ("rmse", "in_rmse", "crps")
ABSOLUTE = ("accuracy", "f1", "in_accuracy", "in_f1")
HEADINGS = {
    "cells": ("cells", "{:.0f}"),
    "all": ("RMSE ratio", "{:.3f}"),
    "won": ("won", "{:.0%}"),
    "worst": ("worst", "{:.3f}"),
    "worst cell": ("cell", "{}"),
    "to mean": ("worst to mean/mode", "{:.3f}"),
    "in sample": ("in sample", "{:.3f}"),
    "accuracy": ("accuracy", "{:+.1f}"),
    "f1": ("F1", "{:+.1f}"),
    "coverage": ("coverage", "{:.3f}"),
    "crps": ("CRPS", "{:.4f}"),
    "expected": ("expected error", "{:.2f}"),
    "seconds": ("CPU s", "{:.2f}"),
    "time": ("CPU ratio", "{:.2f}"),
    "problems": ("problems", "{:.0f}"),
}


def read(paths: Sequence[Path]) -> pd.DataFrame:
    """Return the results of one or several files; of cells that are there twice, the last.

    Raises
    ------
    ValueError
        A file holds no results of imputation.
    """
    parts = [pd.read_csv(path) for path in paths]
    for path, part in zip(paths, parts, strict=True):
        if not {*CELL, "method", "rmse", "status"} <= set(part.columns):
            raise ValueError(f"{path}: expected results of imputation.py")
    return pd.concat(parts, ignore_index=True).drop_duplicates([*CELL, "method"], keep="last")


def overview(results: pd.DataFrame) -> pd.DataFrame:
    """Return one line for each method, the lowest error first.

    Returns
    -------
    DataFrame
        Relative to MissForest: `cells` that both finished; RMSE ratio out of sample over `all` of them, by mechanism
        (mcar, …) and `in sample`; share of cells `won`; the `worst` ratio and its `worst cell`; difference of
        `accuracy` and `f1` in hundredths; CPU `time` ratio of fit and fill. On its own: the largest RMSE ratio `to
        mean`/mode; `coverage` of 90 % intervals and reported over found `expected` error, of the cells under MCAR and
        MAR, and MCAR; `crps`; mean CPU `seconds`; `problems`, cells that were not finished.
    """
    finished = results[results["status"] == "ok"].set_index([*CELL])
    by_method = {str(name): part for name, part in finished.groupby("method", sort=False)}
    lines = {}
    for method in results["method"].unique():
        lines[method] = _line(by_method, method) if method in by_method else {"cells": 0}
        lines[method]["problems"] = int(((results["method"] == method) & (results["status"] != "ok")).sum())
    found = pd.DataFrame.from_dict(lines, orient="index").rename_axis("method")
    return found.sort_values([name for name in ("all", "in sample") if name in found])


def _line(by_method: dict[str, pd.DataFrame], method: str) -> dict[str, object]:
    mine = by_method[method]
    kind = _kinds(mine)
    line: dict[str, object] = {"cells": 0, "seconds": (mine["fit_s"] + mine["fill_s"]).mean()}
    line |= {"coverage": mine.loc[kind != "mnar", "coverage"].mean(), "crps": mine["crps"].mean()}
    line["expected"] = mine.loc[kind == "mcar", "expected"].median()
    if BASELINE in by_method:
        line["to mean"] = _paired(mine, by_method[BASELINE], "rmse").max()
    if YARDSTICK in by_method:
        line |= _relative(mine, by_method[YARDSTICK])
    return line


def _relative(mine: pd.DataFrame, theirs: pd.DataFrame) -> dict[str, object]:
    """Return what a line says of the cells [cells] that MissForest finished too; of in-sample methods it is less."""
    mine, theirs = mine.align(theirs, join="inner", axis=0)
    ratio = _paired(mine, theirs, "rmse")
    seconds = [frame[["fit_s", "fill_s"]].to_numpy().sum() for frame in (mine, theirs)]
    line: dict[str, object] = {"cells": len(mine), "in sample": geometric_mean(_paired(mine, theirs, "in_rmse"))}
    if len(mine):
        line["time"] = seconds[0] / seconds[1]
    if len(ratio):
        line |= {"all": geometric_mean(ratio), "won": (ratio < 1).mean()}
        line |= {kind: geometric_mean(part) for kind, part in ratio.groupby(_kinds(ratio))}
        line |= {"worst": ratio.max(), "worst cell": " ".join(map(str, ratio.idxmax()[1:]))}
        line |= {name: 100 * (mine[name] - theirs[name]).mean() for name in ("accuracy", "f1")}
    return line


def _kinds(cells: pd.DataFrame | pd.Series) -> pd.Index:
    """Return the mechanism of each cell without its share."""
    return cells.index.get_level_values("mechanism").str.rstrip("0123456789")


def _paired(mine: pd.DataFrame, theirs: pd.DataFrame, measure: str) -> pd.Series:
    """Return the ratios of a measure, by cell, where both have it."""
    return (mine[measure] / theirs[measure]).dropna()


def geometric_mean(ratios: pd.Series) -> float:
    """Return exp of the mean logarithm of ratios [cells]; not a number if there is none."""
    return float(np.exp(np.log(ratios).mean()))


def comparison(results: pd.DataFrame, method: str, other: str) -> pd.DataFrame:
    """Return what `method` has over `other` on the cells that both finished, each with a 95 % bootstrap interval.

    Returns
    -------
    DataFrame
        One line for each of `rmse`, `in_rmse` and `crps` (geometric mean of the ratios), `accuracy`, `f1` and the
        same in sample (mean difference in hundredths): `cells`, `figure`, `low`, `high`. A measure that no cell has
        is left out.
    """
    finished = results[results["status"] == "ok"].set_index(CELL)
    mine, theirs = (finished[finished["method"] == name] for name in (method, other))
    lines = {}
    for measure in (*RELATIVE, *ABSOLUTE):
        relative = measure in RELATIVE
        values = (
            np.log(_paired(mine, theirs, measure)) if relative else 100 * (mine[measure] - theirs[measure]).dropna()
        )
        if len(values):
            figures = np.array([values.mean(), *bootstrap(values.to_numpy())])
            figure, low, high = np.exp(figures) if relative else figures
            lines[measure] = {"cells": len(values), "figure": figure, "low": low, "high": high}
    return pd.DataFrame.from_dict(lines, orient="index")


def summary_lines(results: pd.DataFrame, against: str | None = None) -> Iterator[str]:
    """Give the summary paragraph by paragraph, in Markdown, one section for each number of rows.

    Raises
    ------
    ValueError
        No cell of `against` was finished.
    """
    finished = results[results["status"] == "ok"]
    if against is not None and against not in set(finished["method"]):
        listed = ", ".join(finished["method"].unique()) or "none"
        raise ValueError(f"no finished cell of {against!r}; the methods are: {listed}")
    for rows, part in results.groupby("rows"):
        yield f"## {rows} rows"
        yield f"Relative to {YARDSTICK}, on the cells that both finished; accuracy and F1 in hundredths."
        yield markdown(_shown(overview(part)))
        for other in part["method"].unique() if against else ():
            lines = comparison(part, str(against), other)
            if other != against and len(lines):
                yield f"`{against}` against `{other}` (ratios; differences of accuracy and F1 in hundredths):"
                yield markdown(_shown_comparison(lines))


def _shown(lines: pd.DataFrame) -> pd.DataFrame:
    kinds = [kind for kind in ("mcar", "mar", "mnar") if kind in lines]
    headings = {"cells": HEADINGS["cells"], "all": HEADINGS["all"]}
    headings |= {kind: (kind.upper(), "{:.3f}") for kind in kinds} | HEADINGS
    shown = {"method": list(lines.index)}
    for name, (title, template) in headings.items():
        if name in lines:
            shown[title] = ["-" if pd.isna(value) else template.format(value) for value in lines[name]]
    return pd.DataFrame(shown)


def _shown_comparison(lines: pd.DataFrame) -> pd.DataFrame:
    templates = ["{:.3f}" if name in RELATIVE else "{:+.2f}" for name in lines.index]
    bounds = zip(templates, lines["low"], lines["high"], strict=True)
    return pd.DataFrame(
        {
            "measure": list(lines.index),
            "cells": [str(int(value)) for value in lines["cells"]],
            "figure": [template.format(value) for template, value in zip(templates, lines["figure"], strict=True)],
            "95 %": [f"{template.format(low)} to {template.format(high)}" for template, low, high in bounds],
        }
    )


def report(paths: Sequence[Path], against: str | None = None, file: Path | None = None) -> None:
    """Print the summary of result files, and write it to a Markdown file; raises as `read` and `summary_lines` do."""
    text = "\n\n".join(summary_lines(read(paths), against)) + "\n"
    print("\n" + text)
    if file is not None:
        file.write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, nargs="+", help="CSV files of imputation.py")
    parser.add_argument("--against", help="the method that is compared with every other, cell by cell")
    parser.add_argument("--summary", type=Path, help="write the summary to this Markdown file too")
    options = parser.parse_args()
    try:
        report(options.results, options.against, options.summary)
    except (OSError, ValueError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()

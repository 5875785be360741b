"""`anomalo scan`, and other verbs, as whole processes on synthetic tables of many sizes, beside peers.

A table is ROWSxCOLUMNS, written as CSV: three quarters of the columns are correlated numbers, of which one is
heavy-tailed and one skewed, the others categories of 8 levels; 3 % of the cells are missing completely at random; 1 %
of the rows are anomalous: each of their cells is a random row's. The methods take turns, each in a fresh process whose
start counts. The reference job is scikit-learn's IsolationForest.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import score_speed
from harness import Results, names
from processes import NAN, Measured, launch
from scale_peers import PEERS, PYOD, REFERENCE
from summary import filled, markdown, publish

SIZES = "1000x16,10000x16,100000x16,1000000x16,10000x200,500x1000,10000x8"
VERBS = ("scan", "fit", "score", "impute")
SAVED = "table"
"""The name of the model that `fit` saves, and that `score` and `impute` read."""
KEY = ("size", "seed", "method", "turn")
FIGURES = ("wall_s", "cpu_s", "peak_mib", "alert_s", "alert_cpu_s")


@dataclass
class Row:
    """One line of the results: a table, a method, and what its process took."""

    size: str
    seed: int
    method: str
    turn: int
    wall_s: float = NAN
    cpu_s: float = NAN
    peak_mib: float = NAN
    alert_s: float = NAN
    alert_cpu_s: float = NAN
    status: str = "ok"


def table(rows: int, columns: int, seed: int) -> pd.DataFrame:
    """Return the synthetic table that the seed stands for."""
    categories = columns // 4
    frame = score_speed.table(rows, columns - categories, categories, seed)
    frame["n0"], frame["n1"] = np.sinh(frame["n0"]).round(4), np.exp(frame["n1"] / 2).round(4)
    rng = np.random.default_rng([seed, 1])
    anomalous = rng.permutation(rows)[: max(rows // 100, 1)]
    return frame.apply(lambda column: _exchanged(column, anomalous, rng))


def _exchanged(column: pd.Series, anomalous: np.ndarray, rng: np.random.Generator) -> pd.Series:
    """Return a column in which these rows have the cells of random ones."""
    source = np.arange(len(column))
    source[anomalous] = rng.integers(len(column), size=len(anomalous))
    return pd.Series(column.array[source], index=column.index)


@dataclass
class Bench:
    """One table on disk, and what runs on it.

    Parameters
    ----------
    folder : Path
        The table is there, and what the processes write.
    """

    options: argparse.Namespace
    folder: Path
    fitted: set[str] = field(default_factory=set)

    def anomalo(self, turn: int, python: str, verb: str) -> Measured:
        """Run a verb of an environment's anomalo; `score` and `impute` need `fit`, which runs first if it has not."""
        workspace = f"workspace-{self._number(python)}"
        if verb in ("score", "impute") and python not in self.fitted:
            self.anomalo(turn, python, "fit")
        saved = {"scan": [], "fit": ["--as", SAVED]}.get(verb, ["--with", SAVED])
        model = ["--model", self.options.model] if verb in ("scan", "fit") else []
        if verb == "scan":
            workspace += f"-scan-{turn}"
        command = [python, "-m", "anomalo", verb, "table.csv", *model, *saved, "--workspace", workspace]
        if verb != "scan" and python == sys.executable:  # as former versions always do
            command.append("--force")
        found = self._launch([*command, "--threads", str(self.options.threads)], python)
        if verb == "fit" and found.status == "ok":
            self.fitted.add(python)
        return found

    def peer(self, name: str) -> Measured:
        """Run a peer's job."""
        script = Path(__file__).resolve().with_name("scale_peers.py")
        return self._launch([sys.executable, str(script), name, "table.csv", str(self.options.seed)], sys.executable)

    def _number(self, python: str) -> int:
        return [sys.executable, self.options.before].index(python)

    def _launch(self, command: list[str], python: str) -> Measured:
        threads = str(self.options.threads)
        environment = {
            **os.environ,
            **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), threads),
        }
        if python != sys.executable:
            environment.pop("PYTHONPATH", None)  # it would bring this anomalo into the other environment
        return launch(command, self.options.limit, self.folder, environment)


Method = Callable[[Bench, int], Measured]


def methods(options: argparse.Namespace) -> dict[str, Method]:
    """Return what runs, by its name in the results; PyOD's are left out, with a line, where it is not installed."""
    suffix = "" if options.model == "auto" else f" --model {options.model}"
    pythons = {"anomalo": sys.executable, **({"before:": options.before} if options.before else {})}
    found: dict[str, Method] = {}
    for verb in options.verbs:
        for start, python in pythons.items():
            found[f"{start} {verb}{suffix}"] = partial(Bench.anomalo, python=python, verb=verb)
    for name in options.peers:
        if name in PYOD and find_spec("pyod") is None:
            print(f"PyOD {name}: left out, PyOD is not installed (extra `bench`)")
        else:
            found[f"PyOD {name}" if name in PYOD else name] = lambda bench, turn, name=name: bench.peer(name)
    return found


def run(options: argparse.Namespace, chosen: dict[str, Method]) -> None:
    """Measure every cell that the results do not hold yet; what failed on a table is not run on it again."""
    results = Results(options.out, Row, KEY)
    failed = _failed(options) if results.known else set()
    for size in options.sizes:
        turns = [Row(size, options.seed, method, turn) for turn in range(options.repeat) for method in chosen]
        pending = [row for row in turns if not results.holds(row) and (size, row.method) not in failed]
        if not pending:
            continue
        with tempfile.TemporaryDirectory() as temporary:
            rows, columns = map(int, size.split("x"))
            table(rows, columns, options.seed).to_csv(Path(temporary) / "table.csv", index=False)
            bench = Bench(options, Path(temporary))
            for row in pending:
                if (size, row.method) in failed:
                    continue
                row = replace(row, **vars(chosen[row.method](bench, row.turn)))
                results.add(row)
                if row.status != "ok":
                    failed.add((size, row.method))
                print(size, row.method, f"wall {row.wall_s:.2f} s CPU {row.cpu_s:.2f} s", row.status, flush=True)


def _failed(options: argparse.Namespace) -> set[tuple[str, str]]:
    """Return the tables and methods of which a cell failed in an earlier run."""
    known = pd.read_csv(options.out)
    lost = known[(known["seed"] == options.seed) & (known["status"] != "ok")]
    return set(zip(lost["size"], lost["method"], strict=True))


def medians(results: pd.DataFrame) -> pd.DataFrame:
    """Return one line for each table and method: medians over the turns, and ratios to the reference job.

    Returns
    -------
    DataFrame
        `turns` that finished; wall and CPU seconds, peak memory, and seconds until the first anomalous row; `… share`,
        the latter as a share of the whole; `… ratio` to the reference job on the same table; `problems`.
    """
    cells = results.groupby(["size", "method"], sort=False)
    finished = results[results["status"] == "ok"].groupby(["size", "method"], sort=False)
    lines = finished[list(FIGURES)].median().reindex(list(cells.groups))
    lines.index = lines.index.set_names(["size", "method"])
    lines["alert_s share"] = lines["alert_s"] / lines["wall_s"]
    lines["alert_cpu_s share"] = lines["alert_cpu_s"] / lines["cpu_s"]
    for name in ("wall_s", "cpu_s", "peak_mib"):
        reference = lines[name].xs(REFERENCE, level="method") if REFERENCE in set(results["method"]) else {}
        lines[f"{name} ratio"] = [lines[name][at] / reference.get(at[0], NAN) for at in lines.index]
    lines.insert(0, "turns", finished.size().reindex(lines.index).fillna(0))
    lines["problems"] = cells.size() - lines["turns"]
    return lines


def report_lines(results: pd.DataFrame) -> Iterator[str]:
    """Give the report paragraph by paragraph, in Markdown."""
    lines = medians(results)
    shown = pd.DataFrame({"table": lines.index.get_level_values(0), "method": lines.index.get_level_values(1)})
    shown["runs"] = [str(int(value)) for value in lines["turns"]]
    for name, title in (("wall_s", "wall s"), ("cpu_s", "CPU s")):
        shown[title] = [filled("{:.2f}", value) for value in lines[name]]
    shown["peak MiB"] = [filled("{:.0f}", value) for value in lines["peak_mib"]]
    for name, title in (("alert_s", "first alerts, wall s"), ("alert_cpu_s", "first alerts, CPU s")):
        pairs = lines[[name, f"{name} share"]].to_numpy()
        shown[title] = [filled("{:.2f} ({:.0%})", *pair) for pair in pairs]
    for name, title in (("wall_s", "wall"), ("cpu_s", "CPU"), ("peak_mib", "memory")):
        shown[f"{title} ratio"] = [filled("{:.2f}", value) for value in lines[f"{name} ratio"]]
    yield f"Medians of whole processes; in brackets the share of the whole; ratios to {REFERENCE} on the same table."
    yield markdown(shown.assign(problems=[str(int(value)) for value in lines["problems"]]))


def _parse() -> argparse.Namespace:
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("--out", type=Path, required=True, help="a CSV file; cells that it holds are not run again")
    command.add_argument("--sizes", type=names, default=names(SIZES), help=f"ROWSxCOLUMNS; by default {SIZES}")
    command.add_argument("--verbs", type=names, default=list(VERBS), help=f"of anomalo; by default {','.join(VERBS)}")
    text = f"all, or a list of {', '.join(PEERS)}; by default {REFERENCE}; '' for none"
    command.add_argument("--peers", type=names, nargs="?", const=list(PEERS), default=[REFERENCE], help=text)
    command.add_argument("--model", default="auto", help="anomalo's model")
    command.add_argument("--before", metavar="PYTHON", help="also the anomalo of this interpreter's environment")
    command.add_argument("--repeat", type=int, default=3, help="turns; medians over them are reported")
    command.add_argument("--seed", type=int, default=0, help="of the tables, and of the peers")
    command.add_argument("--threads", type=int, default=1, help="threads of every library")
    command.add_argument("--limit", type=float, default=3600, metavar="SECONDS", help="end a process after so long")
    command.add_argument("--summary", type=Path, help="write the report to this Markdown file too")
    options = command.parse_args()
    for size in options.sizes:
        found = re.fullmatch(r"(\d+)x(\d+)", size)
        if not found or int(found[1]) < 10 or int(found[2]) < 4:
            command.error(f"--sizes {size}: expected ROWSxCOLUMNS, 10x4 or larger, such as 1000x16")
    for name, known in (("verbs", VERBS), ("peers", PEERS)):
        if unknown := [item for item in getattr(options, name) if item not in known]:
            command.error(f"--{name} {', '.join(unknown)}: expected some of {', '.join(known)}")
    if options.before:
        options.before = os.path.abspath(options.before)  # not resolved: an environment's interpreter is a link
        if options.before == sys.executable or not Path(options.before).is_file():
            command.error(f"--before {options.before}: expected another environment's interpreter")
    return options


def main() -> None:
    options = _parse()
    run(options, methods(options))
    publish(report_lines(pd.read_csv(options.out)), options.summary)


if __name__ == "__main__":
    main()

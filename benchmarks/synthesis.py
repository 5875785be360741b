"""How good synthetic rows are, and what they cost, beside peers and yardsticks.

Of each table 5,000 rows train a generator, which makes as many; 5,000 more are held out and never shown to it, and
8,000 others test what was learned from the synthetic rows. One CSV row for each table, seed and method:

- quality: SDMetrics' score of columns and of pairs of columns;
- tstr: trees trained on the synthetic rows, tested on real ones (AUROC, or R2), beside trtr, trained on real rows;
- c2st_holdout, c2st_train: AUROC of trees between synthetic and held-out, or training, rows; 0.5 is best;
- dcr: share of synthetic rows nearer to a training row than to any held-out row; 0.5 is best, 1 copies;
- membership: AUROC of distinguishing training rows from held-out ones by their distance to the closest synthetic row;
- fit_s, rows_per_s: CPU seconds of training, and rows sampled in a CPU second, over all threads of this process.

`real` is rows that nothing else is measured with, instead of synthetic ones: the ceiling.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from harness import Results, calm, names
from summary import markdown
from synthetic import FILES, LABELS, Creator, Fresh, Sample, Sampler, folder_of, ours, parts, read, read_synthetic, save

from anomalo.errors import UsageError
from anomalo.registry.registry import Registry

NAN = float("nan")
KEY = ("rows", "table", "seed", "method")
REAL = "real"
SHOWN = {
    "quality": "{:.3f}",
    "tstr": "{:.3f}",
    "c2st_holdout": "{:.3f}",
    "c2st_train": "{:.3f}",
    "dcr": "{:.3f}",
    "membership": "{:.3f}",
    "fit_s": "{:.1f}",
    "rows_per_s": "{:,.0f}",
}


@dataclass
class Row:
    """One line of the results: what one method's rows for one sample of a table are worth."""

    rows: int
    table: str
    seed: int
    method: str
    quality: float = NAN
    shapes: float = NAN
    trends: float = NAN
    tstr: float = NAN
    trtr: float = NAN
    c2st_holdout: float = NAN
    c2st_train: float = NAN
    dcr: float = NAN
    membership: float = NAN
    copied: float = NAN
    fit_s: float = NAN
    rows_per_s: float = NAN
    status: str = "ok"


def measure(row: Row, sample: Sample, sampler: Sampler) -> Row:
    """Fit, sample and evaluate one method; a failure becomes the row's status."""
    try:
        clock = time.process_time
        started = clock()
        sampler.fit(sample.train)
        row.fit_s, started = clock() - started, clock()
        rows = sampler.sample(row.rows)
        row.rows_per_s = len(rows) / max(clock() - started, 1e-9)
        _evaluate(row, sample, rows)
    except Exception as error:
        row.status = _status(error)
    return row


def measure_synthetic(row: Row, sample: Sample, folder: Path) -> Row:
    """Evaluate the rows of a method in another environment; no file becomes the row's status."""
    try:
        rows, row.fit_s, seconds = read_synthetic(sample, folder, row.method)
        row.rows_per_s = len(rows) / seconds
        _evaluate(row, sample, rows)
    except Exception as error:
        row.status = _status(error)
    return row


def _evaluate(row: Row, sample: Sample, rows: pd.DataFrame) -> None:
    found = sample.evaluate(rows, row.seed)
    assert found.usefulness is not None
    assert found.closeness is not None
    assert found.distinguishability_holdout is not None
    row.quality, row.shapes, row.trends = found.quality, float(np.nanmean(found.shapes)), found.pairs.trend()
    row.tstr, row.trtr = found.usefulness.synthetic, found.usefulness.real
    row.c2st_holdout, row.c2st_train = found.distinguishability_holdout, found.distinguishability_train
    row.dcr, row.membership, row.copied = found.closeness.nearer_share, found.closeness.membership, found.copied


def _status(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"


def warm_up(creators: Iterable[Creator]) -> None:
    """Let imports and compilation happen before anything is timed."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.standard_normal(60), "b": rng.choice(["x", "y"], 60)})
    for create in creators:
        sampler = create(0)
        sampler.fit(table)
        sampler.sample(10)


def run(options: argparse.Namespace, creators: dict[str, Creator]) -> None:
    """Measure every cell that the results do not hold yet."""
    results = Results(options.out, Row, KEY)
    for seed in options.seeds:
        for table in options.tables:
            pending = [Row(options.rows, table, seed, method) for method in (*creators, *options.made)]
            pending = [row for row in pending if not results.holds(row)]
            if not pending and not options.save:
                continue
            sample = parts(read(options.data, table), LABELS[table], options.rows, seed)
            folder = folder_of(options.save, options.rows, table, seed) if options.save else Path()
            if options.save:
                save(sample, folder)
            for row in pending:
                if row.method in options.made:
                    measure_synthetic(row, sample, folder)
                else:
                    measure(row, sample, Fresh(sample.fresh) if row.method == REAL else creators[row.method](seed))
                results.add(row)
                print(*(getattr(row, name) for name in KEY), _figures(row), flush=True)


def _figures(row: Row) -> str:
    return " ".join(f"{name} {shown.format(getattr(row, name))}" for name, shown in SHOWN.items()) + f" {row.status}"


def summary(results: pd.DataFrame) -> str:
    """Return the medians over seeds of each method and table, in Markdown, the best at C2STh first."""
    blocks = []
    for (table, rows), part in results.groupby(["table", "rows"], sort=False):
        ok = part[part["status"] == "ok"]
        lines = ok.groupby("method")[list(SHOWN)].median().assign(seeds=ok.groupby("method").size())
        lines = lines.sort_values("c2st_holdout")
        shown = pd.DataFrame({"method": lines.index, "seeds": lines["seeds"].astype(str)})
        for name, template in SHOWN.items():
            shown[name.replace("_", " ")] = [template.format(value) for value in lines[name]]
        problems = [f"{row.method}, seed {row.seed}: {row.status}" for row in part[part["status"] != "ok"].itertuples()]
        blocks += [f"## {table}, {rows:,} rows", "Medians over the seeds.", markdown(shown), *problems]
    return "\n\n".join(blocks) + "\n"


def report(paths: Sequence[Path], file: Path | None = None) -> None:
    """Print the summary of result files (of cells that are there twice, the last), and write it to a Markdown file."""
    results = pd.concat([pd.read_csv(path) for path in paths], ignore_index=True)
    text = summary(results.drop_duplicates(list(KEY), keep="last"))
    print("\n" + text)
    if file is not None:
        file.write_text(text, encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("--data", type=Path, required=True, help="a folder with mixed/ and synthesis/")
    found.add_argument("--out", type=Path, required=True, help="a CSV file; cells that it holds are not run again")
    found.add_argument("--models", default="", help="real; ours: NAME or NAME[PARAMETER=VALUE;…]; with commas between")
    found.add_argument("--tables", type=names, default=list(FILES), help=f"some of {', '.join(FILES)}; all by default")
    found.add_argument("--rows", type=int, default=5000, help="rows to train on, to hold out, and to make")
    found.add_argument("--seeds", type=lambda text: [int(item) for item in names(text)], default=[0, 1, 2])
    found.add_argument("--threads", type=int, default=1, help="threads of every library")
    found.add_argument("--save", type=Path, help="write the training rows to this folder, for other environments")
    found.add_argument(
        "--made", type=names, default=[], help="methods whose synthetic rows are there: ctgan,tvae,gcopula"
    )
    found.add_argument("--join", type=Path, nargs="*", default=[], help="further results for the summary")
    found.add_argument("--summary", type=Path, help="write the summary to this Markdown file too")
    return found


def _parse() -> tuple[argparse.Namespace, dict[str, Creator]]:
    command = _parser()
    options = command.parse_args()
    if options.made and not options.save:
        command.error("--made: expected --save, the folder that holds the rows")
    if absent := set(options.tables) - set(FILES):
        command.error(f"--tables {', '.join(sorted(absent))}: expected some of {', '.join(FILES)}")
    listed = names(options.models)
    real = {REAL: lambda seed: Fresh(pd.DataFrame())} if REAL in listed else {}
    try:
        models = ",".join(item for item in listed if item != REAL)
        creators: dict[str, Creator] = {**real, **ours(models, Registry.load())}
    except UsageError as error:
        command.error(str(error))
    return options, creators


def main() -> None:
    options, creators = _parse()
    with calm(options.threads):
        warm_up(create for name, create in creators.items() if name != REAL)
        run(options, creators)
    if options.join or options.out.exists():
        report([*options.join, options.out], options.summary)


if __name__ == "__main__":
    main()

"""Series: which points of NAB's and SKAB's files are anomalous, and what stood at hidden points of ETTh1.

    python benchmarks/series.py --data FOLDER nab --models auto neighbours
    python benchmarks/series.py --data FOLDER skab --models auto
    python benchmarks/series.py --data FOLDER nab --models neighbours recurrent_vae neighbours+recurrent_vae --folds 1
    python benchmarks/series.py --data FOLDER etth1 --models gaussian auto --half-missing
    python benchmarks/series.py speed

FOLDER has `nab/`, `skab/` and `ETTh1.csv`. One configuration for all files; models see windows of points, no position.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from series_memory import command, write

from anomalo.encoding.encoded import Encoded
from anomalo.encoding.layout import Block, Layout
from anomalo.encoding.series.season import season
from anomalo.encoding.series.windows import autocorrelation, trailing_windows, window_length
from anomalo.evaluation.metrics import average_precision
from anomalo.evaluation.series import point_f1, range_f1, vus_pr
from anomalo.models.base import Model
from anomalo.models.run import LocalRun
from anomalo.registry.registry import Registry

FOLDS = 5
"""Stretches of a file, each scored by a model of the others."""
TRAINED = 400
"""The first so many rows of a file of SKAB are learned from."""
SIZE = 20_000, 8
"""Points and channels whose scan is timed."""
WINDOW = 48
"""Points of a window of ETTh1."""


class Points(NamedTuple):
    """A series: float32 [points, channels], which are observed, labels, and how many last channels are of the time."""

    values: np.ndarray
    observed: np.ndarray
    labels: np.ndarray
    of_time: int = 0


def points(path: Path, label: str, drop: tuple[str, ...] = (), learned: slice = slice(None)) -> Points:
    """Return the numbers of a file, standardised by some of its rows, and its labels."""
    table = pd.read_csv(path)
    labels = table[label].to_numpy(dtype=bool)
    numbers = table.drop(columns=[label, *drop]).select_dtypes("number").to_numpy(dtype=np.float64)
    observed = np.isfinite(numbers)
    known = np.where(observed[learned], numbers[learned], np.nan)
    scale = np.nanstd(known, axis=0)
    values = (numbers - np.nanmean(known, axis=0)) / np.where(scale > 0, scale, 1)
    return Points(np.where(observed, values, 0).astype(np.float32), observed, labels)


def calendar(stamps: pd.Series) -> np.ndarray:
    """Return sine and cosine of the phases of day, week and year of which the stamps span two, [points, features]."""
    days = (stamps - stamps.iloc[0].normalize()).dt.total_seconds().to_numpy() / 86_400
    weekday = days + stamps.iloc[0].weekday()
    phases = [at / period for at, period in ((days, 1), (weekday, 7), (days, 365.25)) if np.ptp(days) >= 2 * period]
    waves = [wave(2 * np.pi * phase) for phase in phases for wave in (np.sin, np.cos)]
    return np.stack(waves, axis=1).astype(np.float32) if waves else np.zeros((len(days), 0), np.float32)


def with_calendar(series: Points, stamps: pd.Series) -> Points:
    """Return the series with channels of the time behind the others; they are always observed, and not scored."""
    waves = calendar(stamps)
    values = np.concatenate([series.values, waves], axis=1)
    observed = np.concatenate([series.observed, np.ones(waves.shape, dtype=bool)], axis=1)
    return Points(values, observed, series.labels, waves.shape[1])


def encoded(values: np.ndarray, observed: np.ndarray, phases: np.ndarray | None = None) -> Encoded:
    """Return windows [n, T, C], and the phases of their points [n, T], as models see them."""
    blocks = tuple(Block(f"c{at}", "number", at) for at in range(values.shape[2]))
    return Encoded(values, observed, Layout("series", values.shape[1:], blocks), season=phases)


def windows(series: Points, width: int, after: int = 0) -> Encoded:
    """Return the window that ends at each point, and so many that end later: what is outside is not observed."""
    values, observed = (np.pad(each, ((0, after), (0, 0))) for each in (series.values, series.observed))
    return encoded(*trailing_windows(values, observed, width))


def fitted(registry: Registry, name: str, data: Encoded, goal: str, args: argparse.Namespace) -> Any:
    """Return a model of the rows, as `anomalo fit` would fit it, or a peer."""
    if name.startswith("pypots:"):
        from pypots_peer import Peer

        return Peer(name.removeprefix("pypots:"), int(args.set.get("epochs", 10)), args.seed).fit(data)
    kind = registry.get(name, "series")
    known = {parameter.name for parameter in kind.parameters()}
    model: Model = kind(**kind.parse({key: value for key, value in args.set.items() if key in known}))
    run = LocalRun(seed=args.seed, goals=frozenset({goal}), registered=registry.part_creator("series"))
    return model.fit(data, run)


def held_out_scores(registry: Registry, name: str, data: Encoded, args: argparse.Namespace) -> np.ndarray:
    """Return the score of each window by a model that saw no point of it: of the other stretches of the file.

    With one stretch there are no others: the model learns from the windows that it scores. `a+b` is the mean of two.
    The windows are those that contain a point of the file; the last ones, which end after it, are not learned from.
    """
    if "+" in name:
        return np.mean([held_out_scores(registry, part, data, args) for part in name.split("+")], axis=0)
    width = data.layout.shape[0]
    rows = np.arange(len(data) - width + 1)
    scores = np.zeros(len(data))
    for stretch in np.array_split(rows, args.folds):
        others = (rows < stretch[0] - width + 1) | (rows >= stretch[-1] + width) | (args.folds == 1)
        model = fitted(registry, name, data.take(rows[others]), "score", args)
        held = slice(stretch[0], len(data) if stretch[-1] == rows[-1] else stretch[-1] + 1)
        scores[held] = scored(model, data.take(held), args.of_time)
    return scores


def scored(model: Any, data: Encoded, of_time: int) -> np.ndarray:
    """Return the scores of windows, without what the last channels contribute."""
    if not of_time:
        return model.score(data)
    return model.explain(data).contribution[:, :, :-of_time].sum(axis=(1, 2))


def fold_scores(scores: np.ndarray, width: int) -> np.ndarray:
    """Return for each point the mean score of the windows that contain it: its own, and those that end later."""
    # Sums of each window, not differences of prefix sums: those cancel, and can go below 0.
    return np.convolve(scores, np.ones(width), "valid") / width


def own_scores(scores: np.ndarray, width: int) -> np.ndarray:
    """Return for each point the score of the window that ends there."""
    return scores[: len(scores) - width + 1]


def tolerance(series: Points) -> int:
    """Return the width that TSB-AD takes for VUS-PR: the lag of the highest peak of the autocorrelation from lag 3."""
    found = autocorrelation(series.values, series.observed)[3:]
    peaks = np.flatnonzero((found[1:-1] > found[:-2]) & (found[1:-1] > found[2:])) + 1
    best = int(peaks[found[peaks].argmax()]) if len(peaks) else 0
    return best + 3 if 3 <= best <= 300 else 125


def nab(args: argparse.Namespace, registry: Registry) -> None:
    files = sorted((args.data / "nab").glob("*.csv"))
    files = {"all": files, "first": files[::2], "second": files[1::2]}[args.half]
    real = np.array([not path.name.startswith("art_") for path in files])
    found: dict[str, np.ndarray] = {}
    for name in args.models:
        rows, started = [], time.process_time()
        for path in files:
            series = points(path, "label")
            width = window_length(series.values, series.observed)
            if args.calendar:
                series = with_calendar(series, pd.read_csv(path, parse_dates=["timestamp"])["timestamp"])
            args.of_time = series.of_time
            scores = held_out_scores(registry, name, windows(series, width, width - 1), args)
            folded = fold_scores(scores, width)
            measured = Points(*(part[:, : part.shape[1] - series.of_time] for part in series[:2]), series.labels)
            rows.append((vus_pr(series.labels, folded, tolerance(measured)), average_precision(series.labels, folded)))
            if args.verbose:
                print(f"  {path.name}: VUS-PR {rows[-1][0]:.3f}", flush=True)
        seconds = (time.process_time() - started) / len(files)
        found[name] = np.array(rows)
        (volume, area), (of_real, area_real) = found[name].mean(axis=0), found[name][real].mean(axis=0)
        print(
            f"{name}: VUS-PR {volume:.3f} (real {of_real:.3f}), AUC-PR {area:.3f} (real {area_real:.3f}), "
            f"{seconds:.1f} CPU s a file, {len(files)} files",
            flush=True,
        )
    first = args.models[0]
    for name in args.models[1:]:
        print(f"{name} less {first}: {paired(found[name][:, 0] - found[first][:, 0])}")


def paired(differences: np.ndarray) -> str:
    """Return the mean difference over files, and its 95 % interval by the bootstrap."""
    rng = np.random.default_rng(0)
    means = rng.choice(differences, (10_000, len(differences))).mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return f"{differences.mean():+.3f}, 95 % from {low:+.3f} to {high:+.3f}"


def skab(args: argparse.Namespace, registry: Registry) -> None:
    files = sorted(path for path in (args.data / "skab").glob("*.csv") if "free" not in path.name)
    for name in args.models:
        pooled: dict[str, list[np.ndarray]] = {"causal": [], "averaged": []}
        labels, started = [], time.process_time()
        for path in files:
            series = points(path, "anomaly", ("changepoint",), slice(TRAINED))
            width = window_length(series.values[:TRAINED], series.observed[:TRAINED])
            data = windows(series, width, width - 1)
            known = Points(series.values[:TRAINED], series.observed[:TRAINED], series.labels[:TRAINED])
            train = windows(known, width, width - 1).take(slice(width - 1, None))
            usual = held_out_scores(registry, name, train, args)
            scores = fitted(registry, name, data.take(slice(width - 1, TRAINED)), "score", args).score(data)
            for how, use in (("causal", own_scores), ("averaged", fold_scores)):
                limit = args.factor * np.quantile(use(usual, width), args.quantile)
                pooled[how].append(use(scores, width) > limit)
            labels.append(series.labels)
        seconds = (time.process_time() - started) / len(files)
        truth = np.concatenate(labels)
        for how, parts in pooled.items():
            alerts = np.concatenate(parts)
            print(
                f"{name} {how}: F1 {point_f1(truth, alerts):.3f}, of ranges {range_f1(truth, alerts):.3f}, "
                f"false alarms {alerts[~truth].mean():.3f}, missed {1 - alerts[truth].mean():.3f}; "
                f"{seconds:.1f} CPU s a file, {len(files)} files",
                flush=True,
            )


def etth1(args: argparse.Namespace, registry: Registry) -> None:
    table = pd.read_csv(args.data / "ETTh1.csv", parse_dates=["date"])
    values = table.drop(columns="date").to_numpy(dtype=np.float64)
    learned, tested = int(0.6 * len(values)), int(0.8 * len(values))
    values = (values - values[:learned].mean(axis=0)) / values[:learned].std(axis=0)
    rng = np.random.default_rng(args.seed)
    seen = rng.random(values.shape) >= (0.5 if args.half_missing else 0.0)
    train = Points(np.where(seen, values, 0)[:learned].astype(np.float32), seen[:learned], np.array([]))
    waves = calendar(table["date"]) if args.calendar else np.zeros((len(values), 0), np.float32)
    if args.calendar:
        train = with_calendar(train, table["date"][:learned])
    hours = season(table["date"].to_numpy().astype("datetime64[s]").astype(np.float64), 3600.0)[:, None]
    learned_hours, _ = trailing_windows(hours[:learned], hours[:learned] >= 0, WINDOW)
    data = replace(windows(train, WINDOW), season=learned_hours[:, :, 0]).take(slice(WINDOW - 1, None))
    part = slice(learned, tested) if args.half == "first" else slice(tested, None)
    new, beside, phases = (
        array[part][: len(array[part]) // WINDOW * WINDOW].reshape(len(array[part]) // WINDOW, WINDOW, array.shape[1])
        for array in (values, waves, hours)
    )
    hidden = {what: masks(what, new.shape, np.random.default_rng(args.seed)) for what in ("10 %", "50 %", "stretch")}
    for name in args.models:
        started = time.process_time()
        model = fitted(registry, name, data, "impute", args)
        seconds, errors = time.process_time() - started, []
        for what, mask in hidden.items():
            shown = np.concatenate([np.where(mask, 0, new), beside], axis=2).astype(np.float32)
            known = np.concatenate([~mask, np.ones(beside.shape, dtype=bool)], axis=2)
            given = encoded(shown, known, phases[:, :, 0])
            residual = (model.impute(given).point[:, :, : new.shape[2]] - new)[mask]
            errors.append(f"{what} MAE {np.abs(residual).mean():.3f} RMSE {np.sqrt(np.square(residual).mean()):.3f}")
        print(
            f"{name}: {'; '.join(errors)}; fit {seconds:.1f}, all {time.process_time() - started:.1f} CPU s", flush=True
        )


def masks(what: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Return which points are hidden: a share of them, or 36 steps in a row of two thirds of the channels."""
    if what != "stretch":
        return rng.random(shape) < float(what.split()[0]) / 100
    count, width, channels = shape
    start = rng.integers(0, width - 36 + 1, count)[:, None]
    steps = (np.arange(width) >= start) & (np.arange(width) < start + 36)
    which = rng.random((count, channels)).argsort(axis=1) < channels * 2 // 3
    return steps[:, :, None] & which[:, None, :]


def speed(args: argparse.Namespace, registry: Registry) -> None:
    """Print the CPU seconds of `anomalo scan`: fit, scores, reasons and fills of a new series, by the default model."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder, "series.parquet"), *SIZE)
        words = command("scan", f"{folder}/series.parquet", "--time", "time", "--workspace", f"{folder}/workspace")
        measured = [sys.executable, str(Path(__file__).with_name("processes.py")), "3600", *words]
        done = subprocess.run(measured, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    points, channels = SIZE
    print(f"scan of {points:,} points × {channels} channels: {found['cpu_s']:.0f} CPU s, {found['status']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("nab", "skab", "etth1", "speed"))
    parser.add_argument("--data", type=Path, default=Path("."))
    parser.add_argument("--models", nargs="+", default=["auto"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--half",
        choices=("all", "first", "second"),
        default="all",
        help="which files of NAB; first: of ETTh1 the rows from 60 to 80 %%, not the last 20 %%",
    )
    parser.add_argument("--calendar", action="store_true", help="give models the phases of day, week and year as well")
    parser.add_argument("--folds", type=int, default=FOLDS, help="stretches of a file, each scored by the others")
    parser.add_argument("--quantile", type=float, default=0.99, help="of held-out training scores: SKAB's threshold")
    parser.add_argument("--factor", type=float, default=1.0, help="what this threshold is multiplied by")
    parser.add_argument("--half-missing", action="store_true", help="hide half of the training points of ETTh1")
    parser.add_argument("--verbose", action="store_true", help="print each file")
    parser.add_argument(
        "--set", nargs="*", default=[], metavar="NAME=VALUE", help="parameters of models that have them"
    )
    args = parser.parse_args()
    args.of_time = 0
    args.set = dict(item.split("=", 1) for item in args.set)
    {"nab": nab, "skab": skab, "etth1": etth1, "speed": speed}[args.what](args, Registry.load())


if __name__ == "__main__":
    main()

"""The day of the year, derived from points in time: what it adds to the month, and whether it moves alerts in time.

    python benchmarks/seasons.py [--rows 1500] [--years 3] [--seeds 0,1,2,3,4] [--tasks gaps,planted,stationary]

Logs of a few years, generated; default effort and options, with the day of the year and without it:

- `gaps`: a temperature with a yearly cycle, in eight gaps of 5 to 45 days: RMSE of the filled cells, and that of the
  cycle itself, which is the noise that no one can predict;
- `planted`: 15 temperatures of the opposite season: the share of them among the first 15 and 30 rows;
- `stationary`: nothing depends on the time: the share of alerts (2 %) in the first and last tenth of the rows (.2 is to
  be expected) and within 18 days of the turn of a year (.1).
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from anomalo import AnomalyDetector, TableImputer
from anomalo.tabular.moments import derived

PLANTED = 15
Random = np.random.Generator


def log(rows: int, years: float, random: Random, cycle: bool = True) -> tuple[pd.DataFrame, NDArray[np.float64]]:
    """Return a log, and the temperature expected at each moment: with a cycle, 12 degrees warmer in July."""
    seconds = np.sort(random.uniform(0, years * derived.YEAR, rows)).round()
    moments = pd.Timestamp("2021-01-01") + pd.to_timedelta(seconds, unit="s")
    season = np.cos((moments.day_of_year.to_numpy() - 200) / 365.25 * 2 * np.pi) * cycle
    frame = pd.DataFrame(
        {
            "time": pd.Series(moments).astype("datetime64[us]"),
            "temperature": (10 + 12 * season + random.normal(0, 2, rows)).round(1),
            "demand": np.exp(random.normal(3, 0.3, rows)).round(1),
            "status": random.choice(["ok", "retry", "error"], rows, p=[0.9, 0.08, 0.02]),
        }
    )
    return frame, 10 + 12 * season


def gaps(rows: int, years: float, random: Random) -> tuple[float, float]:
    """Return the RMSE of filled gaps, and of the expected temperature in them."""
    frame, expected = log(rows, years, random)
    truth = frame["temperature"].to_numpy().copy()
    day = (frame["time"] - frame["time"][0]).dt.total_seconds().to_numpy() / derived.DAY
    gap = np.zeros(rows, dtype=bool)
    for start in random.uniform(0, day[-1] - 45, 8):
        gap |= (day >= start) & (day < start + random.uniform(5, 45))
    frame.loc[gap, "temperature"] = np.nan
    filled = TableImputer(device="cpu").fit_transform(frame)["temperature"].to_numpy()
    return rmse((filled - truth)[gap]), rmse((expected - truth)[gap])


def rmse(error: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(error**2)))


def planted(rows: int, years: float, random: Random) -> tuple[float, float]:
    """Return the share of temperatures of the opposite season among the first so many rows, and twice as many."""
    frame, expected = log(rows, years, random)
    at = random.choice(np.flatnonzero(np.abs(expected - 10) > 7), PLANTED, replace=False)
    frame.loc[at, "temperature"] = (20 - expected[at] + random.normal(0, 2, PLANTED)).round(1)
    order = ranked(frame)
    first, second = (len(set(order[: times * PLANTED]) & set(at)) / PLANTED for times in (1, 2))
    return first, second


def stationary(rows: int, years: float, random: Random) -> tuple[float, float]:
    """Return the share of alerts at both ends of the log, and about the turns of years."""
    frame, _ = log(rows, years, random, cycle=False)
    at = ranked(frame)[: round(0.02 * rows)]
    day = frame["time"].dt.day_of_year.to_numpy()[at]
    return float(((at < 0.1 * rows) | (at >= 0.9 * rows)).mean()), float(((day <= 18) | (day > 347)).mean())


def ranked(frame: pd.DataFrame) -> NDArray[np.intp]:
    """Return the rows from the most anomalous one on."""
    p = AnomalyDetector(device="cpu", random_state=0).fit(frame).p_values(frame)
    return np.argsort(p, kind="stable")


TASKS: dict[str, tuple[Callable[[int, float, Random], tuple[float, float]], str, str]] = {
    "gaps": (gaps, "RMSE", "of the cycle"),
    "planted": (planted, "in 15", "in 30"),
    "stationary": (stationary, "first and last tenth", "turns of years"),
}


@contextmanager
def without(day_of_year: bool) -> Iterator[None]:
    """Derive no day of the year, if so asked."""
    spans = derived.SPANS
    derived.SPANS = {**spans, derived.YEARLY[0]: np.inf} if day_of_year else spans
    try:
        yield
    finally:
        derived.SPANS = spans


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1500, help="rows of each log")
    parser.add_argument("--years", type=float, default=3, help="what it spans")
    parser.add_argument("--seeds", default="0,1,2,3,4", help="seeds of the logs")
    parser.add_argument("--tasks", default=",".join(TASKS), help="some of the three")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    for task in options.tasks.split(","):
        run, *names = TASKS[task]
        for months_only in (True, False):
            start, found = time.process_time(), []
            for seed in map(int, options.seeds.split(",")):
                with without(months_only):
                    found.append(run(options.rows, options.years, np.random.default_rng(seed)))
            means = ", ".join(
                f"{name} {np.mean(each):.3f} ({min(each):.3f} to {max(each):.3f})"
                for name, each in zip(names, zip(*found, strict=True), strict=True)
            )
            way, seconds = "months" if months_only else "and days of the year", time.process_time() - start
            print(f"{task}, {way}: {means}; {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()

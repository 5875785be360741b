"""Does `fdr=` keep its promise? Simulated tables, alerts as the product raises them, and an oracle beside them.

Each table: training rows of the null distribution, and test rows of which a share is anomalous. The oracle has the
same fitted scores, but p-values from the scores of a large sample of the null distribution. The realised false
discovery proportion must be at most the rate plus two standard errors over the tables, and the detections at
least 80 % of the oracle's.
"""

from __future__ import annotations

import argparse
import csv
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from anomalo import AnomalyDetector
from anomalo.calibration.thresholds import Threshold

COLUMNS = 8
TRAINING = (1000, 2000, 3000)
TEST = 1000

Generator = np.random.Generator
Floats = NDArray[np.float64]


class Gaussian:
    """Three hidden factors, eight correlated normal columns; anomalous rows are shifted by 3 in three of them."""

    def __init__(self, rng: Generator) -> None:
        self.loading = rng.normal(size=(3, COLUMNS))

    def hidden(self, rows: int, rng: Generator) -> Floats:
        return rng.normal(size=(rows, 3)) @ self.loading + 0.7 * rng.normal(size=(rows, COLUMNS))

    def normal(self, rows: int, rng: Generator) -> pd.DataFrame:
        return named(self.hidden(rows, rng))

    def anomalous(self, rows: int, rng: Generator) -> pd.DataFrame:
        values = self.hidden(rows, rng)
        moved = rng.random((rows, COLUMNS)).argsort(axis=1) < 3
        return named(values + moved * rng.choice([-3.0, 3.0], size=(rows, COLUMNS)))


class Mixture:
    """Three clusters of six numbers, with two categories that mostly follow the cluster; anomalous rows lie between."""

    def __init__(self, rng: Generator) -> None:
        self.centres = 4 * rng.normal(size=(3, 6))

    def draw(self, rows: int, rng: Generator, cluster: NDArray[np.intp], scale: float) -> pd.DataFrame:
        frame = named(self.centres[cluster] + scale * rng.normal(size=(rows, 6)))
        for name, levels in (("colour", "red green blue"), ("shape", "round square long")):
            # One in ten is of any level.
            level = np.where(rng.random(rows) < 0.1, rng.integers(3, size=rows), cluster)
            frame[name] = np.array(levels.split())[level]
        return frame

    def normal(self, rows: int, rng: Generator) -> pd.DataFrame:
        return self.draw(rows, rng, rng.choice(3, size=rows, p=[0.5, 0.3, 0.2]), 1.0)

    def anomalous(self, rows: int, rng: Generator) -> pd.DataFrame:
        return self.draw(rows, rng, rng.integers(3, size=rows), 3.0)


class HeavyTails:
    """Six correlated columns of Student's t with 4 degrees of freedom and a Poisson count.

    An anomalous row's columns are not correlated: they come from different rows, three times as far from the centre.
    """

    def __init__(self, rng: Generator) -> None:
        self.loading = rng.normal(size=(2, 6))

    def normal(self, rows: int, rng: Generator) -> pd.DataFrame:
        factors = rng.normal(size=(rows, 2))
        stretch = np.sqrt(rng.chisquare(4, size=(rows, 1)) / 4)
        frame = named((factors @ self.loading + 0.5 * rng.normal(size=(rows, 6))) / stretch)
        frame["count"] = rng.poisson(np.exp(1 + 0.5 * factors[:, 0]))
        return frame

    def anomalous(self, rows: int, rng: Generator) -> pd.DataFrame:
        frame = self.normal(rows, rng)
        for name in frame.columns[:6]:
            frame[name] = 3 * rng.permutation(frame[name])
        return frame


FAMILIES = {"gaussian": Gaussian, "mixture": Mixture, "heavy": HeavyTails}


def named(values: Floats) -> pd.DataFrame:
    return pd.DataFrame(values, columns=[f"x{at}" for at in range(values.shape[1])])


@dataclass
class Row:
    """One line of the results: a table and a model."""

    model: str
    family: str
    table: int
    rate: float
    training: int = 0
    anomalies: int = 0
    alerts: int = 0
    hits: int = 0
    oracle_alerts: int = 0
    oracle_hits: int = 0
    seconds: float = 0.0

    @property
    def key(self) -> tuple[str, ...]:
        return (self.model, str(self.table), str(self.rate))


def measure(row: Row, null: int) -> Row:
    """Fit and score one simulated table; a table's number decides all that is random in it."""
    rng = np.random.default_rng([row.table, 2026])
    source = FAMILIES[row.family](rng)
    row.training = int(rng.choice(TRAINING))
    row.anomalies = int(rng.integers(TEST // 20, TEST // 10 + 1))
    train = source.normal(row.training, rng)
    parts = [source.normal(TEST - row.anomalies, rng), source.anomalous(row.anomalies, rng)]
    test = pd.concat(parts, ignore_index=True)
    started = time.process_time()
    detector = AnomalyDetector(model=row.model, random_state=row.table, device="cpu").fit(train)
    scores = -detector.score_samples(test)
    found = alerts(detector.p_values(test), scores, row.rate)
    exact = alerts(oracle(detector, scores, source.normal, null, rng), scores, row.rate)
    row.seconds = time.process_time() - started
    anomalous = np.arange(TEST) >= TEST - row.anomalies
    row.alerts, row.hits = int(found.sum()), int((found & anomalous).sum())
    row.oracle_alerts, row.oracle_hits = int(exact.sum()), int((exact & anomalous).sum())
    return row


def alerts(p_values: Floats, scores: Floats, rate: float) -> NDArray[np.bool_]:
    return Threshold("fdr", rate).alerts(p_values, scores)


def oracle(
    detector: AnomalyDetector,
    scores: Floats,
    normal: Callable[[int, Generator], pd.DataFrame],
    rows: int,
    rng: Generator,
) -> Floats:
    """Return p-values from the scores of many rows of the null distribution."""
    null = np.sort(-detector.score_samples(normal(rows, rng)))
    return np.asarray((rows - np.searchsorted(null, scores, side="left") + 1) / (rows + 1))


def done(path: Path) -> set[tuple[str, ...]]:
    """Return the keys of the rows already in the results."""
    if not path.exists():
        return set()
    with path.open(newline="") as file:
        return {(line["model"], line["table"], line["rate"]) for line in csv.DictReader(file)}


def append(path: Path, row: Row) -> None:
    """Add a row to the results, with a heading if they are new."""
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)])
        if new:
            writer.writeheader()
        writer.writerow(asdict(row) | {"seconds": round(row.seconds, 2)})


def summary(results: pd.DataFrame) -> pd.DataFrame:
    """Return one line for each model and family, and for each model over all of its tables.

    `fdp` is the mean proportion of false alerts (0 where there are none), `se` its standard error, `bound` the rate
    plus two of them; `power` is the sum of true alerts over the oracle's, `kept` whether both musts are.
    """
    everything = results.assign(family="all")
    lines = pd.concat([results, everything]).groupby(["model", "family"], sort=False).apply(_line)
    return lines.sort_index()


def _line(tables: pd.DataFrame) -> pd.Series:
    false, oracle_false = (
        (tables[total] - tables[true]) / tables[total].clip(lower=1)
        for total, true in (("alerts", "hits"), ("oracle_alerts", "oracle_hits"))
    )
    error = false.std(ddof=1) / np.sqrt(len(tables))
    bound = tables["rate"].mean() + 2 * error
    power = tables["hits"].sum() / max(tables["oracle_hits"].sum(), 1)
    return pd.Series(
        {
            "tables": len(tables),
            "fdp": round(false.mean(), 4),
            "se": round(error, 4),
            "bound": round(bound, 4),
            "oracle_fdp": round(oracle_false.mean(), 4),
            "found": round(tables["hits"].sum() / tables["anomalies"].sum(), 3),
            "oracle_found": round(tables["oracle_hits"].sum() / tables["anomalies"].sum(), 3),
            "power": round(power, 3),
            "kept": bool(false.mean() <= bound and power >= 0.8),
            "seconds": round(tables["seconds"].mean(), 2),
        }
    )


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("fdr.csv"), help="tables that it holds are not run again")
    parser.add_argument("--models", default="covariance,knn,linear", help="separated by commas")
    parser.add_argument("--tables", type=int, default=200)
    parser.add_argument("--rate", type=float, default=0.1)
    parser.add_argument("--null", type=int, default=100_000, help="rows of the oracle's sample")
    parser.add_argument("--threads", type=int, default=1, help="threads of every library")
    return parser.parse_args()


def main() -> None:
    options = _parse()
    known = done(options.out)
    families = list(FAMILIES)
    with warnings.catch_warnings(), threadpool_limits(options.threads):
        warnings.simplefilter("ignore")
        for model in options.models.split(","):
            for table in range(options.tables):
                row = Row(model, families[table % len(families)], table, options.rate)
                if row.key not in known:
                    append(options.out, measure(row, options.null))
    print(summary(pd.read_csv(options.out)).to_string())


if __name__ == "__main__":
    main()

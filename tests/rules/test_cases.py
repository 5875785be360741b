"""Tables with broken rules, fitted and scored by their command: the broken rows come first, by the default model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

CITIES = {
    "Miami": "FL",
    "Tampa": "FL",
    "Salem": "MA",
    "Boston": "MA",
    "Reno": "NV",
    "Elko": "NV",
    "Dallas": "TX",
    "Austin": "TX",
}
OTHER = {"end": "start", "state": "city"}
"""The other column of the rule that is broken: either may be wrong."""
SAID = {"end": ("(start)", "(end)"), "state": ("city decides",)}
"""What the reason says."""
Broken = tuple[pd.DataFrame, list[int], str]
"""A table, its broken rows, and the column that is reported in them."""


def start_end(seed: int) -> Broken:
    """Return events of a year; some end before they start, by minutes or days."""
    rng = np.random.default_rng(seed)
    rows = int(rng.integers(400, 700))
    start = pd.Timestamp("2021-01-01") + pd.to_timedelta(rng.integers(0, 525_000, rows), "min")
    length = rng.uniform(12, 45, rows) if seed % 2 else rng.gamma(4, 8, rows) + 1
    end = (start + pd.to_timedelta(length.round(), "min")).to_series(index=range(rows))
    broken = sorted(rng.permutation(rows)[: int(rng.integers(4, 8))].tolist())
    early = [pd.Timedelta(days=2) if turn % 2 else pd.Timedelta(minutes=12 + 7 * turn) for turn in range(len(broken))]
    end[broken] = [start[row] - by for row, by in zip(broken, early, strict=True)]
    frame = pd.DataFrame(
        {
            "start": start.strftime("%Y-%m-%d %H:%M"),
            "end": end.dt.strftime("%Y-%m-%d %H:%M"),
            "kind": rng.choice(["A", "B"], rows),
            "cost": rng.uniform(5, 40, rows).round(2),
        }
    )
    return frame, broken, "end"


def city_state(seed: int) -> Broken:
    """Return people; some live in a city that another state has."""
    rng = np.random.default_rng(seed)
    rows = int(rng.integers(400, 700))
    city = pd.Series(rng.choice(list(CITIES), rows, p=None if seed % 2 else np.array([4, 3, 2, 2, 2, 1, 1, 1]) / 16))
    state, age = city.map(CITIES), rng.integers(18, 80, rows)
    broken = sorted(rng.permutation(rows)[: int(rng.integers(4, 8))].tolist())
    state[broken] = [next(other for other in rng.permutation(list("FMNT")) if other != state[row][0]) for row in broken]
    state = state.replace({"F": "FL", "M": "MA", "N": "NV", "T": "TX"})
    income = (30 + 0.4 * age + 12 * rng.normal(size=rows)).round(1)
    spend = (0.35 * income + 3 * rng.normal(size=rows)).round(1)
    return pd.DataFrame({"city": city, "state": state, "age": age, "income": income, "spend": spend}), broken, "state"


def check(anomalo: Any, folder: Path, case: Broken) -> None:
    frame, broken, column = case
    source, workspace = folder / "case.csv", ("--workspace", folder / "w")
    frame.to_csv(source, index=False)
    anomalo("fit", source, "--for", "score", "--as", "m", *workspace)
    anomalo("score", source, "--with", "m", "-o", folder / "scores.parquet", *workspace)
    scores = pq.read_table(folder / "scores.parquet").to_pandas()
    first = scores.sort_values("score", ascending=False, kind="stable").head(len(broken))
    assert sorted(first["row"]) == broken
    reasons = first["reasons"].map(lambda found: (found[0]["column"], found[0]["expected"]))
    assert all(any(word in expected for word in SAID[column]) for _, expected in reasons)
    assert {name for name, _ in reasons} <= {column, OTHER[column]}
    ordered = scores.sort_values("score", kind="stable")["p_value"].to_numpy()
    assert (np.diff(ordered) <= 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(11))
@pytest.mark.parametrize("case", [start_end, city_state])
def test_broken_rows_come_first(anomalo: Any, tmp_path: Path, case: Any, seed: int) -> None:
    check(anomalo, tmp_path, case(seed))

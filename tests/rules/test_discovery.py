"""The rules of a table: none in random ones, the same in any order of the rows, none about the label."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from anomalo.rules.discovery import discover

Found = Callable[..., dict[str, Any]]


def correlated(rng: np.random.Generator, rows: int, columns: int) -> pd.DataFrame:
    hidden = rng.normal(size=(rows, 3))
    cells = hidden @ rng.normal(size=(3, columns)) + 0.3 * rng.normal(size=(rows, columns))
    return pd.DataFrame(cells, columns=[f"x{at}" for at in range(columns)])


def measures(rng: np.random.Generator, rows: int, columns: int) -> pd.DataFrame:
    """Positive measures of one size, of which each is larger than the one before in most rows."""
    size = np.exp(rng.normal(0, 0.5, rows))
    cells = {f"x{at}": size * (1 + 0.35 * at) * np.exp(rng.normal(0, 0.15, rows)) for at in range(columns)}
    return pd.DataFrame(cells).round(2)


def discrete(rng: np.random.Generator, rows: int, columns: int) -> pd.DataFrame:
    hidden = rng.integers(0, 4, rows)
    frame = {}
    for at in range(columns):
        noisy = np.where(rng.random(rows) < 0.4, rng.integers(0, 4, rows), hidden)
        frame[f"c{at}"] = np.array(["a", "b", "c", "d"])[noisy] if at % 2 else noisy
    return pd.DataFrame(frame)


def gradual(rng: np.random.Generator, rows: int, columns: int) -> pd.DataFrame:
    """Categories that a number decides but for rows near a limit."""
    x = rng.normal(size=rows)
    frame = {"x": x}
    for at in range(columns - 1):
        frame[f"c{at}"] = np.where(x + 0.05 * rng.normal(size=rows) > 0.2 * at, "high", "low")
    return pd.DataFrame(frame).drop(columns=[f"c{at}" for at in range(1, columns - 1)])


def flags(rng: np.random.Generator, rows: int, columns: int) -> pd.DataFrame:
    shares = rng.uniform(0.02, 0.5, columns)
    return pd.DataFrame((rng.random((rows, columns)) < shares).astype(int), columns=[f"f{at}" for at in range(columns)])


def mixed(rng: np.random.Generator, rows: int, columns: int) -> pd.DataFrame:
    frame = correlated(rng, rows, columns)
    frame.iloc[:, 1::4] = np.round(np.exp(frame.iloc[:, 1::4]), 2)
    for at in range(2, columns, 4):
        frame[f"x{at}"] = pd.cut(frame[f"x{at}"], 6, labels=list("abcdef")).astype(str)
    for at in range(3, columns, 4):
        frame[f"x{at}"] = np.abs(2 * frame[f"x{at}"]).astype(int)
    frame[rng.random(frame.shape) < 0.05] = None
    return frame


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("rows", "columns"), [(60, 6), (800, 8), (500, 40)])
@pytest.mark.parametrize("kind", [correlated, measures, discrete, gradual, flags, mixed])
def test_random_tables_have_no_rules(rules: Found, kind: Any, rows: int, columns: int, seed: int) -> None:
    frame = kind(np.random.default_rng(seed), rows, columns)
    found = rules(frame)
    if kind is measures:  # those far apart are in order in all rows
        found = {text: rule for text, rule in found.items() if rule.exceptions}
    assert found == {}


def trips(rows: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    start = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300_000, rows), "min")
    fare, tip = rng.gamma(3, 4, rows).round(2), (rng.gamma(2, 1, rows) * (rng.random(rows) < 0.6)).round(2)
    city = rng.choice(["Miami", "Tampa", "Reno", "Elko", "Salem"], rows)
    return pd.DataFrame(
        {
            "pickup": start,
            "dropoff": start + pd.to_timedelta(rng.integers(2, 60, rows), "min"),
            "fare": fare,
            "tip": tip,
            "total": (fare + tip).round(2),
            "city": city,
            "state": pd.Series(city).map({"Miami": "FL", "Tampa": "FL", "Reno": "NV", "Elko": "NV", "Salem": "MA"}),
        }
    )


EXPECTED = {"total = fare + tip", "dropoff is never before pickup", "city decides state"}


def test_a_table_with_several_rules_has_those_and_no_others(rules: Found) -> None:
    found = rules(trips(600))
    assert set(found) == EXPECTED
    assert all(rule.exceptions == 0 for rule in found.values())
    assert {rule.kind for rule in found.values()} == {"sum", "order", "dependency"}


def test_exceptions_are_counted_in_all_rows_of_a_large_table(rules: Found) -> None:
    frame = trips(12_000)
    broken = np.arange(0, 12_000, 100)
    frame.loc[broken, "total"] += 5
    frame.loc[broken + 1, ["pickup", "dropoff"]] = frame.loc[broken + 1, ["dropoff", "pickup"]].to_numpy()
    frame.loc[broken + 2, "state"] = frame.loc[broken + 2, "state"].map({"FL": "NV", "NV": "MA", "MA": "FL"})
    found = rules(frame)
    assert set(found) == EXPECTED
    assert [rule.exceptions for rule in found.values()] == [120, 120, 120]
    assert [rule.support for rule in found.values()] == [12_000] * 3


def test_the_order_of_the_rows_does_not_matter(rules: Found) -> None:
    frame = trips(9_000)
    frame.loc[::70, "total"] += 1
    shuffled = frame.sample(frac=1, random_state=1)
    assert rules(frame) == rules(shuffled)


def test_the_label_and_columns_that_are_left_out_are_in_no_rule(rules: Found) -> None:
    frame = trips(400).assign(key=[f"{row:05}-{row * 7919 % 10007}" for row in range(400)])
    assert set(rules(frame, label="state")) == EXPECTED - {"city decides state"}


def test_too_few_rows_have_no_rules(rules: Found) -> None:
    assert rules(trips(30)) == {}


@pytest.mark.parametrize(("columns", "most"), [(16, 0.6), (200, 3.0)])
def test_it_costs_little(parse: Callable[..., Any], columns: int, most: float) -> None:
    """At most 0.3 and 1.5 seconds; twice that, for a machine with other work."""
    cells, schema = parse(mixed(np.random.default_rng(0), 10_000, columns))
    seconds = []
    for _ in range(2):
        started = time.process_time()
        discover(cells, schema.features)
        seconds.append(time.process_time() - started)
    assert min(seconds) < most

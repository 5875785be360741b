"""Rules survive their way through JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from anomalo.rules import stored
from anomalo.rules.discovery import discover

ROWS = 600


@pytest.fixture(scope="module")
def every_kind() -> pd.DataFrame:
    """Return a table with a rule of every class, each with exceptions."""
    rng = np.random.default_rng(0)
    net, tax, items = rng.gamma(4, 20, ROWS).round(2), rng.gamma(2, 3, ROWS).round(2), rng.integers(1, 9, ROWS)
    start = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 500_000, ROWS), "min")
    city, age = pd.Series(rng.choice(["Miami", "Tampa", "Reno"], ROWS)), rng.integers(0, 80, ROWS)
    asked = rng.choice(["y", "n"], ROWS)
    frame = pd.DataFrame(
        {
            "net": net,
            "tax": tax,
            "total": (net + tax).round(2),
            "items": items,
            "amount": (items * net).round(2),
            "start": start,
            "end": start + pd.to_timedelta(rng.integers(1, 99, ROWS), "min"),
            "city": city,
            "state": city.map({"Miami": "FL", "Tampa": "FL", "Reno": "NV"}),
            "code": city.map({"Miami": 3, "Tampa": 5, "Reno": 8}),
            "age": age,
            "who": np.where(age < 16, "child", rng.choice(["man", "woman"], ROWS)),
            "asked": asked,
            "answer": np.where(asked == "y", rng.normal(size=ROWS), np.nan),
            "tip": np.where((city == "Reno") | (rng.random(ROWS) < 0.2), 0, rng.gamma(2, 1, ROWS)),
            "bill": (net + tax + rng.choice([0.5, 2.5], ROWS)).round(2),
            "first": rng.normal(size=ROWS),
            "second": rng.normal(size=ROWS),
        }
    )
    visits = rng.random(ROWS)
    frame.loc[visits < 0.3, "first"], frame.loc[visits < 0.7, "second"] = np.nan, np.nan
    frame.loc[5, ["total", "amount", "state", "code"]] = [1.0, 1.0, "XX", 5]
    frame.loc[5, "city"], frame.loc[5, "end"] = "Miami", frame.loc[5, "start"] - pd.Timedelta(days=1)
    return frame


def test_a_rule_of_every_class_survives_json(every_kind: pd.DataFrame, parse: Callable[..., Any]) -> None:
    columns, schema = parse(every_kind)
    rules = discover(columns, schema.features)
    assert {type(rule).sort for rule in rules} == set(stored._SORTS)
    again = stored.from_json(json.loads(json.dumps(stored.to_json(rules), allow_nan=False)))
    assert again == rules
    for rule, other in zip(rules, again, strict=True):
        assert (rule.text, rule.columns, rule.surprisal) == (other.text, other.columns, other.surprisal)
        np.testing.assert_array_equal(rule.broken(columns), other.broken(columns))
        assert rule.expected(columns) == other.expected(columns)


def test_support_counts_the_rows_that_could_break_a_rule(every_kind: pd.DataFrame, parse: Callable[..., Any]) -> None:
    columns, schema = parse(every_kind)
    for rule in discover(columns, schema.features):
        applies, broken = rule.applies(columns), rule.broken(columns)
        assert not (broken & ~applies).any(), rule.text
        assert (rule.support, rule.exceptions) == (applies.sum(), broken.sum()), rule.text
        np.testing.assert_allclose(rule.surprisal, -np.log(0.5 / (rule.support - rule.exceptions + 1)))

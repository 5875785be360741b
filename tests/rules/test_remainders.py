"""Sums up to a remainder of few values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

Found = Callable[..., dict[str, Any]]
ROWS = 1200


def trips(seed: int) -> dict[str, np.ndarray]:
    """Fares in steps of a half, tips, tolls, and a total with one of four fees; a distance beside them."""
    rng = np.random.default_rng(seed)
    distance = rng.gamma(2, 2, ROWS).round(2)
    fare = (2.5 + np.round(distance * 5 + rng.normal(0, 2, ROWS).clip(-4)) / 2).clip(2.5)
    tip = np.where(rng.random(ROWS) < 0.4, 0, (fare * rng.uniform(0.05, 0.3, ROWS)).round(2))
    tolls = np.where(rng.random(ROWS) < 0.05, 5.76, 0.0)
    fee = rng.choice([0.3, 0.8, 3.3, 3.8], ROWS, p=[0.5, 0.2, 0.2, 0.1])
    return {
        "distance": distance,
        "fare": fare,
        "tip": tip,
        "tolls": tolls,
        "total": (fare + tip + tolls + fee).round(2),
    }


@pytest.mark.parametrize("seed", range(4))
def test_a_total_with_fees(rules: Found, parse: Callable[..., Any], seed: int) -> None:
    table = trips(seed)
    table["total"][[3, 99]] += 10
    rule = rules(table)["total = fare + tip + tolls + one of 0.3, 0.8, 3.3 and 3.8"]
    assert (rule.kind, rule.target, rule.exceptions) == ("sum", "total", 2)
    batch = parse(table)[0]
    assert np.flatnonzero(rule.broken(batch)).tolist() == [3, 99]
    terms = table["fare"][3] + table["tip"][3] + table["tolls"][3]
    assert rule.expected(batch)[3] == f"{round(terms + 0.3, 2):.12g} (fare + tip + tolls + 0.3)"


@pytest.mark.parametrize("seed", range(4))
def test_sums_with_a_remainder_of_many_values_are_none(rules: Found, seed: int) -> None:
    table, rng = trips(seed), np.random.default_rng(seed)
    table["total"] = (table["total"] + rng.uniform(0, 3, ROWS)).round(2)
    assert not [text for text in rules(table) if "one of" in text and "=" in text]


def test_unrelated_numbers_with_decimals_have_no_sum(rules: Found) -> None:
    rng = np.random.default_rng(0)
    table = {f"x{at}": rng.gamma(2, 3, ROWS).round(1) for at in range(6)}
    assert not [rule for rule in rules(table).values() if rule.kind == "sum"]

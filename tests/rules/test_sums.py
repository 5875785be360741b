"""Sums, products and equalities of numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

Found = Callable[..., dict[str, Any]]
ROWS = 500


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def bill(rng: np.random.Generator) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "fare": rng.gamma(3, 4, ROWS).round(2),
            "tip": (rng.gamma(2, 1, ROWS) * (rng.random(ROWS) < 0.5)).round(2),
            "tolls": 6.12 * (rng.random(ROWS) < 0.08),
            "extra": rng.choice([0.0, 0.5, 1.0], ROWS),
            "miles": rng.gamma(2, 2, ROWS).round(1),
        }
    )
    return frame.assign(total=frame[["fare", "tip", "tolls", "extra"]].sum(axis=1).round(2))


def test_a_sum_of_two_and_its_difference_is_one_rule(rules: Found, rng: np.random.Generator) -> None:
    net, tax = rng.gamma(4, 20, ROWS).round(2), rng.gamma(2, 3, ROWS).round(2)
    found = rules({"tax": tax, "total": (net + tax).round(2), "net": net})
    assert list(found) == ["total = tax + net"]


def test_a_sum_of_four_with_exceptions_agrees_with_pandas(
    rules: Found, parse: Callable[..., Any], rng: np.random.Generator
) -> None:
    frame = bill(rng)
    frame.loc[[3, 50, 200, 499], "total"] += [10, -2.5, 0.5, 100]
    (rule,) = rules(frame).values()
    assert rule.text == "total = fare + tip + tolls + extra"
    wrong = (frame["total"] - frame[["fare", "tip", "tolls", "extra"]].sum(axis=1)).abs() > 0.03
    columns, _ = parse(frame)
    np.testing.assert_array_equal(rule.broken(columns), wrong)
    assert (rule.support, rule.exceptions) == (ROWS, 4)
    exact = frame[["fare", "tip", "tolls", "extra"]].sum(axis=1).round(2)
    np.testing.assert_allclose(rule.exact(columns), exact, atol=1e-9)
    assert rule.expected(columns)[3] == f"{exact[3]:.12g} (fare + tip + tolls + extra)"


def test_signs(rules: Found, rng: np.random.Generator) -> None:
    opening, into, out = (rng.integers(0, 500, ROWS) for _ in range(3))
    found = rules({"opening": opening, "into": into, "out": out, "closing": opening + into - out})
    assert list(found) == ["closing = opening + into - out"]


def test_a_sum_of_sums_is_not_reported_twice(rules: Found, rng: np.random.Generator) -> None:
    a, b, c = (rng.integers(1, 1000, ROWS) for _ in range(3))
    found = rules({"a": a, "b": b, "c": c, "ab": a + b, "all": a + b + c})
    assert sorted(found) == ["ab = a + b", "all = c + ab"]


@pytest.mark.parametrize("decimals", [0, 2])
def test_rounding_breaks_nothing(rules: Found, rng: np.random.Generator, decimals: int) -> None:
    net = rng.gamma(4, 20, ROWS)
    tax = 0.19 * net + rng.gamma(1, 5, ROWS)
    rounded = {"net": net.round(2), "tax": tax.round(2), "total": (net + tax).round(2)}
    found = rules(rounded)["total = net + tax"]
    assert found.exceptions == 0
    price, items = rng.gamma(3, 3, ROWS).round(2), rng.integers(1, 60, ROWS)
    found = rules({"items": items, "amount": (price * items).round(decimals), "price": price})
    assert list(found) == ["amount = items × price"]
    assert found["amount = items × price"].exceptions == 0


def test_a_product_with_exceptions_agrees_with_pandas(
    rules: Found, parse: Callable[..., Any], rng: np.random.Generator
) -> None:
    frame = pd.DataFrame({"items": rng.integers(1, 9, ROWS), "price": rng.gamma(3, 3, ROWS).round(2)})
    frame["amount"] = (frame["items"] * frame["price"]).round(2)
    frame.loc[::100, "amount"] *= 1.5
    rule = rules(frame)["amount = items × price"]
    columns, _ = parse(frame)
    wrong = (frame["amount"] - frame["items"] * frame["price"]).abs() > 0.06
    np.testing.assert_array_equal(rule.broken(columns), wrong)
    assert rule.exceptions == wrong.sum() == 5


def test_equal_numbers(rules: Found, parse: Callable[..., Any], rng: np.random.Generator) -> None:
    frame = pd.DataFrame({"a": rng.gamma(3, 4, ROWS), "b": rng.normal(size=ROWS)})
    frame["c"] = frame["a"]
    frame.loc[[7, 8], "c"] = [1.0, 2.0]
    (rule,) = rules(frame).values()
    assert (rule.text, rule.kind, rule.exceptions) == ("c = a", "equality", 2)
    assert np.flatnonzero(rule.broken(parse(frame)[0])).tolist() == [7, 8]


def test_a_missing_number_breaks_nothing(rules: Found, parse: Callable[..., Any], rng: np.random.Generator) -> None:
    frame = bill(rng)
    frame.loc[::7, "tip"] = None
    rule = rules(frame)["total = fare + tip + tolls + extra"]
    assert rule.support == frame["tip"].notna().sum()
    assert not rule.broken(parse(frame)[0]).any()


def test_a_term_that_hardly_ever_counts_is_in_no_sum(rules: Found, rng: np.random.Generator) -> None:
    a, rare = rng.integers(1, 1000, ROWS), np.zeros(ROWS, dtype=int)
    rare[:3] = [5, 7, 9]
    assert set(rules({"a": a, "rare": rare, "b": a + rare})) == {"b = a"}


def test_more_than_two_in_a_hundred_exceptions_are_no_rule(rules: Found, rng: np.random.Generator) -> None:
    frame = bill(rng)
    frame.loc[rng.permutation(ROWS)[:15], "total"] += rng.uniform(1, 9, 15).round(2)
    assert not any("=" in text for text in rules(frame))

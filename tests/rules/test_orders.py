"""Orders: end is never before start; not those of two measures whose difference has a tail below 0."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from anomalo.rules.orders import has_edge

Found = Callable[..., dict[str, Any]]
ROWS = 1000


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


DURATIONS = {
    "uniform": lambda rng, n: rng.uniform(10, 45, n),
    "exponential": lambda rng, n: rng.exponential(30, n),
    "lognormal": lambda rng, n: rng.lognormal(3, 0.7, n),
    "often none": lambda rng, n: np.where(rng.random(n) < 0.3, 0, rng.exponential(30, n)),
    "days apart": lambda rng, n: 1440 * rng.integers(2, 9, n),
}


@pytest.mark.parametrize("share", [0.0, 0.01, 0.018])
@pytest.mark.parametrize("kind", DURATIONS)
def test_moments_in_order_with_swapped_ones(
    rules: Found, parse: Callable[..., Any], rng: np.random.Generator, kind: str, share: float
) -> None:
    start = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 500_000, ROWS), "min")
    frame = pd.DataFrame({"start": start, "end": start + pd.to_timedelta(DURATIONS[kind](rng, ROWS).round(), "min")})
    swapped = rng.permutation(ROWS)[: int(share * ROWS)]
    frame.loc[swapped, ["start", "end"]] = frame.loc[swapped, ["end", "start"]].to_numpy()
    (rule,) = rules(frame).values()
    assert (rule.text, rule.kind) == ("end is never before start", "order")
    wrong = frame["end"] < frame["start"]
    np.testing.assert_array_equal(rule.broken(parse(frame)[0]), wrong)
    assert rule.exceptions == wrong.sum()


def test_numbers_in_order(rules: Found, rng: np.random.Generator) -> None:
    low = rng.normal(10, 15, ROWS)
    frame = pd.DataFrame({"low": low, "high": low + rng.gamma(2, 3, ROWS)}).round(1)
    frame.loc[:9, ["low", "high"]] = frame.loc[:9, ["high", "low"]].to_numpy()
    found = rules(frame)
    assert list(found) == ["high is never below low"]
    assert found["high is never below low"].exceptions == (frame["high"] < frame["low"]).sum()


def test_an_order_that_follows_from_others_is_not_reported(rules: Found, rng: np.random.Generator) -> None:
    low = rng.normal(10, 8, ROWS)
    mean, part = low + rng.gamma(2, 3, ROWS), rng.gamma(3, 3, ROWS)
    found = rules({"low": low, "mean": mean, "high": mean + rng.gamma(2, 3, ROWS)})
    assert sorted(found) == ["high is never below mean", "mean is never below low"]
    found = rules({"part": part, "rest": low.round(2) + 50, "all": part + low.round(2) + 50})
    assert list(found) == ["all = part + rest"]


@pytest.mark.parametrize("far", [2.1, 2.4, 2.8])
@pytest.mark.parametrize("seed", range(3))
def test_a_tail_of_correlated_measures_is_no_order(rules: Found, far: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    first = 10 + 5 * rng.normal(size=5000)
    assert rules({"first": first, "second": first + far + rng.normal(size=5000)}) == {}


def test_the_least_value_is_expected(rules: Found, parse: Callable[..., Any], rng: np.random.Generator) -> None:
    low = rng.normal(10, 8, ROWS).round(1)
    frame = pd.DataFrame({"low": low, "high": low + rng.gamma(2, 3, ROWS).round(1)})
    (rule,) = rules(frame).values()
    assert rule.expected(parse(frame)[0])[4] == f"at least {low[4]:g} (low)"


@pytest.mark.parametrize("seed", range(5))
def test_edges(seed: int) -> None:
    normal = np.random.default_rng(seed).normal(size=3000)
    assert has_edge(np.abs(normal))
    assert has_edge(normal + 30)
    assert not any(has_edge(normal + far) for far in (2.1, 2.3, 2.6))

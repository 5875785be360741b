"""Signs: amounts are never negative; temperatures may be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

Found = Callable[..., dict[str, Any]]
ROWS = 1000
AMOUNTS = {
    "lognormal": lambda rng: rng.lognormal(2, 0.8, ROWS),
    "often none": lambda rng: np.where(rng.random(ROWS) < 0.3, 0, rng.lognormal(2, 0.5, ROWS)),
    "gamma": lambda rng: 2.5 + rng.gamma(2, 4, ROWS),
    "counts": lambda rng: rng.poisson(3, ROWS),
}
OTHERS = {
    "normal": lambda rng: rng.normal(2.6, 1, ROWS),
    "around 0": lambda rng: rng.normal(0, 1, ROWS),
    "below 0": lambda rng: -rng.lognormal(2, 0.8, ROWS),
    "constant": lambda rng: np.zeros(ROWS),
}


@pytest.mark.parametrize("wrong", [0, 1, 4])
@pytest.mark.parametrize("kind", AMOUNTS)
@pytest.mark.parametrize("seed", range(3))
def test_amounts_are_never_negative(
    every_rule: Found, parse: Callable[..., Any], kind: str, wrong: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    amount = AMOUNTS[kind](rng).round(2)
    usual = amount >= np.median(amount)
    amount[rng.choice(np.flatnonzero(usual), wrong, replace=False)] *= -1
    rule = every_rule({"amount": amount, "other": rng.normal(size=ROWS)})["amount is never negative"]
    assert (rule.kind, rule.columns, rule.support, rule.exceptions) == ("sign", ("amount",), ROWS, wrong)
    np.testing.assert_array_equal(rule.broken(parse({"amount": amount})[0]), amount < 0)


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("seed", range(3))
def test_numbers_with_a_tail_below_0_may_be_negative(every_rule: Found, kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    found = every_rule({"x": OTHERS[kind](rng).round(2), "other": rng.normal(size=ROWS)})
    assert not [rule for rule in found.values() if rule.kind == "sign"]


def test_what_is_expected_is_written_as_the_column_is(every_rule: Found, parse: Callable[..., Any]) -> None:
    rng = np.random.default_rng(0)
    rule = every_rule({"amount": rng.lognormal(2, 0.8, ROWS).round(2)})["amount is never negative"]
    assert rule.expected(parse({"amount": np.array([-2.5, 1.0])})[0]) == ["at least 0", "at least 0"]

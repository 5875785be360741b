"""Domains: a category has one of the levels that occur more than once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

Found = Callable[..., dict[str, Any]]
ROWS = 600


def payments(seed: int = 0) -> np.ndarray:
    return (
        np.random.default_rng(seed).choice(["cash", "credit card", "voucher"], ROWS, p=[0.3, 0.65, 0.05]).astype(object)
    )


@pytest.mark.parametrize("misprints", [{}, {7: "creidt card"}, {7: "creidt card", 30: "cahs"}])
def test_a_level_of_its_own_breaks_the_domain(
    every_rule: Found, parse: Callable[..., Any], misprints: dict[int, str]
) -> None:
    payment = payments()
    for row, text in misprints.items():
        payment[row] = text
    rule = every_rule({"payment": payment, "x": np.random.default_rng(1).normal(size=ROWS)})[
        "payment is cash or credit card or voucher"
    ]
    assert (rule.kind, rule.support, rule.exceptions) == ("domain", ROWS, len(misprints))
    batch = parse({"payment": payment})[0]
    assert np.flatnonzero(rule.broken(batch)).tolist() == sorted(misprints)
    expected = rule.expected(batch)
    assert [expected[row] for row in misprints] == ["credit card", "cash"][: len(misprints)]


def test_a_column_of_one_level_with_a_misprint(every_rule: Found) -> None:
    color = np.full(ROWS, "yellow", dtype=object)
    color[11] = "ylelow"
    assert (
        every_rule({"color": color, "x": np.random.default_rng(1).normal(size=ROWS)})["color is yellow"].exceptions == 1
    )


def test_missing_cells_break_no_domain_and_strange_levels_have_no_better_spelling(
    every_rule: Found, parse: Callable[..., Any]
) -> None:
    (rule,) = every_rule({"payment": payments()}).values()
    batch = parse({"payment": np.array([None, "zzz", "cash"], dtype=object)})[0]
    assert rule.broken(batch).tolist() == [False, True, False]
    assert rule.expected(batch)[1] == "cash or credit card or voucher"


def test_columns_whose_levels_are_often_single_have_no_domain(every_rule: Found) -> None:
    rng = np.random.default_rng(0)
    towns = np.array([f"town {number}" for number in rng.zipf(1.7, ROWS).clip(max=400)], dtype=object)
    assert not [
        rule for rule in every_rule({"town": towns, "x": rng.normal(size=ROWS)}).values() if rule.kind == "domain"
    ]

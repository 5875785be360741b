"""Of a broken rule's columns the one is blamed of which the model makes most, and all rules that it breaks are its."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from anomalo.pipeline.explaining.blame import blame, blamed_first
from anomalo.rules.arithmetic.sums import Sum
from anomalo.rules.cells import Levels
from anomalo.rules.dependencies import Dependency
from anomalo.rules.evidence import Evidence

NAMES = ("a", "b", "c", "d")


def equal(target: str, term: str, support: int = 100) -> Sum:
    return Sum(target=target, terms=(term,), signs=(1,), support=support)


def decides(source: str, target: str) -> Dependency:
    two = (1.0, 2.0)
    return Dependency(target=target, sources=(Levels(source, two),), levels=Levels(target, two), support=100)


def evidence(*rules: Any) -> Evidence:
    return Evidence(rules, NAMES, np.ones((1, len(rules)), dtype=np.bool_))


@pytest.mark.parametrize(("contribution", "first"), [([2, 1, 9, 0], 0), ([1, 2, 9, 0], 1), ([-2, -1, 9, 0], 0)])
def test_the_model_chooses_between_two_columns_that_decide_each_other(contribution: list[float], first: int) -> None:
    shares = blame(np.array([contribution], dtype=float), evidence(equal("b", "a")))
    assert shares.tolist() == [[float(cell == first) for cell in range(4)]]


def test_a_cell_that_explains_all_broken_rules_is_blamed_for_them() -> None:
    """Rules report b, c and d; a is in all three."""
    broken = evidence(equal("b", "a"), equal("c", "a"), equal("d", "a"))
    assert blame(np.array([[1.0, 2.5, 2.0, 2.0]]), broken).tolist() == [[1, 0, 0, 0]]


def test_two_rules_without_a_common_column_blame_two_cells() -> None:
    shares = blame(np.array([[1.0, 0.0, 0.0, 2.0]]), evidence(equal("b", "a"), equal("d", "c")))
    assert shares.tolist() == [[0.5, 0, 0, 0.5]]


def test_a_cell_that_several_rules_report_counts_once_by_the_strongest() -> None:
    strong, weak, other = equal("c", "a", 100_000), equal("c", "b", 50), equal("d", "b", 100)
    (shares,) = blame(np.array([[5.0, 4.0, 0.0, 0.0]]), evidence(strong, weak, other))
    total = strong.surprisal + other.surprisal
    assert shares == pytest.approx([strong.surprisal / total, other.surprisal / total, 0, 0])


def test_a_rule_of_one_way_blames_what_it_reports_unless_the_other_contributes_twice_as_much() -> None:
    broken = evidence(decides("a", "b"))
    assert blame(np.array([[1.9, 1.0, 0, 0]]), broken).argmax() == 1
    assert blame(np.array([[2.1, 1.0, 0, 0]]), broken).argmax() == 0


def test_a_row_does_not_depend_on_others() -> None:
    rules = (equal("b", "a"), equal("c", "a"), equal("d", "c"))
    broken = np.array([[1, 1, 0], [0, 0, 1], [1, 0, 1]], dtype=np.bool_)
    contribution = np.random.default_rng(0).normal(size=(3, 4))
    whole = blame(contribution, Evidence(rules, NAMES, broken))
    for row in range(3):
        part = Evidence(rules, NAMES, broken[row : row + 1])
        np.testing.assert_array_equal(blame(contribution[row : row + 1], part)[0], whole[row])


def test_the_blamed_cell_becomes_the_first_and_sums_stay() -> None:
    contribution = np.array([[5.0, 4.0, 1.0, 0.5], [0.0, 3.0, 9.0, 1.0]])
    blamed = np.array([[0, 0, 1, 0], [0, 0, 1, 0]], dtype=np.bool_)
    found = blamed_first(contribution, blamed)
    assert found.argmax(axis=1).tolist() == [2, 2]
    np.testing.assert_allclose(found.sum(axis=1), contribution.sum(axis=1))
    np.testing.assert_array_equal(found[1], contribution[1])
    assert found[0, 3] == 0.5

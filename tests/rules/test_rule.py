"""What a rule says of each of its columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from anomalo.rules.arithmetic.sums import Sum
from anomalo.rules.cells import Levels
from anomalo.rules.dependencies import Dependency
from anomalo.rules.evidence import Evidence


def test_what_another_column_should_be_is_what_the_rule_says_of_it(parse: Callable[..., Any]) -> None:
    columns, _ = parse({"a": [1.0, 2.0, 3.0], "b": [5.0, 6.0, 7.0], "c": [9.0, 8.0, 7.0]})
    rule = Sum(target="c", terms=("a", "b"), signs=(1, -1), unit=1.0)
    assert rule.expected_of("c", columns) == ["-4 (a - b)", "-4 (a - b)", "-4 (a - b)"]
    assert rule.expected_of("a", columns)[0] == "14 (c + b)"
    assert rule.expected_of("b", columns)[0] == "-8 (a - c)"
    assert rule.exact_of("b", columns).tolist() == [-8, -6, -4]


def test_the_level_of_a_column_is_read_backwards_where_two_decide_each_other(parse: Callable[..., Any]) -> None:
    columns, _ = parse({"port": ["S", "C", "S"], "town": ["Cherbourg", "Paris", "Southampton"]})
    port, town = Levels("port", ("C", "S")), Levels("town", ("Cherbourg", "Paris", "Southampton"))
    both = Dependency(target="town", sources=(port,), levels=town, decided=(0, 2), both=True)
    assert both.expected_of("town", columns)[0] == "Southampton (as port decides)"
    assert both.expected_of("port", columns) == [f"{name} (as town decides)" for name in ("C", "another", "S")]
    one = Dependency(target="town", sources=(port,), levels=town, decided=(0, 2))
    assert one.expected_of("port", columns)[0] == "another (port decides town)"


def test_what_ten_others_do_in_the_same_way_is_a_habit() -> None:
    rule = Sum(target="c", terms=("a",), signs=(1,), support=2000, exceptions=40)
    rare, habit = (replace(rule, repeated=others) for others in (9.9, 10.0))
    assert rare.surprisal > 4
    assert habit.surprisal == 0


def test_a_rule_without_surprisal_is_no_evidence(parse: Callable[..., Any]) -> None:
    columns, _ = parse({"a": [1.0, 2.0, 3.0], "b": [1.0, 2.0, 4.0]})
    broken = Sum(target="b", terms=("a",), signs=(1,), support=100)
    found = Evidence.of([broken], columns, ["a", "b"])
    assert found is not None
    assert found.broken[:, 0].tolist() == [False, False, True]
    assert Evidence.of([replace(broken, repeated=50.0)], columns, ["a", "b"]) is None

"""Functional dependencies, renamed columns, constants, intervals and explained missing cells, with exceptions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from anomalo.rules.discovery import discover

Found = Callable[..., dict[str, Any]]
Parse = Callable[..., Any]
ROWS = 800
STATES = {"Miami": "FL", "Tampa": "FL", "Reno": "NV", "Elko": "NV", "Salem": "MA", "Austin": "TX"}


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture
def towns(rng: np.random.Generator) -> pd.DataFrame:
    city = pd.Series(rng.choice(list(STATES), ROWS))
    return pd.DataFrame({"city": city, "state": city.map(STATES), "age": rng.integers(18, 90, ROWS)})


def test_exceptions_are_those_of_a_group_by(rules: Found, parse: Parse, towns: pd.DataFrame) -> None:
    towns.loc[[4, 90, 300, 799], "state"] = ["TX", "MA", "FL", "??"]
    towns.loc[[4, 90, 300, 799], "city"] = ["Miami", "Reno", "Salem", "Elko"]
    towns.loc[10:19, "state"] = None
    (rule,) = rules(towns).values()
    assert (rule.text, rule.kind) == ("city decides state", "dependency")
    usual = towns.groupby("city")["state"].transform(lambda column: column.mode()[0])
    wrong = towns["state"].notna() & (towns["state"] != usual)
    columns, _ = parse(towns)
    np.testing.assert_array_equal(rule.broken(columns), wrong)
    assert (rule.support, rule.exceptions) == (ROWS - 10, 4)
    assert rule.expected(columns)[4] == "FL (as city decides)"


def test_a_new_level_breaks_the_rule_and_a_new_source_does_not(rules: Found, parse: Parse, towns: pd.DataFrame) -> None:
    (rule,) = rules(towns).values()
    columns, _ = parse({"city": ["Miami", "Miami", "Paris", None], "state": ["FL", "GA", "FL", "FL"]})
    assert rule.broken(columns).tolist() == [False, True, False, False]


def test_a_name_of_two_levels_decides_nothing(rules: Found, parse: Parse, towns: pd.DataFrame) -> None:
    towns.loc[:4, "city"], towns.loc[:2, "state"], towns.loc[3:4, "state"] = "Springfield", "MA", "IL"
    (rule,) = rules(towns).values()
    assert rule.exceptions == 2
    assert not rule.broken(parse(towns)[0]).any()


def test_columns_under_two_names_are_one_rule(rules: Found, towns: pd.DataFrame) -> None:
    towns["code"] = towns["city"].astype("category").cat.codes
    found = rules(towns)
    assert sorted(found) == ["city and code decide each other", "city decides state"]
    assert found["city and code decide each other"].kind == "equality"


def test_steps_over_a_third_column_are_not_reported(rules: Found, towns: pd.DataFrame) -> None:
    towns["coast"] = towns["state"].map({"FL": "east", "MA": "east", "NV": "west", "TX": "gulf"})
    assert sorted(rules(towns)) == ["city decides state", "state decides coast"]


def test_a_key_and_a_nearly_constant_column(rules: Found, towns: pd.DataFrame, rng: np.random.Generator) -> None:
    towns["key"] = rng.permutation(ROWS // 2).repeat(2).astype(str)
    towns["rare"] = np.where(rng.random(ROWS) < 0.01, "yes", "no")
    assert list(rules(towns[["key", "rare", "age"]])) == []


def test_two_columns_decide_one_together(rules: Found, rng: np.random.Generator) -> None:
    sizes, colours = rng.choice(["S", "M", "L", "XL"], ROWS), rng.choice(["red", "blue"], ROWS)
    shelf = {"S red": "a", "S blue": "b", "M red": "b", "M blue": "a", "L red": "a", "L blue": "c"}
    frame = pd.DataFrame({"size": sizes, "colour": colours})
    frame["shelf"] = (frame["size"] + " " + frame["colour"]).map(shelf).fillna("c")
    found = rules(frame)
    assert list(found) == ["size and colour decide shelf"]
    assert found["size and colour decide shelf"].support == ROWS


def test_a_level_is_where_a_number_is_below_a_limit(rules: Found, parse: Parse, rng: np.random.Generator) -> None:
    age = rng.integers(0, 80, ROWS)
    frame = pd.DataFrame({"age": age, "who": np.where(age < 16, "child", rng.choice(["man", "woman"], ROWS))})
    frame.loc[[0, 1], "age"], frame.loc[[0, 1], "who"] = [50, 4], ["child", "man"]
    frame.loc[5, "age"] = None
    (rule,) = rules(frame).values()
    assert (rule.text, rule.exceptions) == ("who is child exactly where age is below 16", 2)
    columns, _ = parse(frame)
    wrong = frame["age"].notna() & ((frame["age"] < 16) != (frame["who"] == "child"))
    np.testing.assert_array_equal(rule.broken(columns), wrong)
    assert rule.expected(columns)[:2] == ["not child (age is 50)", "child (age is 4)"]


def test_a_level_is_where_a_sum_of_counts_is_none(rules: Found, rng: np.random.Generator) -> None:
    frame = pd.DataFrame({"siblings": rng.poisson(0.5, ROWS), "parents": rng.poisson(0.4, ROWS)})
    frame["alone"] = np.where(frame.sum(axis=1) == 0, "yes", "no")
    frame.loc[frame.index[frame["alone"] == "no"][:3], "alone"] = "yes"
    (rule,) = rules(frame).values()
    assert (rule.text, rule.exceptions) == ("alone is yes exactly where siblings + parents is 0", 3)


def test_grades(rules: Found, rng: np.random.Generator) -> None:
    points = rng.integers(0, 101, ROWS)
    found = rules({"points": points, "grade": np.array(["C", "B", "A"])[(points > 49).astype(int) + (points > 79)]})
    assert sorted(found) == [
        "grade is A exactly where points is at least 80",
        "grade is B exactly where points is 50 to 79",
        "grade is C exactly where points is below 50",
    ]


def test_a_number_that_a_level_fixes(rules: Found, parse: Parse, rng: np.random.Generator) -> None:
    payment = rng.choice(["cash", "credit", "voucher"], ROWS)
    tip = np.where((payment == "cash") | (rng.random(ROWS) < 0.2), 0, rng.gamma(2, 1, ROWS)).round(2)
    frame = pd.DataFrame({"payment": payment, "tip": tip})
    broken = np.flatnonzero(payment == "cash")[:2]
    frame.loc[broken, "tip"] = [3.5, 1.0]
    (rule,) = rules(frame).values()
    assert (rule.text, rule.kind) == ("tip is 0 where payment is cash", "constant")
    columns, _ = parse(frame)
    np.testing.assert_array_equal(np.flatnonzero(rule.broken(columns)), broken)
    assert rule.expected(columns)[broken[0]] == "0 (payment is cash)"


def test_missing_where_a_level_says_so(rules: Found, parse: Parse, rng: np.random.Generator) -> None:
    asked = rng.choice(["y", "n"], ROWS)
    frame = pd.DataFrame({"asked": asked, "answer": np.where(asked == "y", rng.normal(size=ROWS), np.nan)})
    there, absent = np.flatnonzero(asked == "y")[0], np.flatnonzero(asked == "n")[0]
    frame.loc[there, "answer"], frame.loc[absent, "answer"] = np.nan, 1.0
    (rule,) = rules(frame).values()
    assert (rule.text, rule.kind, rule.exceptions) == ("answer is missing exactly where asked is n", "missing", 2)
    columns, _ = parse(frame)
    assert np.flatnonzero(rule.broken(columns)).tolist() == sorted([there, absent])
    assert [rule.expected(columns)[at] for at in (there, absent)] == ["a value (asked is y)", "no value (asked is n)"]


def test_missing_only_where_another_is(rules: Found, parse: Parse, rng: np.random.Generator) -> None:
    frame = pd.DataFrame(rng.normal(size=(ROWS, 3)), columns=["first", "second", "x"])
    visits = rng.random(ROWS)
    frame.loc[visits < 0.3, "first"] = np.nan
    frame.loc[visits < 0.7, "second"] = np.nan
    frame.loc[np.flatnonzero(visits > 0.8)[0], "first"] = np.nan
    (rule,) = rules(frame).values()
    assert rule.text == "first is missing only where second is"
    wrong = frame["first"].isna() & frame["second"].notna()
    np.testing.assert_array_equal(rule.broken(parse(frame)[0]), wrong)
    assert (rule.support, rule.exceptions) == (frame["first"].isna().sum(), 1)


def test_missing_together(rules: Found, parse: Parse, rng: np.random.Generator) -> None:
    frame = pd.DataFrame(rng.normal(size=(ROWS, 2)), columns=["a", "b"])
    frame.loc[rng.random(ROWS) < 0.2, ["a", "b"]] = np.nan
    one = frame.index[frame["a"].isna()][0]
    frame.loc[one, "a"] = 1.0
    (rule,) = rules(frame).values()
    assert (rule.text, rule.exceptions) == ("a and b are missing together", 1)
    assert np.flatnonzero(rule.broken(parse(frame)[0])).tolist() == [one]


def test_a_batch_of_another_order_and_levels_is_evaluated_alike(parse: Parse, towns: pd.DataFrame) -> None:
    columns, schema = parse(towns)
    rules = discover(columns, schema.features)
    towns.loc[::9, "state"] = "XX"
    whole = [rule.broken(parse(towns)[0]) for rule in rules]
    for rule, broken in zip(rules, whole, strict=True):
        parts = [rule.broken(parse(towns.iloc[start : start + 50])[0]) for start in range(0, ROWS, 50)]
        np.testing.assert_array_equal(np.concatenate(parts), broken)

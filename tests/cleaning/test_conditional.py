"""A cell's probability given its row: frequencies in a large table, wrong cells first, nothing from one column."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from anomalo.cleaning.coded import CodedTable
from anomalo.cleaning.evidence.conditional import FEATURES, conditionals

ODDS, EXCESS, INFORMATION = range(len(FEATURES))


def by_name(columns: dict[str, list[str]]) -> dict[str, np.ndarray]:
    return dict(zip(columns, conditionals(CodedTable.of_texts(columns)), strict=True))


def test_the_excess_is_the_logarithm_of_the_frequency_over_the_conditional_probability() -> None:
    """One column decides another with probability .9; with 4,000 rows the trees know it to a few percent."""
    random = np.random.default_rng(0)
    group = random.choice(["a", "b"], 4000)
    value = np.where(random.random(4000) < 0.9, group, np.where(group == "a", "b", "a"))
    found = by_name({"group": group.tolist(), "value": value.tolist()})["value"]
    agrees = group == value
    assert found[agrees, EXCESS] == pytest.approx(np.log(0.5 / 0.9), abs=0.1)
    assert found[~agrees, EXCESS] == pytest.approx(np.log(0.5 / 0.1), abs=0.3)
    assert found[~agrees, ODDS] == pytest.approx(np.log(0.9 / 0.1), abs=0.3)
    assert found[0, INFORMATION] == pytest.approx(0.9 * np.log(1.8) + 0.1 * np.log(0.2), abs=0.05)


def test_numbers_from_another_row_are_found_where_a_curve_decides_them() -> None:
    random = np.random.default_rng(1)
    x = random.uniform(-3, 3, 600)
    y = x**2 + random.normal(0, 0.1, 600)
    wrong = random.random(600) < 0.03
    y[wrong] = random.permutation(y)[wrong]
    found = by_name({"x": [f"{value:.3f}" for value in x], "y": [f"{value:.3f}" for value in y]})["y"]
    assert average_precision_score(wrong, found[:, EXCESS]) > 0.8
    assert found[0, INFORMATION] > 1


def test_columns_that_know_nothing_of_each_other_give_no_information() -> None:
    random = np.random.default_rng(2)
    columns = {name: random.choice(["a", "b", "c"], 1000).tolist() for name in "xyz"}
    columns["number"] = [f"{value:.2f}" for value in random.normal(size=1000)]
    for found in by_name(columns).values():
        assert found[0, INFORMATION] < 0.03
        assert found[:, EXCESS].max() < 1.5


def test_the_order_of_the_columns_does_not_matter() -> None:
    random = np.random.default_rng(3)
    columns = {name: random.choice(["a", "b", "c"], 200).tolist() for name in "xyz"}
    one, two = by_name(columns), by_name(dict(reversed(columns.items())))
    assert all((one[name] == two[name]).all() for name in columns)


@pytest.mark.parametrize(
    "columns",
    [
        {"a": ["x", "y"] * 20},
        {"a": ["x"] * 40, "b": ["1"] * 40},
        {"a": ["x", "y"], "b": ["1", "2"]},
        {"a": [f"{at} of many texts" for at in range(50)], "b": ["x", "y"] * 25},
    ],
    ids=["one column", "constant", "two rows", "identifiers"],
)
def test_what_is_not_predicted_is_zero(columns: dict[str, list[str]]) -> None:
    assert (by_name(columns)["a"] == 0).all()

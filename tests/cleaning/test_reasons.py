"""Reasons name what is wrong with a cell, and the numbers behind it; counted here anew."""

import numpy as np
import pytest

from anomalo.cleaning.coded import CodedTable
from anomalo.cleaning.features import evidence
from anomalo.cleaning.reasons import DISAGREES, Reasons

ROWS = 60


def table() -> dict[str, list[str]]:
    """Return orders: the code decides the town, numbers have no unit, dates are written in one way."""
    towns = ["Springfield", "Riverside", "Franklin"]
    return {
        "code": [f"C{at % 3}" for at in range(ROWS)],
        "town": [towns[at % 3] for at in range(ROWS)],
        "size": [str(20 + at % 7) for at in range(ROWS)],
        "day": [f"2024-01-{1 + at % 28:02}" for at in range(ROWS)],
    }


def reason(changes: dict[tuple[str, int], str], name: str, row: int, kind: str, suggestion: str | None) -> str:
    """Return why a cell of the table with these changes is suspected."""
    columns = table()
    for (column, at), text in changes.items():
        columns[column][at] = text
    coded = CodedTable.of_texts(columns)
    mine = next(one for one in evidence(coded) if one.column.name == name)
    return Reasons(coded, mine).sentence(row, kind, suggestion)


def test_a_typo_is_compared_with_its_suggestion_and_the_rows_alike() -> None:
    found = reason({("town", 3): "Springfeild"}, "town", 3, "typo", "Springfield")
    assert found == "2 characters from 'Springfield', which 19 rows have; all 19 other rows with code 'C0' have it"


def test_rows_that_disagree_are_counted() -> None:
    found = reason({("town", 3): "Springfeild", ("town", 6): "Franklin"}, "town", 3, "typo", "Springfield")
    assert found.endswith("18 of the 19 other rows with code 'C0' have it")


def test_a_broken_dependency_names_the_value_that_goes_with_the_row() -> None:
    found = reason({("town", 3): "Franklin"}, "town", 3, "dependency", "Springfield")
    assert found == "all 19 other rows with code 'C0' have 'Springfield'"
    assert reason({}, "town", 3, "dependency", None) == DISAGREES


@pytest.mark.parametrize(
    ("name", "text", "kind", "expected"),
    [
        ("day", "5 Jan 2024", "format", "not written like '2024-01-01', as 98.3 % of the column are"),
        ("size", "20 kg", "unit", "has 'kg', where the numbers of the column usually have none"),
        ("size", "900", "outlier", "above the usual 20 to 26"),
        ("size", "-3", "outlier", "below the usual 20 to 26"),
        ("town", "", "missing", "empty, as 1.7 % of the column are"),
        ("town", "N/A", "missing", "'N/A' stands for a missing value in 1 row"),
        ("town", "Ogdenville", "rare", "in 1 row of 60 only"),
        ("town", "Ogdenville", "typo", "'Ogdenville' is spelled unlike the other cells of the column"),
    ],
)
def test_each_kind_has_its_sentence(name: str, text: str, kind: str, expected: str) -> None:
    assert reason({(name, 4): text}, name, 4, kind, None) == expected


def test_a_long_text_is_cut() -> None:
    assert len(reason({("town", 4): "x" * 5000}, "town", 4, "typo", None)) < 150


def test_counts_are_those_of_the_table() -> None:
    columns = table()
    random = np.random.default_rng(0)
    columns["code"] = [f"C{at}" for at in random.integers(0, 4, ROWS)]
    coded = CodedTable.of_texts(columns)
    mine = next(one for one in evidence(coded) if one.column.name == "town")
    row = columns["town"].index("Riverside")
    alike = [at for at in range(ROWS) if columns["code"][at] == columns["code"][row] and at != row]
    having = sum(columns["town"][at] == "Franklin" for at in alike)
    assert Reasons(coded, mine)._support("code", row, "Franklin")[1:3] == (having, len(alike))

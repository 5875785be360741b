"""Dates in several orders, with names of months, and texts that are none."""

import pytest

from anomalo.cleaning.learning.ways.calendar_dates import orders
from anomalo.cleaning.learning.ways.templates import tokens


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2015-02-29", ["ymd"]),
        ("02/30/2015", []),
        ("3/Feb/99", ["dmy"]),
        ("1/2/03", ["mdy", "dmy"]),
        ("1:2:03", []),
        ("12/2015", []),
    ],
)
def test_orders(text: str, expected: list[str]) -> None:
    assert orders(tokens(text)) == expected

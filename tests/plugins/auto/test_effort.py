"""Plans: what a fit is going to do, by rows, columns, members and effort alone."""

import pytest

from anomalo.plugin import Block, Layout
from anomalo_auto.auto import Auto
from anomalo_auto.effort import EFFORTS


def layout(columns: int) -> Layout:
    return Layout("table", (columns,), tuple(Block(f"x{at}", "number", at) for at in range(columns)))


def test_a_plan_names_members_fits_rows_and_columns() -> None:
    plan = Auto(members="knn, ecod").plan(layout(7), 1234, frozenset())
    assert plan.text == "knn, ecod, each fitted 3 times on 1,234 rows of 7 columns; imputation learned from 1,234 rows of 7 columns"  # noqa: E501  # fmt: skip
    assert Auto(members="knn").plan(layout(7), 1234, frozenset({"score"})).text == (
        "knn, each fitted 3 times on 1,234 rows of 7 columns"
    )
    assert Auto().plan(layout(7), 9, frozenset({"impute"})).text == "imputation learned from 9 rows of 7 columns"


def test_a_plan_says_that_a_large_table_is_sampled() -> None:
    text = Auto(members="knn").plan(layout(2), 20_001, frozenset({"score"})).text
    assert text == "knn, each fitted 3 times on 20,000 rows of 2 columns, a sample of 20,001"
    assert "a sample of" not in Auto(effort="thorough").plan(layout(2), 100_000, frozenset()).text


@pytest.mark.parametrize("effort", list(EFFORTS))
def test_a_plan_grows_with_rows_and_columns_and_depends_on_nothing_else(effort: str) -> None:
    auto = Auto(effort=effort)
    seconds = [auto.plan(layout(columns), rows, frozenset()).seconds for columns, rows in ((3, 10), (3, 500), (9, 500))]
    assert seconds == sorted(set(seconds))
    again = [Auto(effort=effort).plan(layout(9), 500, frozenset()) for _ in range(2)]
    assert again[0] == again[1]
    assert again[0].seconds == seconds[-1]


def test_more_effort_means_more_fits_or_rows() -> None:
    seconds = [Auto(effort=effort).plan(layout(20), 10**6, frozenset()).seconds for effort in ("fast", "thorough")]
    assert seconds[0] < seconds[1]
    assert list(EFFORTS) == ["fast", "default", "thorough"]

"""Strips: the values of a column, and a cell among them."""

import numpy as np
import pyarrow as pa
import pytest

from anomalo.evaluation.comparison.profile import Profile
from anomalo.evaluation.comparison.profiling import profile
from anomalo.evaluation.distributions import LEVELS, OTHERS, Cell, Strip, strip
from anomalo.tabular.column import write_notes
from anomalo.tabular.columns import ParsedTable
from anomalo.tabular.schema import infer

ROWS = 400


def profile_of(**columns: list[str]) -> Profile:
    """Return the profile of a table of a text file."""
    table = pa.table({name: pa.array(cells, pa.string()) for name, cells in columns.items()})
    table = ParsedTable(table.cast(write_notes(table.schema, {"text": True})))
    return profile(table, infer(table))


def drawn(known: Profile, name: str, cell: Cell) -> Strip:
    found = strip(known, name, cell)
    assert found is not None
    return found


def test_numbers_lie_where_their_order_says_also_far_outside() -> None:
    weights = [f"{value:.2f}" for value in np.random.default_rng(0).normal(70, 8, ROWS)]
    found = drawn(profile_of(weight=weights), "weight", Cell("190.25", "72.10", 60.0, 84.0))
    assert found.interval is not None
    assert found.expected is not None
    assert found.observed is not None
    low, high = found.interval
    assert 0 < low < found.expected < high < found.observed < 1
    assert max(bar.right for bar in found.bars) < found.observed, "no value is as large"
    assert max(bar.height for bar in found.bars) == 1
    assert found.ends[1] == "191"


def test_bars_count_the_values_and_the_observed_one_is_in_its_bar() -> None:
    stars = ["3"] * 100 + ["4"] * 50 + ["5"] * 25
    found = drawn(profile_of(stars=stars, other=[str(at) for at in range(175)]), "stars", Cell("5", "3"))
    assert [bar.height for bar in found.bars] == [1, 0.5, 0.25]
    assert found.bars[2].left < (found.observed or 0) < found.bars[2].right
    assert found.bars[0].left < (found.expected or 0) < found.bars[0].right


def test_years_days_and_units_are_written_as_the_column_has_them() -> None:
    rng = np.random.default_rng(0)
    known = profile_of(
        year=[str(year) for year in rng.integers(1985, 2025, ROWS)],
        day=[
            f"2024-{month:02}-{day:02}"
            for month, day in zip(rng.integers(1, 13, ROWS), rng.integers(1, 29, ROWS), strict=True)
        ],
        price=[f"${value:,.2f}" for value in rng.uniform(100, 2000, ROWS)],
        rate=[f"{value:.1f} %" for value in rng.uniform(0, 40, ROWS)],
    )
    assert drawn(known, "year", Cell("1885")).ends == ("1885", "2024")
    first, last = drawn(known, "day", Cell("2024-03-01")).ends
    assert first.startswith("2024-01-0")
    assert last == "2024-12-28"
    assert drawn(known, "price", Cell("$950,000.00")).ends[1] == "$950000"
    assert drawn(known, "rate", Cell("120.0 %")).ends[1].endswith(" %")
    for name, text in (("day", "2024-12-28"), ("price", "$1,999.00"), ("rate", "39.9 %")):
        assert (drawn(known, name, Cell(text)).observed or 0) > 0.9


def test_levels_have_a_bar_each_and_an_unseen_one_has_an_empty_bar() -> None:
    known = profile_of(colour=["red"] * 60 + ["green"] * 30 + ["blue"] * 10, smoker=["yes", "no"] * 50)
    found = drawn(known, "colour", Cell("violet", "red"))
    assert [(bar.label, bar.height) for bar in found.bars] == [
        ("red", 1),
        ("green", 0.5),
        ("blue", 1 / 6),
        ("violet", 0),
    ]
    assert found.bars[3].left < (found.observed or 0) < found.bars[3].right
    assert found.bars[0].left < (found.expected or 0) < found.bars[0].right
    assert drawn(known, "smoker", Cell("YES", "no")).bars[1].label == "no", "another spelling is the same level"
    assert len(drawn(known, "smoker", Cell("YES", "no")).bars) == 2


def test_many_levels_share_the_last_bar() -> None:
    shops = [f"shop {at}" for at in range(30) for _ in range(30 - at)]
    found = drawn(profile_of(shop=shops, x=[str(at % 7) for at in range(len(shops))]), "shop", Cell("shop 29"))
    assert [bar.label for bar in found.bars] == [*(f"shop {at}" for at in range(LEVELS - 1)), "shop 29", OTHERS]
    assert found.bars[-1].height == pytest.approx(sum(range(2, 20)) / sum(range(2, 20)))


@pytest.mark.parametrize("text", [None, "inf", "not a number"])
def test_what_is_no_number_has_no_place(text: str | None) -> None:
    known = profile_of(x=[f"{value:.1f}" for value in np.random.default_rng(0).normal(12, 5, ROWS)])
    found = drawn(known, "x", Cell(text, "12"))
    assert found.observed is None
    assert found.expected is not None


def test_columns_without_a_distribution_have_no_strip() -> None:
    known = profile_of(id=[f"p{at}" for at in range(ROWS)], x=[str(at % 50) for at in range(ROWS)])
    assert strip(known, "id", Cell("p1")) is None
    assert strip(known, "nowhere", Cell("1")) is None
    assert strip(known, "x", Cell()) is not None

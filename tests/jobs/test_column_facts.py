"""Columns at a glance: bars by hand-counted cells, missing shares, and warnings."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from anomalo.jobs.context import JobContext
from anomalo.jobs.describing.column_facts import BINS, ColumnFacts
from anomalo.jobs.describing.preview import preview
from anomalo.tabular.schema import SchemaOptions


def facts(frame: pd.DataFrame, folder: Path, **options: object) -> dict[str, ColumnFacts]:
    frame.to_csv(folder / "table.csv", index=False)
    context = JobContext.at(folder / "workspace")
    found = preview(context, str(folder / "table.csv"), SchemaOptions(**options))  # type: ignore[arg-type]
    return {one.name: one for one in found.facts}


def test_bars_of_numbers_are_a_histogram_whose_ends_have_what_lies_beyond(tmp_path: Path) -> None:
    values = [*np.arange(1200) / 2, 1e9]
    found = facts(pd.DataFrame({"x": values}), tmp_path)["x"]
    low, high = np.percentile(values, [1, 99])
    assert found.bars == tuple(np.histogram(np.clip(values, low, high), BINS, (low, high))[0])
    assert sum(found.bars) == len(values)
    assert len(found.bars) == BINS


def test_bars_of_categories_are_the_most_frequent_first(tmp_path: Path) -> None:
    frame = pd.DataFrame({"c": ["b"] * 5 + ["a"] * 3 + ["c"] * 2, "x": range(10)})
    assert facts(frame, tmp_path)["c"].bars == (5, 3, 2)


def test_missing_cells_and_tokens_count_as_missing_and_unreadable_ones_do_not(tmp_path: Path) -> None:
    frame = pd.DataFrame({"n": [*map(str, range(96)), "", "", "?", "oops"], "e": [""] * 99 + ["x"], "k": range(100)})
    found = facts(frame, tmp_path, kinds={"n": "number"})
    assert found["n"].missing == pytest.approx(0.03)
    assert found["n"].warnings == ("1 cell cannot be read as number",)
    assert found["e"].missing == pytest.approx(0.99)
    assert found["e"].warnings[0] == "99.0 % missing"


@pytest.mark.parametrize(("often", "warned"), [(999, True), (900, False)])
def test_a_value_that_is_nearly_everywhere_is_named(often: int, warned: bool, tmp_path: Path) -> None:
    frame = pd.DataFrame({"c": ["a"] * often + ["b"] * (1000 - often), "x": range(1000)})
    assert any("hold one value" in text for text in facts(frame, tmp_path)["c"].warnings) is warned


def test_columns_without_cells_to_count_have_no_bars(tmp_path: Path) -> None:
    found = facts(pd.DataFrame({"x": [1.0, 2.0, 4.0], "none": [None] * 3}), tmp_path)["none"]
    assert (found.bars, found.missing, found.warnings) == ((), 1.0, ("all cells are missing",))

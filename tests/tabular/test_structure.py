"""What is said of a table as a whole: repeated rows, and cells that are missing by design."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomalo.tabular.columns import ParsedTable
from anomalo.tabular.schema import SchemaOptions, infer
from anomalo.tabular.structure import Structure, structure


def of(table: dict[str, Any] | pd.DataFrame, options: SchemaOptions | None = None) -> Structure:
    read = pa.Table.from_pandas(table, preserve_index=False) if isinstance(table, pd.DataFrame) else pa.table(table)
    parsed = ParsedTable(read)
    return structure(parsed, infer(parsed, options))


CELLS = st.sampled_from([None, 0.0, 1.0, 2.5])
TEXTS = st.sampled_from([None, "a", "b", "a b"])


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(CELLS, TEXTS, CELLS), min_size=2, max_size=30))
def test_duplicates_are_those_of_pandas(rows: list[tuple[Any, ...]]) -> None:
    frame = pd.DataFrame(rows, columns=["x", "y", "z"]).assign(w=1.0, v=["p", "q", *["p"] * (len(rows) - 2)])
    assert of(frame).duplicates == int(frame.duplicated().sum())


def test_repeated_rows_are_counted_without_columns_that_name_them() -> None:
    table = {"key": [f"k{row}" for row in range(30)], "x": [1.5, 2.5, 3.5] * 10, "y": ["a", "b", "a"] * 10}
    found = of(table, SchemaOptions(id="key"))
    assert found.duplicates == 27
    assert found.sentences == ("27 of 30 rows equal an earlier one in every column, but for 'key'",)


def masked(values: np.ndarray, mask: np.ndarray) -> list[Any]:
    return [None if absent else float(value) for value, absent in zip(values, mask, strict=True)]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_a_column_that_has_values_only_where_another_one_has(rng: np.random.Generator) -> None:
    x = rng.normal(size=300)
    table = {
        "Death3": masked(x, x < 1.2),
        "x": rng.normal(size=300),
        "Death1": masked(x, x < 0),
        "Death2": masked(x, x < 0.6),
    }
    assert set(of(table).sentences) == {
        f"'Death2' has values ({(x >= 0.6).sum()} rows) only where 'Death1' has one",
        f"'Death3' has values ({(x >= 1.2).sum()} rows) only where 'Death2' has one",
    }


def test_columns_that_are_missing_together(rng: np.random.Generator) -> None:
    x, mask = rng.normal(size=200), rng.random(200) < 0.2
    found = of({"x": x, "a": masked(x, mask), "b": masked(-x, mask)})
    assert found.sentences == (f"'a' and 'b' are always missing together ({mask.sum()} rows)",)


def test_a_column_that_is_skipped_for_an_answer(rng: np.random.Generator) -> None:
    married, x = rng.choice(["yes", "no", "widowed"], size=200), rng.normal(size=200)
    found = of({"married": married, "age of spouse": masked(x, married != "yes"), "y": -x})
    assert found.sentences == ("'age of spouse' is missing exactly where 'married' is 'no' or 'widowed'",)


@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_said_of_cells_that_are_missing_at_random(seed: int) -> None:
    rng = np.random.default_rng(seed)
    columns = {f"x{at}": rng.normal(size=100) for at in range(8)}
    table = {name: masked(values, rng.random(100) < 0.3) for name, values in columns.items()}
    table |= {"k": rng.choice(["a", "b"], size=100), "few": masked(rng.normal(size=100), rng.random(100) < 0.95)}
    assert of(table).sentences == ()


def test_unreadable_cells_are_neither_missing_nor_equal_to_missing_ones() -> None:
    texts = pa.array([*map(str, range(40)), "?", "n/k", "n/k"])
    table = {"x": texts, "y": pa.array([0.5] * 43), "k": pa.array(["a", *["b"] * 42])}
    found = of(table, SchemaOptions(kinds={"x": "number"}, missing=("?",)))
    assert found.duplicates == 1

"""Alerts with the same main reasons are one incident."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from anomalo.evaluation.alerts.incidents import MAIN, Incident, incidents

REASONS = pa.list_(pa.struct([("column", pa.string()), ("contribution", pa.float64())]))
Row = list[tuple[str, float]]


def reasons(rows: list[Row]) -> pa.Array:
    return pa.array([[{"column": name, "contribution": part} for name, part in row] for row in rows], REASONS)


def main(row: Row) -> tuple[str, ...]:
    """The main reasons of one row, by the definition."""
    total, reached, found = sum(part for _, part in row), 0.0, []
    for name, part in row:
        if found and reached >= MAIN * total * (1 - 1e-9):
            break
        found.append(name)
        reached += part
    return tuple(sorted(found))


def test_alerts_are_grouped_and_the_largest_group_is_first() -> None:
    rows: list[Row] = [
        [("b", 8.0), ("a", 2.0)],  # exactly the share: the first is enough
        [("a", 5.0), ("b", 5.0)],
        [("b", 5.0), ("a", 5.0), ("c", 0.1)],
        [],
        [("a", 6.0), ("b", 4.0)],
    ]
    found = incidents(reasons(rows))
    p_value = np.array([0.001, 0.02, 0.01, 0.03, 0.2])
    alert = p_value <= 0.1
    both, only = (found.columns.index(names) for names in (("a", "b"), ("b",)))
    assert found.among(alert, p_value) == [Incident(both, ("a", "b"), 2, 0.01), Incident(only, ("b",), 1, 0.001)]
    assert found.of_row.tolist() == [only, both, both, -1, both]
    assert found.among(np.zeros(5, dtype=bool), p_value) == []


def test_without_reasons_there_are_no_incidents() -> None:
    found = incidents(reasons([[], []]))
    assert (found.columns, found.of_row.tolist()) == ((), [-1, -1])
    assert found.among(np.ones(2, dtype=bool), np.zeros(2)) == []


ROWS = st.lists(
    st.lists(st.tuples(st.sampled_from("abcde"), st.integers(0, 9)), max_size=4, unique_by=lambda item: item[0]).map(
        lambda row: sorted(((name, float(part)) for name, part in row), key=lambda item: -item[1])
    ),
    max_size=8,
)


@given(ROWS)
def test_main_reasons_are_those_of_the_definition(rows: list[Row]) -> None:
    found = incidents(reasons(rows))
    assert [found.columns[at] if at >= 0 else () for at in found.of_row] == [main(row) for row in rows]

"""Conditions on cells: levels, intervals, missing cells and hours, and batches that are joined."""

import numpy as np
import pyarrow as pa

from anomalo.feedback.conditions import Condition, joined
from anomalo.tabular.columns import Columns
from anomalo.tabular.parsing import Texts

NAN = float("nan")


def texts(*cells: str | None) -> Texts:
    found = pa.array(cells, pa.string()).dictionary_encode()
    return Texts(found.dictionary, found.indices.fill_null(-1).to_numpy().astype(np.int32))


def columns() -> Columns:
    hour = 3600.0
    return Columns(
        4,
        {
            "device": texts("a", None, "b", "a"),
            "pressure": np.array([1.0, NAN, 2.0, NAN]),
            "time": np.array([2 * hour, 3 * hour + 59, 23 * hour, NAN]),
        },
        {"pressure": np.array([False, False, False, True])},
    )


def held(condition: Condition) -> list[int]:
    return np.flatnonzero(condition.of(columns())).tolist()


def test_each_sort_of_condition() -> None:
    assert held(Condition("device", levels=("a",))) == [0, 3]
    assert held(Condition("device", levels=("a", "b", "c"))) == [0, 2, 3]
    assert held(Condition("device", levels=("absent",))) == []
    assert held(Condition("device")) == [1], "a missing text"
    assert held(Condition("pressure", low=1.0, high=2.0)) == [0, 2], "both ends are included"
    assert held(Condition("pressure", low=1.5, high=1.9)) == []
    assert held(Condition("pressure")) == [1], "a cell that cannot be read is not missing"
    assert held(Condition("time", "hour", ("02:00", "03:00"))) == [0, 1]


def test_a_text_that_stands_for_a_missing_cell_is_missing() -> None:
    cells = Texts(pa.array(["a", None]), np.array([0, 1, -1], dtype=np.int32))
    assert Condition("device").of(Columns(3, {"device": cells})).tolist() == [False, True, True]


def test_conditions_survive_json() -> None:
    for condition in (
        Condition("device", levels=("a", "b")),
        Condition("pressure", low=1.0, high=2.0),
        Condition("pressure"),
        Condition("time", "hour", ("02:00",)),
    ):
        again = Condition.from_json(condition.to_json())
        assert held(again) == held(condition)
        assert str(again) == str(condition)


def test_batches_are_joined() -> None:
    one, two = columns(), columns().take(np.array([3, 0]))
    both = joined([one, two])
    assert both.rows == 6
    cells = both.values["device"]
    assert isinstance(cells, Texts)
    assert cells.expand().to_pylist() == ["a", None, "b", "a", "a", "a"]
    assert both.unreadable["pressure"].tolist() == [False, False, False, True, True, False]
    assert Condition("pressure", low=1, high=1).of(both).tolist() == [True, False, False, False, False, True]

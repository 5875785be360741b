"""Reasons say something: wrong cells do not excuse each other, and what is as expected is none."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from anomalo.calibration.thresholds import Boundary, Threshold
from anomalo.pipeline.cell_tables import cells_table
from anomalo.pipeline.config import FitConfig
from anomalo.pipeline.explaining.reasons import reasons
from anomalo.pipeline.fitted import Fitted
from anomalo.pipeline.repair import repair
from anomalo.registry.registry import Registry
from anomalo.tabular.schema import SchemaOptions, infer

REGISTRY = Registry.load()
ROWS = 400
SMALL: dict[str, dict[str, Any]] = {
    "auto": {"effort": "fast"},
    "covariance": {},
    "linear": {"epochs": 30},
    "undercomplete": {"epochs": 30, "hidden": (16,)},
}


def fit(model: str, table: pa.Table, **kinds: str) -> Fitted:
    schema = infer(table, SchemaOptions(kinds=kinds))
    goals = frozenset({"score"}) if model == "auto" else frozenset[str]()
    config = FitConfig(model, SMALL[model], seed=0, device="cpu", goals=goals)
    return Fitted.fit(table, schema, config, REGISTRY).fitted


def explained(fitted: Fitted, table: pa.Table, rows: Any) -> tuple[pa.Table, dict[int, list[dict[str, Any]]]]:
    rows = np.array(rows)
    batch = table.take(pa.array(rows)).combine_chunks().to_batches()[0]
    data = fitted.encode(batch)
    cells = cells_table(fitted, batch, rows, data)
    return cells, reasons(cells, rows, fitted.explain(data).near)


def projects(seed: int) -> dict[str, np.ndarray]:
    """Return the columns of a table of projects: the end is the start or a year later."""
    rng = np.random.default_rng(seed)
    start = rng.integers(2012, 2021, ROWS)
    return {
        "start_year": start,
        "end_year": start + rng.integers(0, 2, ROWS),
        "amount": rng.lognormal(3, 0.5, ROWS).round(2),
        "kind": rng.choice(list("abc"), ROWS),
        "score": rng.normal(50, 10, ROWS).round(1),
    }


@pytest.mark.parametrize(
    "model", [pytest.param(name, marks=pytest.mark.slow if name in ("auto", "undercomplete") else ()) for name in SMALL]
)
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_two_wrong_cells_of_near_copies_are_both_reasons_and_what_is_usual_is_expected(model: str, seed: int) -> None:
    columns, row = projects(seed), 7 + seed
    columns["start_year"][row], columns["end_year"][row] = 1900, 1901
    table = pa.table(columns)
    cells, found = explained(fit(model, table), table, [row])
    first = found[row][:2]
    assert {reason["column"] for reason in first} == {"start_year", "end_year"}
    assert all(2012 <= int(reason["expected"]) <= 2021 for reason in first)
    inside = [cell for cell in cells.to_pylist() if cell["column"].endswith("year") and cell["low"] is not None]
    assert all(cell["low"] <= int(cell["expected"]) <= cell["high"] for cell in inside)


@pytest.mark.parametrize("model", ["linear", "covariance"])
def test_one_wrong_cell_is_expected_from_its_copy(model: str) -> None:
    columns = projects(0)
    columns["end_year"][3] = 2300
    table = pa.table(columns)
    _, found = explained(fit(model, table), table, [3])
    assert found[3][0]["column"] == "end_year"
    assert abs(int(found[3][0]["expected"]) - int(columns["start_year"][3])) <= 3


@pytest.fixture(scope="module")
def linear() -> tuple[Fitted, pa.Table]:
    table = pa.table(projects(2))
    return fit("linear", table), table


def test_no_reason_is_equal_or_next_to_what_is_expected(linear: tuple[Fitted, pa.Table]) -> None:
    cells, found = explained(*linear, range(ROWS))
    by_cell = {(cell["row"], cell["column"]): cell for cell in cells.to_pylist()}
    checked = 0
    for row, some in found.items():
        assert some
        for reason in some:
            cell = by_cell[row, reason["column"]]
            assert reason["expected"] in (None, cell["expected"])
            if reason["expected"] is None:
                assert len(some) == 1
            elif reason["column"] == "kind":
                assert reason["observed"] != reason["expected"]
            else:
                checked += 1
                distance = abs(float(reason["observed"]) - float(reason["expected"]))
                assert distance > 0.09 * (cell["high"] - cell["low"])
    assert checked > ROWS


def cells_of(*lines: tuple[str, float, str | None, str | None, float | None, float | None]) -> pa.Table:
    names = ("column", "contribution", "observed", "expected", "low", "high")
    rows = [{"row": 0, **dict(zip(names, line, strict=True))} for line in lines]
    return pa.Table.from_pylist(rows, schema=pa.schema([("row", pa.int64()), *TYPES.items()]))


TYPES = {name: pa.string() for name in ("column", "observed", "expected")}
TYPES |= {name: pa.float64() for name in ("contribution", "low", "high")}


def test_reasons_of_a_table_by_hand() -> None:
    cells = cells_of(
        ("start_year", 9.0, "2015", "2015", 2010.0, 2020.0),  # equal
        ("score", 8.0, "50.5", "49.9", 40.0, 60.0),  # next to it
        ("amount", 7.0, "14.3", "14.3 (fare + tip)", 10.0, 20.0),  # a rule is a reason
        ("end_year", 6.0, None, "2016", 2014.0, 2018.0),  # and so is a missing cell
        ("kind", 5.0, "z", None, None, None),  # and a level that nothing is expected for
        ("share", 0.1, "7", "3", None, None),
        ("date", 0.08, "2013-04-29", "a Sunday", None, None),  # next to nothing beside the others
    )
    (found,) = reasons(cells, np.array([4]), np.array([[False, True, False, False, False, False, False]])).values()
    assert [reason["column"] for reason in found] == ["amount", "end_year", "kind", "share"]
    assert found[0]["expected"] == "14.3 (fare + tip)"


def test_where_all_cells_are_as_expected_the_first_is_the_reason_without_an_expected_value() -> None:
    cells = cells_of(("start_year", 1.0, "2015", "2015", 2010.0, 2020.0), ("kind", 2.0, "a", "a", None, None))
    found = reasons(cells, np.array([11]), np.zeros((1, 2), dtype=bool))
    assert found == {11: [{"column": "kind", "contribution": 2.0, "observed": "a", "expected": None}]}


def test_of_negative_contributions_the_largest_is_the_reason() -> None:
    cells = cells_of(("kind", -2.0, "new", "a", None, None), ("score", -9.0, "10", "50", 40.0, 60.0))
    (found,) = reasons(cells, np.array([0]), np.zeros((1, 2), dtype=bool)).values()
    assert [(reason["column"], reason["expected"]) for reason in found] == [("kind", "a")]


def people(names: int) -> pa.Table:
    """Return a table with a column of so many different names, one of them unusual in another column."""
    rng = np.random.default_rng(0)
    name = np.concatenate([np.arange(names), rng.integers(0, names, ROWS - names)])
    age = rng.normal(40, 8, ROWS).round(1)
    weight = (age + rng.normal(0, 1, ROWS)).round(1)
    weight[5] = 400.0
    return pa.table({"name": [f"person {number}" for number in name], "age": age, "weight": weight})


@pytest.mark.parametrize("model", ["linear", "covariance"])
def test_nothing_is_expected_of_a_column_that_names_its_rows(model: str) -> None:
    table = people(ROWS - 20)
    cells, _ = explained(fit(model, table, name="category"), table, range(ROWS))
    names = cells.filter(pa.compute.equal(cells["column"], "name"))
    assert names["expected"].null_count == ROWS


def test_what_is_expected_of_a_category_with_rare_levels_is_no_rare_level() -> None:
    table = people(150)
    cells, _ = explained(fit("linear", table, name="category"), table, range(ROWS))
    names = cells.filter(pa.compute.equal(cells["column"], "name"))
    counts = {value["values"]: value["counts"] for value in table["name"].value_counts().to_pylist()}
    assert all(counts[name] >= 2 for name in names["expected"].drop_null().to_pylist())


def test_a_name_is_not_repaired() -> None:
    table = people(ROWS - 20)
    fitted = fit("linear", table, name="category")
    batch = table.take(pa.array([5])).combine_chunks().to_batches()[0]
    data = fitted.encode(batch)
    scored = fitted.score(data)
    boundary = Threshold.parse("share=0.05").boundary(scored.p_value, scored.score)
    assert isinstance(boundary, Boundary)
    found = repair(fitted, data, boundary)
    assert not found.cells[:, 0].any()


def test_intervals_of_whole_numbers_and_few_values_hold_possible_values() -> None:
    rng = np.random.default_rng(1)
    size = rng.normal(size=ROWS)
    columns = {
        "size": size,
        "count": rng.poisson(np.exp(2 + 0.5 * size)),
        "cylinders": np.array([4, 6, 8])[np.digitize(size, [-0.5, 0.5])],
        "price": (10 + size + rng.normal(0, 0.1, ROWS)).round(2),
    }
    table = pa.table(columns)
    cells, _ = explained(fit("linear", table), table, range(ROWS))
    for cell in cells.to_pylist():
        low, high, expected = cell["low"], cell["high"], float(cell["expected"])
        assert low <= expected <= high
        if cell["column"] == "count":
            assert all(value.is_integer() for value in (low, high, expected))
        if cell["column"] == "cylinders":
            assert {low, high, expected} <= {4.0, 6.0, 8.0}
        if cell["column"] == "price":
            assert all(abs(100 * value - round(100 * value)) < 1e-6 for value in (low, high, expected))

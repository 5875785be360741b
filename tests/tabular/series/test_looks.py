import numpy as np
import pyarrow as pa
import pytest

from anomalo.tabular.columns import ParsedTable
from anomalo.tabular.schema import infer
from anomalo.tabular.structure import structure

ROWS = 400


def sentence(table: pa.Table) -> str | None:
    parsed = ParsedTable(table)
    found = [text for text in structure(parsed, infer(parsed)).sentences if "look like points" in text]
    return found[0] if found else None


@pytest.fixture
def pumps() -> pa.Table:
    rng = np.random.default_rng(0)
    wave = np.sin(np.arange(ROWS) // 2 / 9) + 0.1 * rng.normal(size=ROWS)
    pump = np.tile(["a", "b"], ROWS // 2)
    time = pa.array(np.arange(ROWS) // 2 * 3600).cast(pa.timestamp("s"))
    return pa.table({"at": time, "pump": pump, "flow": np.where(pump == "a", wave, -wave)})


def test_points_in_order_that_are_like_those_before_look_like_a_series(pumps: pa.Table) -> None:
    assert sentence(pumps) == (
        "the rows look like points of a series: 'at' grows, and 'flow' is like the value before; "
        "to take them so: --time 'at' --entity 'pump'"
    )
    one = pumps.filter(pa.compute.equal(pumps["pump"], "a")).drop_columns("pump")
    assert str(sentence(one)).endswith("--time 'at'")


def test_other_tables_do_not(pumps: pa.Table) -> None:
    order = np.random.default_rng(1).permutation(ROWS)
    noise = pa.array(np.random.default_rng(2).normal(size=ROWS))
    assert sentence(pumps.take(pa.array(order))) is None
    assert sentence(pumps.set_column(2, "flow", noise)) is None
    assert sentence(pumps.slice(0, 30)) is None
    assert sentence(pumps.drop_columns("at")) is None

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from anomalo.jobs.part import numbered_parts
from anomalo.jobs.series.surroundings import Surroundings, TimeOrder, is_in_order
from anomalo.tabular.schema import SchemaOptions, infer

ROWS = 60


def table(series: np.ndarray) -> pa.Table:
    return pa.table({"time": np.arange(ROWS), "series": [f"s{at}" for at in series], "flow": np.arange(ROWS) * 1.5})


@settings(deadline=None, max_examples=12)
@given(st.integers(1, 4), st.integers(0, 4), st.integers(0, 4), st.integers(1, 25), st.integers(0, 1000))
def test_each_row_has_the_points_of_its_series_around_it(
    kinds: int, before: int, after: int, size: int, seed: int
) -> None:
    series = np.random.default_rng(seed).integers(kinds, size=ROWS)
    rows = table(series)
    schema = infer(rows, SchemaOptions(time="time", entity="series"))
    batches = rows.combine_chunks().to_batches(max_chunksize=size)
    parts = list(Surroundings(schema, before, after).of(numbered_parts(batches)))
    assert np.concatenate([part.rows for part in parts]).tolist() == list(range(ROWS))
    for part in parts:
        there = set(part.among[0].column("time").to_pylist())
        for row in part.rows.tolist():
            mine = np.flatnonzero(series == series[row])
            at = int(np.searchsorted(mine, row))
            assert set(mine[max(at - before, 0) : at + after + 1].tolist()) <= there


def test_the_order_of_time_is_that_of_each_series() -> None:
    rows = table(np.arange(ROWS) % 2)
    schema = infer(rows, SchemaOptions(time="time", entity="series"))
    swapped = rows.take(pa.array([0, 1, 3, 2, *range(4, ROWS)]))
    late = rows.take(pa.array([*range(10), 5, *range(11, ROWS)]))
    assert is_in_order(rows.to_batches(max_chunksize=7), schema)
    assert is_in_order(swapped.combine_chunks().to_batches(max_chunksize=7), schema)
    assert not is_in_order(late.combine_chunks().to_batches(max_chunksize=7), schema)
    assert not TimeOrder(schema).keeps(late.combine_chunks().to_batches()[0])

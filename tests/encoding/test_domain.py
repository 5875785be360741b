"""Fills take values that the column can have: observed ones where these are few, whole days, whole steps."""

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomalo.encoding.domain import few_values, nearest
from anomalo.encoding.scaling import compress
from anomalo.encoding.table_encoder import TableEncoder
from anomalo.tabular.column import SchemaOptions, write_notes
from anomalo.tabular.schema import infer


def fitted(table: pa.Table, **options: object) -> TableEncoder:
    schema = infer(table, SchemaOptions(**options))  # type: ignore[arg-type]
    return TableEncoder().fit(schema.parse(table), schema)


def filled(table: pa.Table, value: float, round: bool = True) -> object:
    """Return what a cell of the first column becomes when it is filled with a value in its original units."""
    encoder = fitted(table)
    block = encoder.layout.blocks[0]
    points = np.zeros((table.num_rows, len(encoder.layout.blocks)), dtype=np.float32)
    points[:, 0] = compress(np.array([value]), block.offset, block.scale)[0]
    where = np.zeros(points.shape, dtype=np.bool_)
    where[:, 0] = True
    (batch,) = table.combine_chunks().to_batches()
    trip = encoder.round_trip(points[:1, 0], 0)
    cell = encoder.fill(batch, points, where, round).column(0)[0].as_py()
    assert not round or np.allclose(trip, encoder.round_trip(trip, 0), atol=1e-6)
    return cell


def table_of(cells: list[object], text: bool) -> pa.Table:
    table = pa.table({"x": list(map(str, cells)) if text else cells, "y": [row % 7 / 2 for row in range(len(cells))]})
    return table.replace_schema_metadata(write_notes(table.schema, {"text": text}).metadata)


@pytest.mark.parametrize("text", [True, False])
@pytest.mark.parametrize(
    ("values", "fill", "expected"),
    [
        ([4, 6, 8], 6.9, 6),
        ([4, 6, 8], 7.1, 8),
        ([0.0, 0.5, 1.0], 0.7, 0.5),
        ([0.0, 0.5, 1.0], 0.8, 1.0),
        ([1, 2, 5, 9], 6.8, 5),
        ([10, 20, 35], 1000.0, 35),
    ],
)
def test_a_fill_of_few_numbers_is_one_of_them(values: list[float], fill: float, expected: float, text: bool) -> None:
    table = table_of(values * 20, text)
    assert filled(table, fill) == (str(expected) if text else expected)
    if fill < max(values):
        assert filled(table, fill, round=False) != (str(expected) if text else expected)


def test_many_numbers_are_not_restricted() -> None:
    assert filled(table_of([row / 2 for row in range(40)], False), 3.2) == pytest.approx(3.2, abs=1e-5)
    assert filled(table_of([4, 6, 8], False), 6.8) == 7  # each occurs once: too little to say that there are no others


def test_observed_values_come_back_from_json_and_bound_samples() -> None:
    table = table_of([4, 6, 8] * 20, False)
    encoder = fitted(table)
    again = TableEncoder.from_json(json.loads(json.dumps(encoder.to_json())), infer(table))
    cells = np.array([[7.1, 0.2], [np.nan, 0.2], [99.0, 99.0]])
    for one in (encoder, again):
        assert one.clip_to_domain(cells)[:, 0].tolist()[::2] == [8.0, 8.0]
        assert np.isnan(one.clip_to_domain(cells)[1, 0])


def test_days_are_filled_with_days() -> None:
    noon = 1_546_300_800.0 + 10 * 86_400 + 40_000
    days = [np.datetime64("2019-01-01") + row for row in range(60)]
    stamps = pa.array(np.array(days, dtype="datetime64[ns]"))
    table = pa.table({"x": stamps, "y": [row % 7 / 2 for row in range(60)]})
    assert str(filled(table, noon)) == "2019-01-11 00:00:00"
    assert (
        str(filled(pa.table({"x": [int(str(day).replace("-", "")) for day in days], "y": table["y"]}), noon))
        == "20190111"
    )
    assert filled(table_of([str(day).replace("-", "") for day in days], True), noon) == "20190111"


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=80).map(lambda values: np.array(values, dtype=np.float64)))
def test_few_values_are_all_that_occur(values: np.ndarray) -> None:
    few = few_values(values)
    assert few in ([], sorted(set(values.tolist())))
    if few:
        assert np.array_equal(nearest(values, few), values)

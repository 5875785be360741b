"""Encoding a table and back: every kind, every source, any batch, any magnitude."""

import datetime
import json
import math
import tracemalloc

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from anomalo.encoding.encoded import FIRST_LEVEL, MISSING, UNSEEN
from anomalo.encoding.image_encoder import ImageEncoder
from anomalo.encoding.scaling import LINEAR, compress, expand
from anomalo.encoding.series_encoder import SeriesEncoder
from anomalo.encoding.table_encoder import TableEncoder
from anomalo.encoding.text_encoder import TextEncoder
from anomalo.errors import SchemaError, SourceError
from anomalo.pipeline.cell_tables import absent
from anomalo.registry.hooks import anomalo_encoders
from anomalo.tabular.column import write_notes
from anomalo.tabular.schema import Schema, SchemaOptions, infer

FINITE = st.floats(allow_nan=False, allow_infinity=False)
POSITIVE = st.floats(min_value=5e-324, allow_nan=False, allow_infinity=False)


def text_batch(separator=",", **columns):
    batch = pa.RecordBatch.from_pydict({name: pa.array(cells, pa.string()) for name, cells in columns.items()})
    return batch.replace_schema_metadata(write_notes(batch.schema, {"text": True, "separator": separator}).metadata)


class Pair:
    """An encoder and the schema that parses for it."""

    def __init__(self, encoder, schema):
        self.encoder, self.schema = encoder, schema

    def __getattr__(self, name):
        return getattr(self.encoder, name)

    def encode(self, batch, first_row=0):
        return self.encoder.encode(self.schema.parse(batch, first_row))

    def fill(self, batch, point, round=True):
        """Fill the missing cells."""
        return self.encoder.fill(batch, point, absent(self.encode(batch)), round)


def fitted(batch, **options):
    table = batch if isinstance(batch, pa.Table) else pa.Table.from_batches([batch])
    schema = infer(table, SchemaOptions(**options))
    return Pair(TableEncoder().fit(schema.parse(table), schema), schema)


def typed_frame(rows=200, seed=0):
    rng = np.random.default_rng(seed)
    day = pd.Timestamp("2020-01-01")
    return pd.DataFrame(
        {
            "real": np.where(rng.random(rows) < 0.1, np.nan, rng.standard_t(2, rows)),
            "whole": rng.integers(-500, 500, rows),
            "nullable": pd.array([None if i % 9 == 0 else i % 50 for i in range(rows)], dtype="Int64"),
            "truth": rng.random(rows) < 0.3,
            "level": pd.Categorical([["low", "mid", "high"][i % 3] for i in range(rows)], ordered=True),
            "code": [str(i % 4) for i in range(rows)],
            "when": [day + pd.Timedelta(days=int(i)) for i in rng.integers(0, 900, rows)],
            "zoned": pd.to_datetime([day + pd.Timedelta(hours=i % 70) for i in range(rows)]).tz_localize("Asia/Tokyo"),
            "same": [7] * rows,
        }
    )


@given(FINITE, FINITE, FINITE, POSITIVE)
@settings(deadline=None, max_examples=300)
def test_compress_is_monotone_and_finite(first, second, offset, scale):
    low, high = compress(np.array(sorted([first, second])), offset, scale)
    assert np.isfinite([low, high]).all()
    assert low <= high + 1e-12 * abs(high)


@given(FINITE, FINITE, POSITIVE)
@example(0.0, 1.7976931348623157e308, 1.7976931214684583e308)
@settings(deadline=None, max_examples=300)
def test_expand_undoes_compress(value, offset, scale):
    encoded = compress(np.array([value]), offset, scale)
    (back,) = expand(encoded, offset, scale)
    assert np.isfinite(back)
    tolerance = 1e-10 * (abs(value) + abs(offset))
    assert abs(back / 2 - value / 2) <= tolerance + scale * 1e-12 + 1e-300


def test_compress_is_its_formula():
    assert compress(np.array([-2.0, 0.0, 3.0])).tolist() == [-2.0, 0.0, 3.0]
    assert compress(np.array([30.0, -300.0])) == pytest.approx([3 + 3 * math.log(10), -3 - 3 * math.log(100)])
    step = 1e-6
    below, above = (compress(np.array([LINEAR + d]))[0] for d in (-step, step))
    assert (above - below) / (2 * step) == pytest.approx(1, abs=1e-5)
    values = np.array([4.0, 5.0, 1e3, 1e6, 1e100, 1e101, 1e300, 1.7e308])
    assert (np.diff(compress(values)) > 0).all()
    assert (np.diff(compress(values, 0.0, 1e-300)) > 0).all()


def test_numbers_are_centred_on_the_median_in_robust_scales():
    rng = np.random.default_rng(1)
    values = rng.normal(50, 4, 5000)
    values[:5] = [1e9, -1e9, 1e12, 1e15, 1e100]
    encoder = fitted(pa.table({"x": values}))
    (block,) = encoder.layout.blocks
    assert block.offset == pytest.approx(np.median(values))
    assert block.scale == pytest.approx(np.subtract(*np.percentile(values, [75, 25])) / 1.349)
    encoded = encoder.encode(pa.table({"x": values})).values[:, 0]
    assert np.std(encoded[5:]) == pytest.approx(1, abs=0.05)
    assert encoded[4] > encoded[3] > encoded[2] > encoded[0] > encoded[5:].max()
    assert (block.low, block.high) == (encoded.min(), encoded.max())


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ([0.0] * 80 + list(range(1, 21)), lambda v: np.subtract(*np.percentile(v, [95, 5])) / 3.29),
        ([0.0] * 96 + [1.0, 2, 3, 4], lambda v: np.subtract(*np.percentile(v, [99, 1])) / 4.652),
        ([0.0] * 999 + [5.0], np.std),
    ],
)
def test_scale_where_most_values_are_equal(values, scale):
    encoder = fitted(pa.table({"x": [float(v) for v in values]}))
    assert encoder.layout.blocks[0].scale == pytest.approx(scale(np.array(values)))


@pytest.mark.parametrize(
    "values",
    [
        [1e300, -1e300, 0.0, 1.0],
        [1.7e308, -1.7e308, 1.7e308, -1.7e308],
        [1e-300, 2e-300, 3e-300, -1e300],
        [5e-324, 1e-323, 0.0, 1.5e-323],
        [2**63 - 1, -(2**63), 0, 17],
        [1.0, math.nextafter(1.0, 2.0), 1.0, 1.0],
    ],
)
def test_extreme_magnitudes_stay_finite_and_ordered(values):
    batch = pa.RecordBatch.from_pydict({"x": values})
    encoder = fitted(batch)
    encoded = encoder.encode(batch).values[:, 0]
    assert np.isfinite(encoded).all()
    order = np.argsort(values, kind="stable")
    assert (np.diff(encoded[order]) >= 0).all()
    decoded = encoder.decode(encoded, 0)
    assert decoded.type == batch.column(0).type
    assert np.isfinite(np.array(decoded.to_pylist(), dtype=float)).all()
    json.dumps(encoder.to_json(), allow_nan=False)
    unseen = encoder.encode(pa.RecordBatch.from_pydict({"x": [1e308, -1e308]})).values[:, 0]
    assert np.isfinite(unseen).all()
    assert unseen[0] > unseen[1]


def test_every_typed_kind_comes_back():
    batch = pa.RecordBatch.from_pandas(typed_frame(), preserve_index=False)
    encoder = fitted(batch)
    data = encoder.encode(batch)
    for block in encoder.layout.blocks:
        decoded = encoder.decode(data.values[:, block.position], block.position)
        column = batch.column(block.name)
        assert decoded.type == column.type
        seen = data.observed[:, block.position]
        assert (seen == column.is_valid().to_numpy(zero_copy_only=False)).all()
        kept = decoded.filter(pa.array(seen)), column.filter(pa.array(seen))
        if block.name == "real":
            assert np.allclose(*kept, rtol=1e-5, atol=1e-6)
        elif block.name == "when":
            apart = np.abs(np.subtract(*(np.asarray(part).astype("datetime64[s]").astype(int) for part in kept)))
            assert apart.max() <= 5  # seconds, of 900 days in single precision
        elif block.name == "zoned":
            assert kept[0].cast(pa.int64()).to_numpy() == pytest.approx(kept[1].cast(pa.int64()).to_numpy(), abs=1e6)
        else:
            assert kept[0].to_pylist() == kept[1].to_pylist()


TEXT = {
    "age": [" 39", "50 ", "?", " 7", "12", "61"],
    "price": ["1.50", "20.25", "NA", "3.00", "7.10", "1000.00"],
    "plain": ["1.5", "2", "2.25", "?", "10", "0.1"],
    "tiny": ["1.5e-07", "2.5e-05", "3e-06", "1e-06", "4e-07", ""],
    "zip": ["02139", "10001", "02139", "00501", "10001", "99999"],
    "flag": ["y", "n", "y", "?", "n", "y"],
    "day": ["01.02.2020", "28.02.2021", "15.07.1999", "", "01.01.2020", "31.12.2020"],
    "stamp": ["2020-01-01T10:00:00Z", "2020-01-01T10:00:07Z", "?", *["2020-01-01T10:01:00Z"] * 3],
    "level": ["a", " b", "a", "c ", "?", "a"],
    "same": ["1.0"] * 6,
}


def test_every_text_format_comes_back():
    batch = text_batch(**TEXT)
    encoder = fitted(batch)
    data = encoder.encode(batch)
    assert [block.name for block in encoder.layout.blocks] == list(TEXT)
    for block in encoder.layout.blocks:
        decoded = encoder.decode(data.values[:, block.position], block.position).to_pylist()
        for cell, back, seen in zip(TEXT[block.name], decoded, data.observed[:, block.position], strict=True):
            if seen:
                assert back == cell.strip()
            else:
                assert cell.strip() in ("?", "NA", "")


def test_decimal_comma_comes_back():
    cells = ["1,5", "20,25", "3,75", "-7,5"]
    encoder = fitted(text_batch(";", x=cells, y=["1", "2", "3", "5"]))
    assert encoder.decode(encoder.encode(text_batch(x=cells, y=["1"] * 4)).values[:, 0], 0).to_pylist() == cells


def test_integers_are_rounded_unless_asked_not_to():
    encoder = fitted(pa.table({"x": [1, 2, 3, 4], "y": [1.0, 2.0, 4.0, None]}))
    for position in (0, 1):
        block = encoder.layout.blocks[position]
        values = compress(np.array([2.4]), block.offset, block.scale).astype(np.float32)
        assert encoder.decode(values, position)[0].as_py() == 2
        assert encoder.decode(values, position, round=False)[0].as_py() == pytest.approx(2.4)
    assert encoder.decode(values, 0).type == pa.int64()


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(-1000, 1000), min_size=2, max_size=30))
def test_integers_of_any_source_come_back(values):
    for batch in (pa.RecordBatch.from_pydict({"x": values}), text_batch(x=list(map(str, values)))):
        encoder = fitted(batch, kinds={"x": "integer"})
        encoded = encoder.encode(batch).values[:, 0]
        assert encoder.decode(encoded, 0).to_pylist() == batch.column(0).to_pylist()


@settings(deadline=None, max_examples=50)
@given(st.lists(st.one_of(st.none(), st.text(st.sampled_from("abAB 1é"), max_size=3)), min_size=1, max_size=40))
def test_categories_come_back_trimmed(cells):
    batch = pa.RecordBatch.from_pydict({"x": pa.array(cells, pa.string()), "y": [1.0 * i for i in range(len(cells))]})
    encoder = fitted(batch, kinds={"x": "category"})
    data = encoder.encode(batch)
    decoded = encoder.decode(data.values[:, 0], 0).to_pylist()
    assert decoded == [None if cell is None else cell.strip() for cell in cells]
    levels = encoder.layout.blocks[0].levels
    counts = [decoded.count(level) for level in levels]
    assert list(zip(counts, levels, strict=True)) == sorted(
        zip(counts, levels, strict=True), key=lambda pair: (-pair[0], pair[1])
    )


def test_codes():
    encoder = fitted(text_batch(x=["a", "b", "a", "?", "c"], k=["7"] * 5))
    data = encoder.encode(text_batch(x=["a", " c", "?", "new"], k=["7", "8", "7.0", None]))
    assert data.values[:, 0].tolist() == [FIRST_LEVEL, FIRST_LEVEL + 2, MISSING, UNSEEN]
    assert data.observed[:, 0].tolist() == [True, True, False, False]
    assert data.values[:, 1].tolist() == [FIRST_LEVEL, UNSEEN, FIRST_LEVEL, MISSING]
    assert encoder.layout.blocks[0].missing == pytest.approx(0.2)
    assert encoder.decode(np.float32([0, 1, 2, 99, np.nan]), 0).to_pylist() == [None, None, "a", None, None]


def test_rare_levels_share_a_code():
    cells = ["often"] * 500 + [f"twice{i}" for i in range(150)] * 2 + ["once"] * 1
    encoder = fitted(text_batch(x=cells))
    block = encoder.layout.blocks[0]
    assert block.levels[0] == "often"
    assert len(block.levels) == 100
    assert block.size == 101
    assert block.rare[-1] == "once"
    encoded = encoder.encode(text_batch(x=["once", block.rare[0], "often", "never"]))
    assert encoded.values[:, 0].tolist() == [102, 102, 2, UNSEEN]
    assert encoded.observed[:, 0].tolist() == [True, True, True, False]
    assert encoder.decode(encoded.values[:, 0], 0).to_pylist() == [block.rare[0], block.rare[0], "often", None]
    few = fitted(text_batch(x=["often"] * 500 + [f"level{i}" for i in range(19)]))
    assert (len(few.layout.blocks[0].levels), few.layout.blocks[0].rare) == (20, ())


def test_ten_thousand_levels_stay_light(calls):
    cells = pa.array([f"level {i % 10_000}" for i in range(100_000)])
    table = pa.table({"x": cells, "y": np.arange(100_000) % 97})
    tracemalloc.start()
    before = pa.total_allocated_bytes()
    encoder = fitted(table)
    codes = [encoder.encode(batch).values for batch in table.to_batches(max_chunksize=8192)]
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.concatenate(codes)[:, 0].max() == 102
    assert calls(lambda: fitted(table).encode(table)) < 100_000
    assert used + pa.total_allocated_bytes() - before < 100 << 20


def test_batches_and_the_order_of_columns_do_not_matter():
    table = pa.Table.from_pandas(typed_frame(), preserve_index=False)
    encoder = fitted(table)
    whole = encoder.encode(table)
    parts = [encoder.encode(batch) for batch in table.to_batches(max_chunksize=37)]
    assert np.array_equal(np.concatenate([part.values for part in parts]), whole.values)
    shuffled = table.select(table.column_names[::-1]).append_column("extra", table["code"])
    assert np.array_equal(encoder.encode(shuffled).values, whole.values)
    assert whole.values.dtype == np.float32
    assert (whole.values[~whole.observed] == 0).all()
    with pytest.raises(SchemaError, match="'when'"):
        encoder.encode(table.drop_columns(["when"]))


def test_a_model_fitted_on_text_reads_types_and_the_reverse():
    text = text_batch(n=["1.5", "2", "?", "4"], f=["t", "f", "t", "?"], c=["1", "2", "5", "2"])
    typed = pa.RecordBatch.from_pydict({"n": [1.5, 2.0, None, 4.0], "f": [True, False, True, None], "c": [1, 2, 5, 2]})
    for first, second in ((text, typed), (typed, text)):
        encoder = fitted(first, kinds={"c": "category"})
        here, there = encoder.encode(first), encoder.encode(second)
        assert np.array_equal(here.values, there.values)
        point = np.where(here.observed, here.values, np.float32([0.0, 2.0, 2.0]))
        assert encoder.fill(second, point).schema.types == second.schema.types


def test_errors_name_the_row_of_the_table():
    encoder = fitted(text_batch(x=["1", "2", "5"]))
    with pytest.raises(SchemaError, match="'two' in row 1"):
        encoder.encode(text_batch(x=["?", "two", "one"]))
    with pytest.raises(SourceError, match="infinite number in row 7"):
        encoder.encode(text_batch(x=["inf"]), first_row=7)


def test_fill_touches_missing_cells_only():
    batch = text_batch(**TEXT, other=["?"] * 6)
    encoder = fitted(batch)
    data = encoder.encode(batch)
    point = np.full_like(data.values, 2.0)
    filled = encoder.fill(batch, point)
    assert filled.schema.equals(batch.schema, check_metadata=True)
    for name, cells in batch.to_pydict().items():
        after = filled.column(name).to_pylist()
        hidden = [cell.strip() in ("?", "NA", "") and name != "other" for cell in cells]
        assert [cell for cell, missing in zip(after, hidden, strict=True) if not missing] == [
            cell for cell, missing in zip(cells, hidden, strict=True) if not missing
        ]
        assert all(cell.strip() not in ("?", "NA", "") for cell, missing in zip(after, hidden, strict=True) if missing)


def test_fill_keeps_the_spaces_around_a_cell():
    batch = text_batch(x=[" a", " b", " ?", "\t? ", " ", None, " a"])
    filled = fitted(batch).fill(batch, np.full((7, 1), 2, np.float32))
    assert filled.column("x").to_pylist() == [" a", " b", " a", "\ta ", " a", "a", " a"]


def test_fill_leaves_unseen_levels_and_stays_in_range():
    encoder = fitted(text_batch(x=["a", "b", "a"], n=["1", "9", "5"], day=["2020-01-01", "2020-01-05", "2020-01-03"]))
    batch = text_batch(x=["new", "?"], n=["?", "?"], day=["", ""])
    point = np.float32([[2, 1e6, 50], [3, -1e6, -50]])
    assert encoder.fill(batch, point).to_pydict() == {
        "x": ["new", "b"],
        "n": ["9", "1"],
        "day": ["2020-01-05", "2020-01-01"],
    }


def test_fill_keeps_types():
    batch = pa.RecordBatch.from_pandas(typed_frame(), preserve_index=False)
    encoder = fitted(batch)
    incomplete = pa.RecordBatch.from_arrays(
        [pa.array([None, *column[1:].to_pylist()], column.type) for column in batch.columns], schema=batch.schema
    )
    encoded = encoder.encode(batch)
    filled = encoder.fill(incomplete, encoded.values)
    assert filled.schema.equals(batch.schema, check_metadata=True)
    assert not any(column.null_count for column in filled.columns if column.type != pa.float64())
    for name in ("whole", "truth", "level", "code", "same"):
        assert filled.column(name).to_pylist() == batch.column(name).to_pylist()
    loose = encoder.fill(incomplete, encoded.values, round=False)
    assert loose.schema.field("whole").type == pa.float64()
    empty = incomplete.set_column(1, "whole", pa.nulls(len(incomplete)))
    assert encoder.fill(empty, encoded.values).schema.field("whole").type == pa.int64()


def test_a_new_encoder_from_json_is_the_same():
    batch = pa.RecordBatch.from_pandas(typed_frame(), preserve_index=False)
    encoder = fitted(batch)
    value = json.loads(json.dumps(encoder.to_json(), allow_nan=False))
    schema = Schema.from_json(json.loads(json.dumps(encoder.schema.to_json())))
    again = Pair(TableEncoder.from_json(value, schema), schema)
    assert again.layout == encoder.layout
    data = encoder.encode(batch)
    assert np.array_equal(again.encode(batch).values, data.values)
    point = np.full_like(data.values, 2.5)
    assert again.fill(batch, point).equals(encoder.fill(batch, point))


def test_the_input_is_not_changed():
    values = np.array([1.0, np.nan, 100.0, 2.0])
    batch = pa.RecordBatch.from_arrays([pa.array(values)], names=["x"])
    copy = values.copy()
    encoder = fitted(batch)
    encoder.fill(batch, encoder.encode(batch).values)
    assert np.array_equal(values, copy, equal_nan=True)


def test_one_row_and_dates_before_1970():
    batch = text_batch(x=["5"], day=["1931-07-04"])
    encoder = fitted(batch)
    assert encoder.decode(encoder.encode(batch).values[:, 1], 1).to_pylist() == ["1931-07-04"]
    old = [datetime.date(1700, 1, 1), datetime.date(1850, 6, 1), datetime.date(2200, 1, 1)]
    typed = pa.RecordBatch.from_pydict({"day": old})
    days = fitted(typed)
    assert days.decode(days.encode(typed).values[:, 0], 0).to_pylist() == old


def test_it_is_offered_by_its_hook():
    assert list(anomalo_encoders()) == [TableEncoder, TextEncoder, ImageEncoder, SeriesEncoder]
    assert TableEncoder.modality == "table"

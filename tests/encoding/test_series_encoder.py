import json

import numpy as np
import pyarrow as pa
import pytest

from anomalo.encoding.encoded import Encoded
from anomalo.encoding.series_encoder import SeriesEncoder
from anomalo.errors import ArtefactError, SourceError
from anomalo.models.series.view import windows
from anomalo.tabular.schema import Schema, SchemaOptions, infer

ROWS = 300
HOUR = 3600


def table(seed: int = 0) -> pa.Table:
    rng = np.random.default_rng(seed)
    wave = np.sin(np.arange(ROWS) // 2 / 12 * np.pi) + 0.1 * rng.normal(size=ROWS)
    pump = np.tile(["a", "b"], ROWS // 2)
    return pa.table(
        {
            "time": pa.array(np.arange(ROWS) // 2 * HOUR).cast(pa.timestamp("s")),
            "pump": pump,
            "flow": np.where(pump == "a", wave, 50 + 20 * wave),
            "state": np.where(rng.random(ROWS) < 0.5, "on", "off"),
        }
    )


OPTIONS = SchemaOptions(time="time", entity="pump", window=8)


def fitted(rows: pa.Table, options: SchemaOptions = OPTIONS) -> tuple[SeriesEncoder, Schema, Encoded]:
    schema = infer(rows, options)
    columns = schema.parse(rows)
    encoder = SeriesEncoder().fit(columns, schema)
    return encoder, schema, encoder.encode(columns)


def test_each_row_has_its_window_whatever_the_order_of_the_table() -> None:
    rows, order = table(), np.random.default_rng(1).permutation(ROWS)
    data, shuffled = fitted(rows)[2], fitted(rows.take(pa.array(order)))[2]
    one, other = windows(data), windows(shuffled)
    assert one.layout.shape == (8, 2)
    np.testing.assert_array_equal(one.values[order], other.values)
    np.testing.assert_array_equal(one.observed[order], other.observed)
    np.testing.assert_array_equal(data.hashes()[order], shuffled.hashes())


def test_a_window_holds_the_points_of_one_series() -> None:
    data = fitted(table())[2]
    seen = windows(data)
    for row in (0, 1, 140, 141):
        mine = list(range(row % 2, row + 1, 2))[-8:]
        np.testing.assert_array_equal(seen.values[row, -len(mine) :, 1], data.values[mine, 1])
        assert seen.observed[row].any(axis=1).sum() == len(mine)


def test_series_are_seen_on_their_own_scale_and_encoded_on_the_common_one() -> None:
    data = fitted(table())[2]
    own = windows(data).values[:, -1, 0]
    assert np.abs(own[::2].std() - own[1::2].std()) < 0.2
    assert data.values[1::2, 0].std() > 3 * data.values[::2, 0].std()


def test_a_batch_among_the_points_around_it_is_encoded_as_in_the_whole_table() -> None:
    rows = table()
    encoder, schema, every = fitted(rows)
    some = encoder.encode(schema.parse(rows.slice(80, 60))).take(slice(20, 60))
    np.testing.assert_array_equal(windows(some).values, windows(every).values[100:140])
    assert (some.hashes() != every.take(slice(100, 140)).hashes())[-2:].all()  # which know what comes after them
    causal = fitted(rows, SchemaOptions(time="time", entity="pump", window=8, causal=True))
    some = causal[0].encode(schema.parse(rows.slice(80, 60))).take(slice(20, 60))
    np.testing.assert_array_equal(some.hashes(), causal[2].hashes()[100:140])


def test_a_series_that_was_not_in_training_has_the_common_scale_and_is_known_to_be_new() -> None:
    rows = table()
    encoder, schema, _ = fitted(rows)
    new = rows.set_column(1, "pump", pa.array(["c"] * ROWS))
    data = encoder.encode(schema.parse(new))
    assert data.positions is not None
    assert data.positions.points.is_new is not None
    assert data.positions.points.is_new.all()
    np.testing.assert_allclose(windows(data).values[:, -1, 0], data.values[:, 0], atol=1e-6)


def test_missing_points_of_a_regular_series_are_not_observed() -> None:
    rows = table().slice(0, 200)
    gap = pa.concat_tables([rows.slice(0, 100), rows.slice(106)])
    seen = windows(fitted(gap)[2])
    assert seen.observed[100].any(axis=1).tolist() == [True] * 4 + [False] * 3 + [True]


def test_the_encoder_is_restored() -> None:
    rows = table()
    encoder, schema, data = fitted(rows)
    again = SeriesEncoder.from_json(json.loads(json.dumps(encoder.to_json())), schema)
    assert again.layout == encoder.layout
    other = again.encode(schema.parse(rows))
    np.testing.assert_array_equal(windows(other).values, windows(data).values)
    np.testing.assert_array_equal(other.hashes(), data.hashes())


def test_a_point_without_a_time_is_refused() -> None:
    rows = table()
    times = rows["time"].to_pylist()
    times[5] = None
    with pytest.raises(SourceError, match="column 'time' has no readable time for 1 point of 300; give each a time"):
        fitted(rows.set_column(0, "time", pa.array(times)))


def test_the_length_of_windows_is_a_period() -> None:
    rows = pa.table(
        {
            "time": pa.array(np.arange(1000) * HOUR).cast(pa.timestamp("s")),
            "flow": np.sin(np.arange(1000) * 2 * np.pi / 40),
        }
    )
    assert fitted(rows, SchemaOptions(time="time"))[0].layout.window == 40


@pytest.mark.parametrize(("channels", "window"), [(4, 100), (40, 25), (300, 8)])
def test_of_many_channels_windows_are_shorter_unless_asked_for(channels: int, window: int) -> None:
    rng = np.random.default_rng(0)
    rows = pa.table(
        {"time": pa.array(np.arange(1000) * HOUR).cast(pa.timestamp("s"))}
        | {f"c{number}": rng.normal(size=1000) for number in range(channels)}
    )
    assert fitted(rows, SchemaOptions(time="time"))[0].layout.window == window
    assert fitted(rows, SchemaOptions(time="time", window=60))[0].layout.window == 60


def test_an_encoder_of_an_earlier_version_is_refused() -> None:
    encoder, schema, _ = fitted(table())
    known = encoder.to_json()
    for old in ({name: value for name, value in known.items() if name != "version"}, known | {"version": 1}):
        with pytest.raises(
            ArtefactError, match=r"this model of series is of version 1, .*: expected version 2; fit it again"
        ):
            SeriesEncoder.from_json(old, schema)

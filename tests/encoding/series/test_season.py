from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from anomalo.encoding.encoded import Encoded
from anomalo.encoding.series.points import Points, Positions
from anomalo.encoding.series.season import UNKNOWN, season
from anomalo.encoding.series_encoder import SeriesEncoder
from anomalo.models.series.view import windows
from anomalo.tabular.schema import SchemaOptions, infer

WIDTH = 4
DAY = 86_400.0


@pytest.mark.parametrize(
    ("step", "phase"),
    [("7min", "hour"), ("6h", "hour"), ("1D", "day_of_week"), ("2D", "day_of_week"), ("11D", "month")],
)
def test_the_phase_is_of_the_shortest_cycle_longer_than_a_step(step: str, phase: str) -> None:
    stamps = pd.date_range("1965-03-03 13:30", periods=900, freq=step)
    seconds = stamps.to_numpy().astype("datetime64[s]").astype(np.float64)
    expected = getattr(stamps, phase) - (phase == "month")
    assert season(seconds, float(seconds[1] - seconds[0])).tolist() == list(expected)


def encoded(stamps: object) -> Encoded:
    rows = pa.table({"time": stamps, "flow": np.random.default_rng(0).normal(size=len(stamps))})  # type: ignore[arg-type]
    schema = infer(rows, SchemaOptions(time="time", window=WIDTH))
    columns = schema.parse(rows)
    return SeriesEncoder().fit(columns, schema).encode(columns)


def test_windows_have_the_hours_of_their_points_absent_ones_too() -> None:
    hours = np.delete(np.arange(60), [20, 21])  # two points are absent
    data = encoded(pa.array(hours * 3600).cast(pa.timestamp("s")))
    seen = windows(data).season
    assert seen is not None
    assert seen[0].tolist() == [UNKNOWN] * 3 + [0]
    assert seen[20].tolist() == [19, 20, 21, 22]
    assert seen[-1].tolist() == [8, 9, 10, 11]
    some = np.array([20, 3, 57])
    assert (windows(data.take(some)).season == seen[some]).all()
    assert (
        Encoded.concatenate([windows(data.take(slice(0, 5))), windows(data.take(slice(5, None)))]).season == seen
    ).all()


def test_times_that_are_numbers_have_no_calendar() -> None:
    assert windows(encoded(np.arange(60.0) * 3600)).season is None


def test_a_view_and_single_windows_have_the_same_phases() -> None:
    first = np.repeat([0, 9], [9, 6])
    values = np.zeros((15, 1), dtype=np.float32)
    points = Points(values, np.ones((15, 1), dtype=bool), first, values, season=np.arange(15, dtype=np.int8))
    every = Positions(points, np.arange(15), WIDTH)
    for rows in (np.arange(9), np.arange(9, 15)):
        some = every.take(rows)
        for place in ("trailing", "centred"):
            viewed, whole = (one.windows(getattr(one, place))[2] for one in (some, every))
            assert viewed is not None
            assert whole is not None
            np.testing.assert_array_equal(viewed, whole[rows])
    twice = Positions.concatenate([every, replace(every, points=replace(points))])
    joined = twice.windows(twice.trailing)[2]
    assert joined is not None
    assert (joined[15:] == joined[:15]).all()

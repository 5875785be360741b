"""Columns that are computed from points in time, compared with pandas."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from anomalo.tabular.column import Column
from anomalo.tabular.columns import Columns
from anomalo.tabular.moments.derived import YEARLY, DerivedColumn, day_of_year, derive, derived_table, is_moment
from anomalo.tabular.moments.related import related
from anomalo.tabular.parsing import Texts
from anomalo.tabular.schema import Schema, infer


def understood(frame: pd.DataFrame) -> tuple[Columns, Schema]:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    schema = infer(table)
    return schema.parse(table), schema


def names(frame: pd.DataFrame) -> set[str]:
    return {one.name for one in derive(*understood(frame))}


def times(start: str, days: float, rows: int = 2000, seed: int = 0) -> pd.Series:
    seconds = np.random.default_rng(seed).uniform(0, days * 86_400, rows).round()
    return pd.Series(pd.Timestamp(start) + pd.to_timedelta(seconds, unit="s")).astype("datetime64[us]")


@pytest.mark.parametrize(
    ("days", "parts"),
    [
        (1, set()),
        (10, {"hour"}),
        (60, {"hour", "weekday"}),
        (650, {"hour", "weekday", "month"}),
        (731, {"hour", "weekday", "month", *YEARLY}),
    ],
)
def test_cycles_that_the_span_supports(days: float, parts: set[str]) -> None:
    assert names(pd.DataFrame({"t": times("2020-03-01", days)})) == {f"{part} of t" for part in {*parts, "outside"}}


def test_days_have_no_hours_and_months_no_weekdays() -> None:
    day = times("2020-03-01", 900).dt.floor("D")
    year = {f"{part} of t" for part in YEARLY}
    assert names(pd.DataFrame({"t": day})) == {"weekday of t", "month of t", "outside of t", *year}
    month = day.dt.to_period("M").dt.start_time.astype("datetime64[us]")
    assert names(pd.DataFrame({"t": month})) == {"month of t", "outside of t"}


def test_times_of_day_and_durations_are_no_moments() -> None:
    clock = np.random.default_rng(0).integers(0, 86_400, 500, dtype=np.int32)
    table = pa.table(
        {"clock": pa.array(clock, pa.time32("s")), "lasted": pa.array(clock.astype(np.int64), pa.duration("s"))}
    )
    schema = infer(table)
    assert {column.kind for column in schema.columns} == {"datetime"}
    assert derive(schema.parse(table), schema) == ()
    assert not is_moment(Column("at", "datetime", date_format=("~{hh}:{mm}",)))
    assert is_moment(Column("at", "datetime", date_format=("%d.%m.%Y",)))


def test_few_rows_have_no_cycles() -> None:
    assert names(pd.DataFrame({"t": times("2020-03-01", 900, rows=30)})) == {"outside of t"}


def test_levels_are_those_of_pandas_also_before_1970() -> None:
    moments = times("1960-03-01", 9000)
    moments[::7] = pd.NaT
    columns, schema = understood(pd.DataFrame({"t": moments, "x": np.arange(len(moments)) * 0.37}))
    values = derived_table(derive(columns, schema), columns)[0].values
    expected = {
        "hour": moments.dt.strftime("%H:00"),
        "weekday": moments.dt.day_name(),
        "month": moments.dt.month_name(),
    }
    for part, texts in expected.items():
        found = values[f"{part} of t"]
        assert isinstance(found, Texts)
        assert found.expand().to_pylist() == texts.astype(object).where(moments.notna(), None).tolist()


def test_the_day_of_the_year_is_that_of_pandas_around_a_circle() -> None:
    moments = times("1960-03-01", 9000)
    moments[:4] = pd.to_datetime(
        ["1963-12-31 23:59:59", "1964-01-01 00:00:00", "1964-12-31 12:00:00", "1965-07-02 12:00:00"]
    )
    moments[7::7] = pd.NaT
    columns, schema = understood(pd.DataFrame({"t": moments, "x": np.arange(len(moments)) * 0.37}))
    values = derived_table(derive(columns, schema), columns)[0].values
    sine, cosine = (np.asarray(values[f"{part} of t"]) for part in YEARLY)
    np.testing.assert_allclose(np.hypot(sine, cosine)[moments.notna()], 1)
    np.testing.assert_array_equal(np.isnan(sine), moments.isna())
    passed = (moments.dt.day_of_year - 1 + (moments - moments.dt.normalize()) / pd.Timedelta("1D")).to_numpy()
    expected = passed / (365 + moments.dt.is_leap_year.to_numpy()) * 365
    there = moments.notna().to_numpy()
    np.testing.assert_allclose(day_of_year(sine, cosine)[there], expected[there], atol=1e-9)
    assert np.hypot(sine[0] - sine[1], cosine[0] - cosine[1]) < 1e-6  # the end of a year is next to its beginning
    assert (sine[3], cosine[3]) == pytest.approx((0, -1), abs=1e-12)


def test_only_moments_far_from_the_others_are_outside() -> None:
    moments = times("2020-01-01", 100)
    moments[3], moments[5], moments[7] = pd.Timestamp("2091-01-01"), pd.Timestamp("1999-01-01"), pd.NaT
    columns, schema = understood(pd.DataFrame({"t": moments, "x": np.arange(2000) * 0.37}))
    (one,) = (one for one in derive(columns, schema) if one.part == "outside")
    outside = one.values(columns)
    assert isinstance(outside, np.ndarray)
    assert outside[3] > 200
    assert outside[5] < -50
    assert np.isnan(outside[7])
    assert not np.delete(outside, [3, 5, 7]).any()


@pytest.mark.parametrize("outlier", [None, "2023-06-01", "2091-01-01"])
def test_new_rows_may_be_ten_years_later_or_up_to_an_outlier_of_training(outlier: str | None) -> None:
    moments = times("2020-01-01", 100)
    if outlier is not None:
        moments[3] = pd.Timestamp(outlier)
    columns, schema = understood(pd.DataFrame({"t": moments, "x": np.arange(2000) * 0.37}))
    (one,) = (one for one in derive(columns, schema) if one.part == "outside")
    one = DerivedColumn.from_json(json.loads(json.dumps(one.to_json())))
    new = pd.DataFrame({"t": pd.to_datetime(["2020-09-01", "2023-05-31", "2023-06-02", "2029-12-31", "2031-01-01"])})
    outside = one.values(understood(new)[0])
    early = outlier == "2023-06-01"
    assert (np.asarray(outside) != 0).tolist() == [False, False, early, early, True]


def test_a_model_of_before_knows_no_later_rows() -> None:
    before = DerivedColumn.from_json({"part": "outside", "sources": ["t"], "usual": [0.0, 86_400.0]})
    columns = understood(
        pd.DataFrame({"t": pd.to_datetime(["1970-01-01 12:00", "1970-01-02 12:00", "1970-01-04 00:00"])})
    )[0]
    assert np.asarray(before.values(columns)).tolist() == [0.0, 0.0, 1.0]


def test_durations_between_columns_that_belong_together() -> None:
    start = times("2020-01-01", 300)
    born = times("1960-01-01", 9000, seed=1)
    end = (start + pd.to_timedelta(np.random.default_rng(2).gamma(2, 300, 2000).round(), unit="s")).astype("M8[us]")
    end[0] = start[0] - pd.Timedelta("1h")
    columns, schema = understood(pd.DataFrame({"end": end, "born": born, "start": start}))
    found = [one for one in derive(columns, schema) if one.part == "since"]
    assert [one.sources for one in found] == [("end", "start")]
    expected = (end - start).dt.total_seconds()
    np.testing.assert_array_equal(found[0].values(columns), expected)
    assert DerivedColumn.from_json(found[0].to_json()) == found[0]


def test_each_column_is_related_to_the_closest_before_it() -> None:
    rng = np.random.default_rng(0)
    ordered = rng.uniform(0, 1e7, 500)
    sent = ordered + rng.uniform(0, 1e5, 500)
    paid = sent + rng.uniform(0, 1e3, 500)
    pairs = {("ordered", "sent"): (ordered, sent), ("ordered", "paid"): (ordered, paid), ("sent", "paid"): (sent, paid)}
    assert related(pairs) == [("sent", "ordered"), ("paid", "sent")]
    assert related({("a", "b"): (ordered, rng.uniform(0, 1e7, 500))}) == []
    assert related({("a", "b"): (ordered[:10], sent[:10])}) == []

"""Dates, times of day and durations as text: read, and written back as they were."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomalo.tabular.column import Column, SchemaOptions, write_notes
from anomalo.tabular.datetimes import exact, from_seconds
from anomalo.tabular.formatting import render_numbers
from anomalo.tabular.parsing import numbers
from anomalo.tabular.schema import Schema, infer
from anomalo.tabular.understanding.date_formats import FORMATS, ways_to_write


def schema_of(cells: Sequence[str], **options: object) -> Schema:
    table = pa.table({"x": list(cells), "other": [f"{row % 3}" for row in range(len(cells))]})
    notes = write_notes(table.schema, {"text": True, "separator": ","})
    return infer(table.replace_schema_metadata(notes.metadata), SchemaOptions(**options))  # type: ignore[arg-type]


def written(column: Column, seconds: np.ndarray) -> list[str]:
    return render_numbers(column, seconds, pa.string(), whole=True).to_pylist()


def at(*parts: int) -> float:
    return datetime(*parts, tzinfo=UTC).timestamp()  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("cells", "first"),
    [
        (["1/5/2019 3:04 PM", "12/15/2019 12:00 AM", "7/8/2019 11:59 AM"], at(2019, 1, 5, 15, 4)),
        (["01/05/2019 03:04:09 PM", "12/15/2019 12:00:01 AM"], at(2019, 1, 5, 15, 4, 9)),
        (["01/25/2019, 3:04 PM", "12/15/2019, 12:00 AM"], at(2019, 1, 25, 15, 4)),
        (["2019-1-5", "2019-11-25", "2019-2-7"], at(2019, 1, 5)),
        (["2019-1-5 4:05", "2019-11-25 14:05", "2019-2-7 0:00"], at(2019, 1, 5, 4, 5)),
        (["2019/1/5", "2019/11/25", "2019/2/7"], at(2019, 1, 5)),
        (["5.1.2019", "25.11.2019", "7.2.2019"], at(2019, 1, 5)),
        (["05.01.19", "25.11.19", "07.02.19"], at(2019, 1, 5)),
        (["Mon Jan 07 2019", "Fri Nov 15 2019"], at(2019, 1, 7)),
        (["Monday, January 7, 2019", "Friday, November 15, 2019"], at(2019, 1, 7)),
        (["Mon, 07 Jan 2019 10:11:12 +0000", "Fri, 15 Nov 2019 00:00:00 +0000"], at(2019, 1, 7, 10, 11, 12)),
        (["Mon, 07 Jan 2019 10:11:12 GMT", "Fri, 15 Nov 2019 00:00:00 GMT"], at(2019, 1, 7, 10, 11, 12)),
        (["7 January 2019", "15 November 2019"], at(2019, 1, 7)),
        (["Jan 7, 2019", "Nov 15, 2019"], at(2019, 1, 7)),
        (["Jan-7-2019", "Nov-15-2019"], at(2019, 1, 7)),
        (["07-Jan-2019", "15-Nov-2019"], at(2019, 1, 7)),
        (["20190105", "20191231", "20200229"], at(2019, 1, 5)),
        (["20190105T101112", "20191231T000000"], at(2019, 1, 5, 10, 11, 12)),
        (["2019-01", "2019-12", "2020-02"], at(2019, 1, 1)),
        (["Jan 2019", "Dec 2019", "Feb 2020"], at(2019, 1, 1)),
        (["01/2019", "12/2019", "02/2020"], at(2019, 1, 1)),
        (["2019Q1", "2019Q4", "2020Q2"], at(2019, 1, 1)),
        (["Q3 2019", "Q4 2019", "Q2 2020"], at(2019, 7, 1)),
        (["1:23:45", "0:00:07", "26:10:05"], 5025.0),
        (["01:23", "00:07", "14:05"], 4980.0),
        (["2:05 PM", "11:59 AM", "12:00 AM"], 50700.0),
        (["2h 30m", "45m", "1h"], 9000.0),
        (["1d 2h", "3d", "5h"], 93600.0),
        (["90 min", "2 h 5 min", "15 min"], None),
        (["2 h", "45 min", "1 h 20 min"], 7200.0),
        (["5h", "7m", "10s"], 18000.0),
        (["24/12/2019 5:06 pm", "13/11/2018 11:10 am"], at(2019, 12, 24, 17, 6)),
        (["P1DT2H", "PT3H", "P2D"], 93600.0),
        (["PT1H30M", "PT45M", "PT2H"], 5400.0),
    ],
)
def test_dates_are_read_and_written_back(cells: list[str], first: float | None) -> None:
    column = schema_of(cells).column("x")
    assert column.kind == "datetime"
    read = numbers(column, pa.array(cells))
    assert not np.isnan(read).any()
    if first is not None:
        assert read[0] == first
        assert written(column, read) == cells


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["20190105", "20199905", "20191399", "20190230"], "integer"),  # no days
        ([str(20190101 + row) for row in range(25)], "datetime"),  # days of one month
        ([str(20190101 + row) for row in range(60)], "identifier"),  # numbers that count on
        (["31415926", "27182818", "16180339"], "integer"),
        (["3/4", "1/2", "5/8"], "category"),
        (["2019-01-32", "2019-13-01", "2019-00-00"], "category"),
        (["Tue Jan 07 2019", "Mon Nov 15 2019", "Mon Nov 14 2019"], "category"),  # of other weekdays
        (["1.2.3", "4.5.6", "7.8.9"], "category"),
        (["may 5", "march", "12 monkeys"], "category"),
        (["12m", "5k", "3x"], "category"),
        (["25:61", "30:75", "99:99"], "category"),
        (["192.168.1.1", "10.0.0.1", "127.0.0.1"], "category"),
    ],
)
def test_what_is_a_date(cells: list[str], kind: str) -> None:
    assert schema_of(cells).column("x").kind == kind


def test_offsets_are_taken_into_account() -> None:
    cells = ["Mon, 07 Jan 2019 10:11:12 +0200", "Mon, 07 Jan 2019 10:11:12 -0330"]
    read = numbers(schema_of(cells).column("x"), pa.array(cells))
    assert read.tolist() == [at(2019, 1, 7, 8, 11, 12), at(2019, 1, 7, 13, 41, 12)]


def test_an_impossible_date_is_an_unreadable_cell() -> None:
    days = [str(datetime(2023, 5, 1).date() + timedelta(days=day)) for day in range(199)]
    schema = schema_of([*days[:9], "0000-00-00", *days[9:]])
    assert schema.column("x").kind == "datetime"
    assert schema.warnings == (
        "column 'x': 1 of 200 cells cannot be read as a datetime, such as '0000-00-00'; they count as unreadable cells "
        "(--missing 'x=0000-00-00' makes them missing)",
    )


def test_mixed_formats_are_dates_and_are_said() -> None:
    cells = [f"2023-{row % 12 + 1:02d}-{row % 28 + 1:02d}" for row in range(45)]
    cells += [f"{row % 12 + 1:02d}/{row + 13:02d}/2023" for row in range(15)]
    schema = schema_of(cells)
    column = schema.column("x")
    assert (column.kind, column.date_format) == ("datetime", ("%Y-%m-%d", "%m/%d/%Y"))
    (warning,) = schema.warnings
    assert "in 2 ways, such as 2023-01-01, such as 01/13/2023" in warning
    read = numbers(column, pa.array(["2023-02-03", "02/13/2023", "13/02/2023"]))
    assert read[:2].tolist() == [at(2023, 2, 3), at(2023, 2, 13)]
    assert np.isnan(read[2])
    assert written(column, read[1:2]) == ["2023-02-13"]
    assert Schema.from_json(schema.to_json()) == schema


def test_the_order_of_day_and_month_is_that_of_all_cells() -> None:
    cells = [f"{day:02d}/{month:02d}/2019" for month in range(1, 13) for day in range(1, 13)] * 3
    assert schema_of([*cells, "13/02/2019"]).column("x").date_format == ("%d/%m/%Y",)
    assert schema_of([*cells, "02/13/2019"]).column("x").date_format == ("%m/%d/%Y",)


def test_years_stay_whole_numbers() -> None:
    years = infer(
        pa.table({"year built": [1950 + row * 7 % 60 for row in range(80)], "x": [row % 3 for row in range(80)]})
    )
    assert (years.column("year built").kind, years.column("year built").why) == ("integer", "years")


def test_typed_numbers_that_are_days() -> None:
    days = [20190100 + 100 * (row % 9) + row % 28 + 1 for row in range(50)]
    table = pa.table({"day": pa.array([None, *days], pa.int64()), "x": [row % 3 for row in range(51)]})
    schema = infer(table)
    column = schema.column("day")
    assert (column.kind, column.date_format) == ("datetime", ("%Y%m%d",))
    read = numbers(column, table["day"].combine_chunks())
    assert read[1] == at(2019, 1, 1)
    again = render_numbers(column, read, pa.int64(), whole=True)
    assert again.type == pa.int64()
    assert again.to_pylist() == [None, *days]
    assert infer(pa.table({"n": [31415926 + 7 * row for row in range(50)]})).column("n").kind == "integer"


DAYS = [form for form in FORMATS if "%p" not in form or "%I" in form]


@settings(deadline=None, max_examples=400)
@given(
    st.sampled_from([way for form in DAYS for way in ways_to_write(form)]),
    st.datetimes(datetime(1970, 1, 2), datetime(2067, 12, 31)),
)
def test_every_format_is_read_as_it_is_written(form: str, moment: datetime) -> None:
    seconds = np.array([moment.replace(tzinfo=UTC).timestamp()])
    text = from_seconds(seconds, form)
    read = exact(text, form)
    assert not np.isnan(read).any(), text
    assert from_seconds(read, form) == text
    if "%Y" in form and "%d" in form.replace("-", "") and "%M" in form and "%S" in form:
        assert read[0] == np.round(seconds[0])


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from(["~{h}:{mm}:{ss}", "~{hh}:{mm}", "~{h}h {m}m", "~{d}d {h}h {m}m {s}s", "~P{d}D{h}H{m}M"]),
    st.integers(0, 10**6),
)
def test_every_duration_is_read_as_it_is_written(form: str, seconds: int) -> None:
    text = from_seconds(np.array([float(seconds)]), form)
    read = exact(text, form)
    smallest = 1 if "s" in form else 60
    assert abs(read[0] - seconds) <= smallest / 2
    assert from_seconds(read, form) == text

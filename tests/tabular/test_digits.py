"""What people read distinguishes two values and is near what files hold; other texts stay as they are."""

import re
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomalo.tabular.writing.digits import apart, interval_digits

FINITE = st.floats(-1e12, 1e12, allow_nan=False).filter(lambda value: value == 0 or abs(value) > 1e-9)


@given(FINITE, FINITE)
def test_two_numbers_stay_in_order_and_near_themselves(first: float, second: float) -> None:
    texts = apart(f"{first!r}", f"{second!r}")
    shown = [float(text or "") for text in texts]
    if first != second:
        assert (shown[0] < shown[1]) == (first < second)
        assert shown[0] - shown[1] == pytest.approx(first - second, rel=0.1001)
    for exact, value in zip((first, second), shown, strict=True):
        assert value == pytest.approx(exact, rel=0.006, abs=1e-12)


@given(FINITE)
def test_a_number_alone_has_six_digits_at_most_where_it_has_decimals(value: float) -> None:
    text = apart(f"{value:.9f}", None)[0] or ""
    digits = re.sub(r"\D", "", text).lstrip("0")
    assert len(digits) <= max(6, len(f"{abs(value):.0f}"))
    assert float(text) == pytest.approx(float(f"{value:.9f}"), rel=1e-5, abs=1e-9)


@pytest.mark.parametrize(
    "text",
    [
        "14.30",
        "145",
        "14.3 (fare + tip + tolls)",
        "a city",
        "",
        "1,234,567",
        "2019-01-05",
        "02:00",
        "v1.2.34567",
        "1e999x",
    ],
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert apart(text, "7") == (text, "7")
    assert apart("7", text) == ("7", text)
    assert apart(text, None) == (text, None)


@pytest.mark.parametrize(
    ("observed", "expected", "shown"),
    [
        ("9.379786122719162", "7.7902640176351454215", ("9.38", "7.79")),
        ("$1,234.5678", "$1,100.1234", ("$1,235", "$1,100")),
        ("1.234,5678 kg", "1.100,1234 kg", ("1.235 kg", "1.100 kg")),
        ("-0.000123456", "0.000123999", ("-0.000123", "0.000124")),
        ("(12.345678)", "3.1", ("(12.3)", "3.1")),
        ("1.23456789e-07", "9.8765e-3", ("1.23e-07", "9.88e-03")),
        ("0.1234567 (low)", "12", ("0.123 (low)", "12")),
    ],
)
def test_numbers_keep_what_is_around_them(observed: str, expected: str, shown: tuple[str, str]) -> None:
    assert apart(observed, expected) == shown


@given(st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)), st.timedeltas(timedelta(0), timedelta(days=900)))
def test_moments_are_shown_as_finely_as_they_differ(first: datetime, after: timedelta) -> None:
    first, second = first.replace(microsecond=0), (first + after).replace(microsecond=0)
    texts = apart(first.isoformat(" "), second.isoformat(" "))
    shown = [datetime.fromisoformat(text or "") for text in texts]
    assert (shown[0] != shown[1]) == (first != second)
    assert abs(shown[1] - shown[0] - (second - first)) <= (second - first) / 2


@given(FINITE, FINITE)
def test_an_interval_is_rounded_outward(first: float, second: float) -> None:
    low, high = sorted((first, second))
    start, end = map(float, interval_digits(low, high))
    assert start <= low <= high <= end
    assert end - start <= 1.03 * (high - low) + 0.03 * (abs(high) if high == low else 0) + (
        2 if high - low > 100 else 0
    )

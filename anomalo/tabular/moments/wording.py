"""What is expected of a point in time, in words: an hour, a weekday, a season, a usual span, a duration."""

from __future__ import annotations

import numpy as np

from anomalo.tabular.moments.derived import MONTHS, DerivedColumn

UNITS = ((86_400.0, "days"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))


def expected_level(derived: DerivedColumn, observed: str | None, expected: str | None) -> str | None:
    """Return which level of a cycle is expected instead of another; None if the same is.

    A level that was not seen in training, or seldom, is None.

    Examples
    --------
    >>> expected_level(DerivedColumn("hour", ("time",), (8.0, 19.0)), "02:00", "11:00")
    'between 08:00 and 20:00'
    >>> expected_level(DerivedColumn("weekday", ("time",)), "Sunday", "Tuesday")
    'a Tuesday'
    """
    if observed == expected or expected is None:
        return None
    if derived.part == "month":
        return f"in {expected}"
    if derived.part == "weekday":
        return f"a {expected}"
    first, last = (int(hour) for hour in derived.usual)
    usual = (int(expected[:2]) - first) % 24 <= (last - first) % 24
    unusual = observed is None or (int(observed[:2]) - first) % 24 > (last - first) % 24
    if usual and unusual:
        return f"between {first:02}:00 and {(last + 1) % 24:02}:00"
    return f"about {expected}"


def season(day: float) -> str:
    """Return a day of the year, from 0, in words.

    Examples
    --------
    >>> season(0.0), season(195.4)
    ('about 1 January', 'about 15 July')
    """
    date = (np.datetime64("2001-01-01") + int(day)).astype(object)
    return f"about {date.day} {MONTHS[date.month - 1]}"


def usual_span(derived: DerivedColumn) -> str:
    """Return the usual span of time, in days.

    Examples
    --------
    >>> usual_span(DerivedColumn("outside", ("time",), (0.0, 864000.0)))
    'between 1970-01-01 and 1970-01-11'
    """
    first, last = (np.datetime64(int(second), "s").astype("datetime64[D]") for second in derived.usual)
    return f"between {first} and {last}"


def duration(derived: DerivedColumn, seconds: float) -> str:
    """Return how long after another column a point in time is expected.

    Examples
    --------
    >>> duration(DerivedColumn("since", ("dropoff", "pickup")), 432.0)
    '7.2 min after pickup'
    """
    size, unit = next((one for one in UNITS if abs(seconds) >= one[0]), UNITS[-1])
    return f"{abs(seconds) / size:.3g} {unit} {'after' if seconds >= 0 else 'before'} {derived.sources[1]}"

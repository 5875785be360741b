"""Numbers and durations in messages."""

import pytest

from anomalo.tabular.quantities import duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "1 s"),
        (1.4, "1 s"),
        (59.6, "60 s"),
        (119.4, "119 s"),
        (120.0, "2 min"),
        (150.1, "3 min"),
        (3600, "60 min"),
    ],
)
def test_a_duration_is_in_seconds_below_two_minutes_and_in_minutes_above(seconds: float, text: str) -> None:
    assert duration(seconds) == text

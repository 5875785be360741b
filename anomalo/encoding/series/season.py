"""Where points stand in a cycle of the calendar: the hour of the day, the day of the week or the month."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from anomalo.tabular.moments.derived import DAY, Part, level

Phases = NDArray[np.int8]
Times = NDArray[np.float64]

UNKNOWN: Final = -1
"""The phase of a point outside of its stretch, and of points whose times are plain numbers."""
WEEK = 7 * DAY


def season(times: Times, step: float) -> Phases:
    """Return the phase of each point in the shortest cycle that is longer than the usual step, [points].

    Hours of the day count from 0, days of the week from Monday, months from January, each from 0.

    Parameters
    ----------
    times : float64 [points]
        Seconds since 1970.
    step : float
        Seconds between points, usually.

    Examples
    --------
    >>> season(np.array([0.0, 3600.0, 7300.0]), 3600.0).tolist()
    [0, 1, 2]
    >>> season(np.array([0.0]), 86400.0).tolist()  # 1970 began with a Thursday
    [3]
    """
    part: Part = "hour" if step < DAY else "weekday" if step < WEEK else "month"
    return level(part, times).astype(np.int8)

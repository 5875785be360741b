"""The period of the waves within windows."""

from __future__ import annotations

import numpy as np

from anomalo.plugin import Encoded, Run, autocorrelation
from anomalo_series.channels import Channels

SAMPLED = 300
"""Training windows that are looked at, at most."""
RELIABLE, SHORTEST = 0.3, 4
"""A period is believed from this autocorrelation, and from so many points on."""


def period_within(data: Encoded, run: Run) -> int:
    """Return the lag of the highest peak of the autocorrelation within training windows; their length if none is high.

    Lags go up to two thirds of a window. An autocorrelation is divided by the share of the points that have a partner.
    """
    width = data.layout.shape[0]
    rows = np.sort(run.rng.permutation(len(data))[:SAMPLED])
    opened, known = Channels(data.layout).open(data.take(rows))
    values, seen = opened.transpose(1, 0, 2).reshape(width, -1), known.transpose(1, 0, 2).reshape(width, -1)
    found = autocorrelation(values, seen, 2 * width // 3)
    found = found * width / (width - np.arange(len(found)))
    inner = found[1:-1]
    peaks = np.flatnonzero((inner > found[:-2]) & (inner > found[2:])) + 1
    peaks = peaks[(peaks >= SHORTEST) & (found[peaks] >= RELIABLE)]
    return int(peaks[found[peaks].argmax()]) if len(peaks) else width

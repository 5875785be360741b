"""Small encoded windows of a series for the checks."""

from __future__ import annotations

import numpy as np

from anomalo.encoding.encoded import Encoded
from anomalo.encoding.layout import Block, Layout
from anomalo.encoding.series.windows import trailing_windows
from anomalo.testing.tables import NEW_ROWS, ROWS

SERIES = "series"
WIDTH = 12


def series() -> tuple[Encoded, Encoded]:
    """Return 200 windows to train on and the 60 after them, always the same ones: two waves with noise.

    The first windows begin before the first point; later ones lack single points and a stretch.

    Examples
    --------
    >>> train, new = series()
    >>> train.values.shape, new.values.shape
    ((200, 12, 2), (60, 12, 2))
    """
    rng = np.random.default_rng(23)
    count = ROWS + NEW_ROWS
    time = np.arange(count)
    waves = np.stack([np.sin(time * 0.8), 0.5 * np.cos(time * 0.8) + np.sin(time * 0.1)], axis=1)
    points = (waves + rng.normal(0, 0.1, waves.shape)).astype(np.float32)
    observed = np.ones(points.shape, dtype=np.bool_)
    observed[60:] = rng.random((count - 60, 2)) >= 0.03
    observed[225:230, 1] = False
    blocks = tuple(
        Block(name, "number", at, low=-3.0, high=3.0, missing=float(1 - observed[:, at].mean()))
        for at, name in enumerate(("flow", "pressure"))
    )
    values, seen = trailing_windows(np.where(observed, points, np.float32(0)), observed, WIDTH)
    data = Encoded(values, seen, Layout(SERIES, (WIDTH, 2), blocks))
    return data.take(slice(0, ROWS)), data.take(slice(ROWS, None))

"""Small encoded images for the checks."""

from __future__ import annotations

import numpy as np

from anomalo.encoding.encoded import Encoded
from anomalo.encoding.layout import Block, Layout
from anomalo.tabular.column import IMAGE
from anomalo.testing.tables import NEW_ROWS, ROWS

SIZE = (12, 14)


def images() -> tuple[Encoded, Encoded]:
    """Return 200 grey images to train on and 60 more, always the same ones: waves with noise, some partly masked.

    Examples
    --------
    >>> train, new = images()
    >>> train.values.shape, new.values.shape
    ((200, 1, 12, 14), (60, 1, 12, 14))
    """
    rng = np.random.default_rng(22)
    count, (height, width) = ROWS + NEW_ROWS, SIZE
    row, column = np.indices(SIZE)
    angle, phase = rng.normal(0.5, 0.1, (count, 1, 1)), rng.uniform(0, 6.28, (count, 1, 1))
    waves = np.sin(row * np.sin(angle) + column * np.cos(angle) + phase) + rng.normal(0, 0.1, (count, *SIZE))
    top, left = rng.integers(0, height - 4, count), rng.integers(0, width - 4, count)
    observed = np.ones((count, 1, height, width), dtype=np.bool_)
    for at in np.flatnonzero(rng.random(count) < 0.2):
        observed[at, 0, top[at] : top[at] + 4, left[at] : left[at] + 4] = False
    values = np.where(observed, waves[:, None], 0).astype(np.float32)
    block = Block("grey", "number", 0, low=-3.0, high=3.0, missing=float(1 - observed.mean()))
    data = Encoded(values, observed, Layout(IMAGE, (1, *SIZE), (block,), axis=0))
    return data.take(slice(0, ROWS)), data.take(slice(ROWS, None))

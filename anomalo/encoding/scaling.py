"""Numbers of any size compressed to a common scale, and expanded again."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Scores = NDArray[np.float64]

LINEAR = 3.0
"""Up to this many scales from the centre the map is linear; beyond, it is logarithmic."""
LARGEST = float(np.finfo(np.float64).max)


def compress(values: ArrayLike, offset: float = 0.0, scale: float = 1.0) -> Scores:
    """Bring numbers to a common scale: linear near the centre, logarithmic far from it.

    With z = (value - offset) / scale, the result is z for abs(z) <= 3, and sign(z) (3 + 3 log(abs(z) / 3))
    beyond: continuous with its derivative, increasing, and without a bound, so that an outlier does not
    ruin the scale and an extreme value stays more extreme than a milder one.

    Parameters
    ----------
    values : float64 [n]
        Finite numbers, or nan.
    offset, scale : float
        Centre and scale; the scale is positive.

    Returns
    -------
    float64 [n]
        Finite where the values are, however large or small they and the scale are.
    """
    values = np.asarray(values, dtype=np.float64)
    with np.errstate(over="ignore"):
        z = (values - offset) / scale
    distance = np.abs(z)
    far = distance > LINEAR
    if far.any():
        logarithm = np.log(distance[far])
        endless = np.isinf(logarithm)
        if endless.any():
            # The quotient overflows: take the logarithm of its parts.
            halves = np.abs(values[far][endless] / 2 - offset / 2)
            logarithm[endless] = np.log(halves) + np.log(2) - np.log(scale)
        z[far] = np.copysign(LINEAR + LINEAR * (logarithm - np.log(LINEAR)), z[far])
    return z


def expand(encoded: ArrayLike, offset: float = 0.0, scale: float = 1.0) -> Scores:
    """Undo `compress`; a value beyond the range of float64 becomes its largest number."""
    distance = np.abs(np.asarray(encoded, dtype=np.float64))
    beyond = np.maximum(distance / LINEAR - 1, 0.0)
    with np.errstate(over="ignore"):
        z = np.where(beyond > 0, LINEAR * np.exp(beyond), distance) * scale
        values = offset + np.copysign(z, encoded)
        endless = np.isinf(z)
        if endless.any():
            # The distance alone is beyond float64, though the value may not be: work with quarters.
            near = distance[endless] / 4 * scale
            quarter = np.where(beyond[endless] > 0, np.exp(beyond[endless] + np.log(LINEAR / 4) + np.log(scale)), near)
            values[endless] = 4 * (offset / 4 + np.copysign(quarter, np.asarray(encoded)[endless]))
    return np.clip(values, -LARGEST, LARGEST)


def centre_and_scale(values: Scores) -> tuple[float, float]:
    """Return the median and the first of several scale estimates that is not zero; (0, 1) for no values.

    The divisors make each estimate equal to the standard deviation of normally distributed values.
    """
    if len(values) == 0:
        return 0.0, 1.0
    # Differences of the largest numbers overflow; a power of two less, they do not, and nothing is rounded.
    unit = 2.0**20 if np.abs(values).max() > 1e290 else 1.0
    q01, q05, q25, median, q75, q95, q99 = np.quantile(values / unit, [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99])
    scales = ((q75 - q25) / 1.349, (q95 - q05) / 3.29, (q99 - q01) / 4.652)
    scale = next((scale for scale in scales if scale > 0), 0.0) or _deviation(values / unit) or 1.0
    return float(median * unit), min(float(scale) * unit, LARGEST)


def _deviation(values: Scores) -> float:
    """Return the standard deviation of numbers of any size, whatever their order."""
    largest = float(np.abs(values).max())
    return float(np.std(np.sort(values) / largest) * largest) if largest > 0 else 0.0

"""Hide known cells at random, at random given other columns, or by their own value: MCAR, MAR, MNAR.

Each mechanism takes the same arguments and returns a mask of the cells to hide, all of them observed.

References: Rubin (1976), Inference and missing data, Biometrika 63 (the three mechanisms); Muzellec,
Josse, Boyer and Cuturi (2020), Missing data imputation using optimal transport, ICML (the logistic
models); van Buuren (2018), Flexible imputation of missing data, 2nd ed., section 1.2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from anomalo.errors import UsageError

Mask: TypeAlias = NDArray[np.bool_]
Mechanism: TypeAlias = Callable[[NDArray[Any], Mask, float, np.random.Generator], Mask]

DRIVERS = 0.3
"""Share of the columns that decide, under MAR, which cells of the others are hidden."""


def mcar(values: NDArray[Any], observed: Mask, share: float, rng: np.random.Generator) -> Mask:
    """Hide cells completely at random: P(hidden) = share, whatever the values.

    Parameters
    ----------
    values : float [n, columns]
        Numbers, or codes of categories.
    observed : bool [n, columns]
        The known cells; only these are hidden.
    share : float
        Expected share of a column's known cells to hide, from 0 to 1.
    rng : numpy Generator
        The source of randomness.

    Returns
    -------
    bool [n, columns]
        True for cells to hide.

    Raises
    ------
    UsageError
        The share is not between 0 and 1.
    """
    _check(share)
    return _hide(np.full(values.shape, share), observed, rng)


def mar(values: NDArray[Any], observed: Mask, share: float, rng: np.random.Generator) -> Mask:
    """Hide cells at random given other columns, which stay as they are.

    About 30 % of the columns, at least one, are drivers and keep all their cells. In any other column j
    P(hidden) = logistic(w_j . z + b_j) where z are the standardised drivers (0 where unknown), the
    weights w_j are normal and scaled so that w_j . z has unit variance, and b_j gives the share.

    Parameters, result and errors are those of `mcar`; the share counts the columns that lose cells.

    Raises
    ------
    UsageError
        There are fewer than two columns, or the share is not between 0 and 1.
    """
    _check(share)
    columns = values.shape[1]
    if columns < 2:
        raise UsageError(f"missing at random given other columns: got {columns} column, expected at least 2; use mcar")
    drivers = np.sort(rng.permutation(columns)[: max(1, round(DRIVERS * columns))])
    others = np.setdiff1d(np.arange(columns), drivers)
    z = _standardised(values, observed)[:, drivers]
    probability = np.zeros(values.shape)
    for column in others:
        signal = z @ rng.standard_normal(len(drivers))
        probability[:, column] = _logistic(signal, observed[:, column], share)
    return _hide(probability, observed, rng)


def mnar(values: NDArray[Any], observed: Mask, share: float, rng: np.random.Generator) -> Mask:
    """Hide cells by their own value: P(hidden) = logistic(w_j z_ij + b_j), in every column.

    z_ij is the standardised value itself, w_j = +1 or -1 at random (large or small values go missing),
    and b_j gives the share. Known as self-masking.

    Parameters, result and errors are those of `mcar`.
    """
    _check(share)
    z = _standardised(values, observed) * rng.choice([-1.0, 1.0], size=values.shape[1])
    probability = np.zeros(values.shape)
    for column in range(values.shape[1]):
        probability[:, column] = _logistic(z[:, column], observed[:, column], share)
    return _hide(probability, observed, rng)


MECHANISMS: Mapping[str, Mechanism] = {"mcar": mcar, "mar": mar, "mnar": mnar}


def _check(share: float) -> None:
    if not 0.0 <= share <= 1.0:
        raise UsageError(f"share={share}: expected a share of the cells from 0 to 1, such as 0.3")


def _hide(probability: NDArray[np.float64], observed: Mask, rng: np.random.Generator) -> Mask:
    return (rng.random(probability.shape) < probability) & observed


def _standardised(values: NDArray[Any], observed: Mask) -> NDArray[np.float64]:
    """Return columns of mean 0 and standard deviation 1 over their known cells; 0 elsewhere."""
    known = np.where(observed, values, 0.0).astype(np.float64)
    count = np.maximum(observed.sum(axis=0), 1)
    centred = np.where(observed, known - known.sum(axis=0) / count, 0.0)
    deviation = np.sqrt(np.square(centred).sum(axis=0) / count)
    return centred / np.where(deviation > 0, deviation, 1.0)


def _logistic(signal: NDArray[np.float64], known: Mask, share: float) -> NDArray[np.float64]:
    """Return logistic(signal of unit variance + b), with b such that its mean over the known cells is the share."""
    from scipy.optimize import brentq
    from scipy.special import expit

    if share in (0.0, 1.0) or not known.any():
        return np.full(len(signal), share)
    deviation = signal[known].std()
    scaled = signal / deviation if deviation > 0 else np.zeros_like(signal)
    reach = np.abs(scaled).max() + 50.0
    intercept = brentq(lambda b: expit(scaled[known] + b).mean() - share, -reach, reach)
    return np.asarray(expit(scaled + intercept), dtype=np.float64)

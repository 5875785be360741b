"""Whether more rows would help: the error of hidden cells, learned from half of the rows and from all of them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalo.plugin import CanImpute, Encoded, Run
from anomalo_auto.cross_fitted_member import CrossFittedMember
from anomalo_auto.member_run import MemberRun

TESTED = 2000
"""Rows that have a cell hidden, at most."""
WORTH = 0.01
"""The least share of the error that twice as many rows have to take off to be worth it."""


def learning_curve(
    members: Sequence[CrossFittedMember], data: Encoded, folds: NDArray[np.intp], every: int, run: Run
) -> str:
    """Return a sentence on what was learned from, and whether more of all the rows would help.

    Parameters
    ----------
    data : Encoded [n]
        The sample that the members were fitted on.
    every : int
        Rows of the table.
    """
    said = f"learned from a random sample of {len(data):,} of {every:,} rows"
    member = next((member for member in members if member.can(CanImpute) and member.parts), None)
    if member is None:
        return said
    others = np.flatnonzero(folds != 0)
    half = run.rng.permutation(others)[: len(others) // 2]
    smaller = replace(member.parts[0]).fit(data.take(np.sort(half)), MemberRun(run, member.name, 0, 0))
    held = data.take(np.flatnonzero(folds == 0)[:TESTED])
    errors = [_error(model, held, run.seed) for model in (smaller, member.parts[0])]
    gain = 1 - errors[1] / errors[0] if errors[0] else 0.0
    if gain < WORTH:
        return f"{said}; more would hardly help: half as many predict hidden cells as well"
    return f"{said}; more may help: the second half of them took {100 * gain:.0f} % off the error of hidden cells"


def _error(model: Any, held: Encoded, seed: int) -> float:
    """Return the mean error of one hidden cell of each row: encoded distances of numbers, wrong levels."""
    rng = np.random.default_rng([seed, 23])
    cells = np.zeros(held.values.shape, dtype=np.bool_)
    cells[np.arange(len(held)), rng.integers(held.values.shape[1], size=len(held))] = True
    cells &= held.observed
    error = np.abs(model.impute(held.hide(cells)).point - held.values)
    category = np.zeros(held.values.shape[1], dtype=np.bool_)
    category[held.layout.categories] = True
    error = np.where(category, error > 0, error)
    return float(error[cells].mean()) if cells.any() else 0.0

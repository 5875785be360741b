"""Drift has to be large, not only certain."""

import numpy as np
import pytest

from anomalo.calibration.drift import LEAST, drift
from anomalo.calibration.tally import Tally

ROWS = 200_000


def shifted(share: float, every: int = 1) -> Tally:
    """P-values of which `share` moved from the upper half of those of typical rows to the lowest tenth of them."""
    p_values = np.linspace(0.2001, 1, ROWS)
    moved = np.arange(0, ROWS // 2, round(1 / (2 * share))) + ROWS // 2
    p_values[moved] = np.linspace(0.2001, 0.28, len(moved))
    return Tally.of(p_values[::every])


@pytest.mark.parametrize("share", [0.02, 0.05, 0.1])
def test_a_small_shift_is_none_however_many_rows_show_it(share: float) -> None:
    usual = np.linspace(0.2001, 1, ROWS)
    assert share < LEAST
    assert drift(shifted(share), usual) is None


def test_a_larger_one_is() -> None:
    assert "the rows have drifted" in str(drift(shifted(0.25), np.linspace(0.2001, 1, ROWS)))


def test_a_large_shift_of_few_rows_may_be_chance() -> None:
    usual = np.linspace(0.2001, 1, ROWS)
    few = shifted(0.15, ROWS // 60)
    assert drift(few, usual) is None

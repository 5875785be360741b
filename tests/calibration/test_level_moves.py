"""Levels that moved for good within the points that a model learned from."""

from __future__ import annotations

import numpy as np
import pytest

from anomalo.calibration.changes import Change
from anomalo.calibration.level_moves import level_moves

BLOCK, BLOCKS = 32, 40


def noise(seed: int, channels: int, blocks: int = BLOCKS, memory: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    found = rng.normal(size=(blocks * BLOCK, channels)) * np.sqrt(1 - memory**2)
    for at in range(1, len(found)):
        found[at] += memory * found[at - 1]
    return found


def moves(values: np.ndarray) -> list[Change]:
    return level_moves(values, np.zeros(len(values), dtype=np.intp), np.arange(len(values)), BLOCK)


@pytest.mark.parametrize("blocks", [10, 20, 100])
@pytest.mark.parametrize("memory", [0.0, 0.9])
def test_noise_hardly_moves(blocks: int, memory: float) -> None:
    assert len(moves(noise(blocks, 200, blocks, memory))) <= 2


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_a_step_is_found_wherever_it_is(share: float) -> None:
    values, at = noise(1, 3), int(share * BLOCKS) * BLOCK + 7
    values[at:, 1] += 3.0
    (one,) = moves(values)
    assert (one.channel, one.kind, one.end_row) == (1, "level", None)
    assert abs(one.start_row - at) <= BLOCK
    assert [one.before, one.after] == pytest.approx([0, 3], abs=0.3)


def test_a_line_is_a_drift_with_its_ends() -> None:
    values = noise(1, 3)
    values[:, 2] -= np.linspace(0, 10, len(values))
    (one,) = moves(values)
    assert (one.channel, one.kind, one.start_row) == (2, "drift", 0)
    assert [one.before, one.after] == pytest.approx([0, -10], abs=0.5)
    assert one.size < 0


def test_what_comes_back_or_is_small_is_no_move() -> None:
    values = noise(1, 3)
    values[400:700, 0] += 5.0
    values[:, 1] += 3 * np.sin(np.arange(len(values)) * 4 * np.pi / len(values))
    values[600:, 2] += 0.8
    assert not moves(values)


def test_series_are_looked_at_one_by_one_and_what_is_missing_is_left_out() -> None:
    values = noise(1, 1)
    values[640:] += 4.0
    values[::3] = np.nan
    both = np.concatenate([noise(2, 1), values])
    series = np.repeat([0, 1], len(values))
    (one,) = level_moves(both, series, np.arange(len(both)) * 2, BLOCK)
    assert (one.series, one.start_row) == (1, 2 * (len(values) + 640))
    values[:] = np.nan
    assert not moves(values)
    assert not moves(np.full_like(values, 7.0))
    assert not moves(noise(1, 2)[: 9 * BLOCK] + np.arange(9 * BLOCK)[:, None]), "too few blocks"

"""Windows of points against plain loops, and periods against waves of known length."""

import numpy as np
import pytest

from anomalo.encoding.series.windows import (
    FALLBACK,
    autocorrelation,
    period,
    trailing_windows,
    window_length,
)
from anomalo.errors import UsageError

RNG = np.random.default_rng(3)
POINTS = RNG.normal(size=(40, 2)).astype(np.float32)
SEEN = RNG.random((40, 2)) < 0.8


def whole(values: np.ndarray) -> np.ndarray:
    return np.ones(values.shape, dtype=np.bool_)


def wave(length: float, points: int = 3000, noise: float = 0.3) -> np.ndarray:
    angle = np.arange(points) * 2 * np.pi / length
    return (np.sin(angle) + noise * RNG.normal(size=points)).astype(np.float32)[:, None]


def test_a_window_holds_the_points_up_to_its_own_and_is_a_view() -> None:
    windows, seen = trailing_windows(POINTS, SEEN, 7)
    assert windows.shape == seen.shape == (40, 7, 2)
    for end in range(40):
        for at in range(7):
            point = end - 6 + at
            assert (windows[end, at] == (POINTS[point] if point >= 0 else 0)).all()
            assert (seen[end, at] == (SEEN[point] if point >= 0 else False)).all()
    assert windows.base is not None
    assert np.shares_memory(windows[20], windows[21])


def test_windows_longer_than_the_series_are_mostly_unseen() -> None:
    windows, seen = trailing_windows(POINTS[:3], whole(POINTS[:3]), 10)
    assert seen.sum(axis=(1, 2)).tolist() == [2, 4, 6]
    assert (windows[2, -3:] == POINTS[:3]).all()


def test_without_missing_points_it_is_the_usual_autocorrelation() -> None:
    series = POINTS[:, :1].astype(np.float64) - POINTS[:, :1].mean(dtype=np.float64)
    usual = [(series[lag:] * series[: 40 - lag]).sum() / np.square(series).sum() for lag in range(11)]
    assert autocorrelation(POINTS[:, :1], whole(POINTS[:, :1]), 10) == pytest.approx(usual, abs=1e-6)


def test_a_period_is_found_although_half_of_the_points_are_missing() -> None:
    for length in (40, 96, 288):
        series = wave(length)
        seen = RNG.random(series.shape) < 0.5
        found = period(np.where(seen, series, 0), seen)
        assert found is not None
        assert abs(found - length * max(1, round(found / length))) <= 0.04 * length


def test_noise_and_short_waves_have_no_period() -> None:
    noise = wave(40, noise=20.0)
    assert period(noise, whole(noise)) is None
    fast = wave(10.3, noise=0.0)
    assert period(fast, whole(fast)) is None


def test_a_window_is_a_period_or_a_hundred_points_and_at_most_a_tenth() -> None:
    daily = wave(288, noise=0.05)
    assert abs(window_length(daily, whole(daily)) - 288) <= 3
    noise = RNG.normal(size=(3000, 1)).astype(np.float32)
    assert window_length(noise, whole(noise)) == FALLBACK
    assert window_length(noise[:250], whole(noise[:250])) == 25
    assert window_length(noise[:3], whole(noise[:3])) == 1
    constant = np.zeros((50, 2), dtype=np.float32)
    assert window_length(constant, whole(constant)) == 5


def test_a_window_without_a_point_is_refused() -> None:
    with pytest.raises(UsageError, match="0 points: expected 1 or more"):
        trailing_windows(POINTS, SEEN, 0)

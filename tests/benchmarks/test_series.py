"""The benchmark of series: scores of points, masks of hidden points, widths, and intervals of differences."""

import numpy as np
import pytest

from tests.benchmarks.loading import load

series = load("series")
RNG = np.random.default_rng(3)


@pytest.mark.parametrize("width", [1, 4, 60])
def test_a_point_has_the_mean_score_of_the_windows_it_lies_in(width: int) -> None:
    scores = RNG.random(40 + width - 1)
    expected = [scores[at : at + width].mean() for at in range(40)]
    assert series.fold_scores(scores, width) == pytest.approx(expected)
    assert (series.own_scores(scores, width) == scores[:40]).all()


def test_windows_that_end_after_the_series_have_only_its_last_points() -> None:
    values = np.arange(1, 7, dtype=np.float32)[:, None]
    data = series.windows(series.Points(values, np.ones(values.shape, dtype=bool), np.array([])), 3, 2)
    assert data.values[-2:, :, 0].tolist() == [[5, 6, 0], [6, 0, 0]]
    assert data.observed[-2:, :, 0].tolist() == [[True, True, False], [True, False, False]]


def test_the_mean_of_tiny_scores_after_huge_ones_is_not_negative() -> None:
    scores = np.array([1e12] * 5 + [1e-9] * 30)
    assert series.fold_scores(scores, 5)[5:].min() > 0


def test_masks_hide_a_share_of_points_or_steps_in_a_row() -> None:
    shape = (50, 48, 7)
    for share in (0.1, 0.5):
        found = series.masks(f"{share:.0%}".replace("%", " %"), shape, np.random.default_rng(0))
        assert found.mean() == pytest.approx(share, abs=0.02)
    stretch = series.masks("stretch", shape, np.random.default_rng(0))
    assert (stretch.any(axis=1).sum(axis=1) == 4).all()
    assert set(np.unique(stretch.sum(axis=1))) == {0, 36}
    assert (np.diff(stretch.astype(int), axis=1, prepend=0) == 1).sum(axis=1).max() == 1


def test_the_tolerance_is_a_period_or_125() -> None:
    wave = np.sin(np.arange(900) * 2 * np.pi / 60).astype(np.float32)[:, None]
    seen = np.ones(wave.shape, dtype=np.bool_)
    assert series.tolerance(series.Points(wave, seen, np.array([]))) == 60
    assert series.tolerance(series.Points(np.zeros_like(wave), seen, np.array([]))) == 125


def test_the_interval_of_a_difference_contains_it() -> None:
    assert series.paired(np.full(9, 0.25)) == "+0.250, 95 % from +0.250 to +0.250"

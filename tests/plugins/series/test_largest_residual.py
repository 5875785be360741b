"""The largest residual of a window's cells, against regressions, and the ridge, against the likelihood."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.linear_model import LinearRegression

from anomalo.encoding.encoded import Encoded
from anomalo.encoding.layout import Block, Layout
from anomalo.models.run import LocalRun
from anomalo.registry.registry import Registry
from anomalo_series import auto
from anomalo_series.auto import Auto, last_points
from anomalo_series.yardsticks.largest_residual import LargestResidual
from anomalo_series.yardsticks.ridge import GRID, Moments, chosen, squared_residuals
from anomalo_series.yardsticks.sub_pca import SubPca

WIDTH = 20


def waves(points: int, seed: int = 0, noise: float | np.ndarray = 0.05) -> np.ndarray:
    """Return two channels with a daily wave and a slow drift."""
    rng = np.random.default_rng(seed)
    at = np.arange(points)
    drift = np.cumsum(0.05 * rng.normal(size=points))
    both = np.stack([np.sin(at * 2 * np.pi / 24) + drift, np.cos(at * 2 * np.pi / 24)], axis=1)
    return both + noise * rng.normal(size=both.shape)


def windows(points: np.ndarray) -> Encoded:
    index = np.arange(len(points) - WIDTH + 1)[:, None] + np.arange(WIDTH)
    blocks = Block("a", "number", 0), Block("b", "number", 1)
    values = points[index].astype(np.float32)
    return Encoded(values, np.ones(values.shape, dtype=bool), Layout("series", (WIDTH, 2), blocks))


def run() -> LocalRun:
    return LocalRun(registered=Registry.load().part_creator("series"))


def test_residuals_are_those_of_regressions_on_all_other_cells() -> None:
    rows = np.random.default_rng(0).normal(size=(200, 6)) @ np.random.default_rng(1).normal(size=(6, 6))
    moments = Moments.of(rows)
    precision = moments.precision(0.0)
    found = squared_residuals((rows - moments.mean) @ precision, precision)
    for cell in range(6):
        others = np.delete(rows, cell, axis=1)
        residual = rows[:, cell] - LinearRegression().fit(others, rows[:, cell]).predict(others)
        np.testing.assert_allclose(found[:, cell], np.square(residual) / np.square(residual).mean(), rtol=1e-7)


@pytest.mark.parametrize("ridge", [0.01, 1.0])
def test_the_surprisal_is_that_of_the_normal_density(ridge: float) -> None:
    rows = np.random.default_rng(0).normal(size=(100, 5)) * np.arange(1, 6)
    covariance = np.cov(rows.T, bias=True) + ridge * np.eye(5)
    expected = -2 * multivariate_normal(rows.mean(axis=0), covariance).logpdf(rows) - 5 * np.log(2 * np.pi)
    np.testing.assert_allclose(Moments.of(rows).surprisal(rows, ridge), expected)


def test_few_windows_need_a_larger_ridge_and_stand_out_less_than_others() -> None:
    few, many = (windows(waves(count, noise=0.3)).values.reshape(-1, 2 * WIDTH).astype(float) for count in (110, 6000))
    (ridge, excess), (usual_ridge, usual_excess) = chosen(few, WIDTH), chosen(many, WIDTH)
    assert ridge > usual_ridge
    assert usual_excess < 1.2 < excess
    assert chosen(many[:3], WIDTH) == (GRID[-1], 1.0)


def test_one_end_that_is_not_as_the_others_does_not_decide() -> None:
    usual = waves(3000)
    strange = usual.copy()
    strange[2500:] = np.random.default_rng(5).normal(size=(500, 2)) * 3
    rows = [windows(points).values.reshape(-1, 2 * WIDTH).astype(float) for points in (usual, strange)]
    assert chosen(rows[1], WIDTH)[1] < 1.5 * chosen(rows[0], WIDTH)[1]


def test_one_wrong_point_is_found_that_the_whole_window_hides() -> None:
    points, usual = (waves(2000, seed, np.array([1.0, 0.05])) for seed in (1, 0))  # the first channel is mostly noise
    points[1000, 1] += 0.8  # within the range of the second
    data, model, whole = windows(points), LargestResidual(), SubPca()
    train = windows(usual)
    scores = model.fit(train, run()).score(data)
    inside = slice(1000 - WIDTH + 1, 1001)
    others = np.delete(scores, np.arange(len(scores))[inside])
    assert scores[inside].min() > 1.5 * others.max()
    by_whole = whole.fit(train, run()).score(data)
    assert by_whole[inside].min() < np.quantile(by_whole, 0.95)
    window = 1000 - 7
    cells = model.explain(data.take(slice(window, window + 1)))
    assert cells.contribution[0, 7, 1] > 0.6 * scores[window]
    assert cells.contribution.sum() == pytest.approx(scores[window])
    assert abs(cells.expected[0, 7, 1] - (points[1000, 1] - 0.8)) < 0.2
    both = Auto().fit(train, run()).score(data)
    assert both[inside].min() > np.delete(both, np.arange(len(both))[inside]).max()


def test_windows_of_which_little_is_seen_are_usual() -> None:
    data = windows(waves(2000))
    model = LargestResidual().fit(data, run())
    seen = np.zeros(data.observed.shape, dtype=bool)
    seen[:, -1] = True
    found = model.score(replace(data, values=data.values * seen, observed=seen))
    assert found.max() < np.quantile(model.score(data), 0.99)


def test_of_wide_windows_the_last_points_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auto, "CELLS", 12)
    data = windows(waves(600))
    last = last_points(data)
    assert last.layout.shape == (6, 2)
    assert (last.values == data.values[:, -6:]).all()
    model = Auto().fit(data, run())
    assert model.residuals_.mean_.shape == (12,)
    cells = model.explain(data)
    np.testing.assert_allclose(cells.contribution.sum(axis=(1, 2)), model.score(data), rtol=1e-9)
    monkeypatch.setattr(auto, "CELLS", 2)
    assert last_points(data).layout.shape == (2, 2)
    monkeypatch.setattr(auto, "CELLS", 40)
    assert last_points(data) is data

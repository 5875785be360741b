"""The usual course of a day, taken out of windows and put back."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from anomalo.encoding.encoded import FIRST_LEVEL, Encoded
from anomalo.encoding.layout import Block, Layout
from anomalo.models.run import LocalRun
from anomalo.plugin import Filled
from anomalo_series.calendar import SHRUNK, SeasonMeans
from anomalo_series.yardsticks.gaussian import Gaussian
from anomalo_series.yardsticks.trial import CELLS, error_in_stretches, parted

POINTS, WIDTH = 4000, 12
COURSE = np.random.default_rng(9).normal(size=(24, 2)) * 2
"""Of two numbers, at each hour."""


def hourly(course: np.ndarray, seed: int = 0) -> Encoded:
    """Windows of two numbers with a course of the day, each with noise, and a category."""
    rng = np.random.default_rng(seed)
    hours = (np.arange(POINTS) % 24).astype(np.int8)
    numbers = course[hours] + 0.3 * rng.normal(size=(POINTS, 2))
    values = np.concatenate([numbers, FIRST_LEVEL + rng.integers(2, size=(POINTS, 1))], axis=1).astype(np.float32)
    index = np.arange(POINTS - WIDTH + 1)[:, None] + np.arange(WIDTH)
    blocks = Block("a", "number", 0), Block("b", "number", 1), Block("c", "category", 2, ("x", "y"))
    seen = np.ones((len(index), WIDTH, 3), dtype=bool)
    return Encoded(values[index], seen, Layout("series", (WIDTH, 3), blocks), season=hours[index])


def test_means_of_phases_are_shrunk_to_the_mean_of_all() -> None:
    data = hourly(COURSE)
    found = SeasonMeans.of(data).table
    last = data.values[:, -1].astype(np.float64)
    for hour in (0, 7, 23):
        mine = data.season[:, -1] == hour  # type: ignore[index]
        expected = (last[mine, :2] - last[:, :2].mean(axis=0)).sum(axis=0) / (mine.sum() + SHRUNK)
        np.testing.assert_allclose(found[hour, :2], expected, rtol=1e-9)
    assert not found[:, 2].any(), "a category has no course"
    assert not found[-1].any(), "a point without a phase has none"


def test_what_is_taken_out_is_put_back_and_what_is_hidden_stays() -> None:
    data = hourly(COURSE)
    hidden = data.hide(np.random.default_rng(1).random(data.values.shape) < 0.3)
    course = SeasonMeans.of(data)
    without = course.taken_out(hidden)
    assert (without.values[~hidden.observed] == hidden.values[~hidden.observed]).all()
    back = course.put_back(without.values, hidden)
    np.testing.assert_allclose(back[hidden.observed], hidden.values[hidden.observed], atol=1e-5)
    assert np.abs(without.values[:, :, 0]).std() < 0.6 * data.values[:, :, 0].std()


def test_unknown_phases_have_no_course() -> None:
    data = hourly(COURSE)
    course = SeasonMeans.of(data)
    strange = replace(
        data, season=np.where(np.arange(WIDTH) % 2, np.int8(30), np.int8(-1)) + np.zeros((len(data), 1), np.int8)
    )
    assert (course.taken_out(strange).values == data.values).all()


def test_whole_windows_are_filled_with_the_course_of_their_hours() -> None:
    train, new = hourly(COURSE), hourly(COURSE, 1).take(slice(None, None, 20))
    model = Gaussian().fit(train, LocalRun())
    assert model.course_.any()
    hidden = np.zeros(new.values.shape, dtype=bool)
    hidden[:, :, 0] = True
    found = model.impute(new.hide(hidden), draws=30)
    truth = COURSE[new.season, 0]  # type: ignore[index]
    assert np.abs(found.point[:, :, 0] - truth).mean() < 0.15
    assert (found.point[:, :, 1:] == new.values[:, :, 1:]).all()
    assert found.low is not None
    assert found.high is not None
    assert found.draws is not None
    inside = (found.low <= new.values) & (new.values <= found.high)
    assert 0.86 < inside[:, :, 0].mean() < 0.94
    np.testing.assert_allclose(found.draws.mean(axis=0)[:, :, 0], found.point[:, :, 0], atol=0.35)
    some = model.impute(new.hide(hidden).take(np.array([40, 3])))
    assert (some.point == found.point[[40, 3]]).all()


def test_what_is_expected_of_points_has_the_course_and_parts_sum_to_the_score() -> None:
    train, new = hourly(COURSE), hourly(COURSE, 1)
    model = Gaussian().fit(train, LocalRun())
    cells = model.explain(new)
    assert np.abs(cells.expected[:, :, :2] - COURSE[new.season]).mean() < 0.15  # type: ignore[index]
    np.testing.assert_allclose(cells.contribution.sum(axis=(1, 2)), model.score(new), rtol=1e-9)


def test_an_hour_that_is_not_as_usual_is_found_at_once() -> None:
    model = Gaussian(power=1.0).fit(hourly(COURSE), LocalRun())
    usual, moved = hourly(COURSE, 1), hourly(np.roll(COURSE, 12, axis=0), 1)
    assert np.median(model.score(moved)) > 5 * np.median(model.score(usual))


def test_windows_are_drawn_at_the_hours_of_training_windows() -> None:
    model = Gaussian().fit(hourly(COURSE), LocalRun())
    drawn = model.sample(Encoded.blank(hourly(COURSE).layout, 400), LocalRun(seed=3))
    real = hourly(COURSE, 2)
    np.testing.assert_allclose(drawn.values[:, :, :2].std(), real.values[:, :, :2].std(), rtol=0.1)
    distance = np.abs(drawn.values[:, None, :, :2] - real.values[None, :24, :, :2]).mean(axis=(2, 3)).min(axis=1)
    assert np.median(distance) < 0.6, "a drawn window follows the course of some start"
    again = model.sample(Encoded.blank(real.layout, 400), LocalRun(seed=3))
    assert (again.values == drawn.values).all()


@pytest.mark.parametrize("season", ["none", "misleading"])
def test_a_course_that_does_not_help_is_left_out(season: str) -> None:
    data = hourly(np.zeros((24, 2)))
    if season == "none":
        model = Gaussian().fit(replace(hourly(COURSE), season=None), LocalRun())
    else:  # at first the hours have a course, which is gone when the last windows begin
        values = np.where(np.arange(len(data))[:, None, None] < 3000, hourly(COURSE).values, data.values)
        model = Gaussian().fit(replace(data, values=values), LocalRun())
    assert not model.course_.any()


def test_held_out_windows_share_no_point_with_the_others() -> None:
    data = hourly(COURSE)
    parts = parted(
        replace(
            data,
            values=np.repeat(np.arange(len(data), dtype=np.float32)[:, None, None], WIDTH, 1) + np.zeros(3, np.float32),
        )
    )
    assert parts is not None
    first, last = (part.values[:, 0, 0] for part in parts)
    assert last.min() - first.max() >= WIDTH
    assert len(last) <= 200
    assert parted(data.take(slice(0, 30))) is None


@dataclass(kw_only=True)
class Ones(Gaussian):
    """Fills with ones, having seen that so much is hidden as should be."""

    def impute(self, data: Encoded, draws: int = 0) -> Filled:
        hidden = ~data.observed
        assert hidden.sum(axis=(1, 2)).max() <= CELLS
        assert (hidden.any(axis=1).sum(axis=1) == 2).all()
        assert set(hidden.sum(axis=1).ravel().tolist()) == {0, 9}
        return Filled(np.ones(data.values.shape, dtype=np.float32))


def test_the_error_is_that_of_hidden_numbers_alone() -> None:
    data = replace(hourly(COURSE), values=np.zeros((POINTS - WIDTH + 1, WIDTH, 3), dtype=np.float32))
    assert error_in_stretches(Ones(), data, 0) == 1.0

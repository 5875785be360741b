"""What models say of windows, as what is said of points."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pytest

import anomalo.models.series.view as view
from anomalo.encoding.encoded import Encoded, Scores
from anomalo.encoding.layout import Block, Layout
from anomalo.encoding.series.points import Points, Positions
from anomalo.models.base import Model, Run
from anomalo.models.guarded import GuardedModel
from anomalo.models.results import Cells, Filled
from anomalo.models.series.folds import apart, stretches

WIDTH, POINTS = 5, 60


@dataclass(kw_only=True)
class Weighted(Model):
    """Squares that weigh more the later they are; the expected value of a cell is its place in the window."""

    name = "weighted"
    modalities = ("series",)

    def fit(self, data: Encoded, run: Run) -> Self:
        self.seen_ = data.values.shape
        return self

    def score(self, data: Encoded) -> Scores:
        return self.explain(data).contribution.sum(axis=(1, 2))

    def explain(self, data: Encoded) -> Cells:
        weight = np.arange(1, WIDTH + 1)[:, None]
        place = np.broadcast_to(weight - 1, data.values.shape).astype(np.float32)
        return Cells((data.values.astype(np.float64) ** 2) * weight * data.observed, place)

    def impute(self, data: Encoded, draws: int = 0) -> Filled:
        place = np.broadcast_to(np.arange(WIDTH)[:, None], data.values.shape)
        point = np.where(data.observed, data.values, place).astype(np.float32)
        return Filled(point, np.stack([point] * draws) if draws else None)


def rows(averaged: bool, lengths: tuple[int, ...] = (40, 20)) -> Encoded:
    rng = np.random.default_rng(0)
    observed = rng.random((POINTS, 2)) < 0.9
    values = np.where(observed, rng.normal(size=(POINTS, 2)), 0).astype(np.float32)
    first = np.repeat(np.cumsum([0, *lengths[:-1]]), lengths)
    blocks = (Block("flow", "number", 0), Block("heat", "number", 1))
    layout = Layout("series", (2,), blocks, window=WIDTH, averaged=averaged)
    positions = Positions(Points(values, observed, first, values), np.arange(POINTS), WIDTH, averaged)
    return Encoded(values, observed, layout, positions=positions)


@pytest.fixture
def model() -> GuardedModel:
    return GuardedModel.of(Weighted())


@pytest.fixture(params=[1, 4_000_000])
def at_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """So many cells are in memory; what is said of a row does not depend on it."""
    monkeypatch.setattr(view, "AT_ONCE", request.param)
    return int(request.param)


def test_an_averaged_score_is_the_mean_of_the_windows_with_the_point(model: GuardedModel, at_once: int) -> None:
    data = rows(True)
    for stretch in (slice(0, 40), slice(40, 60)):
        unknown = ((WIDTH - 1, WIDTH - 1), (0, 0))
        values, seen = np.pad(data.values[stretch], unknown), np.pad(data.observed[stretch], unknown)
        ends = np.arange(WIDTH, len(values) + 1)
        windows = np.stack([values[end - WIDTH : end] for end in ends])
        seen = np.stack([seen[end - WIDTH : end] for end in ends])
        layout = view.seen_layout(data.layout)
        of_windows = Weighted().score(Encoded(windows, seen, layout))
        expected = [of_windows[at : at + WIDTH].mean() for at in range(len(of_windows) - WIDTH + 1)]
        np.testing.assert_allclose(model.score(data)[stretch], expected)


@pytest.mark.parametrize("lengths", [(1,) * 60, (3, 50, 7)])
def test_stretches_that_are_shorter_than_windows_keep_apart(
    model: GuardedModel, lengths: tuple[int, ...], at_once: int
) -> None:
    data = rows(True, lengths)
    ends, scores = np.cumsum(lengths), model.score(data)
    alone = [data.take(np.arange(end - length, end)) for length, end in zip(lengths, ends, strict=True)]
    np.testing.assert_array_equal(scores, np.concatenate([model.score(each) for each in alone]))
    single = ends[np.array(lengths) == 1] - 1
    squares = (np.square(data.values.astype(np.float64)) * data.observed).sum(axis=1)
    np.testing.assert_allclose(scores[single], squares[single] * np.arange(1, WIDTH + 1).mean())


@pytest.mark.parametrize("averaged", [False, True])
def test_contributions_sum_to_the_score(model: GuardedModel, averaged: bool, at_once: int) -> None:
    data = rows(averaged)
    cells = model.explain(data)
    np.testing.assert_allclose(cells.contribution.sum(axis=1), model.score(data))
    expected = cells.expected[:, 0]
    assert (expected == (2 if averaged else 4)).all()


@pytest.mark.parametrize("averaged", [False, True])
def test_a_row_does_not_depend_on_the_rows_beside_it(model: GuardedModel, averaged: bool) -> None:
    data = rows(averaged)
    some = np.array([3, 4, 39, 12])
    np.testing.assert_array_equal(model.score(data.take(some)), model.score(data)[some])
    hidden = data.hide(np.ones((1, 2), dtype=bool))
    alone = [float(model.score(hidden.take(np.array([row])))[0]) for row in some]
    np.testing.assert_array_equal(model.score(hidden)[some], alone)


def test_a_hidden_cell_is_hidden_in_all_windows_with_the_point(model: GuardedModel) -> None:
    data = rows(True)
    row = 20
    without = data.positions.points.values.copy()  # type: ignore[union-attr]
    without[row, 0] = 0
    points = replace(data.positions.points, values=without, common=without)  # type: ignore[union-attr]
    changed = replace(data, positions=replace(data.positions, points=points))  # type: ignore[arg-type]
    hidden = data.hide(np.array([[True, False]]))
    np.testing.assert_allclose(model.score(hidden)[row], model.score(changed.hide(np.array([[True, False]])))[row])
    observed = data.observed[row, 0]
    assert (model.score(hidden)[row] < model.score(data)[row]) == observed


def test_fills_are_those_of_windows_around_the_point(model: GuardedModel, at_once: int) -> None:
    data = rows(False)
    filled = model.impute(data, draws=2)
    places = np.broadcast_to((data.positions.at - data.positions.centred)[:, None], (POINTS, 2))  # type: ignore[union-attr]
    np.testing.assert_array_equal(filled.point, np.where(data.observed, data.values, places))
    assert filled.draws is not None
    np.testing.assert_array_equal(filled.draws[1], filled.point)


@pytest.mark.parametrize("complete", [True, False])
def test_windows_of_complete_points_are_not_looked_at(complete: bool) -> None:
    data = rows(False)
    if complete:
        data = data.take(np.flatnonzero(data.observed.all(axis=1)))
    looked_at = []

    def impute(seen: Encoded) -> Filled:
        looked_at.append(len(seen))
        return Filled(seen.values + 1, low=seen.values, high=seen.values + 2)

    filled = view.filled_points(data, impute)
    assert sum(looked_at) == (1 if complete else (~data.observed.all(axis=1)).sum())
    np.testing.assert_array_equal(filled.point[data.observed], data.values[data.observed])
    assert filled.low is not None
    assert (filled.low.shape, filled.draws) == (data.values.shape, None)


def test_a_fit_sees_windows_and_of_a_long_series_some(model: GuardedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    data = rows(False)
    run: Any = type("NoRun", (), {"goals": frozenset()})()
    assert model.fit(view.learned(data), run).model.seen_ == (POINTS, WIDTH, 2)  # type: ignore[attr-defined]
    monkeypatch.setattr(view, "LEARNED", 20 * WIDTH * 2)
    assert view.learned(data).positions.at.tolist() == list(range(0, POINTS, 3))  # type: ignore[union-attr]


@pytest.mark.parametrize("averaged", [False, True])
def test_a_fold_shares_no_point_with_what_is_learned(averaged: bool) -> None:
    data = rows(averaged)
    folds = np.repeat([0, 1], POINTS // 2)
    held = np.flatnonzero(folds == 1)
    learned = apart(data, np.flatnonzero(folds != 1), held)
    reach = 2 * WIDTH if averaged else WIDTH
    expected = [row for row in np.flatnonzero(folds != 1) if np.abs(held - row).min() >= reach]
    assert expected
    assert learned.tolist() == expected


def test_folds_are_stretches_of_several_windows() -> None:
    folds = stretches(2000, 5, 50)
    assert np.bincount(folds).tolist() == [400] * 5
    assert np.diff(np.flatnonzero(np.diff(folds))).min() >= 4 * 50


@pytest.mark.parametrize("averaged", [False, True])
def test_scores_that_are_powers_have_the_root_of_their_mean(averaged: bool) -> None:
    @dataclass(kw_only=True)
    class Cubed(Weighted):
        score_power = 3.0  # type: ignore[assignment]

    data, plain = rows(averaged), GuardedModel.of(Weighted())
    cubed, cells, before = GuardedModel.of(Cubed()), GuardedModel.of(Cubed()).explain(data), plain.explain(data)
    np.testing.assert_allclose(cubed.score(data) ** 3, plain.score(data))
    np.testing.assert_allclose(cells.contribution.sum(axis=1), cubed.score(data))
    np.testing.assert_array_equal(cells.expected, before.expected)
    share = before.contribution * plain.score(data)[:, None] ** (-2 / 3)
    np.testing.assert_allclose(cells.contribution, np.where(before.contribution > 0, share, 0), rtol=1e-6)

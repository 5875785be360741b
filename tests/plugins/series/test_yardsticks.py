"""Models of windows without a network, against other implementations, closed forms and brute force."""

import numpy as np
import pytest
import sklearn.decomposition

from anomalo.encoding.encoded import FIRST_LEVEL, Encoded
from anomalo.encoding.layout import Block, Layout
from anomalo.encoding.series.points import Points, Positions
from anomalo.errors import UsageError
from anomalo.models.guarded import GuardedModel
from anomalo.models.run import LocalRun
from anomalo.plugin import Model
from anomalo.registry.registry import Registry
from anomalo.testing.series import WIDTH, series
from anomalo_series.auto import Auto
from anomalo_series.channels import Channels
from anomalo_series.seasons import period_within
from anomalo_series.window_model import BLOCK, WindowModel
from anomalo_series.yardsticks.curves import Polynomial, Seasonal
from anomalo_series.yardsticks.gaussian import Gaussian
from anomalo_series.yardsticks.interpolation import Interpolation, SeasonalInterpolation
from anomalo_series.yardsticks.largest_residual import LargestResidual
from anomalo_series.yardsticks.moving_z import MovingZ
from anomalo_series.yardsticks.neighbours import MatrixProfile, Neighbours
from anomalo_series.yardsticks.sub_pca import SubPca

TRAIN, NEW = series()
WHOLE_TRAIN, WHOLE = (data.take(np.flatnonzero(data.observed.all(axis=(1, 2)))) for data in (TRAIN, NEW))
SCORING = [MovingZ(), SubPca(), Neighbours(), MatrixProfile(), Polynomial(), Seasonal(), Gaussian(), LargestResidual()]


def run() -> LocalRun:
    return LocalRun(registered=Registry.load().part_creator("series"))


def flat(data: Encoded) -> np.ndarray:
    return data.values.reshape(len(data), -1).astype(np.float64)


def holes(data: Encoded, share: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(data.values.shape) < share


@pytest.mark.parametrize("model", SCORING, ids=lambda model: model.name)
def test_a_jump_raises_the_score_and_its_channel_has_the_parts(model: WindowModel) -> None:
    model.fit(TRAIN, run())
    values = WHOLE.values.copy()
    values[:, -1, 1] += 4.0
    jumped = Encoded(values, WHOLE.observed, WHOLE.layout)
    assert np.median(model.score(jumped)) > np.quantile(model.score(WHOLE), 0.9)
    parts = model.explain(jumped).contribution
    assert np.median(parts[:, :, 1].sum(axis=1) / parts.sum(axis=(1, 2))) > 0.5


@pytest.mark.parametrize("model", SCORING, ids=lambda model: model.name)
def test_what_is_not_observed_changes_nothing_and_has_no_part(model: WindowModel) -> None:
    model.fit(TRAIN, run())
    hidden = holes(NEW, 0.3)
    first, second = (
        model.explain(Encoded(np.where(hidden, under, NEW.values), NEW.observed & ~hidden, NEW.layout))
        for under in (0.0, np.float32(9.0))
    )
    assert (first.contribution == second.contribution).all()
    assert (first.expected == second.expected).all()
    assert (first.contribution[hidden | ~NEW.observed] == 0).all()


@pytest.mark.parametrize("model", SCORING, ids=lambda model: model.name)
def test_a_window_has_one_score_in_full_blocks_and_alone(model: WindowModel) -> None:
    model.fit(TRAIN, run())
    many = Encoded.concatenate([WHOLE] * (BLOCK // len(WHOLE) + 2))
    scores, last = model.score(many), len(many) - 3
    assert (scores[: len(WHOLE)] == model.score(WHOLE)).all()
    assert scores[last] == model.score(many.take(slice(last, last + 1)))[0]


def test_the_power_changes_no_order() -> None:
    one, eight = (SubPca(power=power).fit(TRAIN, run()).score(NEW) for power in (1.0, 8.0))
    assert eight == pytest.approx(one**8)


def test_a_score_is_finite_whatever_the_value_and_the_power() -> None:
    values = WHOLE.values.copy()
    values[:, -1, 1] = 1e15
    scores = SubPca(power=16.0).fit(TRAIN, run()).score(Encoded(values, WHOLE.observed, WHOLE.layout))
    assert np.isfinite(scores).all()
    assert (scores > 1e200).all()


def test_the_residual_of_sub_pca_is_that_of_scikit_learn() -> None:
    model = SubPca(components=4, power=1.0).fit(WHOLE_TRAIN, run())
    oracle = sklearn.decomposition.PCA(4, svd_solver="full").fit(flat(WHOLE_TRAIN))
    back = oracle.inverse_transform(oracle.transform(flat(WHOLE)))
    assert np.abs(model.explain(WHOLE).expected.reshape(back.shape) - back).max() < 1e-5
    energy, usual = (
        np.square(flat(data) - oracle.inverse_transform(oracle.transform(flat(data)))).mean(axis=1)
        for data in (WHOLE, WHOLE_TRAIN)
    )
    assert model.score(WHOLE) == pytest.approx(energy / usual.mean(), rel=1e-4)


def test_hidden_cells_of_sub_pca_are_those_of_a_ridge_regression_on_the_components() -> None:
    model = SubPca(components=3).fit(WHOLE_TRAIN, run())
    hidden = holes(WHOLE, 0.4)
    filled = model.impute(WHOLE.hide(hidden)).point.reshape(len(WHOLE), -1)
    seen = ~hidden.reshape(len(WHOLE), -1)
    for row in range(5):
        basis, values = model.basis_[:, seen[row]].T, flat(WHOLE)[row, seen[row]] - model.mean_[seen[row]]
        root = np.diag(np.sqrt(model.penalty_))
        code = np.linalg.lstsq(np.vstack([basis, root]), np.append(values, np.zeros(3)), rcond=None)[0]
        expected = model.mean_ + code @ model.basis_
        assert filled[row, ~seen[row]] == pytest.approx(expected[~seen[row]], abs=1e-5)


def test_the_distance_to_neighbours_is_that_of_brute_force() -> None:
    model = Neighbours(neighbours=3, power=1.0).fit(WHOLE_TRAIN, run())
    hidden = holes(WHOLE, 0.2)
    scores = model.score(WHOLE.hide(hidden))
    for row in range(10):
        seen = ~hidden[row].ravel()
        distances = np.square(flat(WHOLE_TRAIN)[:, seen] - flat(WHOLE)[row, seen]).mean(axis=1)
        energy = np.sort(distances)[:3].mean() / model.level_
        assert scores[row] == pytest.approx(seen.mean() * energy + 1 - seen.mean(), rel=1e-4)


def test_the_usual_distance_leaves_out_windows_that_share_points() -> None:
    model = Neighbours(neighbours=2).fit(WHOLE_TRAIN, run())
    windows = flat(WHOLE_TRAIN)
    distances = np.square(windows[:, None] - windows[None]).mean(axis=2)
    at = np.arange(len(windows))
    distances[np.abs(at[:, None] - at) < WIDTH] = np.inf
    assert model.level_ == pytest.approx(np.sort(distances, axis=1)[:, :2].mean(), rel=1e-4)


def test_the_matrix_profile_is_the_distance_of_normalised_channels() -> None:
    model = MatrixProfile(power=1.0).fit(WHOLE_TRAIN, run())

    def normalised(data: Encoded) -> np.ndarray:
        values = data.values.astype(np.float64)
        shape = values - values.mean(axis=1, keepdims=True)
        return (shape / shape.std(axis=1, keepdims=True)).reshape(len(data), -1)

    known, new = normalised(WHOLE_TRAIN), normalised(WHOLE)
    nearest = [np.square(known - window).mean(axis=1).min() for window in new]
    assert model.score(WHOLE) * model.level_ == pytest.approx(nearest, rel=1e-3)
    larger = Encoded(3 * WHOLE.values + 1, WHOLE.observed, WHOLE.layout)
    assert model.score(larger) == pytest.approx(model.score(WHOLE), rel=1e-3)


def test_a_flat_channel_is_compared_as_zero() -> None:
    flat_train = Encoded(np.full_like(TRAIN.values, 2.0), np.ones_like(TRAIN.observed), TRAIN.layout)
    assert MatrixProfile().fit(flat_train, run()).score(flat_train.take(slice(0, 3))).tolist() == [0.0] * 3


def test_a_cubic_is_numpy_s_fit_to_what_is_observed() -> None:
    model = Polynomial().fit(TRAIN, run())
    hidden = holes(WHOLE, 0.3)
    at = np.linspace(-1, 1, WIDTH)
    whole, part = model.explain(WHOLE).expected, model.impute(WHOLE.hide(hidden)).point
    for row in range(5):
        for channel in range(2):
            values, seen = WHOLE.values[row, :, channel], ~hidden[row, :, channel]
            assert whole[row, :, channel] == pytest.approx(np.polyval(np.polyfit(at, values, 3), at), abs=1e-4)
            expected = np.polyval(np.polyfit(at[seen], values[seen], 3), at)
            assert part[row, ~seen, channel] == pytest.approx(expected[~seen], abs=0.2)


def test_a_season_with_a_trend_leaves_nothing() -> None:
    at = np.arange(400)
    points = np.sin(at * 2 * np.pi / 10) + 0.3 * np.cos(at * 4 * np.pi / 10) + 0.01 * at
    values = np.lib.stride_tricks.sliding_window_view(points, 30)[:, :, None].astype(np.float32)
    layout = Layout("series", (30, 1), (Block("wave", "number", 0),))
    data = Encoded(values, np.ones(values.shape, dtype=np.bool_), layout)
    assert period_within(data, run()) == 10
    model = Seasonal().fit(data, run())
    assert model.period_ == 10
    assert np.abs(model.explain(data).expected - values).max() < 1e-4
    assert Seasonal(period=7).fit(data, run()).period_ == 7


def test_a_moving_z_is_its_definition() -> None:
    model = MovingZ().fit(TRAIN, run())
    before = WHOLE.values[:, :-1].astype(np.float64)
    z = (WHOLE.values[:, -1] - before.mean(axis=1)) / before.std(axis=1)
    assert model.score(WHOLE) * model.level_ == pytest.approx(np.square(z).mean(axis=1), rel=1e-3)
    assert (model.explain(WHOLE).contribution[:, :-1] == 0).all()


def test_interpolation_is_numpy_s() -> None:
    model = Interpolation().fit(TRAIN, run())
    hidden = holes(WHOLE, 0.6)
    hidden[0, :, 1] = True
    filled, at = model.impute(WHOLE.hide(hidden)).point, np.arange(WIDTH)
    for row in range(len(WHOLE)):
        for channel in range(2):
            seen = ~hidden[row, :, channel]
            if seen.any():
                expected = np.interp(at, at[seen], WHOLE.values[row, seen, channel])
                assert filled[row, :, channel] == pytest.approx(expected, abs=1e-5)
    assert filled[0, :, 1] == pytest.approx(np.full(WIDTH, model.mean_[1]))


def test_a_season_is_put_back_into_a_hole() -> None:
    season = np.tile([0.0, 3.0, -1.0, 5.0], 6)
    values = (season + 0.5 * np.arange(24))[None, :, None].astype(np.float32)
    layout = Layout("series", (24, 1), (Block("wave", "number", 0),))
    data = Encoded(values, np.ones(values.shape, dtype=np.bool_), layout)
    hidden = np.zeros(values.shape, dtype=np.bool_)
    hidden[0, 8:12] = True
    plain = Interpolation().fit(data, run()).impute(data.hide(hidden)).point - values
    seasonal = SeasonalInterpolation(period=4).fit(data, run()).impute(data.hide(hidden)).point - values
    assert np.abs(seasonal).max() < 0.5 * np.abs(plain).max()
    too_long = SeasonalInterpolation(period=24).fit(data, run()).impute(data.hide(hidden)).point - values
    assert (too_long == plain).all()


def test_the_fill_of_a_gaussian_is_the_conditional_mean_with_its_interval() -> None:
    model = Gaussian().fit(WHOLE_TRAIN, run())
    covariance = np.cov(flat(WHOLE_TRAIN).T, bias=True) + 1e-3 * np.eye(2 * WIDTH)
    mean = flat(WHOLE_TRAIN).mean(axis=0)
    hidden = holes(WHOLE, 0.4)
    filled = model.impute(WHOLE.hide(hidden), draws=200)
    assert filled.draws is not None
    assert filled.low is not None
    for row in range(3):
        lost = hidden[row].ravel()
        across, kept = covariance[np.ix_(lost, ~lost)], covariance[np.ix_(~lost, ~lost)]
        expected = mean[lost] + across @ np.linalg.solve(kept, flat(WHOLE)[row, ~lost] - mean[~lost])
        spread = np.sqrt(np.diag(covariance[np.ix_(lost, lost)] - across @ np.linalg.solve(kept, across.T)))
        assert filled.point[row].ravel()[lost] == pytest.approx(expected, abs=1e-4)
        assert filled.low[row].ravel()[lost] == pytest.approx(expected - 1.6449 * spread, abs=1e-3)
        drawn = filled.draws[:, row].reshape(200, -1)[:, lost]
        assert drawn.mean(axis=0) == pytest.approx(expected, abs=4 * spread.max() / np.sqrt(200))
        assert drawn.std(axis=0) == pytest.approx(spread, rel=0.25)


def test_a_window_of_which_nothing_is_observed_has_the_distribution_of_all() -> None:
    model = Gaussian().fit(WHOLE_TRAIN, run())
    nothing = WHOLE.take(slice(0, 1)).hide(np.ones((1, WIDTH, 2), dtype=np.bool_))
    filled = model.impute(nothing, draws=2)
    assert filled.low is not None
    assert filled.draws is not None
    deviation = np.sqrt(flat(WHOLE_TRAIN).var(axis=0) + 1e-3)
    assert filled.point.ravel() == pytest.approx(flat(WHOLE_TRAIN).mean(axis=0), abs=1e-5)
    assert (filled.point - filled.low).ravel() == pytest.approx(1.6449 * deviation, rel=1e-3)
    assert (filled.draws[0] != filled.draws[1]).all()
    assert model.impute(WHOLE.take(slice(0, 0))).point.shape == (0, WIDTH, 2)


def test_the_energy_of_a_gaussian_is_the_distance_of_what_is_observed() -> None:
    model = Gaussian(power=1.0).fit(WHOLE_TRAIN, run())
    covariance = np.cov(flat(WHOLE_TRAIN).T, bias=True) + 1e-3 * np.eye(2 * WIDTH)
    hidden = holes(WHOLE, 0.4)
    scores = model.score(WHOLE.hide(hidden))
    for row in range(5):
        kept = ~hidden[row].ravel()
        deviation = flat(WHOLE)[row, kept] - flat(WHOLE_TRAIN).mean(axis=0)[kept]
        distance = deviation @ np.linalg.solve(covariance[np.ix_(kept, kept)], deviation)
        usual = 1 - kept.mean()  # of the cells that are hidden
        assert scores[row] == pytest.approx(distance / len(kept) / model.level_ + usual, rel=1e-4)


def test_a_gaussian_learns_from_windows_with_holes() -> None:
    rng = np.random.default_rng(4)
    at = np.arange(1500)
    points = np.sin(at * 0.6 + rng.normal(0, 0.05, 1500).cumsum())[:, None] + rng.normal(0, 0.05, (1500, 1))
    values = np.lib.stride_tricks.sliding_window_view(points[:, 0], 12)[:, :, None].astype(np.float32)
    layout = Layout("series", (12, 1), (Block("wave", "number", 0),))
    data = Encoded(values, np.ones(values.shape, dtype=np.bool_), layout)
    new, hidden = data.take(slice(1200, None)), holes(data, 0.5)[1200:]
    errors = {}
    for rounds in (0, 2):
        train = data.hide(holes(data, 0.5, seed=1)).take(slice(0, 1100))
        filled = Gaussian(rounds=rounds).fit(train, run()).impute(new.hide(hidden)).point
        errors[rounds] = np.abs(filled - new.values)[hidden].mean()
    plain = Interpolation().fit(data, run()).impute(new.hide(hidden)).point
    assert errors[2] < errors[0] < np.abs(plain - new.values)[hidden].mean()


def test_members_of_auto_count_by_what_they_explain() -> None:
    model = Auto().fit(TRAIN, run())
    assert sum(model.weights_) == pytest.approx(1)
    members = [model.neighbours_, model.components_, model.residuals_]
    assert model.weights_[2] == 0.5
    expected = sum(weight * member.score(NEW) for weight, member in zip(model.weights_, members, strict=True))
    assert model.score(NEW) == pytest.approx(expected)
    assert (model.impute(NEW).point == model.gaussian_.impute(NEW).point).all()


def test_auto_fills_by_its_components_until_it_is_fitted_to_impute() -> None:
    only_score, only_impute = (
        LocalRun(goals=frozenset({goal}), registered=Registry.load().part_creator("series"))
        for goal in ("score", "impute")
    )
    model = Auto().fit(TRAIN, only_score)
    assert (model.impute(NEW).point == model.components_.impute(NEW).point).all()
    scores = model.score(NEW)
    model.extend(TRAIN, only_impute)
    assert (model.impute(NEW).point == model.gaussian_.impute(NEW).point).all()
    assert (model.score(NEW) == scores).all()
    with pytest.raises(UsageError, match="not fitted to score: expected a fit for it"):
        Auto().fit(TRAIN, only_impute).score(NEW)


def mixed() -> Encoded:
    """Return windows with a number and a category that follows its sign."""
    at = np.arange(300)
    wave = np.sin(at * 0.7)
    points = np.stack([wave, FIRST_LEVEL + (wave > 0)], axis=1).astype(np.float32)
    values = np.lib.stride_tricks.sliding_window_view(points, 9, axis=0).transpose(0, 2, 1)
    blocks = Block("level", "number", 0), Block("state", "category", 1, levels=("off", "on"))
    return Encoded(values, np.ones(values.shape, dtype=np.bool_), Layout("series", (9, 2), blocks))


@pytest.mark.parametrize("model", [SubPca(), Neighbours(), Gaussian(), Auto()], ids=lambda model: model.name)
def test_a_category_is_filled_with_the_level_that_goes_with_the_numbers(model: Model) -> None:
    data = mixed()
    hidden = np.zeros(data.values.shape, dtype=np.bool_)
    hidden[:, 4, 1] = True
    model.fit(data, run())
    if isinstance(model, SubPca | Neighbours | Gaussian):
        filled = model.impute(data.hide(hidden)).point
        assert (filled[:, 4, 1] == data.values[:, 4, 1]).mean() > 0.9
    wrong = data.values.copy()
    wrong[:, -1, 1] = 2 * FIRST_LEVEL + 1 - wrong[:, -1, 1]
    assert isinstance(model, SubPca | Neighbours | Gaussian | Auto)
    flipped = Encoded(wrong, data.observed, data.layout)
    assert np.median(model.score(flipped)) > np.median(model.score(data))


def test_categories_open_to_indicators_and_close_again() -> None:
    data = mixed()
    channels = Channels(data.layout)
    values, seen = channels.open(data)
    assert values.shape == (len(data), 9, 3)
    assert seen.all()
    assert (channels.levels(values) == data.values).all()
    assert channels.close(np.ones((1, 9, 3)))[0, 0].tolist() == [1.0, 2.0]


def test_drawn_windows_have_the_mean_and_the_covariance_of_the_gaussian() -> None:
    model = Gaussian().fit(WHOLE_TRAIN, run())
    nothing = WHOLE.take(np.zeros(6000, dtype=np.intp))
    drawn = flat(model.sample(nothing.hide(np.ones_like(nothing.observed)), LocalRun(seed=3)))
    covariance = np.linalg.inv(model.precision_)
    scale = np.sqrt(np.diag(covariance))
    assert drawn.mean(axis=0) == pytest.approx(model.mean_, abs=0.06)
    assert np.abs((np.cov(drawn.T) - covariance) / np.outer(scale, scale)).max() < 0.06
    learned = flat(WHOLE_TRAIN)
    assert drawn.mean(axis=0) == pytest.approx(learned.mean(axis=0), abs=0.06)
    assert np.abs(np.cov(drawn.T) - np.cov(learned.T)).max() < 0.06


def test_windows_drawn_around_given_cells_are_conditional_gaussians() -> None:
    model = Gaussian().fit(WHOLE_TRAIN, run())
    one = WHOLE.take(np.full(3000, 7))
    hidden = np.broadcast_to(holes(WHOLE.take(slice(0, 1)), 0.4), one.values.shape)
    drawn = model.sample(one.hide(hidden), LocalRun(seed=3))
    assert (drawn.values[~hidden] == one.values[~hidden]).all()
    at, covariance = hidden[0].ravel(), np.linalg.inv(model.precision_)
    gain = covariance[np.ix_(at, ~at)] @ np.linalg.inv(covariance[np.ix_(~at, ~at)])
    mean = model.mean_[at] + gain @ (flat(one)[0, ~at] - model.mean_[~at])
    rest = covariance[np.ix_(at, at)] - gain @ covariance[np.ix_(~at, at)]
    assert flat(drawn)[:, at].mean(axis=0) == pytest.approx(mean, abs=0.02)
    assert np.cov(flat(drawn)[:, at].T) == pytest.approx(rest, abs=0.004)


@pytest.mark.parametrize("averaged", [True, False])
def test_alerts_at_the_start_of_white_noise_are_as_rare_as_elsewhere(averaged: bool) -> None:
    fitted = GuardedModel.of(SubPca()).fit(noise(1, 1500, averaged, 0), run())
    scores = fitted.score(noise(400, 50, averaged, 1)).reshape(400, 50)
    alerts = scores > np.quantile(scores[:, 20:], 0.99)
    assert alerts[:, :10].mean() <= 0.01


def test_alerts_at_the_end_of_white_noise_are_as_rare_as_elsewhere() -> None:
    fitted = GuardedModel.of(SubPca()).fit(noise(1, 1500, True, 0), run())
    scores = fitted.score(noise(800, 50, True, 1)).reshape(800, 50)
    alerts = scores > np.quantile(scores[:, 20:40], 0.99)
    assert alerts[:, -5:].mean() <= 0.01


def noise(series: int, length: int, averaged: bool, seed: int) -> Encoded:
    """Return the points of so many series of white noise."""
    values = np.random.default_rng(seed).normal(size=(series * length, 1)).astype(np.float32)
    observed, at = np.ones(values.shape, dtype=bool), np.arange(len(values))
    layout = Layout("series", (1,), (Block("flow", "number", 0),), window=10, averaged=averaged)
    points = Points(values, observed, at // length * length, values)
    return Encoded(values, observed, layout, positions=Positions(points, at, 10, averaged))


@pytest.mark.parametrize("length", [1, 40])
def test_a_gap_in_training_is_not_learned_by_heart(length: int) -> None:
    """The straight line over it is far from the truth, which the other channels show."""
    rng, count, width, channels = np.random.default_rng(0), 500, 12, 15
    waves = np.sin(np.arange(count)[:, None] * 2 * np.pi / np.array([9, 17, 31]))
    values = (waves @ rng.normal(size=(3, channels)) + 0.05 * rng.normal(size=(count, channels))).astype(np.float32)
    seen = np.ones(values.shape, dtype=bool)
    seen[200 : 200 + length, 0] = False
    blocks = tuple(Block(f"c{number}", "number", number) for number in range(channels))
    index = np.arange(count - width + 1)[:, None] + np.arange(width)
    data = Encoded(np.where(seen, values, 0)[index], seen[index], Layout("series", (width, channels), blocks))
    windows = np.flatnonzero(~data.observed.all(axis=(1, 2)))
    found = Gaussian().fit(data, run()).impute(data.take(windows)).point
    error = np.abs(found - values[index][windows])[~data.observed[windows]]
    assert error.mean() < 0.08

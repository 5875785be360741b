"""Diffusion of windows: what the network sees and learns, and what it draws, against conditional Gaussians."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from anomalo.encoding.encoded import Encoded
from anomalo.encoding.layout import Block, Layout
from anomalo.models.run import LocalRun
from anomalo.testing.series import WIDTH, series
from anomalo_series.diffusion.network import WindowDenoiser
from anomalo_series.diffusion.series_ddpm import SeriesDdpm
from anomalo_series.yardsticks.gaussian import Gaussian

TRAIN, NEW = series()
SMALL = {"epochs": 1, "width": 8, "layers": 2, "steps": 4, "paths": 3}


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(5)


@pytest.mark.parametrize("points", [1, 7, 130])
def test_the_network_takes_windows_of_any_length(points: int) -> None:
    x, known = torch.randn(2, points, 3), torch.rand(2, points, 3) < 0.5
    assert WindowDenoiser(points, 3, 8, 2)(x, x, known, torch.rand(2)).shape == x.shape


def test_the_network_sees_known_cells_clean_and_others_noisy_and_the_time() -> None:
    net = WindowDenoiser(WIDTH, 2, 8, 2)
    noisy, clean = torch.randn(4, WIDTH, 2), torch.randn(4, WIDTH, 2)
    known, time = torch.rand(4, WIDTH, 2) < 0.5, torch.rand(4)
    found = net(noisy, clean, known, time)
    assert (found == net(torch.where(known, 9.0, noisy), torch.where(known, clean, 9.0), known, time)).all()
    assert (found != net(noisy + ~known, clean, known, time)).any()
    assert (found != net(noisy, clean + 1 * known, known, time)).any()
    assert (found != net(noisy, clean, known, time / 2)).any()


def test_the_loss_ignores_what_is_not_observed() -> None:
    model = SeriesDdpm(**SMALL)
    net = model.build(TRAIN.layout)
    x, seen = torch.randn(8, WIDTH, 2), torch.rand(8, WIDTH, 2) < 0.6
    seen[:4] = False
    torch.manual_seed(7)
    velocity = model.velocity

    def spoilt(*given: Any) -> Tensor:
        return torch.where(seen, velocity(*given), 9.0)

    found = model.denoising_loss(net.online, x, seen)
    model.velocity = spoilt  # type: ignore[method-assign]
    torch.manual_seed(7)
    assert model.denoising_loss(net.online, x, seen) == found


class ExactVelocity(nn.Module):
    """The velocity of a pair of cells with this correlation, by Bayes' rule; one of them may be known."""

    def __init__(self, correlation: float, model: SeriesDdpm) -> None:
        super().__init__()
        self.correlation, self.model = correlation, model
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, noisy: Tensor, clean: Tensor, known: Tensor, time: Tensor) -> Tensor:
        signal, spread = self.model.process.scales(time[:, None] * self.model.times)
        covariance = torch.tensor([[1.0, self.correlation], [self.correlation, 1.0]])
        noise = torch.where(known[:, :, 0], 1e-4, spread**2)  # a known cell is one that has no noise
        seen, gain = torch.where(known, clean, noisy)[:, :, 0], torch.where(known[:, :, 0], 1.0, signal)
        total = gain[:, :, None] * covariance * gain[:, None, :] + torch.diag_embed(noise)
        expected = (covariance @ (gain[:, :, None] * torch.linalg.solve(total, seen[:, :, None])))[:, :, 0]
        lines = torch.where(known.any(dim=1), (clean * known).sum(dim=1), 0.0)  # of two cells, one known
        return ((signal * noisy[:, :, 0] - expected) / spread + spread * lines)[:, :, None]


def exact(correlation: float, steps: int) -> SeriesDdpm:
    """A model whose network is exact for pairs of cells with mean 5 and deviation 2."""
    layout = Layout("series", (2, 1), (Block("flow", "number", 0),))
    model = SeriesDdpm(steps=steps)
    model.layout_, model.net = layout, model.build(layout)
    model.net.average = ExactVelocity(correlation, model)  # type: ignore[assignment]
    model.mean_, model.scale_ = np.array([5.0], np.float32), np.array([2.0], np.float32)
    model.range_ = np.array([[-9.0], [9.0]], np.float32)
    return model


def test_draws_are_of_the_conditional_distribution_where_the_network_is_exact() -> None:
    model, rng = exact(0.8, 60), np.random.default_rng(0)
    given = np.full((4000, 2, 1), 7.0, np.float32)  # one deviation above the mean
    known = np.zeros(given.shape, dtype=np.bool_)
    known[:, 0] = True
    noise = rng.standard_normal(given.shape).astype(np.float32)
    drawn = model.drawn(noise, given, known)[:, :, 0]
    assert (drawn[:, 0] == 7.0).all()
    assert drawn[:, 1].mean() == pytest.approx(5 + 2 * 0.8, abs=0.1)
    assert drawn[:, 1].std() == pytest.approx(2 * 0.6, rel=0.06)
    assert model.expected(given, known)[:, 1] == pytest.approx(5 + 2 * 0.8, abs=0.01)
    free = model.drawn(noise, given, np.zeros_like(known))[:, :, 0]
    assert free.mean(axis=0) == pytest.approx([5, 5], abs=0.15)
    assert np.cov(free.T) == pytest.approx(np.array([[4, 3.2], [3.2, 4]]), rel=0.1)


def test_fills_have_draws_and_intervals_and_depend_on_neither() -> None:
    model = SeriesDdpm(**SMALL).fit(TRAIN, LocalRun())
    given = NEW.hide(np.random.default_rng(0).random(NEW.values.shape) < 0.3)
    none, some, more = (model.impute(given, draws) for draws in (0, 2, 5))
    assert none.draws is None
    assert none.low is not None
    assert (none.point == some.point).all()
    assert some.draws is not None
    assert more.draws is not None
    assert (some.draws == more.draws[:2]).all()
    hidden = ~given.observed
    assert (none.low == some.low).all()
    assert (none.low[hidden] <= none.point[hidden]).all()
    assert (none.low[hidden] < none.point[hidden]).mean() > 0.9
    assert (none.low[~hidden] == given.values[~hidden]).all()
    assert (more.draws[0] != more.draws[1])[hidden].mean() > 0.9


def test_windows_are_drawn_within_the_range_of_training_and_around_given_cells() -> None:
    model = SeriesDdpm(**SMALL).fit(TRAIN, LocalRun())
    nothing = NEW.hide(np.ones_like(NEW.observed))
    drawn = model.sample(nothing, LocalRun(seed=1)).values
    inner = TRAIN.values[TRAIN.observed]
    assert inner.min() - 1e-5 <= drawn.min() < drawn.max() <= inner.max() + 1e-5
    whole = model.sample(NEW, LocalRun(seed=1))
    assert whole.observed.all()
    assert (whole.values[NEW.observed] == NEW.values[NEW.observed]).all()


@pytest.mark.slow
def test_what_is_learned_of_a_wave_is_near_the_conditional_mean() -> None:
    model = SeriesDdpm(epochs=150, width=32, layers=3, steps=20, paths=30).fit(TRAIN, LocalRun())
    hidden = NEW.observed & (np.random.default_rng(1).random(NEW.values.shape) < 0.3)
    given, truth = NEW.hide(hidden), NEW.values[hidden]
    filled = model.impute(given)
    best = np.abs(Gaussian().fit(TRAIN, LocalRun()).impute(given).point[hidden] - truth).mean()
    assert np.abs(filled.point[hidden] - truth).mean() < 2 * best < 0.5 * np.abs(truth - truth.mean()).mean()
    assert filled.low is not None
    assert filled.high is not None
    inside = (filled.low[hidden] <= truth) & (truth <= filled.high[hidden])
    assert 0.7 < inside.mean() < 0.99
    drawn = model.sample(NEW.hide(np.ones_like(NEW.observed)), LocalRun(seed=1)).values
    assert drawn.std(axis=(0, 1)) == pytest.approx(TRAIN.values[60:].std(axis=(0, 1)), rel=0.25)


@pytest.mark.slow
def test_a_fit_that_was_stopped_goes_on_exactly(after_kills: Callable[..., Any]) -> None:
    def fit(run: LocalRun) -> SeriesDdpm:
        return SeriesDdpm(**SMALL | {"epochs": 4}).fit(TRAIN, run)

    given = NEW.hide(np.random.default_rng(0).random(NEW.values.shape) < 0.3)
    plain, resumed = fit(LocalRun(seed=1)), after_kills(fit, 3, seed=1)
    assert (plain.impute(given).point == resumed.impute(given).point).all()


def test_categories_are_drawn_and_filled_as_levels() -> None:
    rng = np.random.default_rng(0)
    blocks = (Block("flow", "number", 0), Block("mode", "category", 1, levels=("on", "off")))
    values = np.stack([rng.normal(size=(40, 6)), rng.integers(2, 4, (40, 6))], axis=2).astype(np.float32)
    data = Encoded(values, rng.random(values.shape) < 0.8, Layout("series", (6, 2), blocks))
    model = SeriesDdpm(**SMALL).fit(data, LocalRun())
    drawn = model.sample(data.hide(np.ones_like(data.observed)), LocalRun(seed=1)).values
    filled = model.impute(data)
    assert {*np.unique(drawn[:, :, 1])} <= {2.0, 3.0}
    assert {*np.unique(filled.point[:, :, 1][~data.observed[:, :, 1]])} <= {2.0, 3.0}
    assert filled.low is not None
    assert np.isnan(filled.low[:, :, 1]).all()

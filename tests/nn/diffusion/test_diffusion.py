"""Diffusion: schedules and posteriors against brute force, samplers against a closed form, averaged weights."""

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from anomalo.nn.diffusion.averaged_network import AveragedNetwork
from anomalo.nn.diffusion.samplers import adams, ancestral, heun, implicit, multistep
from anomalo.nn.diffusion.schedules import DiscreteSchedule, even_levels, karras_levels

SCHEDULES = ["linear", "cosine"]


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


# Schedules.


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("times", [50, 1000])
def test_noise_accumulates_to_the_closed_form(name: str, times: int) -> None:
    schedule = DiscreteSchedule.named(name, times)
    mean, variance = 1.0, 0.0
    for time, beta in enumerate(schedule.betas.tolist(), start=1):
        mean, variance = mean * (1 - beta) ** 0.5, variance * (1 - beta) + beta
        assert mean**2 == pytest.approx(float(schedule.signal[time]), abs=1e-12)
        assert variance == pytest.approx(1 - float(schedule.signal[time]), abs=1e-12)
    assert schedule.signal[0] == 1
    assert schedule.signal[-1] < 1e-3


def test_the_schedules_are_the_papers() -> None:
    linear = DiscreteSchedule.named("linear", 1000)
    assert linear.betas[[0, -1]].tolist() == pytest.approx([1e-4, 0.02])
    assert linear.signal[-1].item() == pytest.approx(4.04e-5, rel=0.01)
    cosine, progress = DiscreteSchedule.named("cosine", 1000), np.arange(900) / 1000
    expected = np.cos((progress + 0.008) / 1.008 * np.pi / 2) ** 2
    np.testing.assert_allclose(cosine.signal[:900].numpy(), expected / expected[0], atol=1e-9)


def test_sampling_visits_times_from_the_last_to_nothing() -> None:
    schedule = DiscreteSchedule.named("cosine", 100)
    assert schedule.spaced(100) == [*range(100, 0, -1), 0]
    times = schedule.spaced(7)
    assert (times[0], times[-2:], len(times)) == (100, [1, 0], 8)


def test_karras_levels_fall_to_zero_evenly_in_a_root() -> None:
    levels = karras_levels(9, 0.002, 80.0, 7.0)
    assert levels[[0, -2, -1]].tolist() == pytest.approx([80, 0.002, 0])
    np.testing.assert_allclose(np.diff(levels[:-1].numpy() ** (1 / 7), n=2), 0, atol=1e-12)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize(("time", "before"), [(2, 1), (25, 24), (40, 10), (50, 49)])
def test_the_posterior_is_that_of_bayes_by_brute_force(name: str, time: int, before: int) -> None:
    schedule, clean, noisy = DiscreteSchedule.named(name, 50), 0.7, -0.4
    past, present = float(schedule.signal[before]), float(schedule.signal[time])
    step = present / past
    x = np.linspace(-12, 12, 400_001)
    log = -((noisy - step**0.5 * x) ** 2) / (2 * (1 - step)) - (x - past**0.5 * clean) ** 2 / (2 * (1 - past))
    density = np.exp(log - log.max())
    density /= density.sum()
    mean = (density * x).sum()
    a, b, variance = schedule.posterior(time, before)
    assert a * clean + b * noisy == pytest.approx(mean, abs=1e-6)
    assert variance == pytest.approx((density * (x - mean) ** 2).sum(), abs=1e-6)


@pytest.mark.parametrize("name", SCHEDULES)
def test_an_implicit_step_keeps_the_marginal(name: str) -> None:
    schedule = DiscreteSchedule.named(name, 50)
    for eta in (0.0, 0.5, 1.0):
        share, direction, variance = schedule.implicit(30, 12, eta)
        present, past = float(schedule.signal[30]), float(schedule.signal[12])
        assert share + direction * present**0.5 == pytest.approx(past**0.5)
        assert direction**2 * (1 - present) + variance == pytest.approx(1 - past)
        assert variance == pytest.approx(eta**2 * schedule.posterior(30, 12)[2])


# Samplers, with the denoiser that is right for a Gaussian.

MEAN = torch.tensor([0.5, -1.0])
COVARIANCE = torch.tensor([[1.0, 0.6], [0.6, 0.5]])


def gaussian(signal: float, noise_scale: float) -> Callable[[Tensor], Tensor]:
    """Return E[clean | signal * clean + noise_scale * noise] for clean rows of this mean and covariance."""
    gain = signal * COVARIANCE @ torch.linalg.inv(signal**2 * COVARIANCE + noise_scale**2 * torch.eye(2))
    return lambda x: MEAN + (x - signal * MEAN) @ gain.T


def standardised(rows: int) -> Tensor:
    """Return noise [rows, 2] whose own moments are exact, so that few rows will do."""
    noise = torch.randn(rows, 2, dtype=torch.float64)
    noise -= noise.mean(dim=0)
    return (noise @ torch.linalg.inv(torch.linalg.cholesky(torch.cov(noise.T))).T).float()


def by_level(x: Tensor, level: float) -> Tensor:
    return gaussian(1.0, level)(x)


def require_moments(x: Tensor) -> None:
    torch.testing.assert_close(x.mean(dim=0), MEAN, atol=0.04, rtol=0)
    torch.testing.assert_close(torch.cov(x.T), COVARIANCE, atol=0.04, rtol=0)


FLOWS = [(heun, 40, partial(karras_levels, curve=7.0), 2), (multistep, 14, even_levels, 3)]


@pytest.mark.parametrize(("sampler", "steps", "grid", "order"), FLOWS)
def test_the_flow_reproduces_a_gaussians_moments(sampler: Any, steps: int, grid: Any, order: int) -> None:
    levels = grid(steps, 0.005, 40.0).tolist()
    require_moments(sampler(by_level, levels[0] * standardised(1000), levels))


@pytest.mark.parametrize(("sampler", "steps", "grid", "order"), FLOWS)
def test_the_flows_error_falls_with_a_power_of_the_steps(sampler: Any, steps: int, grid: Any, order: int) -> None:
    noise = standardised(500)
    exact = heun(by_level, 40 * noise, karras_levels(600, 0.005, 40.0, 7.0).tolist())
    coarse, fine = (
        (sampler(by_level, 40 * noise, grid(times * steps, 0.005, 40.0).tolist()) - exact).abs().mean()
        for times in (1, 2)
    )
    assert fine < coarse / (0.75 * 2**order)


@pytest.mark.parametrize("times", [[0.4], [0.4, 0.3], [0.5, 0.3, 0.25]])
def test_slopes_of_low_degree_are_followed_exactly(times: list[float]) -> None:
    for degree in range(len(times)):
        slopes = [(degree + 1) * time**degree for time in times]
        way = sum(weight * slope for weight, slope in zip(adams(0.1, times), slopes, strict=True))
        assert way == pytest.approx(0.1 ** (degree + 1) - times[-1] ** (degree + 1))


def test_even_steps_are_the_textbooks() -> None:
    assert adams(4.0, [1.0, 2.0, 3.0]) == pytest.approx([5 / 12, -16 / 12, 23 / 12])


def test_independent_normal_scores_take_two_steps() -> None:
    noise = standardised(100)
    levels = even_levels(2, 0.01, 20.0).tolist()
    rows = multistep(lambda x, level: x / (1 + level**2), levels[0] * noise, levels)
    torch.testing.assert_close(rows, noise, atol=6e-3, rtol=0)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("kind", ["ancestral", "implicit"])
def test_the_discrete_samplers_reproduce_a_gaussians_moments(name: str, kind: str) -> None:
    schedule = DiscreteSchedule.named(name, 200)

    def denoise(x: Tensor, time: float) -> Tensor:
        signal = float(schedule.signal[int(time)])
        return gaussian(signal**0.5, (1 - signal) ** 0.5)(x)

    if kind == "ancestral":
        require_moments(ancestral(denoise, standardised(8000), schedule, 200, lambda: standardised(8000)))
    else:
        require_moments(implicit(denoise, standardised(1000), schedule, 200, 0.0, lambda: standardised(1000)))


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("steps", [50, 12])
def test_ddim_at_eta_one_is_the_ancestral_sampler(name: str, steps: int) -> None:
    schedule = DiscreteSchedule.named(name, 50)

    def run(sampler: Any, *eta: float) -> Tensor:
        generator = torch.Generator().manual_seed(1)

        def noise() -> Tensor:
            return torch.randn(30, 2, generator=generator, dtype=torch.float64)

        return sampler(lambda x, time: torch.tanh(3 * x), noise(), schedule, steps, *eta, noise)

    torch.testing.assert_close(run(implicit, 1.0), run(ancestral), atol=1e-12, rtol=0)
    assert (run(implicit, 0.5) - run(ancestral)).abs().max() > 0.01


@pytest.mark.parametrize("predict", ["velocity", "noise"])
def test_a_prediction_leads_to_clean_data_of_any_shape(predict: str) -> None:
    schedule = DiscreteSchedule.named("cosine", 50)
    clean, noise = torch.randn(2, 40, 3, 4, 4)
    time = torch.arange(1, 41)[:, None, None, None]
    signal, noise_scale = schedule.scales(time)
    noisy = signal * clean + noise_scale * noise
    found = schedule.clean(predict, schedule.target(predict, clean, noise, time), noisy, time)
    torch.testing.assert_close(found, clean, atol=1e-5, rtol=0)


def test_the_average_follows_the_weights() -> None:
    net = nn.Linear(1, 1)
    averaged = AveragedNetwork(copy.deepcopy(net), 0.5)
    with torch.no_grad():
        averaged.online.weight.fill_(3.0)
    averaged.update()
    decay = 2 / 11  # the memory of one step
    expected = decay * net.weight + (1 - decay) * 3
    torch.testing.assert_close(averaged.average.weight.data, expected.data)
    for _ in range(60):
        averaged.update()
    torch.testing.assert_close(averaged.average.weight.data, torch.full((1, 1), 3.0))
    assert not averaged.train().average.training

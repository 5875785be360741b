"""Diffusion: schedules and posteriors against brute force, samplers against a closed form, rows as vectors."""

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anomalo_diffusion.ddpm import Ddpm
from anomalo_diffusion.edm import Edm
from anomalo_diffusion.network import AveragedNetwork
from anomalo_diffusion.one_hot_space import OneHotSpace
from anomalo_diffusion.samplers import adams, ancestral, heun, implicit, multistep
from anomalo_diffusion.schedules import DiscreteSchedule, even_levels, karras_levels

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


# What the networks predict.


@pytest.mark.parametrize("model", [Edm(), Ddpm(), Ddpm(schedule="linear", predict="noise")])
def test_the_target_leads_to_the_clean_row(model: Any) -> None:
    clean, noise = torch.randn(2, 500, 3)
    level = model.draw_levels(500, torch.device("cpu"))[:, None]
    signal, noise_scale = model.scales(level)
    noisy = signal * clean + noise_scale * noise
    found = model.clean(model.target(clean, noise, level), noisy, level)
    near = (noise_scale / signal < 100)[:, 0]  # beyond, float32 does not hold the clean row
    torch.testing.assert_close(found[near], clean[near], atol=2e-4, rtol=0)


def test_edm_is_preconditioned() -> None:
    model, level = Edm(), torch.tensor([[0.01], [0.5], [3.0], [50.0]])
    clean, noise = torch.randn(2, 4, 50_000)
    target = model.target(clean, noise, level)
    torch.testing.assert_close(target.var(dim=1), torch.ones(4), atol=0.03, rtol=0)
    x = clean + level * noise
    skip, out = 1 / (1 + level**2), level / (1 + level**2).sqrt()
    torch.testing.assert_close(target, (clean - skip * x) / out, atol=1e-2, rtol=0)
    torch.testing.assert_close(model.clean(torch.zeros_like(x), x, level), skip * x)
    levels = model.draw_levels(100_000, torch.device("cpu")).log()
    assert (levels.mean().item(), levels.std().item()) == pytest.approx((model.centre, model.scale), abs=0.02)


# One-hot vectors of rows.


def test_codes_have_a_softmax_each() -> None:
    space, logits = OneHotSpace(2, [3, 1, 4]), 3 * torch.randn(50, 8)
    parts = torch.cat([torch.randn(50, 2), torch.randint(3, (50, 1)), torch.zeros(50, 1), torch.randint(4, (50, 1))], 1)
    pieces = logits.split([3, 1, 4], dim=1)
    expected = torch.cat([piece.softmax(dim=1) for piece in pieces], dim=1)
    torch.testing.assert_close(space.probabilities(logits), expected)
    for at, piece in enumerate(pieces):
        surprisal = F.cross_entropy(piece, parts[:, 2 + at].long(), reduction="none")
        torch.testing.assert_close(space.surprisal(logits, parts)[:, at], surprisal)
    vectors = space.vectors(parts)
    torch.testing.assert_close(vectors[:, :2], parts[:, :2])
    torch.testing.assert_close(vectors[:, 2:5], F.one_hot(parts[:, 2].long(), 3).float())
    assert vectors[:, 5].tolist() == [1.0] * 50
    entries = space.parts_to_entries(torch.tensor([[1.0, 0, 0, 1, 1]]))
    assert entries.tolist() == [[1, 0, 0, 0, 0, 1, 1, 1, 1, 1]]


def test_codes_are_drawn_by_their_probabilities() -> None:
    space, shares = OneHotSpace(0, [3, 2]), torch.tensor([0.2, 0.0, 0.8, 0.5, 0.0])
    codes = space.draw(shares.expand(20_000, 5), torch.rand(20_000, 2))
    assert torch.bincount(codes[:, 0], minlength=3).div(20_000).tolist() == pytest.approx([0.2, 0, 0.8], abs=0.02)
    assert not codes[:, 1].any()  # shares need not sum to one


def test_ties_are_jittered_anew_over_their_share() -> None:
    space = OneHotSpace(1, [2])
    shares = torch.tensor([[0.2, 0.6, 1.0]]).expand(50_000, 3)
    parts = space.jittered(shares)
    share = torch.special.ndtr(parts[:, 0])
    assert (share.min().item(), share.max().item(), share.mean().item()) == pytest.approx((0.2, 0.6, 0.4), abs=2e-3)
    assert parts[:, 1].unique().tolist() == [1.0]


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

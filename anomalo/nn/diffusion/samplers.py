"""The samplers: from noise to clean data, for any denoiser."""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
from torch import Tensor

from anomalo.nn.diffusion.schedules import DiscreteSchedule

Denoise = Callable[[Tensor, float], Tensor]
"""The expected clean data [n, ...], of any shape, given noisy data and its noise level (or discrete time)."""
PAST_SLOPES = 3
"""Slopes that a multistep method uses."""


def heun(denoise: Denoise, x: Tensor, levels: Sequence[float]) -> Tensor:
    """Follow the probability flow from x = clean + levels[0] * noise to levels[-1] = 0, by Heun's second-order method.

    Two denoisings a step, but one in the last.

    Reference: Karras et al. (2022), algorithm 1.
    """
    for level, following in itertools.pairwise(levels):
        slope = (x - denoise(x, level)) / level
        ahead = x + (following - level) * slope
        if following > 0:
            slope = (slope + (ahead - denoise(ahead, following)) / following) / 2
            ahead = x + (following - level) * slope
        x = ahead
    return x


def multistep(denoise: Denoise, x: Tensor, levels: Sequence[float]) -> Tensor:
    """Follow the same flow by the three-step Adams-Bashforth method: one denoising a step.

    In the angle t with tan(t) = level the flow of y = cos(t) x = cos(t) clean + sin(t) noise has the velocity
    cos(t) noise - sin(t) clean. It is 0 for normal scores that are independent, so that few steps go far.

    Reference: Lu and Song (2025), Simplifying, stabilizing and scaling continuous-time consistency models, ICLR,
    equation 5 (the angle).
    """
    angle = math.atan(levels[0])
    y, past = x * math.cos(angle), deque[tuple[float, Tensor]](maxlen=PAST_SLOPES)
    for level, following in itertools.pairwise(levels):
        clean = denoise(y / math.cos(angle), level)
        if following == 0:
            return clean
        past.append((angle, (math.cos(angle) * y - clean) / math.sin(angle)))
        angle = math.atan(following)
        weights = adams(angle, [time for time, _ in past])
        for weight, (_, velocity) in zip(weights, past, strict=True):
            y = y + weight * velocity
    return y


def adams(until: float, times: Sequence[float]) -> list[float]:
    """Return what slopes at `times` weigh in the way from the last of these until a time after it.

    It is the integral of the polynomial that goes through the slopes, exact for slopes of as low a degree.

    Reference: Hairer, Nørsett and Wanner (1993), Solving ordinary differential equations I, section III.5 (the
    Adams-Bashforth methods for steps of any size).
    """
    since, powers = np.array(times) - times[-1], np.arange(len(times))
    moments = (until - times[-1]) ** (powers + 1) / (powers + 1)
    return [float(weight) for weight in np.linalg.solve(since ** powers[:, None], moments)]


def implicit(
    denoise: Denoise,
    x: Tensor,
    schedule: DiscreteSchedule,
    steps: int,
    eta: float,
    noise: Callable[[], Tensor],
) -> Tensor:
    """Go from x_T to x_0 by DDIM's steps; eta = 0 is deterministic, eta = 1 the ancestral sampler.

    Reference: Song, Meng and Ermon (2021), equation 12.
    """
    times = schedule.spaced(steps)
    for time, before in itertools.pairwise(times):
        share, direction, variance = schedule.implicit(time, before, eta)
        x = share * denoise(x, time) + direction * x
        if variance > 0:
            x = x + math.sqrt(variance) * noise()
    return x


def ancestral(
    denoise: Denoise, x: Tensor, schedule: DiscreteSchedule, steps: int, noise: Callable[[], Tensor]
) -> Tensor:
    """Go from x_T to x_0 by draws from the posterior q(x_before | x_time, x_0), x_0 as denoised.

    Reference: Ho, Jain and Abbeel (2020), algorithm 2 and equations 6 and 7.
    """
    times = schedule.spaced(steps)
    for time, before in itertools.pairwise(times):
        a, b, variance = schedule.posterior(time, before)
        x = a * denoise(x, time) + b * x
        if before > 0:
            x = x + math.sqrt(variance) * noise()
    return x

"""From noise to rows: the samplers, for any denoiser."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

from torch import Tensor

from anomalo_diffusion.schedules import DiscreteSchedule

Denoise = Callable[[Tensor, float], Tensor]
"""The expected clean rows [n, entries], given noisy ones and their noise level (or discrete time)."""


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
    """Follow the same flow by the two-step Adams-Bashforth method: one denoising a step.

    In the angle t with tan(t) = level the flow of y = cos(t) x = cos(t) clean + sin(t) noise has the velocity
    cos(t) noise - sin(t) clean. It is 0 for normal scores that are independent, so that few steps go far.

    Reference: Lu and Song (2025), Simplifying, stabilizing and scaling continuous-time consistency models, ICLR,
    equation 5 (the angle).
    """
    angle = math.atan(levels[0])
    y, before, last = x * math.cos(angle), None, 0.0
    for level, following in itertools.pairwise(levels):
        clean = denoise(y / math.cos(angle), level)
        if following == 0:
            return clean
        velocity = (math.cos(angle) * y - clean) / math.sin(angle)
        step = math.atan(following) - angle
        ahead = velocity if before is None else velocity + (velocity - before) * (step / (2 * last))
        y, angle = y + step * ahead, angle + step
        before, last = velocity, step
    return y


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

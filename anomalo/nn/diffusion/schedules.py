"""Noise schedules: of discrete times, and of continuous noise levels."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def linear_betas(times: int) -> Tensor:
    """Return the variances added at each time, [times] float64, growing linearly.

    From 1e-4 to 0.02 at 1,000 times; with fewer or more, so much that the total noise stays.

    Reference: Ho, Jain and Abbeel (2020), Denoising diffusion probabilistic models, NeurIPS, section 4.
    """
    scale = 1000 / times
    return torch.linspace(1e-4 * scale, 0.02 * scale, times, dtype=torch.float64).clamp(max=0.999)


def cosine_betas(times: int, offset: float = 0.008) -> Tensor:
    """Return the variances added at each time, [times] float64, for a share of signal that falls as cos^2.

    Reference: Nichol and Dhariwal (2021), Improved denoising diffusion probabilistic models, ICML, equation 17.
    """
    progress = torch.linspace(0, 1, times + 1, dtype=torch.float64)
    signal = torch.cos((progress + offset) / (1 + offset) * math.pi / 2).square()
    return (1 - signal[1:] / signal[:-1]).clamp(max=0.999)


class DiscreteSchedule:
    """The forward process x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) noise, t from 1 to T, and its posterior.

    Parameters
    ----------
    betas : float64 [T]
        Variances added at each time.

    Attributes
    ----------
    signal : float64 [T + 1]
        abar_t: the share of x_0's variance that is left at time t; 1 at t = 0.

    Reference: Ho, Jain and Abbeel (2020), equations 4, 6 and 7; Song, Meng and Ermon (2021), Denoising diffusion
    implicit models, ICLR, equations 12 and 16.
    """

    def __init__(self, betas: Tensor) -> None:
        self.betas = betas
        self.signal = torch.cat([torch.ones(1, dtype=torch.float64), torch.cumprod(1 - betas, dim=0)])

    @classmethod
    def named(cls, name: str, times: int) -> DiscreteSchedule:
        """Return the "linear" or the "cosine" schedule."""
        return cls(linear_betas(times) if name == "linear" else cosine_betas(times))

    @property
    def times(self) -> int:
        """T, the number of times."""
        return len(self.betas)

    def scales(self, time: Tensor) -> tuple[Tensor, Tensor]:
        """Return sqrt(abar_t) and sqrt(1 - abar_t), float32, for times of any shape."""
        signal = self.signal.to(time.device)[time.long()]
        return signal.sqrt().float(), (1 - signal).sqrt().float()

    def target(self, predict: str, clean: Tensor, noise: Tensor, time: Tensor) -> Tensor:
        """Return what a network is to predict: the "noise", or the "velocity".

        The velocity is sqrt(abar_t) noise - sqrt(1 - abar_t) x_0, whose error does not grow with the noise.

        Reference: Salimans and Ho (2022), Progressive distillation for fast sampling of diffusion models, ICLR.

        Parameters
        ----------
        clean, noise : float32 [n, ...]
        time : [n, 1, ...]
            Broadcast to them.
        """
        if predict == "noise":
            return noise
        signal, noise_scale = self.scales(time)
        return signal * noise - noise_scale * clean

    def clean(self, predict: str, output: Tensor, x: Tensor, time: Tensor) -> Tensor:
        """Return the x_0 that a prediction of noise or of velocity means, for x_t; the inverse of `target`."""
        signal, noise_scale = self.scales(time)
        if predict == "noise":
            return (x - noise_scale * output) / signal
        return signal * x - noise_scale * output

    def spaced(self, steps: int) -> list[int]:
        """Return `steps` times from T down to 1, evenly spaced, and 0 after them."""
        steps = min(steps, self.times)
        return [*torch.linspace(self.times, 1, steps).round().long().tolist(), 0]

    def posterior(self, time: int, before: int) -> tuple[float, float, float]:
        """Return a, b and the variance v of q(x_before | x_time, x_0) = N(a x_0 + b x_time, v)."""
        alpha = float(self.signal[time] / self.signal[before])
        rest = float(1 - self.signal[time])
        ahead = float(1 - self.signal[before])
        return (
            math.sqrt(float(self.signal[before])) * (1 - alpha) / rest,
            math.sqrt(alpha) * ahead / rest,
            (1 - alpha) * ahead / rest,
        )

    def implicit(self, time: int, before: int, eta: float) -> tuple[float, float, float]:
        """Return a, b and v of DDIM's step: x_before ~ N(a x_0 + b x_time, v), v = eta^2 that of the posterior."""
        variance = eta**2 * self.posterior(time, before)[2]
        ahead, rest = float(1 - self.signal[before]), float(1 - self.signal[time])
        direction = math.sqrt(max(ahead - variance, 0.0) / rest)
        share = math.sqrt(float(self.signal[before])) - direction * math.sqrt(float(self.signal[time]))
        return share, direction, variance


def karras_levels(steps: int, low: float, high: float, curve: float) -> Tensor:
    """Return noise levels [steps + 1] from `high` down to `low`, and 0 after them.

    Reference: Karras et al. (2022), Elucidating the design space of diffusion-based generative models, NeurIPS,
    equation 5.
    """
    ramp = torch.linspace(0, 1, steps, dtype=torch.float64)
    levels = (high ** (1 / curve) + ramp * (low ** (1 / curve) - high ** (1 / curve))) ** curve
    return torch.cat([levels, torch.zeros(1, dtype=torch.float64)])


def even_levels(steps: int, low: float, high: float) -> Tensor:
    """Return noise levels [steps + 1] from `high` to `low` that are even in the share of signal, and 0 after them.

    The share is 1 / (1 + level): steps are closest where signal and noise are alike.
    """
    share = torch.linspace(1 / (1 + high), 1 / (1 + low), steps, dtype=torch.float64)
    return torch.cat([1 / share - 1, torch.zeros(1, dtype=torch.float64)])

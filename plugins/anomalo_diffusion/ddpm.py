"""DDPM: diffusion in discrete time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from anomalo.neural import Denoise, DiscreteSchedule, ancestral, implicit
from anomalo.plugin import param
from anomalo_diffusion.denoising_model import NEARLY_PURE_NOISE, SCORING_RATIOS
from anomalo_diffusion.diffusion import Diffusion


@dataclass(kw_only=True)
class Ddpm(Diffusion):
    """The denoising diffusion probabilistic model: x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) noise, t from 1 to T.

    Of numbers the network predicts the noise, as in the paper, or the velocity, sqrt(abar_t) noise - sqrt(1 - abar_t)
    x_0, whose error does not grow with the noise; of codes the probabilities. Clean numbers are held within the range
    of normal scores at each step. Sampling is ancestral, or by DDIM in fewer steps.

    Reference: Ho, Jain and Abbeel (2020), Denoising diffusion probabilistic models, NeurIPS; Song, Meng and Ermon
    (2021), Denoising diffusion implicit models, ICLR; Salimans and Ho (2022), Progressive distillation for fast
    sampling of diffusion models, ICLR (velocity).

    Examples
    --------
    >>> Ddpm(schedule="linear").params()["times"]
    1000
    """

    name = "ddpm"

    times: int = param(1000, low=2, high=100_000, help="Noise levels in training (T).")
    predict: str = param("velocity", choices=("velocity", "noise"), help="What the network predicts of numbers.")
    schedule: str = param("cosine", choices=("linear", "cosine"), help="How noise grows with time.")
    sampler: str = param("ddim", choices=("ancestral", "ddim"), help="Random steps, or fewer deterministic ones.")
    steps: int = param(30, low=1, high=100_000, help="Steps from noise to rows, at most T.")
    eta: float = param(0.0, low=0.0, high=1.0, help="Randomness of DDIM's steps; 1 is ancestral.")

    @cached_property
    def process(self) -> DiscreteSchedule:
        """The forward process."""
        return DiscreteSchedule.named(self.schedule, self.times)

    def draw_levels(self, n: int, device: torch.device) -> Tensor:
        """Draw times from 1 to T, [n]."""
        return torch.randint(1, self.times + 1, (n,), device=device).float()

    def scales(self, level: Tensor) -> tuple[Tensor, Tensor]:
        """Return sqrt(abar_t) and sqrt(1 - abar_t)."""
        return self.process.scales(level)

    def level_feature(self, level: Tensor) -> Tensor:
        """Return the time, from 0 to 1."""
        return level / self.times

    def target(self, clean: Tensor, noise: Tensor, level: Tensor) -> Tensor:
        """Return the noise, or the velocity."""
        return self.process.target(self.predict, clean, noise, level)

    def clean(self, output: Tensor, x: Tensor, level: Tensor) -> Tensor:
        """Return x_0 from the noise, or from the velocity."""
        return self.process.clean(self.predict, output, x, level)

    def pure_noise_level(self) -> float:
        """Return the first time at which noise is `NEARLY_PURE_NOISE` times the signal."""
        return self._first_time(NEARLY_PURE_NOISE)

    def scoring_levels(self) -> tuple[float, ...]:
        """Return the first times at which noise is `SCORING_RATIOS` times the signal."""
        return tuple(self._first_time(ratio) for ratio in SCORING_RATIOS)

    def _first_time(self, ratio: float) -> float:
        """Return the first time at which noise is so many times the signal."""
        share = 1 / (1 + ratio**2)
        return float(min(int((self.process.signal > share).sum()), self.times))

    def reverse(self, denoise: Denoise, noise: Callable[[], Tensor], *, deterministic: bool = False) -> Tensor:
        """Go back in time from pure noise."""
        if self.sampler == "ancestral" and not deterministic:
            return ancestral(denoise, noise(), self.process, self.steps, noise)
        return implicit(denoise, noise(), self.process, self.steps, 0.0 if deterministic else self.eta, noise)

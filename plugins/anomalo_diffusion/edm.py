"""EDM: diffusion in continuous noise levels, preconditioned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from anomalo.neural import Denoise, even_levels, heun, karras_levels, multistep
from anomalo.plugin import param
from anomalo_diffusion.denoising_model import NEARLY_PURE_NOISE, SCORING_RATIOS
from anomalo_diffusion.diffusion import Diffusion

LOWEST, HIGHEST = 0.01, 20.0
"""Noise levels of sampling, in units of the data's standard deviation."""
KARRAS = 7.0
"""How densely the levels of Heun's method lie near 0."""


@dataclass(kw_only=True)
class Edm(Diffusion):
    """Elucidated diffusion: x = clean + level * noise, levels log-normal in training, the network preconditioned.

    D(x; s) = c_skip x + c_out F(c_in x; ln(s) / 4), with c_skip = 1 / (1 + s^2), c_out = s / sqrt(1 + s^2) and
    c_in = 1 / sqrt(1 + s^2) for data of unit variance: F's target has unit variance at every level, and F = 0 is right
    for independent normal scores. Sampling follows the probability flow.

    Reference: Karras et al. (2022), Elucidating the design space of diffusion-based generative models, NeurIPS, table 1
    and equations 7 and 8.

    Examples
    --------
    >>> Edm(steps=20).params()["steps"]
    20
    """

    name = "edm"

    steps: int = param(12, low=1, high=10_000, help="Steps from noise to rows.")
    sampler: str = param("multistep", choices=("multistep", "heun"), help="One or two denoisings a step.")
    centre: float = param(-0.8, low=-10.0, high=10.0, help="Mean of the logarithm of training noise levels.")
    scale: float = param(1.4, low=0.01, high=10.0, help="Standard deviation of it.")

    def draw_levels(self, n: int, device: torch.device) -> Tensor:
        """Draw log-normal noise levels, [n]."""
        return (self.centre + self.scale * torch.randn(n, device=device)).exp()

    def scales(self, level: Tensor) -> tuple[Tensor, Tensor]:
        """Return signal 1 and the noise level."""
        return torch.ones_like(level), level

    def level_feature(self, level: Tensor) -> Tensor:
        """Return c_noise."""
        return level.log() / 4

    def target(self, clean: Tensor, noise: Tensor, level: Tensor) -> Tensor:
        """Return F's target, (clean - c_skip x) / c_out."""
        return (level * clean - noise) * (1 + level.square()).rsqrt()

    def clean(self, output: Tensor, x: Tensor, level: Tensor) -> Tensor:
        """Return D(x), from F."""
        scale = (1 + level.square()).rsqrt()
        return scale * (scale * x + level * output)

    def pure_noise_level(self) -> float:
        """Return a level of nearly pure noise."""
        return NEARLY_PURE_NOISE

    def scoring_levels(self) -> tuple[float, ...]:
        """Return levels from fine to coarse."""
        return SCORING_RATIOS

    def reverse(self, denoise: Denoise, noise: Callable[[], Tensor], *, deterministic: bool = False) -> Tensor:
        """Follow the probability flow from pure noise."""
        if self.sampler == "heun":
            levels = karras_levels(self.steps, LOWEST, HIGHEST, KARRAS).tolist()
            return heun(denoise, levels[0] * noise(), levels)
        levels = even_levels(self.steps, LOWEST, HIGHEST).tolist()
        return multistep(denoise, levels[0] * noise(), levels)

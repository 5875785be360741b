"""DDPM: diffusion of windows, of which some cells may be known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from anomalo.neural import (
    ArrayRows,
    AveragedNetwork,
    DiscreteSchedule,
    Loss,
    NeuralModel,
    Phase,
    Step,
    clipped,
    implicit,
    part_of_mean,
    seeded,
    split_rows,
)
from anomalo.plugin import Encoded, Filled, Floats, Layout, Mask, Run, is_goal, param, row_uniform
from anomalo_series.channels import Channels
from anomalo_series.diffusion.network import WindowDenoiser
from anomalo_series.fills import Distribution, filled_in_blocks, normal
from anomalo_series.networks.layers import bridge, hidden_cells
from anomalo_series.yardsticks.interpolation import bridged

NOTHING_KNOWN = 0.3
"""Share of the training windows of which nothing is known, where windows are to be drawn."""
PURE_NOISE = 0.5
"""Share of the others that are pure noise, so that one denoising is the conditional mean."""
Averaged = AveragedNetwork[WindowDenoiser]
CHUNK = 64
"""Windows are denoised in chunks of exactly this many."""
LARGEST_GRADIENT = 1.0
"""A gradient with a larger norm is scaled down to it."""
VALIDATION_DRAWS = 4
"""Draws of noise for the held-out loss."""


@dataclass(kw_only=True)
class SeriesDdpm(NeuralModel[Averaged]):
    """A denoising diffusion model of windows that fills hidden cells and draws whole windows.

    In training random points and stretches are hidden and noised, the other cells are known to the network; of some
    windows nothing is. It predicts the velocity. A hidden cell is filled with its conditional mean, one denoising of
    pure noise; intervals are that of a normal with the deviation of draws, which DDIM makes of noise, all hidden cells
    of a window together.

    References: Ho, Jain and Abbeel (2020), Denoising diffusion probabilistic models, NeurIPS; Tashiro, Song, Song and
    Ermon (2021), CSDI: conditional score-based diffusion models for probabilistic time series imputation, NeurIPS;
    Song, Meng and Ermon (2021), Denoising diffusion implicit models, ICLR; Salimans and Ho (2022), Progressive
    distillation for fast sampling of diffusion models, ICLR (velocity).
    """

    name = "series_ddpm"
    modalities = ("series",)

    epochs: int = param(15, low=1, high=100_000, help="Passes over the training windows at most; it may stop early.")
    batch_size: int = param(64, low=1, high=100_000, help="Windows in one gradient step, at most.")
    learning_rate: float = param(2e-3, low=1e-7, high=1.0, help="Step size of Adam at the start; it decays.")
    most: int = param(4000, low=1, high=10_000_000, help="Training windows that are learned from, at most, at random.")
    hide: float = param(0.35, low=0.01, high=0.9, help="Share of cells that are hidden in training.")
    width: int = param(64, low=4, high=4096, help="Features of a step.")
    layers: int = param(4, low=1, high=64, help="Layers of dilated convolutions.")
    average: float = param(0.999, low=0.0, high=0.999999, help="Decay of the moving average of the weights.")
    times: int = param(1000, low=2, high=100_000, help="Noise levels in training (T).")
    schedule: str = param("cosine", choices=("linear", "cosine"), help="How noise grows with time.")
    steps: int = param(20, low=1, high=100_000, help="Steps from noise to windows, at most T.")
    paths: int = param(16, low=2, high=10_000, help="Draws from which intervals of fills are made.")

    samples = True

    @property
    def chunk(self) -> int:
        """Windows that inference handles at a time."""
        return CHUNK

    @cached_property
    def process(self) -> DiscreteSchedule:
        """The forward process."""
        return DiscreteSchedule.named(self.schedule, self.times)

    def build(self, layout: Layout) -> Averaged:
        """Return a new network and its moving average."""
        net = WindowDenoiser(layout.shape[0], Channels(layout).count, self.width, self.layers)
        return AveragedNetwork(net, self.average)

    def training_data(self, data: Encoded, run: Run) -> ArrayRows:
        """Return some of the windows, standardised, their missing cells bridged, and which are observed."""
        rows = np.sort(run.rng.permutation(len(data))[: self.most])
        x, seen = Channels(data.layout).open(data.take(rows))
        self.samples = is_goal(run.goals, "sample")
        self._learn_columns(x, seen)
        scaled = self._standardised(x, seen).astype(np.float64)
        whole = bridged(scaled, seen, np.zeros(scaled.shape[2])).astype(np.float32)
        return ArrayRows(whole, np.ascontiguousarray(seen), device=run.device)

    def _learn_columns(self, x: Floats, seen: Mask) -> None:
        """Learn mean, scale and range of each column."""
        count = seen.sum(axis=(0, 1)).clip(min=1)
        mean = np.where(seen, x, 0).sum(axis=(0, 1), dtype=np.float64) / count
        square = np.where(seen, np.square(x - mean), 0).sum(axis=(0, 1)) / count
        scale = np.where(square > 0, np.sqrt(square), 1.0)
        ends = [np.where(seen, x, mean).min(axis=(0, 1)), np.where(seen, x, mean).max(axis=(0, 1))]
        self.mean_, self.scale_ = mean.astype(np.float32), scale.astype(np.float32)
        self.range_ = np.stack([(end - mean) / scale for end in ends]).astype(np.float32)

    def _standardised(self, x: Floats, seen: Mask) -> Floats:
        return np.where(seen, (x - self.mean_) / self.scale_, 0).astype(np.float32)

    def _original(self, windows: Floats) -> Floats:
        return np.asarray(windows * self.scale_ + self.mean_, dtype=np.float32)

    def phases(self, net: Averaged) -> list[Phase]:
        """Return the one stage of training; the held-out loss is that of the average."""
        weights = list(net.online.parameters())
        return [Phase("training", weights, self.epochs, lambda o: self.step(net, o), self.validation)]

    def optimizers(self, parameters: Sequence[nn.Parameter]) -> list[Optimizer]:
        """Return the optimisers, which clip the gradient."""
        return clipped(super().optimizers(parameters), parameters, LARGEST_GRADIENT)

    def step(self, net: Averaged, optimizers: list[Optimizer], loss: Loss | None = None) -> Step:
        """Return the function that makes one update, the average of the weights included."""
        return net.after(super().step(net, optimizers, loss))

    def loss(self, net: Averaged, x: Tensor, observed: Tensor) -> Tensor:
        """Return the mean squared error of the velocity of hidden cells."""
        return self.denoising_loss(net.online, x, observed)

    def validation(self, net: Averaged, x: Tensor, observed: Tensor) -> Tensor:
        """Return the loss of the averaged network, for some draws of noise: the same ones every time."""
        with seeded(self.seed_, x.device):
            return torch.stack([self.denoising_loss(net.average, x, observed) for _ in range(VALIDATION_DRAWS)]).mean()

    def denoising_loss(self, net: WindowDenoiser, x: Tensor, observed: Tensor) -> Tensor:
        """Return the mean squared error of the velocity of hidden cells, for random hidden cells, times and noise."""
        count = len(x)
        uniform = torch.rand(2, count, device=x.device)
        hidden = hidden_cells(x, self.hide)
        if self.samples:
            hidden = hidden | (uniform[0] < NOTHING_KNOWN)[:, None, None]
        time = torch.randint(1, self.times + 1, (count,), device=x.device)
        pure = (uniform[1] < PURE_NOISE) & ~hidden.all(dim=(1, 2))
        time = torch.where(pure, self.times, time)
        noise = torch.randn_like(x)
        x, observed, hidden, time, noise = split_rows(x, observed, hidden, time, noise)
        known = observed & ~hidden
        level = time[:, None, None]
        signal, spread = self.process.scales(level)
        found = self.velocity(net, signal * x + spread * noise, x, known, level)
        wrong = (found - self.process.target("velocity", x, noise, level)).square() * (observed & hidden)
        return part_of_mean(wrong.sum() / (observed & hidden).sum().clamp(min=1))

    def velocity(self, net: WindowDenoiser, noisy: Tensor, clean: Tensor, known: Tensor, level: Tensor) -> Tensor:
        """Return the network's prediction beside what straight lines between known cells say, at levels [n, 1, 1]."""
        spread = self.process.scales(level)[1]
        found: Tensor = net(noisy, clean, known, level.flatten() / self.times) - spread * bridge(clean, known)
        return found

    def denoised(self, noisy: Tensor, clean: Tensor, known: Tensor, time: int) -> Tensor:
        """Return what is expected of windows without noise, within the columns' ranges; known cells as they are."""
        level = torch.full((len(noisy), 1, 1), float(time), device=noisy.device)
        velocity = self.velocity(self.net.average, noisy, clean, known, level)
        low, high = torch.from_numpy(self.range_).to(noisy.device)
        found = self.process.clean("velocity", velocity, noisy, level).clamp(low, high)
        return torch.where(known, clean, found)

    def drawn(self, noise: Floats, x: Floats, seen: Mask) -> Floats:
        """Return windows drawn by DDIM from normal noise [n, T, columns], given what is observed."""

        def back(noise: Tensor, clean: Tensor, known: Tensor) -> tuple[Tensor]:
            def denoise(noisy: Tensor, time: float) -> Tensor:
                return self.denoised(noisy, clean, known, int(time))

            return (implicit(denoise, noise, self.process, self.steps, 0.0, lambda: noise),)

        return self._original(self.in_chunks(back, noise, self._standardised(x, seen), seen)[0])

    def expected(self, x: Floats, seen: Mask) -> Floats:
        """Return the conditional means of all cells: one denoising of pure noise, which is 0."""

        def mean(clean: Tensor, known: Tensor) -> tuple[Tensor]:
            return (self.denoised(torch.zeros_like(clean), clean, known, self.times),)

        return self._original(self.in_chunks(mean, self._standardised(x, seen), seen)[0])

    def impute(self, data: Encoded, draws: int = 0) -> Filled:
        """Fill hidden cells with their conditional means; intervals are as wide as draws differ."""
        return filled_in_blocks(data, lambda part: self._distribution(part, draws))

    def _distribution(self, part: Encoded, draws: int) -> Distribution:
        x, seen = Channels(part.layout).open(part)
        x, size = np.where(seen, x, 0).astype(np.float32), int(np.prod(x.shape[1:]))
        mean = self.expected(x, seen)
        rows = Encoded(x.reshape(len(x), size), seen.reshape(len(x), size), Layout("series", (size,), ()))
        drawn = np.zeros((max(self.paths, draws) if not part.observed.all() else draws, *x.shape), dtype=np.float32)
        for number in range(len(drawn)):
            noise = normal(row_uniform(rows, self.seed_ + number, 1)[0]).reshape(x.shape)
            drawn[number] = self.drawn(noise.astype(np.float32), x, seen)
        spread = drawn[: self.paths].std(axis=0) if len(drawn) else np.zeros(x.shape)
        return Distribution(mean, spread, drawn[:draws])

    def sample(self, given: Encoded, run: Run) -> Encoded:
        """Return windows drawn given the observed cells, which are kept; none is missing."""
        self.use(run.device)
        channels = Channels(given.layout)
        x, seen = channels.open(given)
        noise = run.rng.standard_normal(x.shape).astype(np.float32)
        drawn = channels.levels(self.drawn(noise, np.where(seen, x, 0).astype(np.float32), seen))
        return Encoded(np.where(given.observed, given.values, drawn), np.ones_like(given.observed), given.layout)

"""The denoising diffusion probabilistic model of images."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from scipy.special import ndtri
from torch import Tensor
from torch.optim import Optimizer

from anomalo.neural import (
    AveragedNetwork,
    DiscreteSchedule,
    Loss,
    Phase,
    Step,
    ancestral,
    implicit,
    part_of_mean,
    split_rows,
)
from anomalo.plugin import Encoded, Filled, Floats, HiddenCells, Layout, Run, param, row_uniform
from anomalo_images_gan.diffusion.unet import DenoisingUNet
from anomalo_images_gan.groups import FromGroups
from anomalo_images_gan.image_generator import FromClasses, ImageGenerator

UNLABELLED = 0.1
"""Share of the training images whose label is hidden, so that images of any class are learned too."""
SMALLEST_SHARE = 1e-7
"""Normal noise is of shares between this and one less it."""

Net = AveragedNetwork[DenoisingUNet]


@dataclass(kw_only=True)
class ImageDdpm(FromGroups, FromClasses, ImageGenerator[Net]):
    """Draws images by removing noise step by step; what is given of an image is kept, and the rest fits it.

    In x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) noise, t from 1 to T, the network predicts the velocity, or the noise.
    In training, the pixels in or around a random rectangle of some images are given without noise, so that filling is
    learned; hidden pixels are filled by one such image, whose noise depends on the image alone. With labels, images of
    a class can be asked for; `guidance` above 0 makes them more typical of it, or of their group, and more alike.

    Reference: Ho, Jain and Abbeel (2020), Denoising diffusion probabilistic models, NeurIPS; Nichol and Dhariwal
    (2021), Improved denoising diffusion probabilistic models, ICML (cosine schedule); Song, Meng and Ermon (2021),
    Denoising diffusion implicit models, ICLR; Saharia et al. (2022), Palette: image-to-image diffusion models, SIGGRAPH
    (given pixels); Ho and Salimans (2022), Classifier-free diffusion guidance.

    Examples
    --------
    >>> ImageDdpm(schedule="linear").params()["steps"]
    50
    """

    name = "image_ddpm"

    learning_rate: float = param(1e-3, low=1e-7, high=1.0, help="Step size of Adam at the start; it decays.")
    width: int = param(24, low=1, high=4096, help="Channels at the full size; each of two halvings doubles them.")
    times: int = param(1000, low=2, high=100_000, help="Noise levels in training (T).")
    schedule: str = param("cosine", choices=("linear", "cosine"), help="How noise grows with time.")
    predict: str = param("velocity", choices=("velocity", "noise"), help="What the network predicts.")
    sampler: str = param("ddim", choices=("ancestral", "ddim"), help="Random steps, or fewer deterministic ones.")
    steps: int = param(50, low=1, high=100_000, help="Steps from noise to an image, at most T.")
    eta: float = param(0.0, low=0.0, high=1.0, help="Randomness of DDIM's steps; 1 is ancestral.")
    guidance: float = param(0.0, low=0.0, high=100.0, help="How much further towards its class an image is drawn.")
    given: float = param(0.3, low=0.0, high=1.0, help="Share of the training images some of whose pixels are given.")
    average: float = param(0.999, low=0.0, high=1.0, help="Decay of the moving average of the weights.")

    @cached_property
    def process(self) -> DiscreteSchedule:
        """The forward process."""
        return DiscreteSchedule.named(self.schedule, self.times)

    def build(self, layout: Layout) -> Net:
        """Return a new network and its moving average."""
        return AveragedNetwork(DenoisingUNet(layout.shape, self.width, self.label_count), self.average)

    def phases(self, net: Net) -> list[Phase]:
        """Return one stage, of the network in training."""
        return [replace(phase, parameters=list(net.online.parameters())) for phase in super().phases(net)]

    def loss(self, net: Net, x: Tensor, observed: Tensor, labels: Tensor) -> Tensor:
        """Return the mean squared error of what is predicted, over the pixels that are not masked."""
        n, device = len(x), x.device
        clean = self.whole(x, observed)
        time, noise = torch.randint(1, self.times + 1, (n,), device=device), torch.randn_like(clean)
        known = observed & given_pixels(clean, self.given)
        unlabelled = torch.rand(n, device=device) < UNLABELLED
        if not self.classes:  # given pixels say more than the group, which is not known where they are filled
            unlabelled = unlabelled | known.flatten(1).any(dim=1)
        labels = labels.masked_fill(unlabelled, self.label_count)
        clean, observed, known, time, noise, labels = split_rows(clean, observed, known, time, noise, labels)
        at = time[:, None, None, None]
        signal, noise_scale = self.process.scales(at)
        output: Tensor = net.online(signal * clean + noise_scale * noise, time / self.times, labels, clean, known)
        aim = self.process.target(self.predict, clean, noise, at)
        learned = observed & ~known
        error = ((output.float() - aim).square() * learned).flatten(1).sum(dim=1)
        return part_of_mean((error / learned.flatten(1).sum(dim=1).clamp(min=1)).mean())

    def step(self, net: Net, optimizers: list[Optimizer], loss: Loss | None = None) -> Step:
        """Return the function that makes one update, the average of the weights included."""
        return net.after(super().step(net, optimizers, loss))

    def sample(self, given: Encoded, run: Run) -> Encoded:
        """Return new images, of the classes in `given.target` if there are any; observed pixels of `given` are kept."""
        self.use(run.device)
        labels = self.labels_of(given, run.rng)
        if not self.classes:
            labels[given.observed.any(axis=(1, 2, 3))] = self.label_count
        noise = run.rng.standard_normal(given.values.shape, dtype=np.float32)
        generator = torch.Generator().manual_seed(int(run.rng.integers(2**62)))
        images = self._drawn(given, noise, labels, generator)
        return self.answer(given, images, labels)

    def impute(self, data: Encoded, draws: int = 0) -> Filled:
        """Fill hidden pixels by an image that fits the others; with `draws` also by so many others.

        It depends on the image alone: its noise is keyed by its content, and the steps are deterministic.
        """
        flat = Encoded(*data.flat(), replace(data.layout, shape=(math.prod(data.layout.shape),)))
        uniform = row_uniform(flat, self.seed_, 1 + draws).clip(SMALLEST_SHARE, 1 - SMALLEST_SHARE)
        noise = ndtri(uniform).astype(np.float32).reshape(1 + draws, *data.values.shape)
        anything = np.full(len(data), self.label_count, dtype=np.int64)
        images = [self._drawn(data, each, anything, None) for each in noise]
        fills = [np.where(data.observed, data.values, self.pixel_range.to_encoded(each)) for each in images]
        return Filled(fills[0], np.stack(fills[1:]) if draws else None)

    def hidden_cells(self) -> HiddenCells | None:
        """Return no errors of predicted pixels: a fill is one image of many, and no expectation."""
        return None

    def _drawn(self, given: Encoded, noise: Floats, labels: Any, generator: torch.Generator | None) -> Floats:
        """Return images [n, C, H, W] from noise; without a generator for more noise, by deterministic steps."""

        def draw(x: Tensor, observed: Tensor, noise: Tensor, labels: Tensor) -> tuple[Tensor]:
            denoise = self._denoiser(self.pixel_range.to_unit(x), observed, labels)
            if generator is None:
                return (implicit(denoise, noise, self.process, self.steps, 0.0, lambda: noise),)

            def more() -> Tensor:
                return torch.randn(noise.shape, generator=generator).to(noise.device)

            if self.sampler == "ancestral":
                return (ancestral(denoise, noise, self.process, self.steps, more),)
            return (implicit(denoise, noise, self.process, self.steps, self.eta, more),)

        return self.in_chunks(draw, given.values, given.observed, noise, labels)[0]

    def _denoiser(self, clean: Tensor, known: Tensor, labels: Tensor) -> Callable[[Tensor, float], Tensor]:
        """Return what predicts clean images from noisy ones, those pixels that are known as they are."""
        net = self.net.average

        def denoise(x: Tensor, time: float) -> Tensor:
            at = torch.full((len(x),), time / self.times, device=x.device)
            output = net(x, at, labels, clean, known)
            if self.guidance and self.label_count:
                any_class = net(x, at, torch.full_like(labels, self.label_count), clean, known)
                output = output + self.guidance * (output - any_class)
            found = self.process.clean(self.predict, output, x, torch.full((1, 1, 1, 1), time, device=x.device))
            return torch.where(known, clean, found.clamp(-1, 1))

        return denoise


def given_pixels(images: Tensor, share: float) -> Tensor:
    """Draw which pixels are given, bool [n, 1, H, W]: in a share of the images those in or around a rectangle.

    Its sides are from an eighth of the image's to all of them.
    """
    n, device = len(images), images.device
    inside = torch.ones(n, 1, 1, 1, dtype=torch.bool, device=device)
    for axis in (2, 3):
        size, shape = images.shape[axis], [1, 1, 1, 1]
        shape[axis] = -1
        length = size * (1 + 7 * torch.rand(n, 1, 1, 1, device=device)) / 8
        first = torch.rand(n, 1, 1, 1, device=device) * (size - length)
        at = torch.arange(size, device=device).view(shape) + 0.5
        inside = inside & (at >= first) & (at < first + length)
    around, chosen = (torch.rand(n, 1, 1, 1, device=device) < each for each in (0.5, share))
    return (inside ^ around) & chosen

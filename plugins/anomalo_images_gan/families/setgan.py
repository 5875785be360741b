"""SetGAN: images as sets of points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from anomalo.neural import AdversarialNetwork, AdversarialStep, ReplayBuffer, Step, seeded
from anomalo.plugin import Encoded, Floats, Layout, Run, param
from anomalo_images_gan.image_gan import ImageGan, Net
from anomalo_images_gan.image_generator import Labels
from anomalo_images_gan.networks.point_sets import chamfer, density, drawn, points_of
from anomalo_images_gan.networks.setgan import SetDiscriminator, SetGenerator

COMPARED = 32
"""Held-out sets that synthetic ones are compared with after an epoch."""
MEASURED = 256
"""Training images by which the brightness of a dot is chosen."""


@dataclass(kw_only=True)
class SetGan(ImageGan):
    """Draws images of bright strokes on black as sets of points, whose order has no effect on either network.

    A training image is a set of `points`, drawn anew in each step where it is bright. A set of any size can be
    generated; its points become dots of an image, as bright on average as in training. All channels are alike.

    References: Li et al. (2018), Point cloud GAN, arXiv:1810.05795; Zaheer et al. (2017), Deep sets, NIPS.

    Examples
    --------
    >>> SetGan(points=50).params()["points"]
    50
    """

    name = "setgan"
    objective = "relativistic"
    betas: ClassVar[tuple[float, float]] = (0.0, 0.99)

    learning_rate: float = param(1e-3, low=1e-7, high=1.0, help="Step size of Adam for both networks; it decays.")
    noise: int = param(32, low=1, high=100_000, help="Width of the noise of a set, and of that of each of its points.")
    width: int = param(128, low=1, high=4096, help="Width of the hidden layers.")
    points: int = param(100, low=1, high=10_000, help="Points in a set.")
    penalty: float = param(0.1, low=0.0, high=1e6, help="Weight of the penalty on the critic's gradient.")
    penalty_every: int = param(
        4, low=1, high=1000, help="Steps of the critic for one with the penalty, as much heavier."
    )

    gain_ = 1.0

    def build(self, layout: Layout) -> Net:
        """Return both networks; sets of points are kept, if any."""
        kept = ReplayBuffer(self.replay, self.points, 2) if self.replay else None
        generator, critic = self.make_generator(layout.shape, 0), self.make_critic(layout.shape, 0)
        return AdversarialNetwork(generator, critic, self.decay, kept)

    def make_generator(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """Return the generator of points."""
        return SetGenerator(2, self.noise, self.width)

    def make_critic(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """Return the critic of points."""
        return SetDiscriminator(2, self.width)

    def step(self, net: Net, optimizers: list[Optimizer], loss: Any = None) -> Step:
        """Return the function that makes one step on a batch."""

        def draw_batch(x: Tensor, observed: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
            return points_of(self.whole(x, observed), self.points), labels

        def generate(real: Tensor, labels: Tensor) -> Tensor:
            whole = torch.randn(len(real), self.noise, device=real.device)
            each = torch.randn(len(real), self.points, self.noise, device=real.device)
            points: Tensor = net.generator(whole, each)
            return points

        outputs = (self.critic_outputs, self.penalty, self.penalty_every, self.critic_steps)
        return AdversarialStep(net, optimizers, self.objective, draw_batch, generate, *outputs)

    def validation(self, net: Net, x: Tensor, observed: Tensor, labels: Tensor) -> Tensor:
        """Return the mean Chamfer distance from held-out sets to the nearest of as many synthetic ones."""
        real = points_of(self.whole(x, observed)[:COMPARED], self.points)
        whole = torch.randn(len(real), self.noise, device=x.device)
        each = torch.randn(len(real), self.points, self.noise, device=x.device)
        synthetic = net.average.net(whole, each)
        nearest = [chamfer(one.expand_as(synthetic), synthetic).min() for one in real]
        return torch.stack(nearest).mean()

    def finish(self, data: Encoded, run: Run) -> None:
        """Learn how bright a dot is, so that training images, drawn as dots, keep their mean brightness."""
        some = data.take(slice(0, MEASURED))
        images = self.whole(torch.tensor(some.values), torch.tensor(some.observed))
        with seeded(run.seed, torch.device("cpu")):
            dots = density(points_of(images, self.points), self.layout_.shape[1:])
        low, high = 1e-3, 1e3
        for _ in range(40):
            middle = float(np.sqrt(low * high))
            dim = float(drawn(dots, middle).mean()) < float(images.mean())
            low, high = (middle, high) if dim else (low, middle)
        self.gain_ = low

    def generated(self, labels: Labels, rng: np.random.Generator) -> Floats:
        """Return images, float32 [n, C, H, W] from -1 to 1; classes have no effect."""
        whole = rng.standard_normal((len(labels), self.noise), dtype=np.float32)
        each = rng.standard_normal((len(labels), self.points, self.noise), dtype=np.float32)
        channels, *size = self.layout_.shape

        def images(whole: Tensor, each: Tensor) -> tuple[Tensor]:
            points = self.net.average.net(whole, each)
            return (drawn(density(points, tuple(size)), self.gain_).expand(-1, channels, -1, -1),)

        return self.in_chunks(images, whole, each)[0]

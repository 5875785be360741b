"""What adversarial models of images share: parameters, training and sampling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from anomalo.neural import (
    AdversarialNetwork,
    AdversarialStep,
    Phase,
    ReplayBuffer,
    Step,
    energy_distance,
    seeded,
    zero_centred_outputs,
)
from anomalo.plugin import Encoded, Floats, Layout, Mask, Run, param
from anomalo_images_gan.groups import NO_CENTRES
from anomalo_images_gan.image_generator import ImageGenerator, Labels

CANDIDATES = 16
"""Where pixels are given, so many images are drawn, and that which is nearest there is taken."""
STANDING_BATCHES = 16
"""Batches of noise that the statistics of batch normalisation are taken from after training."""

Net = AdversarialNetwork[nn.Module, nn.Module]


@dataclass(kw_only=True)
class ImageGan(ImageGenerator[Net]):
    """A generator of images and a critic that distinguishes them from real ones, trained against each other.

    Images are drawn by the moving average of the generator's weights. A family defines `make_generator` and
    `make_critic`; the package's docstring says how.
    """

    objective: ClassVar[str] = "non-saturating"
    betas: ClassVar[tuple[float, float]] = (0.5, 0.999)

    learning_rate: float = param(2e-4, low=1e-7, high=1.0, help="Step size of Adam for both networks; it decays.")
    noise: int = param(64, low=1, high=100_000, help="Width of the noise that images are generated from.")
    width: int = param(32, low=1, high=4096, help="Channels at the full size; each halving doubles them.")
    critic_steps: int = param(1, low=1, high=100, help="Steps of the critic for each step of the generator.")
    penalty: float = param(0.0, low=0.0, high=1e6, help="Weight of the penalty on the critic's gradient.")
    penalty_every: int = param(
        1, low=1, high=1000, help="Steps of the critic for one with the penalty, as much heavier."
    )
    replay: int = param(
        0,
        low=0,
        high=1_000_000,
        help="Earlier images to show the critic again, if there are no classes; then no groups.",
    )
    decay: float = param(0.995, low=0.0, high=1.0, help="Of the moving average of the generator's weights.")

    def make_generator(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """Return a module from noise [n, noise] and labels [n] to images [n, C, H, W] from -1 to 1."""
        raise NotImplementedError

    def make_critic(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """Return a module from images [n, C, H, W] and labels [n] to logits [n]."""
        raise NotImplementedError

    def build(self, layout: Layout) -> Net:
        """Return both networks, for images of this size."""
        kept = ReplayBuffer(self.replay, *layout.shape) if self.replay and not self.label_count else None
        generator = self.make_generator(layout.shape, self.label_count)
        return AdversarialNetwork(generator, self.make_critic(layout.shape, self.label_count), self.decay, kept)

    def _centres(self, data: Encoded, seed: int) -> Floats:
        """Return the centres of groups; there are none with `replay`, which shows earlier images without labels."""
        return NO_CENTRES if self.replay else super()._centres(data, seed)

    def optimizers(self, parameters: Sequence[nn.Parameter]) -> list[Optimizer]:
        """Return the critic's and the generator's Adam."""
        networks = (self.net.critic, self.net.generator)
        return [Adam(each.parameters(), lr=self.learning_rate, betas=self.betas, fused=True) for each in networks]

    def critic_outputs(
        self, critic: Any, real: Tensor, synthetic: Tensor, given: Tensor, weight: float
    ) -> tuple[Tensor, Tensor, Tensor | float]:
        """Return the critic's logits of real and of synthetic images, and the weighted penalty on its gradients."""
        return zero_centred_outputs(critic, real, synthetic, given, weight)

    def step(self, net: Net, optimizers: list[Optimizer], loss: Any = None) -> Step:
        """Return the function that makes one step on a batch."""

        def draw_batch(x: Tensor, observed: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
            return self.whole(x, observed), labels

        def generate(real: Tensor, labels: Tensor) -> Tensor:
            images: Tensor = net.generator(torch.randn(len(real), self.noise, device=real.device), labels)
            return images

        return AdversarialStep(
            net,
            optimizers,
            self.objective,
            draw_batch,
            generate,
            self.critic_outputs,
            self.penalty,
            self.penalty_every,
            self.critic_steps,
        )

    def validation(self, net: Net, x: Tensor, observed: Tensor, labels: Tensor) -> Tensor:
        """Return how far synthetic images of the same classes are from held-out ones: their energy distance."""
        noise = torch.randn(len(x), self.noise, device=x.device)
        return energy_distance(self.whole(x, observed), net.average.net(noise, labels))

    def train(self, rows: Any, run: Run, phases: Sequence[Phase] | None = None) -> None:
        """Train both networks, then take the averaged generator's statistics of batch normalisation.

        Reference: Brock, Donahue and Simonyan (2019), Large scale GAN training for high fidelity natural image
        synthesis, ICLR, section 2.1 (standing statistics).
        """
        super().train(rows, run, phases)
        average = self.net.average.net
        layers = [module for module in average.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
        if not layers:
            return
        for layer in layers:
            layer.reset_running_stats()
            layer.momentum = None  # the mean over all batches
            layer.train()
        device = torch.device(run.device)
        frequency = torch.from_numpy(self.frequency_).to(device)
        with torch.no_grad(), seeded(run.seed, device):
            for _ in range(STANDING_BATCHES):
                noise = torch.randn(self.batch_size, self.noise, device=device)
                labels = torch.multinomial(frequency, len(noise), replacement=True)
                average(noise, labels)
        average.eval()

    def sample(self, given: Encoded, run: Run) -> Encoded:
        """Return new images, of the classes in `given.target` if there are any; observed pixels of `given` are kept.

        Where some are observed, that of `CANDIDATES` images is taken which is nearest there.
        """
        self.use(run.device)
        rng, labels = run.rng, self.labels_of(given, run.rng)
        images = self.generated(labels, rng)
        rows = np.flatnonzero(given.observed.any(axis=(1, 2, 3)))
        if len(rows):
            aim = self.pixel_range.to_unit(torch.from_numpy(given.values[rows])).numpy()
            images[rows] = self._nearest(images[rows], aim, given.observed[rows], labels[rows], rng)
        return self.answer(given, images, labels)

    def generated(self, labels: Labels, rng: np.random.Generator) -> Floats:
        """Return images of these classes, float32 [n, C, H, W] from -1 to 1."""
        noise = rng.standard_normal((len(labels), self.noise), dtype=np.float32)
        with seeded(int(rng.integers(2**62)), torch.device("cpu")):  # for noise inside a generator
            return self.in_chunks(lambda *inputs: (self.net.average.net(*inputs),), noise, labels)[0]

    def _nearest(self, best: Floats, aim: Floats, seen: Mask, labels: Labels, rng: np.random.Generator) -> Floats:
        """Return the images that are nearest to what is seen, of those given and of others that are drawn."""

        def distance(images: Floats) -> Floats:
            return np.asarray((np.square(images - aim) * seen).sum(axis=(1, 2, 3)))

        nearest = distance(best)
        for _ in range(CANDIDATES - 1):
            if len(self.centres_):
                labels = self.random_labels(len(labels), rng)
            others = self.generated(labels, rng)
            found = distance(others)
            closer = found < nearest
            best[closer], nearest[closer] = others[closer], found[closer]
        return best

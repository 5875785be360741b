"""What models of images with a network share: what they expect of pixels, in chunks of a bounded size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor, nn
from typing_extensions import TypeVar

from anomalo.neural import BatchSource, NeuralModel, Phase, part_of_mean, split_rows
from anomalo.plugin import Encoded, Floats, Run, param
from anomalo_images.networks.layers import rectangles
from anomalo_images.pooling import ResidualModel

PIXELS = 1 << 17
"""Pixels that a network infers at a time, at most, if an image has no more."""


class ImageNet(nn.Module):
    """A network that reconstructs images."""

    def forward(self, x: Tensor, observed: Tensor) -> Tensor:
        """Return images [n, C, H, W], of what is seen of them."""
        raise NotImplementedError


Net = TypeVar("Net", bound=ImageNet, default=ImageNet)


@dataclass(kw_only=True)
class ImageNetwork(NeuralModel[Net], ResidualModel):
    """Trains a network to reconstruct images; in some of them a rectangle is hidden, and has to be filled."""

    epochs: int = param(40, low=1, high=100_000, help="Passes over the training images at most; it may stop early.")
    batch_size: int = param(32, low=1, high=100_000, help="Images in one gradient step, at most.")
    learning_rate: float = param(2e-3, low=1e-7, high=1.0, help="Step size of Adam at the start; it decays.")
    pixels: float = param(200.0, low=1e-6, high=1e6, help="Millions of pixels that training sees at most.")
    hide: float = param(0.3, low=0.0, high=1.0, help="Share of the images in which a rectangle is hidden in training.")

    @property
    def chunk(self) -> int:
        """Images that inference handles at a time."""
        _, height, width = self.layout_.shape
        return max(PIXELS // (height * width), 1)

    @property
    def positions(self) -> int:
        """Pixels of an image, by which the length of training is counted."""
        _, height, width = self.layout_.shape
        return height * width

    def loss(self, net: Net, x: Tensor, observed: Tensor) -> Tensor:
        """Return the mean squared error of the pixels that are not masked."""
        x, observed, shown, seen = split_rows(x, observed, *self.shown(x, observed))
        return part_of_mean(mean_square(net(shown, seen), x, observed))

    def shown(self, x: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the network sees of images in training, of which it has to make them whole."""
        return x, observed & ~rectangles(x, self.hide)

    def train(self, rows: BatchSource, run: Run, phases: Sequence[Phase] | None = None) -> None:
        """Train for so many epochs as the pixels suffice for, and one at least."""
        epochs = max(int(self.pixels * 1e6 / (len(rows) * self.positions)), 1)
        stages = [replace(phase, epochs=min(phase.epochs, epochs)) for phase in self.phases(self.net)]
        super().train(rows, run, stages if phases is None else phases)

    def finish(self, data: Encoded, run: Run) -> None:
        """Learn the mean energy of training images."""
        self.net.eval()
        self.learn_level(data, self.energies(data)[0])

    def expected(self, data: Encoded) -> Floats:
        """Return the reconstructions of images."""
        return self.infer(lambda x, observed: (self.net(x, observed),), data)[0]


def mean_square(found: Tensor, x: Tensor, observed: Tensor) -> Tensor:
    """Return the mean over images of their mean squared error over the pixels that are seen."""
    error = ((found - x).square() * observed).flatten(1).sum(dim=1)
    return (error / observed.flatten(1).sum(dim=1).clamp(min=1)).mean()

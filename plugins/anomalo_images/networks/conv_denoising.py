"""A U-Net that is trained to find and to undo synthetic defects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from anomalo.neural import clipped, part_of_mean, split_rows
from anomalo.plugin import Encoded, Floats, Layout, Mask, Run, param
from anomalo_images.networks.defects import damaged, mirrored
from anomalo_images.networks.image_network import ImageNetwork, mean_square
from anomalo_images.networks.layers import rectangles
from anomalo_images.networks.unet import UNet
from anomalo_images.pooling import Energies
from anomalo_images.yardsticks.filters import Filters

QUANTILE = 0.95
"""A pixel is compared with this quantile of its own image: what is unusual everywhere in an image is its texture."""
LARGEST = 100.0
"""Logarithms of energies are cut off here."""
FLATTEST = 0.1
"""A map whose logarithm deviates less than this in training counts as deviating so much: it says nothing."""
LEAST = 1e-3
"""Energies by filters below this, in units of the usual one, count as so much."""


@dataclass(kw_only=True)
class ConvDenoising(ImageNetwork[UNet]):
    """Expects of an image what a U-Net makes of it that undoes defects, and asks it where they are.

    In training, random shapes in an image, or in its mirror image, are replaced, and rectangles hidden. The network
    returns the image as it was, and the odds that a pixel was replaced. The energy of a pixel is the product of these
    odds and of the energy by `filters`, which knows what the synthetic defects do not show: each relative to its
    `QUANTILE` quantile in the image, to the power of `relative`, and in units of the deviation that its logarithm has
    in training.

    References: Zavrtanik, Kristan and Skočaj (2021), DRAEM: a discriminatively trained reconstruction embedding for
    surface anomaly detection, ICCV; Hinton (2002), Training products of experts, Neural Computation 14; Pascanu,
    Mikolov and Bengio (2013), On the difficulty of training recurrent neural networks, ICML, for shortened gradients.
    """

    name = "conv_denoising"

    power: float = param(4.0, low=0.25, high=16.0, help="How much more the most anomalous pixels count than others.")
    relative: float = param(1.0, low=0.0, high=1.0, help="Power of the image's own level that energies are divided by.")
    epochs: int = param(1000, low=1, high=100_000, help="Passes over the training images at most; it may stop early.")
    batch_size: int = param(8, low=1, high=100_000, help="Images in one gradient step, at most.")
    learning_rate: float = param(4e-3, low=1e-7, high=1.0, help="Step size of Adam at the start; it decays.")
    patience: int = param(1000, low=1, high=100_000, help="Stop after this many epochs without a better loss.")
    pixels: float = param(150.0, low=1e-6, high=1e6, help="Millions of pixels, in large images of 2 × 2, to train on.")
    holdout: float = param(0.0, low=0.0, high=0.5, help="Share of the images held out to decide when to stop.")
    hide: float = param(0.15, low=0.0, high=1.0, help="Share of the images in which a rectangle is hidden in training.")
    width: int = param(16, low=1, high=512, help="Channels at full size; each halving of the image doubles them.")
    segmentation: float = param(10.0, low=0.0, high=100.0, help="Weight of finding defects beside undoing them.")
    filling: float = param(4.0, low=0.0, high=100.0, help="Weight of filling what is hidden.")
    steepest: float = param(1.0, low=1e-3, high=1e3, help="Gradients longer than this are shortened to it.")

    def build(self, layout: Layout) -> UNet:
        """Return the network for images of this size."""
        return UNet(layout.shape, self.width)

    @property
    def positions(self) -> int:
        """Pixels of an image as the network takes them: in squares, where it is large."""
        return super().positions // self.net.patch**2

    def optimizers(self, parameters: Sequence[nn.Parameter]) -> list[Optimizer]:
        """Return AdamW, of gradients of a bounded length."""
        return clipped(super().optimizers(parameters), parameters, self.steepest)

    def loss(self, net: UNet, x: Tensor, observed: Tensor) -> Tensor:
        """Return the error of the images without their defects, and the cross-entropy of where these are."""
        hidden = rectangles(x, self.hide)
        whole = ~hidden.flatten(1).any(dim=1).reshape(-1, 1, 1, 1)
        x, observed = mirrored(x, observed, whole)
        images, where = damaged(x)
        images, where = torch.where(whole, images, x), where * whole
        x, observed, images, where, hidden = split_rows(x, observed, images, where, hidden)
        seen = observed & ~hidden
        found, odds = net.both(images, seen)
        entropy = F.binary_cross_entropy_with_logits(odds, where, reduction="none") * seen[:, :1]
        found_out = entropy.flatten(1).sum(dim=1) / seen[:, :1].flatten(1).sum(dim=1).clamp(min=1)
        filled = mean_square(found, x, observed & hidden)
        undone = mean_square(found, x, observed)
        return part_of_mean(undone + self.filling * filled + self.segmentation * found_out.mean())

    def finish(self, data: Encoded, run: Run) -> None:
        """Learn the filters, and the deviations of the logarithms of both energies."""
        self.filters_ = Filters(blur=self.blur).fit(data, run)
        self.net.eval()
        seen = data.observed
        parts = [part[seen] for part in self._parts(data)[0]]
        self.deviations_ = [max(float(part.std()) if len(part) else 0.0, FLATTEST) for part in parts]
        self.learn_level(data, self.energies(data)[0])

    def energies(self, data: Encoded) -> tuple[Energies, Floats]:
        """Return the energies of pixels, and the images without defects."""
        parts, expected = self._parts(data)
        logarithm = sum(part / deviation for part, deviation in zip(parts, self.deviations_, strict=True))
        return np.where(data.observed, np.exp(np.clip(logarithm, -LARGEST, LARGEST)), 0.0), expected

    def _parts(self, data: Encoded) -> tuple[list[Energies], Floats]:
        """Return the logarithms of odds and of filters' energies, in their images, and the images without defects."""
        expected, odds = self.infer(self.net.both, data)
        found = np.broadcast_to(odds.astype(np.float64), data.values.shape)
        unusual = np.log(self.filters_.energies(data)[0] / self.filters_.level_ + LEAST)
        return [self._in_image(part, data.observed) for part in (found, unusual)], expected

    def _in_image(self, parts: Energies, seen: Mask) -> Energies:
        """Return logarithms [n, C, H, W] relative to their high quantile in each image."""
        level = [
            np.quantile(part[here], QUANTILE) if here.any() else 0.0 for part, here in zip(parts, seen, strict=True)
        ]
        relative: Energies = parts - self.relative * np.reshape(level, (-1, 1, 1, 1))
        return relative

"""A U-Net that is trained to find and to undo synthetic defects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from anomalo.neural import part_of_mean, split_rows
from anomalo.plugin import Encoded, Floats, Layout, Mask, Run, param
from anomalo_images.networks.defects import damaged
from anomalo_images.networks.image_network import ImageNetwork, mean_square
from anomalo_images.networks.layers import rectangles
from anomalo_images.networks.unet import UNet
from anomalo_images.pooling import Energies, contrast, smoothed


@dataclass(kw_only=True)
class ConvDenoising(ImageNetwork[UNet]):
    """Expects of an image what a U-Net makes of it that undoes defects, and asks it where they are.

    In training, random shapes in an image are replaced, and some rectangles hidden. The network returns the image as
    it was, and the log odds that a pixel was replaced. The energy of a pixel is the surprisal that it was not, -log(1 -
    p), with the smoothed squared residual, each in units of its mean in training.

    Reference: Zavrtanik, Kristan and Skočaj (2021), DRAEM: a discriminatively trained reconstruction embedding for
    surface anomaly detection, ICCV.
    """

    name = "conv_denoising"

    power: float = param(8.0, low=0.25, high=16.0, help="How much more the most anomalous pixels count than others.")
    relative: float = param(0.0, low=0.0, high=1.0, help="Power of the image's contrast that residuals are divided by.")
    epochs: int = param(150, low=1, high=100_000, help="Passes over the training images at most; it may stop early.")
    patience: int = param(150, low=1, high=100_000, help="Stop after this many epochs without a better held-out loss.")
    width: int = param(16, low=1, high=512, help="Channels at full size; each halving of the image doubles them.")
    segmentation: float = param(10.0, low=0.0, high=100.0, help="Weight of finding defects beside undoing them.")
    filling: float = param(4.0, low=0.0, high=100.0, help="Weight of filling what is hidden.")
    residual: float = param(1.0, low=0.0, high=100.0, help="Weight of the residual in a pixel's energy.")

    def build(self, layout: Layout) -> UNet:
        """Return the network for images of this size."""
        return UNet(layout.shape, self.width)

    def loss(self, net: UNet, x: Tensor, observed: Tensor) -> Tensor:
        """Return the error of the images without their defects, and the cross-entropy of where these are."""
        hidden = rectangles(x, self.hide)
        images, where = damaged(x)
        whole = ~hidden.flatten(1).any(dim=1).reshape(-1, 1, 1, 1)
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
        """Learn the mean surprisal and residual of training images."""
        self.levels_ = [1.0, 1.0]
        self.net.eval()
        surprisal, residual, _ = self._parts(data)
        count = max(int(data.observed.sum()), 1)
        self.levels_ = [max(float(part.sum()) / count, 1e-9) for part in (surprisal, residual)]

    def energies(self, data: Encoded) -> tuple[Energies, Floats]:
        """Return the energies of pixels, and the images without defects."""
        surprisal, residual, expected = self._parts(data)
        of_defect, of_residual = self.levels_
        return surprisal / of_defect + self.residual * residual / of_residual, expected

    def _parts(self, data: Encoded) -> tuple[Energies, Energies, Floats]:
        """Return the smoothed surprisals, and squares of residuals, of pixels, and the images without defects."""
        expected = self.expected(data)
        (odds,) = self.infer(lambda x, observed: (self.net.both(x, observed)[1],), data)
        surprisal = np.broadcast_to(np.logaddexp(0, odds.astype(np.float64)), data.values.shape)
        residual = np.square(data.values - expected, dtype=np.float64)
        for row, (image, seen) in enumerate(zip(data.values, data.observed, strict=True)):
            residual[row] /= contrast(image, seen) ** self.relative
        return self._smooth(surprisal, data.observed), self._smooth(residual, data.observed), expected

    def _smooth(self, energies: Energies, seen: Mask) -> Energies:
        smooth = [smoothed(one, here, self.blur) for one, here in zip(energies, seen, strict=True)]
        return np.array(smooth).reshape(energies.shape)

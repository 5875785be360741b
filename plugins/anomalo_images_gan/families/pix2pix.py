"""Pix2pix: translation that is learned from pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from anomalo.errors import UsageError
from anomalo.neural import AdversarialNetwork, Step
from anomalo.plugin import Encoded, Filled, Floats, Layout, param
from anomalo_images_gan.image_generator import ImageGenerator
from anomalo_images_gan.networks.translation.paired_step import PairedNetwork, PairedStep
from anomalo_images_gan.networks.translation.patch_discriminator import PatchDiscriminator
from anomalo_images_gan.networks.translation.unet import TranslatingUNet


@dataclass(kw_only=True)
class Pix2Pix(ImageGenerator[PairedNetwork]):
    """Translates the left half of an image, the input, into the right half, the output, as it learned from pairs.

    That is the format of the paper's own data. To translate is to impute: the right half is hidden, by a mask or
    because it is transparent, and filled. Hidden pixels on the left are filled with their mean in training.

    Reference: Isola, Zhu, Zhou and Efros (2017), Image-to-image translation with conditional adversarial networks,
    CVPR.

    Examples
    --------
    >>> Pix2Pix(closeness=10.0).params()["closeness"]
    10.0
    """

    name = "pix2pix"

    batch_size: int = param(16, low=1, high=100_000, help="Pairs in one gradient step, at most.")
    learning_rate: float = param(4e-4, low=1e-7, high=1.0, help="Step size of Adam for both networks; it decays.")
    width: int = param(16, low=1, high=4096, help="Channels at the full size; each halving doubles them, up to four.")
    closeness: float = param(
        100.0, low=0.0, high=1e6, help="Weight of the mean absolute difference to the real output."
    )
    decay: float = param(0.99, low=0.0, high=1.0, help="Of the moving average of the translator's weights.")

    def build(self, layout: Layout) -> PairedNetwork:
        """Return both networks, for images of this size.

        Raises
        ------
        UsageError
            The width is odd, so that there are no halves.
        """
        channels, height, width = layout.shape
        if width % 2:
            raise UsageError(
                f"model {self.name!r} learns from pairs side by side: images are {width} pixels wide, which has no "
                "halves; give images of an even width, the input on the left and the output on the right"
            )
        translator = TranslatingUNet((channels, height, width // 2), self.width)
        return AdversarialNetwork(translator, PatchDiscriminator(2 * channels, self.width), self.decay)

    def optimizers(self, parameters: Sequence[nn.Parameter]) -> list[Optimizer]:
        """Return the critic's and the translator's Adam."""
        networks = (self.net.critic, self.net.generator)
        return [Adam(each.parameters(), lr=self.learning_rate, betas=(0.5, 0.999), fused=True) for each in networks]

    def step(self, net: PairedNetwork, optimizers: list[Optimizer], loss: Any = None) -> Step:
        """Return the function that makes one step on a batch."""
        step = PairedStep(net, optimizers, self.closeness)

        def update(x: Tensor, observed: Tensor, labels: Tensor) -> dict[str, Tensor]:
            return step(*self.whole(x, observed).chunk(2, dim=3))

        return update

    def validation(self, net: PairedNetwork, x: Tensor, observed: Tensor, labels: Tensor) -> Tensor:
        """Return the mean absolute difference of translations to the held-out right halves."""
        source, target = self.whole(x, observed).chunk(2, dim=3)
        difference: Tensor = (net.average.net(source) - target).abs().mean()
        return difference

    def translate(self, data: Encoded) -> Floats:
        """Return the right halves that belong to the left ones, float32 [n, C, H, W / 2] from -1 to 1."""
        translator = self.net.average.net.eval()

        def translated(x: Tensor, observed: Tensor) -> tuple[Tensor]:
            return (translator(self.whole(x, observed).chunk(2, dim=3)[0]),)

        return self.infer(translated, data)[0]

    def impute(self, data: Encoded, draws: int = 0) -> Filled:
        """Fill hidden pixels: on the right with the translation of the left, there with the mean; without draws."""
        expected = np.broadcast_to(self.mean_, data.values.shape).copy()
        expected[..., data.values.shape[3] // 2 :] = self.pixel_range.to_encoded(self.translate(data))
        return Filled(np.where(data.observed, data.values, expected))

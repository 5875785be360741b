"""A convolutional autoencoder."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from torch import Tensor, nn

from anomalo.plugin import Encoded, Floats, Layout, param
from anomalo_images.networks.distortions import distorted
from anomalo_images.networks.image_network import ImageNet, ImageNetwork
from anomalo_images.networks.layers import channels_last, convolutions, enlarged, initialise, levels_for, seen_image

DECODERS = ("upsampling", "transposed")


class ConvAutoencoder(ImageNet):
    """Convolutions and pooling down to a code, and back.

    Parameters
    ----------
    shape : tuple of int
        Channels, height and width of the images.
    width : int
        Channels of the first layer; each halving doubles them.
    latent : int
        The width of the code.
    decoder : {"upsampling", "transposed"}
        How the size is doubled.
    """

    def __init__(self, shape: tuple[int, ...], width: int, latent: int, decoder: str) -> None:
        super().__init__()
        colours, height, across = shape
        self.size, levels = (height, across), levels_for(height, across)
        widths = [width << level for level in range(levels + 1)]
        self.inner = widths[-1], *(-(-side // 2**levels) for side in self.size)
        self.of = 2**levels
        down: list[nn.Module] = [convolutions(colours + 1, widths[0])]
        up: list[nn.Module] = []
        for before, after in itertools.pairwise(widths):
            down += [nn.MaxPool2d(2), convolutions(before, after)]
            up = [enlarged(after, before, decoder), nn.ReLU(), *up]
        cells = self.inner[0] * self.inner[1] * self.inner[2]
        self.down, self.up = nn.Sequential(*down), nn.Sequential(*up, nn.Conv2d(widths[0], colours, 3, padding=1))
        self.to_code, self.from_code = nn.Linear(cells, latent), nn.Linear(latent, cells)
        initialise(self)

    def encode(self, x: Tensor, observed: Tensor) -> Tensor:
        """Return the codes of images, [n, latent]."""
        height, width = self.size
        images = nn.functional.pad(seen_image(x, observed), (0, -width % self.of, 0, -height % self.of))
        code: Tensor = self.to_code(self.down(channels_last(images)).flatten(1))
        return code

    def decode(self, code: Tensor) -> Tensor:
        """Return the images of codes, [n, C, H, W]."""
        cells = channels_last(nn.functional.relu(self.from_code(code)).reshape(-1, *self.inner))
        images: Tensor = self.up(cells)[:, :, : self.size[0], : self.size[1]]
        return images

    def forward(self, x: Tensor, observed: Tensor) -> Tensor:
        """Return the reconstructions of images."""
        return self.decode(self.encode(x, observed))


@dataclass(kw_only=True)
class Conv(ImageNetwork[ConvAutoencoder]):
    """Expects of an image what a convolutional autoencoder reconstructs of it through a narrow code.

    Reference: Masci, Meier, Cireşan and Schmidhuber (2011), Stacked convolutional auto-encoders for hierarchical
    feature extraction, ICANN; Hinton, Krizhevsky and Wang (2011), Transforming auto-encoders, ICANN, for `distort`.
    """

    name = "conv"

    power: float = param(2.0, low=0.25, high=16.0, help="How much more the most anomalous pixels count than others.")
    relative: float = param(1.0, low=0.0, high=1.0, help="Power of the image's contrast that energies are divided by.")
    width: int = param(8, low=1, high=512, help="Channels of the first layer; each halving of the image doubles them.")
    latent: int = param(12, low=1, high=4096, help="Width of the code.")
    decoder: str = param("upsampling", choices=DECODERS, help="How the decoder doubles the size of images.")

    distort: float = param(
        0.0, low=0.0, high=10.0, help="How far images are turned and moved in training; it learns to undo that."
    )

    def build(self, layout: Layout) -> ConvAutoencoder:
        """Return the network for images of this size."""
        return ConvAutoencoder(layout.shape, self.width, self.latent, self.decoder)

    def shown(self, x: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
        """Return images without a rectangle, and distorted: a code of what they show, not of how they lie."""
        return super().shown(*(distorted(x, observed, self.distort) if self.distort else (x, observed)))

    def embed(self, data: Encoded) -> Floats:
        """Return the codes of images, float32 [n, latent]."""
        return self.infer(lambda x, observed: (self.net.encode(x, observed),), data)[0]

    def decode(self, codes: Floats) -> Floats:
        """Return the images that codes stand for, float32 [n, C, H, W]."""
        return self.in_chunks(lambda code: (self.net.decode(code),), codes)[0]

"""The networks of progressive growing."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anomalo.neural import MinibatchDeviation, ModuleTuple
from anomalo_images_gan.networks.layers.equalised import EqualisedConv2d, EqualisedLinear
from anomalo_images_gan.networks.layers.fade_in import enlarged, fade_in, level_and_share, reduced
from anomalo_images_gan.networks.layers.pixel_norm import pixel_norm
from anomalo_images_gan.networks.layers.sizes import Sizes
from anomalo_images_gan.networks.sagan import channels


class Growing(nn.Module):
    """A network of several sizes, of which it uses those up to the level that it has grown to.

    Parameters
    ----------
    sizes : Sizes
        Of the images.

    Attributes
    ----------
    grown : float64 []
        The level; a fraction while the newest layers fade in. A new network is grown up.
    shown : int64 []
        Training images that it has seen.
    """

    grown: Tensor
    shown: Tensor

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.register_buffer("grown", torch.tensor(float(sizes.levels), dtype=torch.float64))
        self.register_buffer("shown", torch.zeros((), dtype=torch.int64))

    def grow(self, to: float) -> None:
        """Set the level, from 0 to `sizes.levels`."""
        self.grown.fill_(to)


class ProGanGenerator(Growing):
    """Two convolutions at each size with equalised learning rate and pixelwise normalisation; it grows.

    Images of a smaller level are enlarged to full size, so that they have the same shape at every level.

    Reference: Karras, Aila, Laine and Lehtinen (2018), Progressive growing of GANs for improved quality, stability, and
    variation, ICLR.

    Parameters
    ----------
    shape : tuple of int
        Channels, height and width of the images.
    noise, width : int
        Width of the noise, and channels at full size.
    classes : int
        Labels; 0 if there are none.
    """

    def __init__(self, shape: tuple[int, ...], noise: int, width: int, classes: int = 0) -> None:
        colours, *size = shape
        super().__init__(Sizes.of(*size))
        self.size = tuple(size)
        widths = channels(width, self.sizes.levels)
        self.embedding = nn.Embedding(classes, noise) if classes else None
        pixels = self.sizes.height * self.sizes.width
        self.input = EqualisedLinear(noise * (2 if classes else 1), widths[0] * pixels)
        self.blocks = ModuleTuple(
            ModuleTuple([EqualisedConv2d(before, after), EqualisedConv2d(after, after)])
            for before, after in itertools.pairwise([widths[0], *widths])
        )
        self.to_image = nn.ModuleList(EqualisedConv2d(one, colours, 1, gain=1.0) for one in widths)

    def forward(self, noise: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return images [n, C, H, W] of noise [n, noise] and labels [n]; they tend to [-1, 1], without a bound."""
        hidden = pixel_norm(noise)
        if self.embedding is not None and labels is not None:
            hidden = torch.cat([hidden, pixel_norm(self.embedding(labels))], dim=1)
        hidden = before = self.sizes.smallest(pixel_norm(_rectified(self.input(hidden))))
        level, share = level_and_share(self.grown.item())
        for at, block in enumerate(self.blocks[: level + 1]):
            before, hidden = hidden, enlarged(hidden) if at else hidden
            for layer in block:
                hidden = pixel_norm(_rectified(layer(hidden)))
        images = self.to_image[level](hidden)
        if share < 1:
            images = fade_in(enlarged(self.to_image[level - 1](before)), images, share)
        height, width = self.size
        return enlarged(images, 2 ** (self.sizes.levels - level))[:, :, :height, :width]


class ProGanDiscriminator(Growing):
    """Two convolutions at each size with equalised learning rate, and the deviation within a batch; it grows.

    Where there are labels, the deviation is that among images of the same one. Images are reduced to the size that it
    has grown to.

    Reference: as for `ProGanGenerator`.

    Parameters
    ----------
    shape, width, classes
        As for `ProGanGenerator`.
    """

    def __init__(self, shape: tuple[int, ...], width: int, classes: int = 0) -> None:
        colours, *size = shape
        super().__init__(Sizes.of(*size))
        widths = channels(width, self.sizes.levels)
        self.from_image = nn.ModuleList(EqualisedConv2d(colours, one, 1) for one in widths)
        self.blocks = ModuleTuple(
            ModuleTuple([EqualisedConv2d(before, before), EqualisedConv2d(before, after)])
            for after, before in itertools.pairwise(widths)
        )
        self.classes, self.deviation = classes, MinibatchDeviation()
        self.last = EqualisedConv2d(widths[0] + 1, widths[0])
        self.features = EqualisedLinear(widths[0] * self.sizes.height * self.sizes.width, widths[0])
        self.logit = EqualisedLinear(widths[0], 1, gain=1.0)
        self.embedding = nn.Embedding(classes, widths[0]) if classes else None

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return logits [n] of images [n, C, H, W] and labels [n]."""
        level, share = level_and_share(self.grown.item())
        images = reduced(self.sizes.whole(images), 2 ** (self.sizes.levels - level))
        if share < 1:
            images = fade_in(enlarged(reduced(images)), images, share)
        hidden = _rectified(self.from_image[level](images))
        for at in reversed(range(level)):
            for layer in self.blocks[at]:
                hidden = _rectified(layer(hidden))
            hidden = reduced(hidden)
            if at == level - 1 and share < 1:
                hidden = fade_in(_rectified(self.from_image[at](reduced(images))), hidden, share)
        return self._head(hidden, labels)

    def _head(self, hidden: Tensor, labels: Tensor | None) -> Tensor:
        hidden = _rectified(self.last(self.deviation(hidden, labels if self.classes else None)))
        features = _rectified(self.features(hidden.flatten(1)))
        logits: Tensor = self.logit(features).squeeze(1)
        if self.embedding is not None and labels is not None:
            logits = logits + (self.embedding(labels) * features).mean(dim=1)
        return logits


def _rectified(images: Tensor) -> Tensor:
    return F.leaky_relu(images, 0.2)

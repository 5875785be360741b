"""The networks of TransGAN, small: transformer blocks alone."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anomalo_images_gan.networks.layers.sizes import Sizes
from anomalo_images_gan.networks.layers.transformer import TransformerBlock, from_windows, in_windows

HEADS = 4
"""Heads of each attention."""
NARROWEST = 16
"""Of a token: doubling an image divides its channels by four, but not below this."""


class TransGanGenerator(nn.Module):
    """Tokens of the smallest size, one for each pixel, with positions; transformer blocks, and pixels from channels.

    Each doubling takes four channels as one pixel each. Beyond the smallest size attention stays in windows of it.

    References: Jiang, Chang and Wang (2021), TransGAN: two pure transformers can make one strong GAN, and that can
    scale up, NeurIPS; Shi et al. (2016), Real-time single image and video super-resolution using an efficient sub-pixel
    convolutional neural network, CVPR.

    Parameters
    ----------
    shape : tuple of int
        Channels, height and width of the images.
    noise, width, depth : int
        Width of the noise and of tokens at the smallest size, and blocks at each size.
    classes : int
        Labels; 0 if there are none.
    """

    def __init__(self, shape: tuple[int, ...], noise: int, width: int, depth: int = 2, classes: int = 0) -> None:
        super().__init__()
        colours, *size = shape
        self.size, self.sizes = tuple(size), Sizes.of(*size)
        self.embedding = nn.Embedding(classes, noise) if classes else None
        widths = [max(width // 4**level, NARROWEST) for level in range(self.sizes.levels + 1)]
        self.input = nn.Linear(noise, width * self.sizes.height * self.sizes.width)
        self.wider = nn.ModuleList(nn.Linear(before, 4 * after) for before, after in itertools.pairwise(widths))
        self.positions = nn.ParameterList(
            torch.randn(*self.sizes.at(level), one) * 0.02 for level, one in enumerate(widths)
        )
        self.blocks = nn.ModuleList(
            nn.Sequential(*(TransformerBlock(one, HEADS) for _ in range(depth))) for one in widths
        )
        self.norm, self.output = nn.LayerNorm(widths[-1]), nn.Linear(widths[-1], colours)

    def forward(self, noise: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return images [n, C, H, W] in [-1, 1] of noise [n, noise] and labels [n]."""
        if self.embedding is not None and labels is not None:
            noise = noise + self.embedding(labels)
        smallest = self.sizes.at(0)
        images = self.input(noise).view(len(noise), *smallest, -1)
        for level, blocks in enumerate(self.blocks):
            images = images if level == 0 else self._doubled(images, level)
            images = images + self.positions[level]
            windows = blocks(in_windows(images, *smallest))
            images = from_windows(windows, *smallest, images.shape)
        height, width = self.size
        coloured = torch.tanh(self.output(self.norm(images)))
        return coloured.permute(0, 3, 1, 2)[:, :, :height, :width]

    def _doubled(self, images: Tensor, level: int) -> Tensor:
        wider = self.wider[level - 1](images).permute(0, 3, 1, 2)
        return F.pixel_shuffle(wider, 2).permute(0, 2, 3, 1).contiguous()


class TransGanDiscriminator(nn.Module):
    """Transformer blocks over patches of an image, and a token whose output becomes the logit.

    References: as for `TransGanGenerator`; Dosovitskiy et al. (2021), An image is worth 16x16 words, ICLR.

    Parameters
    ----------
    shape, width, depth, classes
        As for `TransGanGenerator`.
    """

    def __init__(self, shape: tuple[int, ...], width: int, depth: int = 2, classes: int = 0) -> None:
        super().__init__()
        colours, *size = shape
        self.sizes = Sizes.of(*size)
        self.patch = 2**self.sizes.levels
        tokens = self.sizes.height * self.sizes.width
        self.input = nn.Conv2d(colours, width, self.patch, stride=self.patch)
        self.first = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.position = nn.Parameter(torch.randn(tokens + 1, width) * 0.02)
        self.blocks = nn.ModuleList(TransformerBlock(width, HEADS) for _ in range(2 * depth))
        self.norm, self.logit = nn.LayerNorm(width), nn.Linear(width, 1)
        self.embedding = nn.Embedding(classes, width) if classes else None

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return logits [n] of images [n, C, H, W] and labels [n]."""
        patches = self.input(self.sizes.whole(images)).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.first.expand(len(images), -1, -1), patches], dim=1) + self.position
        for block in self.blocks:
            tokens = block(tokens)
        features = self.norm(tokens[:, 0])
        logits: Tensor = self.logit(features).squeeze(1)
        if self.embedding is not None and labels is not None:
            logits = logits + (self.embedding(labels) * features).mean(dim=1)
        return logits

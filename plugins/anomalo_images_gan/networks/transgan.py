"""The networks of TransGAN, small: transformer blocks alone, without convolutions."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anomalo.neural import MinibatchDeviation
from anomalo_images_gan.networks.layers.fade_in import reduced
from anomalo_images_gan.networks.layers.sizes import Sizes
from anomalo_images_gan.networks.layers.transformer_block import TransformerBlock, token_norm, window_of
from anomalo_images_gan.networks.sagan import channels

POSITION = 0.02
"""Standard deviation of the learned positions at the start."""


def first(tokens: Tensor) -> Tensor:
    """Return images of tokens [n, H, W, C] as [n, C, H, W]."""
    return tokens.permute(0, 3, 1, 2)


def last(images: Tensor) -> Tensor:
    """Return images [n, C, H, W] as images of tokens [n, H, W, C]."""
    return images.permute(0, 2, 3, 1)


def doubled(tokens: Tensor) -> Tensor:
    """Return images of tokens [n, H, W, C] twice as high and wide, smooth in between."""
    return last(F.interpolate(first(tokens), scale_factor=2, mode="bicubic"))


class Stage(nn.Module):
    """Transformer blocks at one size, after a learned position is added to each token.

    Parameters
    ----------
    channels, heads, blocks : int
        Of a token, of its attention, and how many blocks.
    sizes : Sizes
    level : int
        The size is `sizes.at(level)`.
    """

    def __init__(self, channels: int, heads: int, blocks: int, sizes: Sizes, level: int) -> None:
        super().__init__()
        self.position = nn.Parameter(POSITION * torch.randn(*sizes.at(level), channels))
        window = window_of(sizes, level)
        self.blocks = nn.ModuleList(TransformerBlock(channels, heads, window) for _ in range(blocks))

    def forward(self, tokens: Tensor) -> Tensor:
        """Map [n, H, W, C] to the same shape."""
        tokens = tokens + self.position
        for block in self.blocks:
            tokens = block(tokens)
        return tokens


class TransGanGenerator(nn.Module):
    """Tokens that are made of noise pass transformer blocks; images of them are doubled between sizes, bicubic.

    Reference: Jiang, Chang and Wang (2021), TransGAN: two pure transformers can make one strong GAN, and that can scale
    up, NeurIPS.

    Parameters
    ----------
    shape : tuple of int
        Channels, height and width of the images.
    noise, width, heads, blocks : int
        Width of the noise, channels of a token at full size, heads of attention, and blocks at each size.
    classes : int
        Labels; 0 if there are none. An embedding of the label is added to the noise.
    """

    def __init__(
        self, shape: tuple[int, ...], noise: int, width: int, heads: int = 4, blocks: int = 1, classes: int = 0
    ) -> None:
        super().__init__()
        colours, *size = shape
        self.size, self.sizes = tuple(size), Sizes.of(*size)
        widths = channels(width, self.sizes.levels)
        self.embedding = nn.Embedding(classes, noise) if classes else None
        self.input = nn.Linear(noise, widths[0] * self.sizes.height * self.sizes.width)
        self.stages = nn.ModuleList(Stage(one, heads, blocks, self.sizes, level) for level, one in enumerate(widths))
        self.up = nn.ModuleList(nn.Linear(before, after) for before, after in itertools.pairwise(widths))
        self.output = nn.Linear(widths[-1], colours)

    def forward(self, noise: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return images [n, C, H, W] of noise [n, noise] and labels [n]; they tend to [-1, 1], without a bound."""
        if self.embedding is not None and labels is not None:
            noise = noise + self.embedding(labels)
        tokens = last(self.sizes.smallest(self.input(noise)))
        for level, stage in enumerate(self.stages):
            if level:
                tokens = doubled(self.up[level - 1](token_norm(tokens)))
            tokens = stage(tokens)
        height, width = self.size
        return first(self.output(token_norm(tokens)))[:, :, :height, :width]


class TransGanDiscriminator(nn.Module):
    """Transformer blocks over patches of the image, from small ones to larger ones, and a logit of their mean.

    Tokens are patches of 2 x 2 pixels at first. At each smaller size those of four are averaged, and what is seen of
    the patch of the image there is added to them (several scales). It also sees the deviation within a batch, where
    there are labels that among images of the same one.

    Reference: as for `TransGanGenerator`, section 3.1.

    Parameters
    ----------
    shape, width, heads, blocks, classes
        As for `TransGanGenerator`.
    """

    def __init__(self, shape: tuple[int, ...], width: int, heads: int = 4, blocks: int = 1, classes: int = 0) -> None:
        super().__init__()
        colours, *size = shape
        self.sizes = Sizes.of(*size)
        widths = channels(width, self.sizes.levels)
        self.levels = list(range(max(self.sizes.levels - 1, 0), -1, -1))
        self.patches = nn.ModuleList(
            nn.Linear(colours * 4 ** (self.sizes.levels - level), widths[level]) for level in self.levels
        )
        self.stages = nn.ModuleList(Stage(widths[level], heads, blocks, self.sizes, level) for level in self.levels)
        self.down = nn.ModuleList(nn.Linear(widths[level + 1], widths[level]) for level in self.levels[1:])
        self.classes, self.deviation = classes, MinibatchDeviation()
        self.features = nn.Linear(widths[0] + 1, widths[0])
        self.logit = nn.Linear(widths[0], 1)
        self.embedding = nn.Embedding(classes, widths[0]) if classes else None

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return logits [n] of images [n, C, H, W] and labels [n]."""
        images = self.sizes.whole(images)
        tokens: Tensor | None = None
        for at, (level, patches) in enumerate(zip(self.levels, self.patches, strict=True)):
            seen = patches(last(F.pixel_unshuffle(images, 2 ** (self.sizes.levels - level))))
            smaller = None if tokens is None else self.down[at - 1](last(reduced(first(tokens))))
            tokens = self.stages[at](seen if smaller is None else seen + smaller)
        assert tokens is not None
        whole = self.deviation(first(token_norm(tokens)), labels if self.classes else None).mean(dim=(2, 3))
        features = F.leaky_relu(self.features(whole), 0.2)
        logits: Tensor = self.logit(features).squeeze(1)
        if self.embedding is not None and labels is not None:
            logits = logits + (self.embedding(labels) * features).mean(dim=1)
        return logits

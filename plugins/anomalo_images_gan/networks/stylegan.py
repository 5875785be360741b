"""The generator of StyleGAN: a latent chooses the style of each layer, and noise what is left to chance."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anomalo_images_gan.networks.layers.equalised import EqualisedConv2d
from anomalo_images_gan.networks.layers.fade_in import enlarged
from anomalo_images_gan.networks.layers.mapping import Mapping
from anomalo_images_gan.networks.layers.mixing import mixed, random_crossover
from anomalo_images_gan.networks.layers.noise_input import NoiseInput
from anomalo_images_gan.networks.layers.sizes import Sizes, channels_last
from anomalo_images_gan.networks.layers.style import Style
from anomalo_images_gan.networks.sagan import channels


class StyledConv(nn.Module):
    """A convolution, noise, a leaky rectifier, and the style.

    Parameters
    ----------
    before, after, latent : int
        Channels, and width of the latent.
    """

    def __init__(self, before: int, after: int, latent: int) -> None:
        super().__init__()
        self.conv = EqualisedConv2d(before, after)
        self.noise, self.style = NoiseInput(after), Style(latent, after)

    def forward(self, images: Tensor, latent: Tensor, noise: Tensor) -> Tensor:
        """Map [n, before, H, W] to [n, after, H, W], with latents [n, latent] and noise [n, 1, H, W]."""
        styled: Tensor = self.style(F.leaky_relu(self.noise(self.conv(images), noise), 0.2), latent)
        return styled


class StyleGanGenerator(nn.Module):
    """A learned constant becomes an image in two styled convolutions at each size.

    The noise is mapped to the latent. The second one of mixing regularisation, and the noise of pixels, are drawn
    anew in each pass. In evaluation latents are moved towards their mean, and are not mixed.

    Reference: Karras, Laine and Aila (2019), A style-based generator architecture for generative adversarial networks,
    CVPR; without progressive growing.

    Parameters
    ----------
    shape : tuple of int
        Channels, height and width of the images.
    noise, width, depth : int
        Width of the noise that is mapped and of the latent, channels at full size, and layers of the mapping network.
    classes : int
        Labels; 0 if there are none.
    mixing : float
        Share of images whose styles are mixed in training.
    truncation : float
        What the deviation of latents from their mean is multiplied by in evaluation, 0 to 1.

    Attributes
    ----------
    layers : int
        Layers with a style.
    pixels : list of int
        How many numbers of noise each of them takes.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        noise: int,
        width: int,
        depth: int = 4,
        classes: int = 0,
        mixing: float = 0.9,
        truncation: float = 1.0,
    ) -> None:
        super().__init__()
        colours, *size = shape
        self.size, self.sizes = tuple(size), Sizes.of(*size)
        self.mixing, self.truncation = mixing, truncation
        widths = channels(width, self.sizes.levels)
        self.mapping = Mapping(noise, noise, depth, classes)
        self.constant = nn.Parameter(torch.randn(1, widths[0], self.sizes.height, self.sizes.width))
        pairs = itertools.chain.from_iterable(
            [(before, after), (after, after)] for before, after in itertools.pairwise([widths[0], *widths])
        )
        self.convolutions = nn.ModuleList(StyledConv(before, after, noise) for before, after in pairs)
        self.to_image = EqualisedConv2d(widths[-1], colours, 1, gain=1.0)
        self.layers = len(self.convolutions)
        self.pixels = [height * across for height, across in self._layer_sizes()]

    def _layer_sizes(self) -> list[tuple[int, int]]:
        return [self.sizes.at(layer // 2) for layer in range(self.layers)]

    def forward(self, noise: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return images [n, C, H, W] of noise [n, noise] and labels [n]; they tend to [-1, 1], without a bound."""
        latent = self.mapping(noise, labels)
        if self.training:
            second = self.mapping(torch.randn_like(noise), labels)
            crossover = random_crossover(len(noise), self.layers, self.mixing, noise.device)
        else:
            latent = second = self.mapping.truncated(latent, self.truncation)
            crossover = torch.full((len(noise),), self.layers, device=noise.device)
        pixels = torch.randn(len(noise), sum(self.pixels), device=noise.device)
        return self.synthesise(mixed(latent, second, crossover, self.layers), pixels)

    def synthesise(self, latents: Tensor, noise: Tensor) -> Tensor:
        """Return images of one latent for each layer, [n, layers, latent], and noise for each pixel, [n, pixels]."""
        images = channels_last(self.constant.expand(len(latents), -1, -1, -1))
        inputs = zip(self.convolutions, self._layer_sizes(), torch.split(noise, self.pixels, dim=1), strict=True)
        for layer, (convolution, size, part) in enumerate(inputs):
            images = enlarged(images) if layer and layer % 2 == 0 else images
            images = convolution(images, latents[:, layer], part.view(-1, 1, *size))
        height, width = self.size
        coloured: Tensor = self.to_image(images)[:, :, :height, :width]
        return coloured

"""Residual blocks that double and halve images."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from anomalo_images_gan.networks.layers.conditional_norm import ConditionalBatchNorm
from anomalo_images_gan.networks.layers.fade_in import enlarged, reduced
from anomalo_images_gan.networks.layers.spectral import spectral


class UpBlock(nn.Module):
    """Doubles images: normalise, rectify, enlarge and convolve, twice, beside a path with a 1 × 1 convolution.

    Reference: Brock, Donahue and Simonyan (2019), Large scale GAN training for high fidelity natural image synthesis,
    ICLR, appendix B.

    Parameters
    ----------
    before, after : int
        Channels.
    condition : int
        Width of the condition of the normalisations; 0 for none.
    """

    def __init__(self, before: int, after: int, condition: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(ConditionalBatchNorm(channels, condition) for channels in (before, after))
        self.first = spectral(nn.Conv2d(before, after, 3, padding=1))
        self.second = spectral(nn.Conv2d(after, after, 3, padding=1))
        self.across = spectral(nn.Conv2d(before, after, 1))

    def forward(self, images: Tensor, condition: Tensor | None = None) -> Tensor:
        """Map [n, before, H, W], given [n, condition], to [n, after, 2 H, 2 W]."""
        hidden = self.first(enlarged(F.relu(self.norms[0](images, condition))))
        hidden = self.second(F.relu(self.norms[1](hidden, condition)))
        doubled: Tensor = hidden + enlarged(self.across(images))
        return doubled


class DownBlock(nn.Module):
    """Halves images: rectify and convolve, twice, and average, beside a path with a 1 × 1 convolution.

    Reference: as for `UpBlock`.

    Parameters
    ----------
    before, after : int
        Channels.
    first : bool
        Whether it sees the images themselves, which are not rectified.
    """

    def __init__(self, before: int, after: int, first: bool = False) -> None:
        super().__init__()
        self.sees_images = first
        self.first = spectral(nn.Conv2d(before, after, 3, padding=1))
        self.second = spectral(nn.Conv2d(after, after, 3, padding=1))
        self.across = spectral(nn.Conv2d(before, after, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Map [n, before, H, W] to [n, after, H / 2, W / 2]."""
        hidden = self.second(F.relu(self.first(images if self.sees_images else F.relu(images))))
        halved: Tensor = reduced(hidden) + self.across(reduced(images))
        return halved

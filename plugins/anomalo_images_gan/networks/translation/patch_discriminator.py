"""The PatchGAN: a discriminator that sees patches of an image, each by itself."""

from __future__ import annotations

from torch import Tensor, nn

from anomalo_images_gan.networks.layers.spectral import spectral


class PatchDiscriminator(nn.Module):
    """A convolutional network with a logit for each patch; an image's logit is their mean.

    Two layers halve the image, so that a patch has 18 pixels a side.

    Reference: Isola, Zhu, Zhou and Efros (2017), Image-to-image translation with conditional adversarial networks,
    CVPR, section 3.2.2; with spectral normalisation instead of batch normalisation.

    Parameters
    ----------
    channels, width : int
        Of the images that it sees, those of a condition included, and of its first layer.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            spectral(nn.Conv2d(channels, width, 4, stride=2, padding=1)),
            nn.LeakyReLU(0.2),
            spectral(nn.Conv2d(width, 2 * width, 4, stride=2, padding=1)),
            nn.LeakyReLU(0.2),
            spectral(nn.Conv2d(2 * width, 1, 3, padding=1)),
        )

    def patches(self, images: Tensor) -> Tensor:
        """Return the logits of patches, [n, H / 4, W / 4], of images [n, C, H, W]."""
        logits: Tensor = self.layers(images).squeeze(1)
        return logits

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return logits [n] of images [n, C, H, W]; labels are not looked at."""
        return self.patches(images).mean(dim=(1, 2))

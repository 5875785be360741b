"""A contractive convolutional autoencoder."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from anomalo.neural import draw_rows, part_of_mean, split_rows
from anomalo.plugin import Layout, param
from anomalo_images.networks.conv import Conv, ConvAutoencoder


class SigmoidConvAutoencoder(ConvAutoencoder):
    """A convolutional autoencoder whose code lies between 0 and 1, so that it cannot shrink to be contractive."""

    def encode(self, x: Tensor, observed: Tensor) -> Tensor:
        """Return the codes of images, [n, latent]."""
        return torch.sigmoid(super().encode(x, observed))


def jacobian_norm(net: ConvAutoencoder, x: Tensor, observed: Tensor) -> Tensor:
    """Return an estimate of ||d code / d image||_F^2 of each image, [n].

    It is ||v J||^2 with one random sign vector v an image, whose expectation is the norm.
    """
    x = x.detach().requires_grad_()
    with torch.enable_grad():
        code = net.encode(x, observed)
        dtype, device, width = code.dtype, code.device, code.shape[1]
        signs = draw_rows(lambda n: torch.randint(2, (n, width), dtype=dtype, device=device), len(code)) * 2 - 1
        (product,) = torch.autograd.grad(code, x, signs, create_graph=torch.is_grad_enabled())
    return product.square().flatten(1).sum(dim=1)


@dataclass(kw_only=True)
class ConvContractive(Conv):
    """Expects of an image what a convolutional autoencoder reconstructs whose code changes little with the image.

    loss = mean squared error + weight * mean ||d code / d image||_F^2.

    Reference: Rifai et al. (2011), Contractive auto-encoders, ICML, equations 4 to 8; Hutchinson (1990), A stochastic
    estimator of the trace of the influence matrix, Communications in Statistics 19, for the estimate.
    """

    name = "conv_contractive"

    weight: float = param(0.01, low=0.0, high=1000.0, help="Weight of the Jacobian's norm.")

    def build(self, layout: Layout) -> ConvAutoencoder:
        """Return the network for images of this size."""
        return SigmoidConvAutoencoder(layout.shape, self.width, self.latent, self.decoder)

    def loss(self, net: ConvAutoencoder, x: Tensor, observed: Tensor) -> Tensor:
        """Return the mean squared error, with the weighted norm of the encoder's Jacobian at images that are whole."""
        error = super().loss(net, x, observed)
        x, observed = split_rows(x, observed)
        return error + part_of_mean(self.weight * jacobian_norm(net, x, observed).mean())

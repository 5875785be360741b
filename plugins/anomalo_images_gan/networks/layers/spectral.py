"""Spectral normalisation, and the head of discriminators that compare features with a label."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm


def spectral(layer: nn.Module) -> nn.Module:
    """Return a layer whose weight matrix has a largest singular value of 1, by a power iteration in each pass.

    Reference: Miyato, Kataoka, Koyama and Yoshida (2018), Spectral normalization for generative adversarial networks,
    ICLR.
    """
    normalised: nn.Module = spectral_norm(layer)
    return normalised


class ProjectionHead(nn.Module):
    """A logit that is linear in the features h, plus h' v of the label's embedding v.

    Reference: Miyato and Koyama (2018), cGANs with projection discriminator, ICLR.

    Parameters
    ----------
    width : int
        Of the features.
    classes : int
        Labels; 0 if there are none.
    """

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.linear = spectral(nn.Linear(width, 1))
        self.embedding = spectral(nn.Embedding(classes, width)) if classes else None

    def forward(self, features: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return logits [n] of features [n, width] and labels [n]."""
        logit: Tensor = self.linear(features).squeeze(1)
        if self.embedding is not None and labels is not None:
            logit = logit + (self.embedding(labels) * features).sum(dim=1)
        return logit

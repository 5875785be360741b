"""A classifier of images: a softmax layer on a convolutional encoder, pretrained or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import AdamW, Optimizer

from anomalo.errors import UsageError
from anomalo.neural import ArrayRows, NeuralModel, part_of_mean, split_rows
from anomalo.plugin import Encoded, Floats, Layout, Model, Run, Scores, param
from anomalo_images.networks.conv import Conv, ConvAutoencoder
from anomalo_images.networks.image_network import PIXELS


class ConvEncoder(ConvAutoencoder):
    """The encoder of a convolutional autoencoder, without its decoder.

    Parameters
    ----------
    shape : tuple of int
        Channels, height and width of the images.
    width, latent : int
        Channels of the first layer, and the width of the code.
    """

    def __init__(self, shape: tuple[int, ...], width: int, latent: int) -> None:
        super().__init__(shape, width, latent, "upsampling")
        del self.up, self.from_code

    @torch.no_grad()
    def take(self, pretrained: ConvAutoencoder) -> None:
        """Take over the weights of another encoder of the same sizes; where codes are distributed, of their means."""
        for name, weight in self.state_dict().items():
            weight.copy_(pretrained.state_dict()[name][: len(weight)])


class ClassifierNet(nn.Module):
    """A convolutional encoder and a linear layer from its code, standardised, to the classes' logits.

    Parameters
    ----------
    encoder : ConvEncoder
    latent, classes : int
        The width of its code, and how many classes there are.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, encoder: ConvEncoder, latent: int, classes: int) -> None:
        super().__init__()
        self.encoder, self.head = encoder, nn.Linear(latent, classes)
        self.register_buffer("mean", torch.zeros(latent))
        self.register_buffer("scale", torch.ones(latent))

    def forward(self, x: Tensor, observed: Tensor) -> Tensor:
        """Return the classes' logits, [n, classes]."""
        logits: Tensor = self.head((self.encoder.encode(x, observed) - self.mean) / self.scale)
        return logits

    @torch.no_grad()
    def standardise_codes(self, codes: Floats) -> None:
        """Standardise the code as it is over training images [n, latent], and start from equal probabilities."""
        self.mean.copy_(torch.from_numpy(codes.mean(axis=0)))
        self.scale.copy_(torch.from_numpy(codes.std(axis=0)).clamp(min=1e-6))
        self.head.weight.zero_()
        self.head.bias.zero_()


@dataclass(kw_only=True)
class ImageClassifier(NeuralModel[ClassifierNet]):
    """A softmax classifier of a convolutional encoder's codes.

    Started from a pretrained `conv`, `conv_contractive` or `conv_vae`, it takes its encoder, which learns with a
    smaller step size; otherwise it trains a new one. The score is the probability of the rarest class.

    Reference: Masci, Meier, Cireşan and Schmidhuber (2011), Stacked convolutional auto-encoders for hierarchical
    feature extraction, ICANN, section 3; Erhan et al. (2010), Why does unsupervised pre-training help deep learning?,
    JMLR 11.

    Examples
    --------
    >>> ImageClassifier(tuning=0.0).params()["tuning"]
    0.0
    """

    name = "classifier"
    modalities = ("image",)
    score_unit = "probability"

    width: int = param(8, low=1, high=512, help="Channels of the first layer of an encoder that is not pretrained.")
    latent: int = param(32, low=1, high=4096, help="Width of the code of such an encoder.")
    tuning: float = param(
        1.0, low=0.0, high=10.0, help="Step size of a pretrained encoder relative to that of the head."
    )
    epochs: int = param(60, low=1, high=100_000, help="Passes over the training images.")
    batch_size: int = param(32, low=1, high=100_000, help="Images in one gradient step, at most.")
    learning_rate: float = param(2e-3, low=1e-7, high=1.0, help="Step size of Adam at the start; it decays.")
    weight_decay: float = param(1e-2, low=0.0, high=10.0, help="Decoupled weight decay of Adam.")
    holdout: float = param(0.0, low=0.0, high=0.5, help="Share of the images held out to decide when to stop.")

    @property
    def chunk(self) -> int:
        """Images that inference handles at a time."""
        _, height, width = self.layout_.shape
        return max(PIXELS // (height * width), 1)

    def build(self, layout: Layout) -> ClassifierNet:
        """Return the network for images of this size, of the sizes of the encoder that it starts from."""
        width, latent = self.sizes_
        return ClassifierNet(ConvEncoder(layout.shape, width, latent), latent, len(layout.classes))

    def begin(self, data: Encoded, run: Run) -> None:
        """Build the network, and take over the encoder that it starts from.

        Raises
        ------
        UsageError
            The images have no classes, or `run.initial` has no convolutional encoder.
        """
        if data.target is None or not data.layout.classes:
            raise UsageError(f"model {self.name!r} learns from labels: fit it with --label COL --supervised")
        initial = run.initial
        if initial is not None and not isinstance(initial, Conv | ImageClassifier):
            raise UsageError(
                f"model {initial.name!r} has no encoder to start from; expected conv, conv_contractive or conv_vae"
            )
        self.pretrained_ = initial is not None
        self.sizes_ = self._sizes(initial)
        super().begin(data, run)
        if isinstance(initial, Conv):
            self.net.eval()
            encode = self.net.encoder.encode
            self.net.standardise_codes(self.infer(lambda x, observed: (encode(x, observed),), data)[0])

    def start(self, initial: Model) -> None:
        """Take over the encoder of an autoencoder, or continue from another classifier."""
        if isinstance(initial, Conv):
            self.net.encoder.take(initial.net)
        else:
            super().start(initial)

    def _sizes(self, initial: Model | None) -> list[int]:
        """Return the encoder's channels and code."""
        if isinstance(initial, ImageClassifier):
            return list(initial.sizes_)
        of = initial if isinstance(initial, Conv) else self
        return [of.width, of.latent]

    def training_data(self, data: Encoded, run: Run) -> ArrayRows:
        """Return the images with their classes."""
        assert data.target is not None
        return ArrayRows(data.values, data.observed, data.target.astype(np.int64), device=run.device)

    def loss(self, net: ClassifierNet, x: Tensor, observed: Tensor, target: Tensor) -> Tensor:
        """Return the mean cross-entropy of the classes `target`, int64 [n], in nats."""
        x, observed, target = split_rows(x, observed, target)
        return part_of_mean(F.cross_entropy(net(x, observed).float(), target))

    def optimizers(self, parameters: Sequence[nn.Parameter]) -> list[Optimizer]:
        """Return AdamW, with a smaller step size for a pretrained encoder."""
        rate = self.learning_rate * (self.tuning if self.pretrained_ else 1.0)
        groups = [
            {"params": list(self.net.head.parameters()), "lr": self.learning_rate},
            {"params": list(self.net.encoder.parameters()), "lr": rate},
        ]
        return [AdamW(groups, weight_decay=self.weight_decay)]

    def proba(self, data: Encoded) -> Floats:
        """Return the probabilities of the classes, float32 [n, classes]."""
        return self.infer(lambda x, observed: (torch.softmax(self.net(x, observed).float(), dim=1),), data)[0]

    def score(self, data: Encoded) -> Scores:
        """Return the probability of the rarest class, float64 [n]."""
        return self.proba(data)[:, -1].astype(np.float64)

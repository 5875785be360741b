"""What generators of images share: pixels from -1 to 1, labels or groups, and training to the last epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from typing_extensions import TypeVar

from anomalo.errors import UsageError
from anomalo.neural import ArrayRows, NeuralModel, Phase
from anomalo.plugin import Encoded, Floats, Layout, Run, param, row_parts
from anomalo_images_gan.groups import NO_CENTRES, centres, nearest, reduced
from anomalo_images_gan.pixel_range import PixelRange

PIXELS = 1 << 16
"""Pixels that are generated at a time, at most, if an image has no more."""
PART = 1024
"""Images that are reduced at a time."""
Net = TypeVar("Net", bound=nn.Module, default=nn.Module)
Labels = NDArray[np.int64]


@dataclass(kw_only=True)
class ImageGenerator(NeuralModel[Net]):
    """A model that draws images, of a class if it was fitted with labels.

    A hidden pixel of a training image is replaced by the mean of that pixel. Where there are no labels, a family may
    learn groups of similar images instead (`FromGroups`).
    """

    modalities = ("image",)
    needs_classes: ClassVar[bool] = False

    epochs: int = param(60, low=1, high=100_000, help="Passes over the training images.")
    batch_size: int = param(64, low=1, high=100_000, help="Images in one gradient step, at most.")
    holdout: float = param(0.0, low=0.0, high=0.5, help="Share of the images that training does not see.")

    centres_ = NO_CENTRES

    @property
    def chunk(self) -> int:
        """Images that are generated at a time."""
        _, height, width = self.layout_.shape
        return max(PIXELS // (height * width), 1)

    @property
    def pixel_range(self) -> PixelRange:
        """From encoded pixels to -1 … 1, and back."""
        return PixelRange(self.layout_)

    def begin(self, data: Encoded, run: Run) -> None:
        """Learn the mean image, and groups or how frequent classes are, and build the network.

        Raises
        ------
        UsageError
            The images have no classes, and the model needs them; or `run.initial` is not one that it can start from.
        """
        classes = len(data.layout.classes)
        if self.needs_classes and (data.target is None or not classes):
            raise UsageError(f"model {self.name!r} learns from labels: fit it with --label COL --supervised")
        seen = data.observed.sum(axis=0)
        total = np.where(data.observed, data.values, 0).sum(axis=0, dtype=np.float64)
        self.mean_ = (total / np.maximum(seen, 1)).astype(np.float32)
        self.layout_ = data.layout
        self.centres_ = self._centres(data, run.seed)
        counts = np.bincount(self._labels(data), minlength=self.label_count)
        self.frequency_ = counts / counts.sum()
        super().begin(data, run)

    @property
    def classes(self) -> int:
        """How many classes the images have; 0 if they have none."""
        return len(self.layout_.classes)

    @property
    def most_groups(self) -> int:
        """How many groups of similar images are learned, at most, if there are no classes."""
        return 0

    @property
    def label_count(self) -> int:
        """How many labels the networks distinguish: classes, or groups of similar images; 0 for none."""
        return self.classes or len(self.centres_)

    def training_data(self, data: Encoded, run: Run) -> ArrayRows:
        """Return the images, which of their pixels are seen, and their labels."""
        return ArrayRows(data.values, data.observed, self._labels(data), device=run.device)

    def _labels(self, data: Encoded) -> Labels:
        """Return the class of each image, [n], or its group; 0 if there are neither."""
        if data.target is not None:
            return data.target.astype(np.int64)
        if not len(self.centres_):
            return np.zeros(len(data), dtype=np.int64)
        return nearest(self._reduced(data), self.centres_)

    def _centres(self, data: Encoded, seed: int) -> Floats:
        """Return the centres of groups, if any are to be learned."""
        if self.classes or data.target is not None or not self.most_groups:
            return NO_CENTRES
        return centres(self._reduced(data), self.most_groups, seed)

    def _reduced(self, data: Encoded) -> Floats:
        """Return what images are grouped by, float32 [n, features]: small, the mean image where a pixel is hidden."""
        return np.concatenate(
            [reduced(np.where(part.observed, part.values, self.mean_)) for part in row_parts(data, PART)]
        )

    def phases(self, net: Net) -> list[Phase]:
        """Return one stage that is trained to its end: no loss says which of its epochs is the best."""
        return [replace(phase, keeps_last=True) for phase in super().phases(net)]

    def whole(self, x: Tensor, observed: Tensor) -> Tensor:
        """Return images [n, C, H, W] from -1 to 1, the mean image where a pixel is hidden."""
        return self.pixel_range.to_unit(torch.where(observed, x, torch.from_numpy(self.mean_).to(x.device)))

    def random_labels(self, n: int, rng: np.random.Generator) -> Labels:
        """Draw labels [n], as frequent as in training."""
        return rng.choice(len(self.frequency_), n, p=self.frequency_)

    def labels_of(self, given: Encoded, rng: np.random.Generator) -> Labels:
        """Return the class of each image to draw, [n], or its group.

        It is that of the target, if there is one, else a random one, as frequent as in training.
        """
        drawn = self.random_labels(len(given), rng)
        if given.target is None or not self.classes:
            return drawn
        return np.where(np.isnan(given.target), drawn, np.nan_to_num(given.target)).astype(np.int64)

    def answer(self, given: Encoded, images: Floats, labels: Labels) -> Encoded:
        """Return drawn images [n, C, H, W], from -1 to 1, as rows; what is observed of `given` is kept."""
        values = np.where(given.observed, given.values, self.pixel_range.to_encoded(images))
        target = labels.astype(np.float64) if self.classes else None
        return Encoded(values, np.ones_like(given.observed), given.layout, target)


class FromClasses:
    """Marks generators that can be asked for a class: they can be fitted with labels."""

    layout_: Layout

    def sampled_classes(self) -> Sequence[str]:
        """Return the classes that images can be asked for, in the order of their labels."""
        return self.layout_.classes

"""CycleGAN: translation between two classes of images, without pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from anomalo.errors import UsageError
from anomalo.neural import Step
from anomalo.plugin import Encoded, Floats, Layout, Run, param
from anomalo_images_gan.image_generator import FromClasses, ImageGenerator, Labels
from anomalo_images_gan.networks.translation.both_ways import DOMAINS, TranslationNetwork
from anomalo_images_gan.networks.translation.cycle import cycle_loss
from anomalo_images_gan.networks.translation.cycle_step import CycleStep


@dataclass(kw_only=True)
class CycleGan(FromClasses, ImageGenerator[TranslationNetwork]):
    """Translates images of one class into the other; it learns from images with a label of two values, without pairs.

    What is translated there and back has to be the image again. A drawn image of a class is the translation of a
    random training image of the other one, of which it keeps `kept`.

    Reference: Zhu, Park, Isola and Efros (2017), Unpaired image-to-image translation using cycle-consistent adversarial
    networks, ICCV.

    Examples
    --------
    >>> CycleGan(cycle=5.0).params()["cycle"]
    5.0
    """

    name = "cyclegan"
    needs_classes: ClassVar[bool] = True

    batch_size: int = param(16, low=1, high=100_000, help="Images of both classes in one gradient step, at most.")
    learning_rate: float = param(4e-4, low=1e-7, high=1.0, help="Step size of Adam for all networks; it decays.")
    width: int = param(16, low=1, high=4096, help="Channels at the full size; twice as many at half of it.")
    cycle: float = param(10.0, low=0.0, high=1e6, help="Weight of the difference after there and back.")
    identity: float = param(1.0, low=0.0, high=1e6, help="Weight of changes to images that are of the target class.")
    pool: int = param(50, low=0, high=1_000_000, help="Earlier translations into each class to show the critics again.")
    kept: int = param(1000, low=1, high=1_000_000, help="Training images that are kept to be translated, at most.")
    decay: float = param(0.99, low=0.0, high=1.0, help="Of the moving average of the translators' weights.")

    @property
    def latent_width(self) -> int:
        """Width of the latent that chooses among translations; 0 for one translation of each image."""
        return 0

    def begin(self, data: Encoded, run: Run) -> None:
        """Keep some of the images, and build the networks.

        Raises
        ------
        UsageError
            The images have no label, or one that has not two values.
        """
        classes = data.layout.classes
        if data.target is not None and len(classes) not in (0, 2):
            raise UsageError(
                f"model {self.name!r} translates between two classes: the label has {len(classes)} values; give one "
                "with two, such as normal and defective"
            )
        super().begin(data, run)
        rows = np.sort(run.rng.permutation(len(data))[: self.kept])
        some = data.take(rows)
        self.sources_ = np.where(some.observed, some.values, self.mean_).astype(np.float32)
        assert some.target is not None
        self.domains_ = some.target.astype(np.int64)

    def build(self, layout: Layout) -> TranslationNetwork:
        """Return translators and critics, for images of this size."""
        return TranslationNetwork(layout.shape, self.width, self.latent_width, self.decay, self.pool)

    def optimizers(self, parameters: Sequence[nn.Parameter]) -> list[Optimizer]:
        """Return the critics' and the translators' Adam."""
        networks = (self.net.critic, self.net.generator)
        return [Adam(each.parameters(), lr=self.learning_rate, betas=(0.5, 0.999), fused=True) for each in networks]

    def step(self, net: TranslationNetwork, optimizers: list[Optimizer], loss: Any = None) -> Step:
        """Return the function that makes one step on a batch."""
        step = CycleStep(net, optimizers, self.cycle, self.identity)

        def update(x: Tensor, observed: Tensor, labels: Tensor) -> dict[str, Tensor]:
            return step(self.whole(x, observed), labels)

        return update

    def validation(self, net: TranslationNetwork, x: Tensor, observed: Tensor, labels: Tensor) -> Tensor:
        """Return the mean absolute difference of held-out images after there and back."""
        both, images = net.average.net, self.whole(x, observed)

        def back(there: Tensor) -> Tensor:
            inverse = [both.encode(images, there, domain) for domain in DOMAINS]
            into = [both.translate(there, domain, latent) for domain, latent in zip(DOMAINS, inverse, strict=True)]
            return torch.where(labels.bool()[:, None, None, None], into[1], into[0])

        return cycle_loss(images, lambda there: both(there, 1 - labels, both.draw(there)), back)

    def translate(self, images: Floats, to: Labels, rng: np.random.Generator) -> Floats:
        """Return images of one class as such of the other.

        Parameters
        ----------
        images : float32 [n, C, H, W]
            From -1 to 1.
        to : int64 [n]
            The class of each result.
        rng : Generator
            Draws latents, where there are any.

        Returns
        -------
        float32 [n, C, H, W]
            From -1 to 1.
        """
        translators = self.net.average.net.eval()
        latent = rng.standard_normal((len(images), max(self.latent_width, 1)), dtype=np.float32)

        def translated(x: Tensor, labels: Tensor, z: Tensor) -> tuple[Tensor]:
            return (translators(x, labels, z if self.latent_width else None),)

        return self.in_chunks(translated, images, to, latent)[0]

    def sample(self, given: Encoded, run: Run) -> Encoded:
        """Return translations of random training images, into the classes in `given.target` if there are any."""
        self.use(run.device)
        labels, rng = self.labels_of(given, run.rng), run.rng
        of = [np.flatnonzero(self.domains_ == 1 - domain) for domain in DOMAINS]
        everything = np.arange(len(self.sources_))
        rows = np.array([rng.choice(of[label] if len(of[label]) else everything) for label in labels], dtype=np.intp)
        sources = self.pixel_range.to_unit(torch.from_numpy(self.sources_[rows])).numpy()
        return self.answer(given, self.translate(sources, labels, rng), labels)

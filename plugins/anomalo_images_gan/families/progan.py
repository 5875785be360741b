"""Progressive growing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from torch import Tensor, nn
from torch.optim import Optimizer

from anomalo.neural import BatchSource, Phase, Step
from anomalo.plugin import Run, param
from anomalo_images_gan.image_gan import Net
from anomalo_images_gan.networks.layers.fade_in import level_at
from anomalo_images_gan.networks.progan import Growing, ProGanDiscriminator, ProGanGenerator
from anomalo_images_gan.regularised_gan import RegularisedGan


@dataclass(kw_only=True)
class ProGan(RegularisedGan):
    """Draws images by networks that start small and grow: layers for twice the size fade in, again and again.

    With equalised learning rate, pixelwise normalisation, and the deviation within a batch for the critic.

    Reference: Karras, Aila, Laine and Lehtinen (2018), Progressive growing of GANs for improved quality, stability, and
    variation, ICLR; with the losses and the penalty of `gan`.

    Examples
    --------
    >>> ProGan(growing=0.5).params()["growing"]
    0.5
    """

    name = "progan"

    growing: float = param(0.5, low=0.0, high=1.0, help="Share of the training after which the networks are grown up.")

    def make_generator(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """Return the generator."""
        return ProGanGenerator(shape, self.noise, self.width, classes)

    def make_critic(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """Return the critic."""
        return ProGanDiscriminator(shape, self.width, classes)

    def train(self, rows: BatchSource, run: Run, phases: Sequence[Phase] | None = None) -> None:
        """Train both networks while they grow; how far they have is a function of the images shown."""
        self._images = len(rows) * (1 - self.holdout) * self.epochs
        super().train(rows, run, phases)

    def step(self, net: Net, optimizers: list[Optimizer], loss: Any = None) -> Step:
        """Return the function that lets both networks grow, and makes one step on a batch."""
        update = super().step(net, optimizers, loss)
        parts = (cast("Growing", net.generator), cast("Growing", net.critic))

        def grow_and_update(*batch: Tensor) -> dict[str, Tensor]:
            for part in parts:
                part.grow(level_at(int(part.shown) / self._images, part.sizes.levels, self.growing))
                part.shown += len(batch[0])
            return update(*batch)

        return grow_and_update

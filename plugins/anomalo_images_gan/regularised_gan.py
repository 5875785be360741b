"""What the families of small, regularised networks share: a relativistic loss and a penalty on slopes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from anomalo.plugin import param
from anomalo_images_gan.groups import HELP, FromGroups
from anomalo_images_gan.image_gan import ImageGan
from anomalo_images_gan.image_generator import FromClasses


@dataclass(kw_only=True)
class RegularisedGan(FromGroups, FromClasses, ImageGan):
    """Adversarial networks whose critic compares a synthetic image with a real one, its squared slopes kept small.

    These are the losses and the penalty of `gan`, which collapse less in short trainings than those of the families'
    papers. Labels are optional. A family that learns groups of images has few, so that a batch has several of each: the
    critic sees how these differ.

    Reference: Huang et al. (2024), The GAN is dead; long live the GAN! A modern GAN baseline, NeurIPS.
    """

    objective = "relativistic"
    betas: ClassVar[tuple[float, float]] = (0.0, 0.99)

    batch_size: int = param(32, low=1, high=100_000, help="Images in one gradient step, at most.")
    learning_rate: float = param(2e-3, low=1e-7, high=1.0, help="Step size of Adam for both networks; it decays.")
    width: int = param(16, low=1, high=4096, help="Channels at the full size; each halving doubles them, up to four.")
    groups: int = param(0, low=0, high=1000, help=HELP)
    penalty: float = param(1.0, low=0.0, high=1e6, help="Weight of the penalty on the critic's gradient.")
    penalty_every: int = param(
        4, low=1, high=1000, help="Steps of the critic for one with the penalty, as much heavier."
    )

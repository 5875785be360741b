"""Trainings of further families resume to the bit; `tests/contract/test_models.py` checks the contract."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from anomalo.models.run import LocalRun
from anomalo.testing.images import images
from anomalo.testing.tables import labelled
from anomalo_images_gan.families.augmented_cyclegan import AugmentedCycleGan
from anomalo_images_gan.families.biggan import BigGan
from anomalo_images_gan.families.cyclegan import CycleGan
from anomalo_images_gan.families.pix2pix import Pix2Pix
from anomalo_images_gan.families.progan import ProGan
from anomalo_images_gan.families.sagan import Sagan
from anomalo_images_gan.families.setgan import SetGan
from anomalo_images_gan.families.stylegan import StyleGan
from anomalo_images_gan.families.transgan import TransGan
from anomalo_images_gan.image_generator import ImageGenerator

TRANSLATORS = [Pix2Pix, CycleGan, AugmentedCycleGan]
QUICK = [ProGan, Pix2Pix]
OTHERS = [Sagan, BigGan, StyleGan, TransGan, SetGan, CycleGan, AugmentedCycleGan]
FAMILIES = pytest.mark.parametrize(
    "family",
    [*QUICK, *(pytest.param(family, marks=pytest.mark.slow) for family in OTHERS)],
    ids=lambda family: family.name,
)
TRAIN = labelled(images()[0]).take(slice(0, 70))


def small(family: type[ImageGenerator], epochs: int) -> dict[str, Any]:
    return {"epochs": epochs, "width": 4} | ({} if family in TRANSLATORS else {"noise": 8})


@FAMILIES
def test_a_killed_training_resumes_to_the_bit(family: type[ImageGenerator], after_kills: Callable[..., Any]) -> None:
    """With growing networks: once while the first layers fade in, and once later."""

    def fit(run: LocalRun) -> ImageGenerator:
        return family(**small(family, 2)).fit(TRAIN, run)

    whole, resumed = fit(LocalRun(seed=3)), after_kills(fit, 4, 6, seed=3)
    one, other = whole.state().arrays, resumed.state().arrays
    assert all(np.array_equal(one[name], other[name]) for name in one)
    assert all(torch.equal(a, b) for a, b in zip(whole.net.buffers(), resumed.net.buffers(), strict=True))

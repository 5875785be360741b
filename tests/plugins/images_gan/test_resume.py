"""Trainings of further families resume to the bit; `tests/contract/test_models.py` checks the contract."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ignite.engine import Events

from anomalo.models.run import LocalRun
from anomalo.persistence.resume import Checkpoint, resumable_state
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
from anomalo_images_gan.image_generator import ImageGenerator

TRANSLATORS = [Pix2Pix, CycleGan, AugmentedCycleGan]
QUICK = [ProGan, Pix2Pix]
OTHERS = [Sagan, BigGan, StyleGan, SetGan, CycleGan, AugmentedCycleGan]
FAMILIES = pytest.mark.parametrize(
    "family",
    [*QUICK, *(pytest.param(family, marks=pytest.mark.slow) for family in OTHERS)],
    ids=lambda family: family.name,
)
TRAIN = labelled(images()[0]).take(slice(0, 70))


def small(family: type[ImageGenerator], epochs: int) -> dict[str, Any]:
    return {"epochs": epochs, "width": 4} | ({} if family in TRANSLATORS else {"noise": 8})


class StoppedError(Exception):
    """Stands for the end of the process."""


@FAMILIES
def test_a_killed_training_resumes_to_the_bit(family: type[ImageGenerator], tmp_path: Path) -> None:
    """With growing networks: once while the first layers fade in, and once later."""
    whole = family(**small(family, 2)).fit(TRAIN, LocalRun(seed=3))

    def fit(stop: int) -> ImageGenerator:
        def attach(engine: Any, model: Any, run: Any) -> None:
            def kill(engine: Any) -> None:
                if engine.state.iteration == stop:
                    raise StoppedError

            engine.add_event_handler(Events.ITERATION_COMPLETED, kill)

        with resumable_state(tmp_path / "kept", {}, resume=True) as kept:
            run = LocalRun(seed=3, keep=lambda number: Checkpoint(kept, f"training-{number}", 0.0), notify=attach)
            return family(**small(family, 2)).fit(TRAIN, run)

    for stop in (4, 6):
        with pytest.raises(StoppedError):
            fit(stop)
    resumed = fit(-1)
    one, other = whole.state().arrays, resumed.state().arrays
    assert all(np.array_equal(one[name], other[name]) for name in one)
    assert all(torch.equal(a, b) for a, b in zip(whole.net.buffers(), resumed.net.buffers(), strict=True))

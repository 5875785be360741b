"""Every family conforms, and a training that was killed resumes to the bit."""

from typing import Any

import pytest

from anomalo.plugin import Model
from anomalo.testing import check_model
from anomalo_images_gan.families.biggan import BigGan
from anomalo_images_gan.families.progan import ProGan
from anomalo_images_gan.families.sagan import Sagan
from anomalo_images_gan.families.stylegan import StyleGan
from anomalo_images_gan.families.transgan import TransGan

SMALL: dict[str, Any] = {"epochs": 1, "noise": 8, "width": 4}
FAMILIES = [Sagan, BigGan, ProGan, StyleGan, TransGan]


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_it_conforms(family: type[Model]) -> None:
    check_model(family, **SMALL)

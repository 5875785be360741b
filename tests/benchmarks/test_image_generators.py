"""Benchmarks of image generators: dots are found at their middles, modes are counted, sets are compared."""

import numpy as np
import pytest
import torch

from anomalo_images_gan.networks.point_sets import chamfer
from tests.benchmarks.loading import load


def test_the_middle_of_a_dot_is_found_and_what_is_no_dot_is_left() -> None:
    modes = load("image_modes")
    points = np.array([[8.0, 12.0], [5.15, 5.25], [2.5, 13.4]])
    images = modes.images(points).values
    found, rest = modes.found_middles(images)
    assert np.abs(found - points).max() < modes.STEP
    assert rest.max() < 1e-2
    two = images[:1] + images[1:2]
    assert modes.found_middles(two)[1][0] == pytest.approx(1, abs=0.05)


def test_modes_are_those_that_enough_images_are_near() -> None:
    modes = load("image_modes")
    centres = modes.centres()
    shown = np.concatenate([np.repeat(centres[:3], [30, 30, 19], axis=0), np.full((21, 2), 8.0)])
    row = modes.measured(modes.Row("x", 1.0, 0), modes.images(shown).values)
    assert row.modes == 2
    assert row.near == pytest.approx(0.79)
    assert row.least == 0


def test_distances_of_sets_are_chamfer_distances_and_equal_kinds_cannot_be_distinguished() -> None:
    sets = load("image_sets")
    torch.manual_seed(1)
    one, other = torch.randn(40, 9, 2), torch.randn(40, 9, 2)
    expected = torch.stack([chamfer(points.expand_as(other), other) for points in one])
    assert torch.allclose(sets.distances(one, other), expected, atol=1e-5)
    nearest, coverage, accuracy = sets.compared(other, one)
    assert nearest == pytest.approx(float(expected.amin(dim=1).mean()), rel=1e-4)
    assert 0.3 < accuracy < 0.7
    assert sets.compared(other + 50, one)[2] == 1
    assert 0 < coverage <= 1
    assert sets.compared(one, one)[:2] == (pytest.approx(0, abs=1e-6), 1)


def test_latents_on_an_arc_keep_their_length() -> None:
    latents = load("image_latents")
    start, end = torch.tensor([3.0, 0.0]), torch.tensor([0.0, 3.0])
    arc = latents.along_arc(start, end, 5)
    assert torch.allclose(arc.norm(dim=1), torch.full((5,), 3.0))
    assert torch.allclose(arc[[0, 2, 4]], torch.stack([start, (start + end) / 2**0.5, end]), atol=1e-6)

"""Diffusion of images: given pixels, classes, deterministic fills, and training that resumes exactly."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from anomalo.encoding.encoded import Encoded
from anomalo.models.run import LocalRun
from anomalo.neural import DiscreteSchedule
from anomalo.testing import checks
from anomalo.testing.images import images
from anomalo_images_gan.diffusion.image_ddpm import ImageDdpm, given_pixels
from anomalo_images_gan.diffusion.unet import DenoisingUNet, PixelAttention

TRAIN, NEW = images()
SMALL: dict[str, Any] = {"epochs": 2, "width": 4, "times": 20, "steps": 3}


def labelled(data: Encoded) -> Encoded:
    """Images with a class: whether the upper half is brighter than the lower."""
    target = (data.values[:, 0, :6].mean(axis=(1, 2)) > data.values[:, 0, 6:].mean(axis=(1, 2))).astype(np.float64)
    return replace(data, layout=replace(data.layout, classes=("lower", "upper")), target=target)


def learned(model: ImageDdpm) -> dict[str, Any]:
    return {name: value for name, value in vars(model).items() if name.endswith("_")}


@pytest.fixture(scope="module")
def fitted() -> ImageDdpm:
    return ImageDdpm(**SMALL).fit(labelled(TRAIN), LocalRun(seed=3))


@pytest.mark.slow
def test_conformance() -> None:
    for _, check in checks(ImageDdpm, **SMALL):
        check()


def test_attention_without_positions_follows_a_permutation_of_pixels() -> None:
    torch.manual_seed(0)
    layer, x = PixelAttention(8), torch.randn(2, 8, 3, 4)
    torch.testing.assert_close(layer(x), x)  # it starts as the identity
    nn.init.normal_(layer.output.weight)
    order = torch.randperm(12)

    def permuted(maps: Tensor) -> Tensor:
        return maps.flatten(2)[:, :, order].reshape(maps.shape)

    torch.testing.assert_close(layer(permuted(x)), permuted(layer(x)), atol=1e-5, rtol=0)
    assert (layer(x) - x).abs().max() > 0.1


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 9, 14), (1, 4, 5)])
def test_the_network_keeps_the_size_and_sees_level_and_label(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    net = DenoisingUNet(shape, 4, 2)
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, 0.0, 0.3)
    x = torch.randn(1, *shape).expand(3, *shape)
    levels, nothing = torch.tensor([0.1, 0.9, 0.1]), torch.zeros_like(x, dtype=torch.bool)
    found = net(x, levels, torch.tensor([0, 0, 1]), x, nothing)
    torch.testing.assert_close(found, net(x, levels, torch.tensor([0, 0, 1]), x + 1, nothing))
    assert not torch.equal(found, net(x, levels, torch.tensor([0, 0, 1]), x, ~nothing))
    assert found.shape == (3, *shape)
    assert not torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


class TwoImages(nn.Module):
    """The exact network for images that are all white or all black, each half of the time."""

    def __init__(self, process: DiscreteSchedule) -> None:
        super().__init__()
        self.process = process

    def forward(self, x: Tensor, level: Tensor, label: Tensor, clean: Tensor, known: Tensor) -> Tensor:
        signal, noise = self.process.scales(level * self.process.times + 0.1)  # whole numbers, but for rounding
        signal, noise = signal[:, None, None, None], noise[:, None, None, None]
        evidence = (x * signal / noise.square()).sum(dim=(1, 2, 3), keepdim=True)
        evidence = evidence + 1e6 * (clean * known).sum(dim=(1, 2, 3), keepdim=True)
        return (signal * x - torch.tanh(evidence)) / noise


@pytest.mark.parametrize("sampler", ["ddim", "ancestral"])
def test_what_is_given_decides_the_rest(sampler: str, fitted: ImageDdpm) -> None:
    model = replace(fitted, sampler=sampler, times=200, steps=50)
    vars(model).update(learned(fitted))
    model.net = model.build(model.layout_)
    setattr(model.net, "average", TwoImages(model.process))  # noqa: B010
    block = TRAIN.layout.blocks[0]
    white = np.arange(40) % 2 == 0
    colour = np.where(white, block.high, block.low).astype(np.float32)
    values = np.tile(colour[:, None, None, None], (1, 1, 12, 14))
    given = Encoded(values, np.ones(values.shape, dtype=np.bool_), TRAIN.layout)
    given = given.hide(np.broadcast_to(np.arange(14) >= 4, values.shape))
    drawn = model.sample(given, LocalRun(seed=0)).values
    np.testing.assert_array_equal(drawn[given.observed], values[given.observed])
    np.testing.assert_allclose(drawn, values, atol=0.1)
    alone = model.sample(Encoded.blank(TRAIN.layout, 200), LocalRun(seed=0)).values
    assert np.abs(np.abs(alone) - block.high).max() < 0.1
    assert 0.3 < (alone[:, 0, 0, 0] > 0).mean() < 0.7


def test_a_fill_depends_on_the_image_alone_and_draws_differ(fitted: ImageDdpm) -> None:
    hidden = NEW.take(slice(0, 8)).hide(np.broadcast_to(np.arange(14) >= 7, (8, 1, 12, 14)))
    filled = fitted.impute(hidden, draws=2)
    assert filled.draws is not None
    other = fitted.impute(hidden.take(np.array([5, 2])))
    np.testing.assert_array_equal(filled.point[[5, 2]], other.point)
    np.testing.assert_array_equal(filled.draws[0][hidden.observed], hidden.values[hidden.observed])
    assert np.abs(filled.draws[0] - filled.draws[1])[~hidden.observed].mean() > 0.01
    assert fitted.hidden_cells() is None


def test_classes_are_asked_for_and_guidance_moves_towards_them(fitted: ImageDdpm) -> None:
    blank = Encoded.blank(labelled(TRAIN).layout, 4)
    asked = replace(blank, target=np.array([0, 1, np.nan, 1.0]))
    drawn = fitted.sample(asked, LocalRun(seed=1))
    assert drawn.target is not None
    assert drawn.target[[0, 1, 3]].tolist() == [0, 1, 1]
    assert list(fitted.sampled_classes()) == ["lower", "upper"]
    x, at, labels = torch.randn(2, 1, 12, 14), torch.full((2,), 0.5), torch.tensor([0, 1])
    nothing = torch.zeros(2, 1, 12, 14, dtype=torch.bool)
    net, time = fitted.net.average, fitted.times // 2
    guided = replace(fitted, guidance=1.5)
    vars(guided).update(learned(fitted) | {"net": fitted.net})
    with torch.no_grad():
        own, any_class = net(x, at, labels, x, nothing), net(x, at, torch.full((2,), 2), x, nothing)
        expected = fitted.process.clean(fitted.predict, own + 1.5 * (own - any_class), x, torch.tensor(time))
        found = guided._denoiser(x, nothing, labels)(x, time)
    torch.testing.assert_close(found, expected.clamp(-1, 1))


def test_given_pixels_lie_in_or_around_a_rectangle() -> None:
    torch.manual_seed(0)
    drawn = given_pixels(torch.zeros(2000, 3, 12, 14), 0.4)
    assert drawn.shape == (2000, 1, 12, 14)
    some = drawn.any(dim=(1, 2, 3))
    assert 0.33 < some.float().mean() < 0.41  # a rectangle may be all of the image, and around it there is nothing
    for mask in drawn[some][:50, 0]:
        boxes = [each.any(dim=1)[:, None] & each.any(dim=0) for each in (mask, ~mask)]
        assert torch.equal(mask, boxes[0]) or torch.equal(~mask, boxes[1])


def test_masked_pixels_are_not_learned_from(fitted: ImageDdpm) -> None:
    x, seen = torch.randn(6, 1, 12, 14), torch.ones(6, 1, 12, 14, dtype=torch.bool)
    seen[:, :, 3:, :] = False
    labels = torch.zeros(6, dtype=torch.int64)

    def loss(images: Tensor) -> float:
        torch.manual_seed(0)
        return fitted.loss(fitted.net, images, seen, labels).item()

    other = torch.where(seen, x, x + 1)
    assert loss(other) == loss(x)
    assert loss(torch.where(seen, x + 1, x)) != loss(x)


def test_a_killed_training_resumes_to_the_bit(after_kills: Callable[..., Any]) -> None:
    def fit(run: LocalRun) -> ImageDdpm:
        return ImageDdpm(**SMALL).fit(TRAIN.take(slice(0, 70)), run)

    one, other = fit(LocalRun(seed=3)).state().arrays, after_kills(fit, 2, 6, seed=3).state().arrays
    assert all(np.array_equal(one[name], other[name]) for name in one)

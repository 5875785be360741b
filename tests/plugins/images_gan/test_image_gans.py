"""Adversarial models of images: guidelines, classes, given pixels, and training that resumes exactly."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from anomalo.encoding.encoded import Encoded
from anomalo.errors import UsageError
from anomalo.models.run import LocalRun
from anomalo.testing import checks
from anomalo.testing.images import images
from anomalo_images_gan.families.cdcgan import ConditionalDcgan
from anomalo_images_gan.families.dcgan import Dcgan
from anomalo_images_gan.families.wgan_image import WganImage
from anomalo_images_gan.image_gan import ImageGan
from anomalo_images_gan.networks.convolutional import ConvolutionalCritic, ConvolutionalGenerator
from anomalo_images_gan.pixel_range import PixelRange

TRAIN, NEW = images()
SMALL: dict[str, Any] = {"epochs": 2, "width": 4, "noise": 4}
FAMILIES = pytest.mark.parametrize("family", [Dcgan, ConditionalDcgan, WganImage], ids=lambda family: family.name)


def labelled(data: Encoded) -> Encoded:
    """Images with a class: whether the upper half is brighter than the lower."""
    target = (data.values[:, 0, :6].mean(axis=(1, 2)) > data.values[:, 0, 6:].mean(axis=(1, 2))).astype(np.float64)
    return replace(data, layout=replace(data.layout, classes=("lower", "upper")), target=target)


def data_for(family: type[ImageGan]) -> Encoded:
    return labelled(TRAIN) if family.needs_classes else TRAIN


def fitted(family: type[ImageGan], data: Encoded | None = None, **params: Any) -> ImageGan:
    return family(**(SMALL | params)).fit(data_for(family) if data is None else data, LocalRun(seed=3))


@pytest.mark.slow
@FAMILIES
def test_conformance(family: type[ImageGan]) -> None:
    for _, check in checks(family, **SMALL):
        check()


def layers(net: nn.Module, kind: type[nn.Module]) -> list[nn.Module]:
    return [module for module in net.modules() if isinstance(module, kind)]


def test_dcgan_follows_the_five_guidelines() -> None:
    generator, critic = ConvolutionalGenerator((1, 28, 28), 8, 4), ConvolutionalCritic((1, 28, 28), 4)
    for net in (generator, critic):
        assert not layers(net, nn.MaxPool2d) + layers(net, nn.AvgPool2d) + layers(net, nn.Upsample)
        assert not layers(net, nn.Linear)  # but for the noise's map and the logit
    up, down = list(generator.layers), list(critic.features)
    assert [type(layer).__name__ for layer in up[-2:]] == ["ConvTranspose2d", "Tanh"]
    assert len(layers(generator, nn.BatchNorm2d)) == len(layers(generator, nn.ReLU)) == 2
    assert not layers(generator, nn.LeakyReLU)
    assert [type(layer).__name__ for layer in down[:2]] == ["Conv2d", "LeakyReLU"]
    assert len(layers(critic, nn.BatchNorm2d)) == 1
    assert not layers(critic, nn.ReLU)
    weights = torch.cat([layer.weight.detach().flatten() for layer in layers(generator, nn.ConvTranspose2d)])  # type: ignore[operator]
    assert float(weights.std()) == pytest.approx(0.02, rel=0.1)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (1, 12, 14), (1, 4, 5), (1, 33, 20)])
def test_images_of_any_size_are_generated_and_read(shape: tuple[int, ...]) -> None:
    generator, critic = ConvolutionalGenerator(shape, 8, 4, 2), ConvolutionalCritic(shape, 4, 2)
    labels = torch.tensor([0, 1, 1])
    made = generator(torch.randn(3, 8), labels)
    assert made.shape == (3, *shape)
    assert made.abs().max() <= 1
    assert critic(made, labels).shape == (3,)


def test_pixels_come_back_from_their_range() -> None:
    of = PixelRange(TRAIN.layout)
    unit = of.to_unit(torch.from_numpy(TRAIN.values[:20].copy()))
    assert -1 <= float(unit.min()) < float(unit.max()) <= 1
    np.testing.assert_allclose(of.to_encoded(unit.numpy()), TRAIN.values[:20], atol=1e-5)
    block = TRAIN.layout.blocks[0]
    ends = of.to_encoded(np.array([[[[-1.0, 1.0]]]], dtype=np.float32))
    assert ends.ravel().tolist() == [block.low, block.high]


def test_a_hidden_pixel_is_the_mean_of_that_pixel() -> None:
    model = fitted(Dcgan, epochs=1)
    hidden = np.flatnonzero(~TRAIN.observed.all(axis=(1, 2, 3)))[:5]
    seen = TRAIN.take(hidden)
    whole = model.whole(torch.from_numpy(seen.values.copy()), torch.from_numpy(seen.observed.copy()))
    mean = np.ma.array(TRAIN.values, mask=~TRAIN.observed).mean(axis=0).filled(0).astype(np.float32)
    expected = np.where(seen.observed, seen.values, mean)
    np.testing.assert_allclose(model.pixel_range.to_encoded(whole.numpy()), expected, atol=1e-5)


def test_the_averaged_generator_has_standing_statistics_of_its_own() -> None:
    model = fitted(Dcgan)
    average = model.net.average.net
    (first, *_) = layers(average, nn.BatchNorm2d)
    seen: list[Tensor] = []
    first.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].detach()))
    torch.manual_seed(0)
    with torch.no_grad():
        labels = torch.multinomial(torch.from_numpy(model.frequency_), 4000, replacement=True)
        average(torch.randn(4000, model.noise), labels)
    torch.testing.assert_close(first.running_mean, seen[0].mean(dim=(0, 2, 3)), atol=5e-3, rtol=0)
    assert not average.training


def test_a_class_can_be_asked_for() -> None:
    model = fitted(ConditionalDcgan)
    blank = Encoded.blank(labelled(TRAIN).layout, 6)
    asked = replace(blank, target=np.array([0, 1, np.nan, 0, 1, 1.0]))
    drawn = model.sample(asked, LocalRun(seed=1))
    assert drawn.target is not None
    assert drawn.target[[0, 1, 3, 4, 5]].tolist() == [0, 1, 0, 1, 1]
    share = model.sample(Encoded.blank(blank.layout, 4000), LocalRun(seed=1)).target
    assert share is not None
    expected = labelled(TRAIN).target
    assert expected is not None
    assert share.mean() == pytest.approx(expected.mean(), abs=0.03)


def test_the_label_reaches_both_networks() -> None:
    generator, critic = ConvolutionalGenerator((1, 8, 8), 4, 4, 3).eval(), ConvolutionalCritic((1, 8, 8), 4, 3).eval()
    noise, x = torch.randn(1, 4).expand(3, 4), torch.randn(1, 1, 8, 8).expand(3, 1, 8, 8)
    labels = torch.arange(3)
    assert len(critic(x, labels).unique()) == 3
    assert len({tuple(image.flatten().tolist()) for image in generator(noise, labels)}) == 3


def test_without_labels_it_says_how_to_give_some() -> None:
    with pytest.raises(UsageError, match=r"'cdcgan' learns from labels: fit it with --label COL --supervised"):
        ConditionalDcgan(**SMALL).fit(TRAIN, LocalRun())


def test_of_given_pixels_the_nearest_candidate_is_taken() -> None:
    model = fitted(Dcgan)
    given = NEW.take(slice(0, 20)).hide(np.broadcast_to(np.arange(14) >= 7, (20, 1, 12, 14)))
    drawn = model.sample(given, LocalRun(seed=1))
    assert (drawn.values[given.observed] == given.values[given.observed]).all()
    rng = LocalRun(seed=1).rng
    labels = model.labels_of(given, rng)
    aim = model.pixel_range.to_unit(torch.from_numpy(given.values.copy())).numpy()
    draws = [model.generated(labels, rng)]
    draws += [model.generated(model.random_labels(20, rng), rng) for _ in range(15)]
    distances = np.stack([(np.square(draw - aim) * given.observed).sum(axis=(1, 2, 3)) for draw in draws])
    best = model.pixel_range.to_encoded(np.stack(draws)[distances.argmin(axis=0), np.arange(20)])
    np.testing.assert_array_equal(drawn.values[~given.observed], best[~given.observed])


@FAMILIES
def test_a_killed_training_resumes_to_the_bit(family: type[ImageGan], after_kills: Callable[..., Any]) -> None:
    def fit(run: LocalRun) -> ImageGan:
        return family(**SMALL).fit(data_for(family).take(slice(0, 70)), run)

    whole, resumed = fit(LocalRun(seed=3)), after_kills(fit, 2, 6, seed=3)
    one, other = whole.state().arrays, resumed.state().arrays
    assert all(np.array_equal(one[name], other[name]) for name in one)
    assert all(torch.equal(a, b) for a, b in zip(whole.net.buffers(), resumed.net.buffers(), strict=True))


def test_the_wasserstein_critic_does_not_mix_images() -> None:
    critic = fitted(WganImage, epochs=1).net.critic.train()
    x, labels = torch.randn(4, 1, 12, 14), torch.zeros(4, dtype=torch.int64)
    torch.testing.assert_close(critic(x, labels)[:2], critic(x[:2], labels[:2]))

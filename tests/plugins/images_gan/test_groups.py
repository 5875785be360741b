"""Groups of similar images, which generators learn in place of classes."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from anomalo.encoding.encoded import Encoded
from anomalo.models.run import LocalRun
from anomalo.registry.registry import Registry
from anomalo.testing.images import images
from anomalo_images_gan.diffusion.image_ddpm import ImageDdpm
from anomalo_images_gan.diffusion.unet import DenoisingUNet
from anomalo_images_gan.families.dcgan import Dcgan
from anomalo_images_gan.families.wgan_image import WganImage
from anomalo_images_gan.groups import FEWEST, SIDE, centres, nearest, reduced
from anomalo_images_gan.image_generator import ImageGenerator
from anomalo_images_gan.networks.convolutional import ConvolutionalCritic, ConvolutionalGenerator

TRAIN, _ = images()
SMALL: dict[str, Any] = {"epochs": 1, "width": 4}
SHARE = 0.7
"""Of the images whose left half is bright."""


def halves(n: int) -> tuple[Encoded, np.ndarray]:
    """Images as large as `TRAIN`'s, whose left or right half is bright, and which: 0 or 1."""
    rng = np.random.default_rng(0)
    which = (np.arange(n) >= SHARE * n).astype(int)
    right = np.arange(14) >= 7
    values = np.where(right == which[:, None], 1.0, -1.0)[:, None, None, :] + rng.normal(0, 0.3, (n, 1, 12, 14))
    shown = np.ones(values.shape, dtype=np.bool_)
    return Encoded(values.astype(np.float32), shown, TRAIN.layout), which


def test_groups_that_lie_apart_are_found_with_their_means() -> None:
    data, which = halves(400)
    found = centres(reduced(data.values), 2, seed=1)
    groups = nearest(reduced(data.values), found)
    assert adjusted_rand_score(which, groups) == 1
    for group in (0, 1):
        expected = data.values[groups == group].mean(axis=0).ravel()
        np.testing.assert_allclose(found[group], expected, atol=1e-4)


def test_equal_seeds_give_equal_groups() -> None:
    features = reduced(TRAIN.values)
    np.testing.assert_array_equal(centres(features, 3, seed=5), centres(features, 3, seed=5))


def test_few_images_have_fewer_groups_or_none() -> None:
    features = np.random.default_rng(0).normal(size=(3 * FEWEST, 4)).astype(np.float32)
    assert [len(centres(features[:n], 10, 0)) for n in (3 * FEWEST, 2 * FEWEST, 2 * FEWEST - 1, 1)] == [3, 2, 0, 0]
    assert len(centres(features, 2, 0)) == 2


def test_large_images_are_compared_by_the_means_of_squares_of_pixels() -> None:
    large = np.random.default_rng(0).normal(size=(3, 2, 4 * SIDE, 2 * SIDE)).astype(np.float32)
    expected = large.reshape(3, 2, SIDE, 4, SIDE, 2).mean(axis=(3, 5))
    np.testing.assert_allclose(reduced(large), expected.reshape(3, -1), atol=1e-6)


@pytest.mark.parametrize("family", [Dcgan, WganImage, ImageDdpm], ids=lambda family: family.name)
def test_networks_learn_the_group_of_each_image(family: type[ImageGenerator]) -> None:
    data, which = halves(300)
    model = family(groups=2, **SMALL).fit(data, LocalRun(seed=3))
    labels = model.training_data(data, LocalRun(seed=3)).batch(np.arange(300))[2].numpy()
    assert adjusted_rand_score(which, labels) == 1
    assert sorted(model.frequency_) == pytest.approx([1 - SHARE, SHARE])
    drawn = model.labels_of(Encoded.blank(data.layout, 4000), np.random.default_rng(0))
    assert np.bincount(drawn) / 4000 == pytest.approx(model.frequency_, abs=0.03)


@pytest.mark.parametrize(
    ("families", "groups"),
    [(("dcgan", "wgan_image", "image_ddpm"), 32), (("sagan", "biggan", "stylegan"), 10), (("progan", "transgan"), 0)],
)
def test_families_have_the_groups_that_are_documented(families: tuple[str, ...], groups: int) -> None:
    registry = Registry.load()
    assert {registry.get(family, "image")().most_groups for family in families} == {groups}


def test_groups_are_learned_only_where_there_are_no_classes() -> None:
    target = (np.arange(len(TRAIN)) % 2).astype(np.float64)
    layout = replace(TRAIN.layout, classes=("even", "odd"))
    model = ImageDdpm(**SMALL).fit(replace(TRAIN, layout=layout, target=target), LocalRun(seed=3))
    assert (len(model.centres_), model.label_count) == (0, 2)


@pytest.mark.parametrize("params", [{"groups": 0}, {"replay": 50}])
def test_without_groups_networks_see_no_labels(params: dict[str, Any]) -> None:
    model = Dcgan(**SMALL, **params).fit(TRAIN, LocalRun(seed=3))
    generator, critic = model.net.generator, model.net.critic
    assert isinstance(generator, ConvolutionalGenerator)
    assert isinstance(critic, ConvolutionalCritic)
    assert model.label_count == generator.classes == critic.classes == 0


def test_a_hidden_pixel_has_the_mean_when_images_are_grouped() -> None:
    data, which = halves(300)
    seen = data.observed.copy()
    seen[:, :, 0] = False
    seen[0] = True
    values = np.where(seen, data.values, 1000).astype(np.float32)  # which would be the greatest difference
    data = Encoded(values, seen, data.layout)
    model = Dcgan(groups=2, **SMALL).fit(data, LocalRun(seed=3))
    labels = model.training_data(data, LocalRun(seed=3)).batch(np.arange(300))[2]
    assert adjusted_rand_score(which, labels) == 1


def test_a_restored_model_draws_the_same_images() -> None:
    model = Dcgan(groups=2, **SMALL).fit(halves(300)[0], LocalRun(seed=3))
    again = Dcgan(groups=2, **SMALL).restore(model.state())
    blank = Encoded.blank(TRAIN.layout, 20)
    drawn = model.sample(blank, LocalRun(seed=1)).values
    np.testing.assert_array_equal(again.sample(blank, LocalRun(seed=1)).values, drawn)


def test_diffusion_ignores_the_group_where_pixels_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    data, _ = halves(300)
    model = ImageDdpm(groups=2, steps=2, given=1.0, **SMALL)
    seen: list[np.ndarray] = []
    forward = DenoisingUNet.forward

    def watched(net: Any, x: Any, time: Any, labels: Any, clean: Any, known: Any) -> Any:
        given = known.flatten(1).any(dim=1)
        seen.append(labels[given].detach().numpy())
        return forward(net, x, time, labels, clean, known)

    monkeypatch.setattr(DenoisingUNet, "forward", watched)
    model.fit(data, LocalRun(seed=3))
    model.sample(data.take(slice(0, 20)).hide(np.broadcast_to(np.arange(14) >= 7, (20, 1, 12, 14))), LocalRun(seed=1))
    assert len(seen) > 2
    assert all((labels == 2).all() for labels in seen)
    seen.clear()
    blank = Encoded.blank(data.layout, 50)
    monkeypatch.setattr(DenoisingUNet, "forward", lambda *args: seen.append(args[3].numpy()) or forward(*args))
    model.sample(blank, LocalRun(seed=1))
    assert set(seen[0][:50]) == {0, 1}

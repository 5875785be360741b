"""Convolutional networks of images: shapes, synthetic defects, masks, and what a short training learns."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import affine_transform, gaussian_filter, label

from anomalo.encoding.encoded import Encoded
from anomalo.models.run import LocalRun
from anomalo.testing.images import images
from anomalo_images.networks.conv import DECODERS, Conv, ConvAutoencoder
from anomalo_images.networks.conv_denoising import ConvDenoising
from anomalo_images.networks.defects import VISIBLE, damaged, mirrored
from anomalo_images.networks.distortions import distorted
from anomalo_images.networks.image_network import ImageNetwork, mean_square
from anomalo_images.networks.layers import convolutions, enlarged, initialise, local_contrast, rectangles
from anomalo_images.networks.unet import RARE, UNet

TRAIN, NEW = images()


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(5)


@pytest.mark.parametrize("shape", [(1, 4, 4), (3, 13, 26), (1, 65, 70)])
@pytest.mark.parametrize("decoder", DECODERS)
def test_networks_take_images_of_any_size(shape: tuple[int, ...], decoder: str) -> None:
    x, seen = torch.randn(2, *shape), torch.ones(2, *shape, dtype=torch.bool)
    assert ConvAutoencoder(shape, 2, 5, decoder)(x, seen).shape == x.shape
    found, odds = UNet(shape, 2).both(x, seen)
    assert (found.shape, odds.shape) == (x.shape, (2, 1, *shape[1:]))


def test_a_transposed_convolution_is_its_definition() -> None:
    layer = enlarged(3, 2, "transposed")
    assert isinstance(layer, torch.nn.ConvTranspose2d)
    x = torch.randn(1, 3, 4, 5)
    expected = torch.zeros(1, 2, 8, 10)
    for row in range(4):
        for column in range(5):
            stamp = torch.einsum("c,cokl->okl", x[0, :, row, column], layer.weight)
            expected[0, :, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2] += stamp
    assert layer.bias is not None
    assert torch.allclose(layer(x), expected + layer.bias[None, :, None, None], atol=1e-5)


@pytest.mark.parametrize("net", [ConvAutoencoder((1, 12, 14), 2, 5, "upsampling"), UNet((1, 12, 14), 2)])
def test_what_a_mask_hides_is_not_seen(net: ConvAutoencoder | UNet) -> None:
    x, seen = torch.randn(2, 1, 12, 14), torch.ones(2, 1, 12, 14, dtype=torch.bool)
    seen[:, :, 3:6, 2:8] = False
    assert torch.equal(net(x, seen), net(torch.where(seen, x, 9.0), seen))


def test_a_new_network_changes_nothing_and_finds_defects_rare() -> None:
    x, seen = torch.randn(2, 3, 66, 70), torch.ones(2, 3, 66, 70, dtype=torch.bool)
    found, odds = UNet((3, 66, 70), 2).both(x, seen)
    assert torch.equal(found, x)
    assert (odds == RARE).all()


def test_deep_layers_keep_the_size_of_signals() -> None:
    layers = torch.nn.Sequential(*(convolutions(32, 32) for _ in range(6)))
    initialise(layers)
    x = torch.randn(4, 32, 32, 32)
    assert 0.2 < layers(x)[..., 12:20, 12:20].square().mean() / x.square().mean() < 5


def test_defects_are_where_they_say_and_some_images_have_none() -> None:
    clean = torch.randn(400, 1, 24, 24)
    changed, where = damaged(clean)
    change, spoilt_pixels = (changed - clean).abs(), where.bool()
    assert change[spoilt_pixels].min() > VISIBLE / 3  # the deviation is 1, less at the ends
    assert change[~spoilt_pixels].max() < VISIBLE * 1.5
    spoilt = where.flatten(1).any(dim=1).float().mean()
    assert 0.45 < spoilt < 0.7
    size = where.flatten(1).sum(dim=1)[where.flatten(1).any(dim=1)]
    assert size.min() < 6
    assert size.max() < 24 * 24 / 2


def test_a_small_defect_beside_an_edge_counts() -> None:
    torch.manual_seed(4)
    clean = 0.1 * torch.randn(40, 1, 72, 72)
    clean[..., 36:] += 5.0
    changed, where = damaged(clean)
    beside = where.bool()[..., 33:39]
    assert beside.any()
    assert (changed - clean).abs()[..., 33:39][beside].quantile(0.1) < 0.5  # the edge deviates by 2.5


def test_some_images_are_mirrored_with_their_masks() -> None:
    x = torch.arange(60.0).reshape(1, 1, 6, 10).repeat(200, 1, 1, 1)
    some = torch.arange(200).reshape(-1, 1, 1, 1) < 100
    images, seen = mirrored(x, x > 7, some)
    assert torch.equal(seen, images > 7)
    assert torch.equal(images[100:], x[100:])
    corners = images[:100, 0, 0, 0].tolist()
    assert {corner: 15 < corners.count(corner) < 35 for corner in set(corners)} == dict.fromkeys((0, 9, 50, 59), True)


def test_distortions_are_affine_maps_of_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = torch.tensor([0.8, -1.0, 0.5, 0.3, 0.4, -0.6]).reshape(6, 1)
    monkeypatch.setattr(torch, "randn", lambda *_, **__: numbers)
    x = torch.from_numpy(gaussian_filter(np.random.default_rng(0).normal(size=(21, 21)), 2.0)).float()[None, None]
    found, seen = distorted(x, x > 0, 1.0)
    angle, high, wide = 0.2, np.exp(-0.12), np.exp(0.06)
    # By rows and columns from the middle; scipy's order of axes is the other way round.
    matrix = np.array(
        [[np.cos(angle) * high, np.sin(angle) * wide], [0.06 - np.sin(angle) * high, np.cos(angle) * wide]]
    )
    middle, move = np.full(2, 10.0), np.array([0.1 * 0.4, 0.1 * -0.6]) * 21 / 2
    offset = middle - matrix @ middle + move
    expected = affine_transform(x[0, 0].numpy(), matrix, offset, order=1, mode="nearest")
    np.testing.assert_allclose(found[0, 0].numpy(), expected, atol=1e-4)
    assert (
        seen[0, 0].numpy()
        == affine_transform((x[0, 0] > 0).numpy().astype(float), matrix, offset, order=0, mode="nearest").astype(bool)
    ).mean() > 0.99
    assert torch.equal(distorted(x, x > 0, 0.0)[1], x > 0)


def test_larger_images_have_more_defects_of_which_some_are_lines() -> None:
    clean = torch.randn(60, 1, 96, 96)
    where = damaged(clean).where
    parts = [label(one[0].numpy())[1] for one in where]
    assert max(parts) >= 3
    assert where.flatten(1).any(dim=1).float().mean() > 0.9


def test_local_contrast_is_its_definition_and_ignores_what_is_hidden() -> None:
    x, seen = torch.randn(1, 1, 20, 22), torch.rand(1, 1, 20, 22) < 0.8
    x = torch.where(seen, x, 7.0)
    mean, spread = np.zeros((20, 22)), np.zeros((20, 22))
    image, here = x[0, 0].numpy().astype(np.float64), seen[0, 0].numpy()
    around = [[(slice(max(r - 7, 0), r + 8), slice(max(c - 7, 0), c + 8)) for c in range(22)] for r in range(20)]
    for values, found in ((image, mean), (None, spread)):
        values = np.square(image - mean) if values is None else values
        for row in range(20):
            for column in range(22):
                part = around[row][column]
                found[row, column] = values[part][here[part]].mean()
    expected = np.where(here, (image - mean) / np.sqrt(spread + 0.1**2), 0)
    assert np.allclose(local_contrast(x, seen)[0, 0], expected, atol=1e-4)


def test_rectangles_hide_parts_of_some_images() -> None:
    hidden = rectangles(torch.zeros(500, 3, 20, 30), 0.4)
    assert hidden.shape == (500, 1, 20, 30)
    some = hidden.flatten(1).any(dim=1)
    assert 0.3 < some.float().mean() < 0.5
    for one in hidden[some][:20, 0]:
        rows, columns = one.any(dim=1), one.any(dim=0)
        assert torch.equal(one, rows[:, None] & columns)
        assert (rows.sum() in range(2, 12)) & (columns.sum() in range(3, 17))


def test_the_error_of_an_image_does_not_depend_on_how_much_of_another_is_masked() -> None:
    x, found = torch.zeros(2, 1, 2, 2), torch.ones(2, 1, 2, 2)
    seen = torch.tensor([[[[True, False], [False, False]]], [[[True, True], [True, True]]]])
    assert mean_square(found, x, seen) == 1.0


@pytest.mark.slow
@pytest.mark.parametrize("model", [Conv(epochs=25, latent=6), ConvDenoising(epochs=25, width=4)], ids=lambda m: m.name)
def test_a_short_training_finds_scars_and_fills_what_is_hidden(model: ImageNetwork) -> None:
    model.fit(TRAIN, LocalRun())
    whole = NEW.take(np.flatnonzero(NEW.flat()[1].all(axis=1)))
    values = whole.values.copy()
    values[:, 0, 4:7, 5:8] += 3.0
    marred = Encoded(values, whole.observed, whole.layout)
    assert np.median(model.score(marred)) > np.quantile(model.score(whole), 0.9)
    hidden = np.zeros(whole.observed.shape, dtype=np.bool_)
    hidden[:, :, 4:7, 5:8] = True
    fill = model.impute(whole.hide(hidden)).point
    assert np.square((fill - whole.values)[hidden]).mean() < 0.7 * np.square(whole.values[hidden]).mean()


@pytest.mark.parametrize(("passes", "epochs"), [(0.1, 1), (2.5, 2), (9.0, 3)])
def test_the_pixels_that_a_training_sees_are_bounded(passes: float, epochs: int) -> None:
    some, run = TRAIN.take(slice(0, 32)), LocalRun()
    pixels = passes * some.values[:, 0].size / 1e6
    Conv(epochs=3, width=1, pixels=pixels).fit(some, run)
    assert len(run.history) == epochs


@pytest.mark.slow
def test_energies_are_products_of_odds_and_filters_each_in_its_image() -> None:
    model = ConvDenoising(epochs=2, width=2, relative=0.7).fit(TRAIN, LocalRun())
    few = NEW.take(slice(0, 5))
    with torch.no_grad():
        odds = (
            model.net.both(torch.from_numpy(few.values.copy()), torch.from_numpy(few.observed.copy()))[1].exp().numpy()
        )
    filters = model.filters_.energies(few)[0] / model.filters_.level_ + 1e-3
    found = model.energies(few)[0]
    for row, seen in enumerate(few.observed):
        parts = [part[row][seen] / np.quantile(part[row][seen], 0.95) ** 0.7 for part in (odds, filters)]
        powers = [part ** (1 / deviation) for part, deviation in zip(parts, model.deviations_, strict=True)]
        np.testing.assert_allclose(found[row][seen], powers[0] * powers[1], rtol=1e-4)
        assert (found[row][~seen] == 0).all()


@pytest.mark.slow
def test_a_killed_training_ends_with_the_same_weights(after_kills: Callable[..., Any]) -> None:
    def fit(run: LocalRun) -> ConvDenoising:
        return ConvDenoising(epochs=4, width=2).fit(TRAIN, run)

    plain, resumed = fit(LocalRun(seed=1)), after_kills(fit, 5, seed=1)
    assert (plain.score(NEW) == resumed.score(NEW)).all()

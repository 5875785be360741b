"""Layers of image generators against closed forms and other implementations."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.stats import kstest, truncnorm
from torch import nn
from torch.nn import functional as F

from anomalo_images_gan.networks.layers.conditional_norm import ConditionalBatchNorm
from anomalo_images_gan.networks.layers.equalised import EqualisedConv2d, EqualisedLinear
from anomalo_images_gan.networks.layers.mapping import Mapping
from anomalo_images_gan.networks.layers.mixing import mixed, random_crossover
from anomalo_images_gan.networks.layers.noise_input import NoiseInput
from anomalo_images_gan.networks.layers.pixel_norm import pixel_norm
from anomalo_images_gan.networks.layers.self_attention import SelfAttention
from anomalo_images_gan.networks.layers.sizes import Sizes
from anomalo_images_gan.networks.layers.spectral import ProjectionHead, spectral
from anomalo_images_gan.networks.layers.style import Style, adaptive_instance_norm
from anomalo_images_gan.networks.layers.truncation import truncated


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(3)


@pytest.mark.parametrize("width", [4, 40, 400])
def test_equalised_layers_keep_unit_variance(width: int) -> None:
    features = torch.randn(2000, width)
    assert float(EqualisedLinear(width, 200, gain=1.0)(features).var().detach()) == pytest.approx(1, rel=0.15)
    images = torch.randn(30, width, 12, 12)
    inside = EqualisedConv2d(width, 60, gain=1.0)(images)[..., 1:-1, 1:-1]
    assert float(inside.var().detach()) == pytest.approx(1, rel=0.15)


def test_deep_equalised_layers_with_rectifiers_keep_the_size_of_signals() -> None:
    hidden = torch.randn(500, 128)
    for _ in range(8):
        hidden = F.relu(EqualisedLinear(128, 128)(hidden))
    assert 0.5 < hidden.square().mean() < 2


def test_adam_changes_equalised_layers_at_the_same_relative_rate() -> None:
    """The first step of Adam has the size of the learning rate; the weight's deviation is 1 whatever the width."""
    for width in (4, 400):
        layer = EqualisedLinear(width, 50)
        before = layer.weight.detach().clone()
        layer(torch.randn(20, width)).square().sum().backward()
        torch.optim.Adam(layer.parameters(), lr=0.01).step()
        change = (layer.weight.detach() - before).abs().mean()
        assert float(change / before.std()) == pytest.approx(0.01, rel=0.1)


def test_a_lower_rate_changes_steps_but_not_the_first_outputs() -> None:
    """A rate r gives weights of deviation 1 / r that are used with r as much: outputs alike, steps r times as large."""
    layer, features = EqualisedLinear(64, 500, gain=1.0, rate=0.01), torch.randn(1000, 64)
    assert float(layer(features).var().detach()) == pytest.approx(1, rel=0.1)
    assert float(layer.weight.std().detach()) == pytest.approx(100, rel=0.05)


def test_the_features_of_each_pixel_have_a_mean_square_of_one() -> None:
    found = pixel_norm(torch.randn(3, 7, 5, 4) * 30)
    assert torch.allclose(found.square().mean(dim=1), torch.ones(3, 5, 4), atol=1e-5)
    assert torch.equal(pixel_norm(torch.zeros(1, 3)), torch.zeros(1, 3))


def test_the_statistics_of_normalised_instances_are_those_of_the_style() -> None:
    images, scale, shift = torch.randn(4, 6, 9, 8) * 5 + 3, torch.rand(4, 6) + 0.5, torch.randn(4, 6)
    found = adaptive_instance_norm(images, scale, shift)
    assert torch.allclose(found.mean(dim=(2, 3)), shift, atol=1e-5)
    assert torch.allclose(found.std(dim=(2, 3), correction=0), scale, atol=1e-4)
    expected = F.instance_norm(images, eps=1e-8) * scale[:, :, None, None] + shift[:, :, None, None]
    assert torch.allclose(found, expected, atol=1e-5)


def test_a_new_style_is_near_plain_normalisation_and_follows_its_latent() -> None:
    style, images = Style(8, 3), torch.randn(2, 3, 6, 6)
    assert torch.allclose(style(images, torch.zeros(2, 8)), F.instance_norm(images, eps=1e-8), atol=1e-5)
    latent = torch.randn(2, 8)
    scale, shift = style.linear(latent).chunk(2, dim=1)
    found = style(images, latent)
    assert torch.allclose(found.mean(dim=(2, 3)), shift, atol=1e-5)
    assert torch.allclose(found.std(dim=(2, 3), correction=0), (1 + scale).abs(), atol=1e-4)


def test_noise_is_added_to_each_channel_by_its_weight() -> None:
    layer, images, noise = NoiseInput(3), torch.randn(2, 3, 4, 4), torch.randn(2, 1, 4, 4)
    assert torch.equal(layer(images, noise), images)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([0.0, 1.0, -2.0]))
    assert torch.allclose(layer(images, noise) - images, torch.cat([0 * noise, noise, -2 * noise], dim=1), atol=1e-6)


def test_the_mean_of_latents_is_learned_and_truncation_shrinks_their_variance() -> None:
    mapping, noise = Mapping(16, 16, 2), torch.randn(2000, 16)
    for _ in range(1200):
        mapping(noise[:50])
    mapping.eval()
    assert torch.allclose(mapping.mean, mapping(noise[:50]).mean(dim=0), atol=0.02)
    latent = mapping(noise)
    half = mapping.truncated(latent, 0.5)
    assert torch.allclose(half.var(dim=0), latent.var(dim=0) / 4, rtol=1e-3)
    assert torch.allclose(mapping.truncated(latent, 0.0), mapping.mean.expand(2000, -1))
    assert torch.allclose(mapping.truncated(latent, 1.0), latent, atol=1e-6)


def test_noise_of_any_length_is_mapped_alike() -> None:
    """Only the direction of z matters, since it is normalised."""
    mapping, noise = Mapping(8, 5, 3).eval(), torch.randn(4, 8)
    assert torch.allclose(mapping(noise), mapping(3 * noise), atol=1e-5)


def test_latents_are_mixed_at_the_crossover() -> None:
    first, second = torch.zeros(4, 2), torch.ones(4, 2)
    found = mixed(first, second, torch.tensor([0, 1, 3, 5]), 5)[:, :, 0]
    expected = [[1, 1, 1, 1, 1], [0, 1, 1, 1, 1], [0, 0, 0, 1, 1], [0, 0, 0, 0, 0]]
    assert found.tolist() == expected


def test_crossovers_lie_between_layers_in_a_share_of_the_images() -> None:
    drawn = random_crossover(20_000, 6, 0.9, torch.device("cpu"))
    share = torch.bincount(drawn, minlength=7) / 20_000
    assert share[0] == 0
    assert torch.allclose(share[1:6], torch.full((5,), 0.18), atol=0.01)
    assert share[6] == pytest.approx(0.1, abs=0.01)


def attending(channels: int) -> SelfAttention:
    layer = SelfAttention(channels)
    nn.init.constant_(layer.gain, 0.7)
    return layer


def test_self_attention_is_its_definition_pixel_by_pixel() -> None:
    layer, images = attending(16), torch.randn(1, 16, 3, 2)
    pixels = images[0].flatten(1).T.detach().numpy().astype(np.float64)
    weights = [one.weight[:, :, 0, 0].detach().numpy() for one in (layer.query, layer.key, layer.value, layer.output)]
    query, key, value, output = weights
    expected = np.empty_like(pixels)
    for at, pixel in enumerate(pixels):
        odds = np.array([(query @ pixel) @ (key @ other) for other in pixels])
        share = np.exp(odds) / np.exp(odds).sum()
        mean = sum(one * (value @ other) for one, other in zip(share, pixels, strict=True))
        expected[at] = pixel + 0.7 * (output @ mean)
    assert np.allclose(layer(images)[0].flatten(1).T.detach().numpy(), expected, atol=1e-5)


def test_self_attention_is_equivariant_to_a_permutation_of_pixels() -> None:
    layer, images, order = attending(16), torch.randn(2, 16, 5, 4), torch.randperm(20)
    permuted = images.flatten(2)[:, :, order].view_as(images)
    expected = layer(images).flatten(2)[:, :, order]
    assert torch.allclose(layer(permuted).flatten(2), expected, atol=1e-5)
    assert torch.equal(SelfAttention(16)(images), images)


@pytest.mark.parametrize("create", [lambda: nn.Linear(30, 20), lambda: nn.Conv2d(3, 8, 4), lambda: nn.Embedding(10, 6)])
def test_spectral_normalisation_divides_by_the_largest_singular_value(create: Callable[[], nn.Module]) -> None:
    layer = create()
    weight = layer.weight.detach().clone().flatten(1)
    normal = spectral(layer)
    for _ in range(1000):
        found = normal.weight.detach().flatten(1)  # each reading is one step of the power iteration
    assert np.linalg.svd(found.numpy(), compute_uv=False)[0] == pytest.approx(1, abs=1e-3)
    assert torch.allclose(found * torch.linalg.matrix_norm(weight, 2), weight, atol=1e-2)


def test_a_projection_adds_the_product_with_the_embedded_label() -> None:
    head, features = ProjectionHead(7, 3).eval(), torch.randn(5, 7)
    labels = torch.tensor([0, 1, 2, 2, 1])
    assert head.embedding is not None
    expected = head(features) + torch.einsum("nf,nf->n", features, head.embedding.weight[labels])
    assert torch.allclose(head(features, labels), expected, atol=1e-6)
    assert ProjectionHead(7, 0)(features).shape == (5,)


def test_conditional_normalisation_is_that_of_the_batch_with_the_condition_s_scale_and_shift() -> None:
    layer, images, condition = ConditionalBatchNorm(3, 4), torch.randn(6, 3, 5, 5) * 4 + 1, torch.randn(6, 4)
    assert layer.scale_shift is not None
    nn.init.normal_(layer.scale_shift.weight)
    scale, shift = layer.scale_shift(condition).chunk(2, dim=1)
    plain = F.batch_norm(images, None, None, training=True)
    expected = plain * (1 + scale)[:, :, None, None] + shift[:, :, None, None]
    assert torch.allclose(layer(images, condition), expected, atol=1e-5)
    assert torch.allclose(ConditionalBatchNorm(3, 0)(images), plain, atol=1e-5)


@pytest.mark.parametrize("threshold", [0.3, 1.0, 2.0])
def test_truncated_noise_has_the_truncated_distribution(threshold: float) -> None:
    noise = torch.randn(20_000, dtype=torch.float64)
    found = truncated(noise, threshold)
    assert kstest(found.numpy(), truncnorm(-threshold, threshold).cdf).pvalue > 0.01
    assert found.var() < noise.var()
    assert torch.equal(found.argsort(), noise.argsort())


def test_truncation_shrinks_the_variance_the_more_the_lower_the_threshold() -> None:
    noise = torch.randn(5000)
    variances = [float(truncated(noise, threshold).var()) for threshold in (3.0, 1.5, 0.7, 0.2)]
    assert variances == sorted(variances, reverse=True)


@pytest.mark.parametrize("size", [(8, 8), (28, 28), (9, 30), (3, 5), (1, 1)])
def test_sizes_reach_the_images_and_no_further_than_needed(size: tuple[int, int]) -> None:
    sizes = Sizes.of(*size)
    images = torch.randn(1, 2, *size)
    whole = sizes.whole(images)
    assert whole.shape[2:] == sizes.at(sizes.levels)
    assert torch.equal(whole[:, :, : size[0], : size[1]], images)
    assert all(0 <= large - small < 2**sizes.levels for large, small in zip(whole.shape[2:], size, strict=True))
    assert min(size) < 8 or math.ceil(min(size) / 2**sizes.levels) >= 4

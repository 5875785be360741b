"""Transformer blocks and TransGAN: attention against torch's, windows, positions, sizes, and more than one scale."""

import itertools

import pytest
import torch
from torch import Tensor, nn

from anomalo_images_gan.networks.layers.sizes import Sizes
from anomalo_images_gan.networks.layers.transformer_block import (
    Attention,
    TransformerBlock,
    joined,
    split,
    token_norm,
    window_of,
)
from anomalo_images_gan.networks.transgan import TransGanDiscriminator, TransGanGenerator


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(5)


def with_bias(layer: Attention) -> Attention:
    nn.init.normal_(layer.bias)
    return layer


def test_attention_is_that_of_torch_with_a_bias_for_each_relative_position() -> None:
    height, width, heads = 3, 4, 2
    layer, tokens = with_bias(Attention(8, heads, (height, width))), torch.randn(5, height, width, 8)
    other = nn.MultiheadAttention(8, heads, batch_first=True)
    table = layer.bias.detach().view(2 * height - 1, 2 * width - 1, heads)
    mask = torch.zeros(heads, height * width, height * width)
    positions = list(itertools.product(range(height), range(width)))
    for (i, (row, column)), (j, (r, c)) in itertools.product(enumerate(positions), enumerate(positions)):
        mask[:, i, j] = table[row - r + height - 1, column - c + width - 1]
    with torch.no_grad():
        other.in_proj_weight.copy_(layer.inputs.weight)
        other.in_proj_bias.zero_()
        other.out_proj.weight.copy_(layer.output.weight)
        other.out_proj.bias.copy_(layer.output.bias)
    flat = tokens.flatten(1, 2)
    expected, _ = other(flat, flat, flat, attn_mask=mask.repeat(5, 1, 1), need_weights=False)
    assert torch.allclose(layer(tokens), expected.view_as(tokens), atol=1e-5)


@pytest.mark.parametrize("channels", [6, 7, 8])
def test_heads_are_so_many_as_divide_the_channels(channels: int) -> None:
    layer = Attention(channels, 4, (2, 2))
    assert layer.heads == {6: 2, 7: 1, 8: 4}[channels]
    assert layer(torch.randn(2, 2, 2, channels)).shape == (2, 2, 2, channels)


def test_windows_are_the_parts_of_an_image_and_join_to_it_again() -> None:
    tokens = torch.randn(2, 6, 8, 3)
    windows = split(tokens, (3, 2))
    expected = [tokens[:, top : top + 3, left : left + 2] for top in (0, 3) for left in (0, 2, 4, 6)]
    assert torch.equal(windows, torch.stack(expected, dim=1).flatten(2, 3))
    assert torch.equal(joined(windows, (6, 8), (3, 2)), tokens)


def test_a_token_changes_those_of_its_window_alone() -> None:
    block, tokens = TransformerBlock(4, 2, (3, 4)), torch.randn(1, 6, 8, 4)
    other = tokens.clone()
    other[0, 4, 1] += 1
    changed = (block(tokens) - block(other)).abs().amax(dim=3)[0] > 1e-7
    expected = torch.zeros(6, 8, dtype=torch.bool)
    expected[3:, :4] = True
    assert torch.equal(changed, expected)


def test_windows_divide_each_size_and_are_small() -> None:
    for shape in [(28, 28), (128, 128), (5, 6), (12, 14), (33, 100), (4, 90)]:
        sizes = Sizes.of(*shape)
        for level in range(sizes.levels + 1):
            (height, width), (down, across) = sizes.at(level), window_of(sizes, level)
            assert height % down == width % across == 0
            assert down * across <= max(64, sizes.height * sizes.width)


def test_normalised_tokens_have_a_mean_square_of_1() -> None:
    tokens = 5 * torch.randn(2, 3, 4, 16) + 1
    assert torch.allclose(token_norm(tokens).square().mean(dim=3), torch.ones(2, 3, 4), atol=1e-5)
    assert torch.allclose(token_norm(7 * tokens), token_norm(tokens), atol=1e-5)


def test_a_block_without_weights_changes_nothing() -> None:
    block, tokens = TransformerBlock(4, 2, (2, 2)), torch.randn(2, 2, 2, 4)
    for weight in (*block.attention.output.parameters(), *block.perceptron.parameters()):
        nn.init.zeros_(weight)
    assert torch.equal(block(tokens), tokens)


def test_sizes_are_doubled_smoothly_and_in_place() -> None:
    """Without blocks and positions, a token in a corner counts where a cubic through four tokens reaches it."""
    net = TransGanGenerator((1, 8, 8), 6, 4)
    for stage in net.stages:
        stage.blocks = nn.ModuleList()
    images: list[Tensor] = []
    for change in (0.0, 1.0):
        tokens = net.input.weight.detach().view(-1, net.sizes.height, net.sizes.width, 6)
        tokens[:, 0, 3] += change
        images.append(net(torch.ones(1, 6)))
    changed = (images[0] - images[1]).abs()[0, 0] > 1e-6
    expected = torch.zeros(8, 8, dtype=torch.bool)
    expected[:5, 3:] = True
    assert torch.equal(changed, expected)


def test_the_discriminator_sees_the_image_at_each_scale() -> None:
    """Without what comes of the smaller patches, an image is still seen in the larger ones; and the other way round."""
    for silent in (0, 1):
        net = TransGanDiscriminator((1, 16, 16), 8)
        assert [patches.in_features for patches in net.patches] == [4, 16]
        nn.init.zeros_(net.patches[silent].weight)  # type: ignore[arg-type]
        assert (net(torch.randn(1, 1, 16, 16)) - net(torch.randn(1, 1, 16, 16))).abs().item() > 1e-6


def test_positions_tell_where_a_pixel_is() -> None:
    net, image = TransGanDiscriminator((1, 8, 8), 8), torch.zeros(1, 1, 8, 8)
    image[0, 0, :4, :4] = torch.randn(4, 4)
    moved = image.roll(4, dims=3)
    assert (net(image) - net(moved)).abs().item() > 1e-6
    for stage in net.stages:
        nn.init.zeros_(stage.position)  # type: ignore[arg-type]
        for block in stage.blocks:  # type: ignore[union-attr]
            block.attention.window = (2, 2)
            block.attention.register_buffer("relative", Attention(4, 1, (2, 2)).relative)
    assert torch.allclose(net(image), net(moved), atol=1e-5)

"""Networks of each family: shapes at any size, labels that count, growth, mixing, and images that stand alone."""

import pytest
import torch
from torch import Tensor, nn

from anomalo.neural import critic_loss, generator_loss
from anomalo_images_gan.networks.biggan import BigGanDiscriminator, BigGanGenerator
from anomalo_images_gan.networks.convolutional import ConvolutionalCritic, padded
from anomalo_images_gan.networks.layers.fade_in import enlarged, fade_in, level_and_share, reduced
from anomalo_images_gan.networks.progan import ProGanDiscriminator, ProGanGenerator
from anomalo_images_gan.networks.sagan import SaganDiscriminator, SaganGenerator
from anomalo_images_gan.networks.stylegan import StyleGanGenerator
from anomalo_images_gan.networks.transgan import TransGanDiscriminator, TransGanGenerator

GENERATORS = [SaganGenerator, BigGanGenerator, ProGanGenerator, StyleGanGenerator, TransGanGenerator]
DISCRIMINATORS = [SaganDiscriminator, BigGanDiscriminator, ProGanDiscriminator, TransGanDiscriminator]
SHAPES = [(1, 8, 8), (3, 9, 14), (1, 16, 16), (1, 5, 6)]


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(4)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("family", GENERATORS)
def test_generators_make_images_of_any_size(family: type[nn.Module], shape: tuple[int, ...]) -> None:
    net = family(shape, 8, 16)
    found = net(torch.randn(3, 8))
    assert found.shape == (3, *shape)
    assert found.isfinite().all()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("family", DISCRIMINATORS)
def test_discriminators_take_images_of_any_size(family: type[nn.Module], shape: tuple[int, ...]) -> None:
    found = family(shape, 16)(torch.randn(3, *shape))
    assert found.shape == (3,)
    assert found.isfinite().all()


@pytest.mark.parametrize("family", GENERATORS)
def test_an_image_is_that_of_its_noise_and_label_in_any_batch(family: type[nn.Module]) -> None:
    net = family((1, 8, 8), 8, 16, classes=3).eval()
    for name, weight in net.named_parameters():
        if "scale_shift" in name or "embedding" in name:
            nn.init.normal_(weight)
    noise, labels = torch.randn(6, 8), torch.tensor([0, 1, 2, 0, 1, 2])
    whole = net(noise, labels)
    alone = torch.cat([net(noise[row : row + 1], labels[row : row + 1]) for row in range(6)])
    assert torch.allclose(whole, alone, atol=1e-5)
    assert (net(noise, labels.flip(0)) - whole).abs().flatten(1).amax(dim=1)[0] > 1e-4


@pytest.mark.parametrize("family", DISCRIMINATORS)
def test_discriminators_see_the_label(family: type[nn.Module]) -> None:
    net, images = family((1, 8, 8), 16, classes=2).eval(), torch.randn(4, 1, 8, 8)
    zeros = torch.zeros(4, dtype=torch.int64)
    assert (net(images, zeros) - net(images, zeros + 1)).abs().min() > 0


def test_levels_and_the_share_of_the_newest() -> None:
    assert [level_and_share(grown) for grown in (0.0, 0.5, 1.0, 1.75)] == [(0, 1.0), (1, 0.5), (1, 1.0), (2, 0.75)]


def test_fade_in_is_the_smaller_at_0_and_the_larger_at_1() -> None:
    smaller, larger = torch.randn(2, 3), torch.randn(2, 3)
    assert torch.equal(fade_in(smaller, larger, 0.0), smaller)
    assert torch.equal(fade_in(smaller, larger, 1.0), larger)
    assert torch.allclose(fade_in(smaller, larger, 0.25), 0.75 * smaller + 0.25 * larger)
    assert torch.equal(reduced(enlarged(larger[None, None])), larger[None, None])


def test_a_generator_that_begins_to_grow_makes_the_images_of_the_smaller_one() -> None:
    net, noise = ProGanGenerator((1, 32, 32), 8, 4).eval(), torch.randn(3, 8)
    for level in range(net.sizes.levels):
        net.grow(level)
        smaller = net(noise)
        net.grow(level + 1e-9)
        assert torch.allclose(net(noise), smaller, atol=1e-6)
        net.grow(level + 1)
        larger = net(noise)
        net.grow(level + 1 - 1e-9)
        assert torch.allclose(net(noise), larger, atol=1e-6)
        net.grow(level + 0.3)
        assert torch.allclose(net(noise), 0.7 * smaller + 0.3 * larger, atol=1e-5)
        side = 32 // 2 ** (net.sizes.levels - level)
        blocks = enlarged(reduced(smaller, 32 // side), 32 // side)
        assert torch.allclose(blocks, smaller, atol=1e-5)


def test_a_discriminator_that_begins_to_grow_gives_the_logits_of_the_smaller_one() -> None:
    net, images = ProGanDiscriminator((1, 32, 32), 4), torch.randn(3, 1, 32, 32)
    for level in range(net.sizes.levels):
        for grown, same in ((level, level + 1e-9), (level + 1, level + 1 - 1e-9)):
            net.grow(grown)
            expected = net(images)
            net.grow(same)
            assert torch.allclose(net(images), expected, atol=1e-6)


def test_a_discriminator_sees_images_at_the_size_that_it_has_grown_to() -> None:
    net, images = ProGanDiscriminator((1, 16, 16), 4), torch.randn(3, 1, 16, 16)
    net.grow(1)
    assert torch.allclose(net(images), net(enlarged(reduced(images))), atol=1e-6)
    assert (net(images) - net(enlarged(reduced(images, 4), 4))).abs().min() > 1e-5


def test_layers_beyond_the_level_have_no_effect_and_no_gradient() -> None:
    net = ProGanGenerator((1, 16, 16), 8, 4)
    net.grow(1)
    net(torch.randn(2, 8)).square().sum().backward()
    assert all(weight.grad is None for weight in net.blocks[2].parameters())
    assert all(weight.grad is not None for weight in net.blocks[1].parameters())


def test_a_second_latent_changes_only_the_layers_from_the_crossover() -> None:
    net = StyleGanGenerator((1, 16, 16), 8, 4)
    seen: list[Tensor] = []
    for layer in net.convolutions:
        layer.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    latents, noise = torch.randn(2, net.layers, 8), torch.randn(2, sum(net.pixels))
    net.synthesise(latents, noise)
    before = list(seen)
    for crossover in range(net.layers):
        seen.clear()
        other = latents.clone()
        other[:, crossover:] = torch.randn(8)
        net.synthesise(other, noise)
        equal = [torch.equal(one, two) for one, two in zip(before, seen, strict=True)]
        assert equal == [layer < crossover for layer in range(net.layers)]


def test_styles_are_mixed_in_training_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    net, noise = StyleGanGenerator((1, 8, 8), 8, 4, mixing=1.0), torch.randn(4, 8)
    seen: list[Tensor] = []
    monkeypatch.setattr(net, "synthesise", lambda latents, _pixels: seen.append(latents))
    for training in (True, False):
        net.train(training)
        net(noise)
        latents = seen.pop()
        assert torch.allclose(latents[:, 0], net.eval().mapping(noise), atol=1e-5)
        assert torch.equal(latents[:, -1], latents[:, 0]) is not training


def test_noise_inputs_change_details_once_they_have_weight() -> None:
    net, noise = StyleGanGenerator((1, 8, 8), 8, 4).eval(), torch.randn(2, 8)
    assert torch.equal(net(noise), net(noise))
    for layer in net.convolutions:
        nn.init.constant_(layer.noise.weight, 0.1)
    assert (net(noise) - net(noise)).abs().amax() > 1e-3


@pytest.mark.parametrize("family", ["biggan", "stylegan"])
def test_truncation_makes_images_less_varied(family: str) -> None:
    if family == "biggan":
        big = BigGanGenerator((1, 8, 8), 12, 8)
        nets: list[tuple[nn.Module, str]] = [(big, "threshold")]
        noise = torch.randn(200, 12)
    else:
        style = StyleGanGenerator((1, 8, 8), 8, 4)
        nets, noise = [(style, "truncation")], torch.randn(200, 8)
    net, name = nets[0]
    net.train()
    for _ in range(30):
        net(noise)
    net.eval()
    variances = []
    for strength in (0.0, 0.3, 0.7) if family == "stylegan" else (0.2, 0.7, 1.5):
        setattr(net, name, strength)
        variances.append(float(net(noise).detach().var(dim=0).mean()))
    assert variances[0] < variances[1] < variances[2]


def test_each_part_of_the_noise_of_biggan_conditions_one_size() -> None:
    net = BigGanGenerator((1, 16, 16), 11, 4)
    assert net.parts == [5, 3, 3]
    assert [block.norms[0].scale_shift.in_features for block in net.up] == [3, 3]


def test_the_discriminator_of_progan_sees_that_images_are_alike() -> None:
    net = ProGanDiscriminator((1, 8, 8), 4)
    with torch.no_grad():
        net.last.weight[:, :-1] = 0  # only the deviation is left
        net.last.weight[:, -1] = 1
    different = torch.randn(4, 1, 8, 8)
    alike = different[:1].expand(4, -1, -1, -1)
    assert (net(different) - net(alike)).abs().min() > 1e-5
    assert torch.allclose(net(alike), net(alike.flip(3)), atol=1e-3)


def test_the_hinge_loss_is_its_definition() -> None:
    real, synthetic = torch.tensor([2.0, 0.5, -1.0]), torch.tensor([-3.0, 0.0])
    assert float(critic_loss("hinge", real, synthetic)) == pytest.approx((0 + 0.5 + 2) / 3 + (0 + 1) / 2)
    assert float(generator_loss("hinge", real, synthetic)) == pytest.approx(1.5)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 12, 14), (1, 8, 24), (2, 6, 3), (1, 1, 2)])
def test_the_label_is_a_constant_channel_for_each_class(shape: tuple[int, ...]) -> None:
    critic, images, labels = ConvolutionalCritic(shape, 4, 3), torch.randn(5, *shape), torch.tensor([0, 2, 1, 1, 0])
    whole = padded(images)
    channels = nn.functional.one_hot(labels, 3).float()[:, :, None, None].expand(-1, -1, *whole.shape[2:])
    expected = critic.output(critic.features(torch.cat([whole, channels], dim=1))).flatten()
    torch.testing.assert_close(critic(images, labels), expected)


@pytest.mark.parametrize("family", DISCRIMINATORS)
def test_discriminators_see_that_the_images_of_a_label_are_alike(family: type[nn.Module]) -> None:
    labels = torch.tensor([0, 1, 0, 1])
    images, seen = torch.randn(2, 1, 8, 8)[labels], []
    for classes in (0, 2):
        net = family((1, 8, 8), 16, classes=classes)
        net.deviation.register_forward_hook(lambda *args: seen.append(float(args[2][:, -1].detach().max())))
        net(images, labels)
    without, within = seen
    assert within == pytest.approx(1e-4, rel=0.1)
    assert without > 100 * within

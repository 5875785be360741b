"""Networks and losses of translation."""

import pytest
import torch
from torch import nn

from anomalo_images_gan.networks.translation.cycle import cycle_loss, identity_loss, least_squares
from anomalo_images_gan.networks.translation.patch_discriminator import PatchDiscriminator
from anomalo_images_gan.networks.translation.translator import LatentEncoder, Translator
from anomalo_images_gan.networks.translation.unet import TranslatingUNet


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(5)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 14), (1, 5, 6)])
def test_translators_keep_the_size_of_images(shape: tuple[int, ...]) -> None:
    images = torch.randn(3, *shape)
    assert TranslatingUNet(shape, 4)(images).shape == images.shape
    assert Translator(shape, 4)(images).shape == images.shape
    assert Translator(shape, 4, 2)(images, torch.randn(3, 2)).shape == images.shape
    assert LatentEncoder(shape[0], 4, 2)(images, images).shape == (3, 2)


@pytest.mark.parametrize("net", [TranslatingUNet((1, 9, 8), 4), Translator((1, 9, 8), 4)])
def test_a_translation_does_not_depend_on_the_rest_of_the_batch(net: nn.Module) -> None:
    images = torch.randn(4, 1, 9, 8)
    net.eval()
    alone = torch.cat([net(images[row : row + 1]) for row in range(4)])
    assert torch.allclose(net(images), alone, atol=1e-5)


def test_the_paths_across_a_unet_carry_what_the_smallest_size_cannot() -> None:
    net = TranslatingUNet((1, 16, 16), 4).eval()
    images = torch.randn(1, 1, 16, 16)
    changed = images.clone()
    changed[0, 0, 3, 3] += 1
    with torch.no_grad():
        for layers in net.down:
            layers[0].weight.zero_()  # nothing goes down: only the path at full size is left
        different = (net(images) - net(changed)).abs()[0, 0]
    assert different[3, 3] > 1e-4


def test_a_patch_sees_18_pixels_and_an_image_s_logit_is_the_mean_of_its_patches() -> None:
    net, images = PatchDiscriminator(1, 4).eval(), torch.randn(2, 1, 48, 48)
    patches = net.patches(images)
    assert patches.shape == (2, 12, 12)
    assert torch.allclose(net(images), patches.mean(dim=(1, 2)))
    images = images.requires_grad_()
    (slope,) = torch.autograd.grad(net.patches(images)[0, 6, 6], images)
    seen = slope[0, 0].nonzero()
    assert (seen.amax(dim=0) - seen.amin(dim=0) + 1).tolist() == [18, 18]
    assert slope[1].abs().sum() == 0


def test_the_cycle_loss_is_zero_for_inverse_maps_and_else_by_hand() -> None:
    images = torch.randn(5, 1, 4, 4)
    turned = cycle_loss(images, lambda x: torch.rot90(x, 1, (2, 3)), lambda x: torch.rot90(x, -1, (2, 3)))
    assert float(turned) == 0
    assert float(cycle_loss(images, lambda x: x + 1, lambda x: x + 1)) == pytest.approx(2, abs=1e-5)
    assert float(identity_loss(images, lambda x: x - 3)) == pytest.approx(3, abs=1e-5)
    assert float(least_squares(torch.tensor([0.0, 3.0]), 1.0)) == pytest.approx((1 + 4) / 2)


def test_a_latent_changes_a_translation() -> None:
    net, images = Translator((1, 8, 8), 4, 2), torch.randn(1, 1, 8, 8)
    assert (net(images, torch.zeros(1, 2)) - net(images, torch.ones(1, 2))).abs().amax() > 1e-4

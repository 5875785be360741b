"""Sets of points: the generator is equivariant, and the discriminator invariant, to their order."""

import pytest
import torch

from anomalo_images_gan.networks.setgan import EquivariantLayer, SetDiscriminator, SetGenerator


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(6)


@pytest.mark.parametrize("count", [1, 7, 40])
def test_a_permutation_of_the_noises_permutes_the_points(count: int) -> None:
    net = SetGenerator(2, 5, 16)
    whole, each, order = torch.randn(3, 5), torch.randn(3, count, 5), torch.randperm(count)
    assert torch.allclose(net(whole, each)[:, order], net(whole, each[:, order]), atol=1e-5)


@pytest.mark.parametrize("count", [1, 7, 40])
def test_the_order_of_points_has_no_effect_on_logits(count: int) -> None:
    net, points = SetDiscriminator(2, 16), torch.randn(3, count, 2)
    assert torch.allclose(net(points), net(points[:, torch.randperm(count)]), atol=1e-5)


def test_an_equivariant_layer_is_its_definition_point_by_point() -> None:
    layer, points, whole = EquivariantLayer(2, 3, 4), torch.randn(1, 5, 2), torch.randn(1, 4)
    assert layer.whole is not None
    mean = points[0].mean(dim=0)
    expected = [
        layer.each.weight @ point + layer.each.bias + layer.mean.weight @ mean + layer.whole.weight @ whole[0]
        for point in points[0]
    ]
    assert torch.allclose(layer(points, whole)[0], torch.stack(expected), atol=1e-5)


def test_points_of_one_set_see_each_other_and_not_those_of_another() -> None:
    net, whole, each = SetGenerator(2, 5, 16), torch.randn(2, 5), torch.randn(2, 6, 5)
    other = each.clone()
    other[0, 0] += 1
    different = (net(whole, each) - net(whole, other)).abs().amax(dim=2) > 1e-7
    assert different[0].all()
    assert not different[1].any()

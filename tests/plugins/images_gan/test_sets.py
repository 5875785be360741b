"""Sets of points: the generator is equivariant, and the discriminator invariant, to their order."""

import pytest
import torch
from scipy.spatial import cKDTree

from anomalo_images_gan.networks.point_sets import chamfer, density, drawn, points_of
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


def test_points_are_drawn_where_an_image_is_bright() -> None:
    images = torch.full((2, 1, 6, 8), -1.0)
    images[0, 0, 1, 2] = images[0, 0, 4, 7] = 1
    found = points_of(images, 4000)
    row, column = ((found[0, :, 0] + 1) / 2 * 6).floor(), ((found[0, :, 1] + 1) / 2 * 8).floor()
    at = {(int(r), int(c)) for r, c in zip(row, column, strict=True)}
    assert at == {(1, 2), (4, 7)}
    assert float((row == 1).float().mean()) == pytest.approx(0.5, abs=0.03)
    assert found[1].abs().max() <= 1
    assert found[1].mean().abs() < 0.05  # of a black image: anywhere


def test_a_dot_lies_at_its_point_and_sums_to_one() -> None:
    points = torch.tensor([[[2 * 4.5 / 12 - 1, 2 * 7.5 / 14 - 1]]])
    found = density(points, (12, 14))
    assert found.shape == (1, 1, 12, 14)
    assert int(found.flatten().argmax()) == 4 * 14 + 7
    assert float(found.sum()) == pytest.approx(1, abs=0.01)
    assert float(drawn(found, 1e6)[0, 0, 4, 7]) == 1
    assert float(drawn(0 * found, 2.0).max()) == -1


def test_the_chamfer_distance_is_that_of_nearest_neighbours() -> None:
    one, other = torch.randn(2, 5, 2), torch.randn(2, 9, 2)
    expected = [
        (cKDTree(b).query(a)[0] ** 2).mean() + (cKDTree(a).query(b)[0] ** 2).mean()
        for a, b in zip(one.numpy(), other.numpy(), strict=True)
    ]
    assert chamfer(one, other).tolist() == pytest.approx(expected, rel=1e-5)

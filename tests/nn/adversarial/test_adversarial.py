"""What adversarial models share, against definitions: losses, penalties, remedies for collapse, the k-step scheme."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from torch import Tensor, nn
from torch.optim import SGD, Optimizer

from anomalo.nn.adversarial.energy_distance import energy_distance
from anomalo.nn.adversarial.losses import critic_loss, generator_loss, one_centred_penalty, zero_centred_penalty
from anomalo.nn.adversarial.minibatch_features import MinibatchDeviation, MinibatchDiscrimination
from anomalo.nn.adversarial.moving_average import MovingAverage
from anomalo.nn.adversarial.network import AdversarialNetwork
from anomalo.nn.adversarial.replay_buffer import ReplayBuffer
from anomalo.nn.adversarial.step import AdversarialStep, zero_centred_outputs


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


# --- losses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("objective", ["minimax", "non-saturating"])
def test_the_critic_s_loss_is_goodfellow_s(objective: str) -> None:
    real, synthetic = torch.randn(7), torch.randn(7)
    expected = -real.sigmoid().log().mean() - (1 - synthetic.sigmoid()).log().mean()
    torch.testing.assert_close(critic_loss(objective, real, synthetic), expected)


def test_the_generator_s_losses_are_as_defined() -> None:
    real, synthetic = torch.randn(7), torch.randn(7)
    expected = {
        "minimax": (1 - synthetic.sigmoid()).log().mean(),
        "non-saturating": -synthetic.sigmoid().log().mean(),
        "relativistic": -(synthetic - real).sigmoid().log().mean(),
        "wasserstein": -synthetic.mean(),
    }
    for objective, value in expected.items():
        torch.testing.assert_close(generator_loss(objective, real, synthetic), value)


def test_the_other_critics_losses_are_as_defined() -> None:
    real, synthetic = torch.randn(7), torch.randn(7)
    relativistic = -(real - synthetic).sigmoid().log().mean()
    torch.testing.assert_close(critic_loss("relativistic", real, synthetic), relativistic)
    torch.testing.assert_close(critic_loss("wasserstein", real, synthetic), synthetic.mean() - real.mean())


def test_with_minimax_losses_the_generator_s_gradient_is_the_critic_s_negated() -> None:
    logits = torch.randn(7, requires_grad=True)
    (one,) = torch.autograd.grad(critic_loss("minimax", torch.zeros(7), logits), logits)
    (other,) = torch.autograd.grad(generator_loss("minimax", torch.zeros(7), logits), logits)
    torch.testing.assert_close(one, -other)


def test_the_gradient_penalty_of_a_linear_critic_is_that_of_its_weights_length() -> None:
    weight = torch.randn(4)
    real, synthetic = torch.randn(9, 4), torch.randn(9, 4)
    expected = (weight.norm() - 1).square()
    torch.testing.assert_close(one_centred_penalty(lambda rows: rows @ weight, real, synthetic), expected)


def test_the_gradient_penalty_looks_between_real_and_synthetic_rows() -> None:
    at: list[Tensor] = []

    def critic(rows: Tensor) -> Tensor:
        at.append(rows)
        return rows.square().sum(dim=1) / 2

    real, synthetic = torch.full((500, 1), 2.0), torch.full((500, 1), 3.0)
    penalty = one_centred_penalty(critic, real, synthetic)
    torch.testing.assert_close(penalty, (at[0] - 1).square().mean())  # the slope of x^2 / 2 is x
    assert 2 <= at[0].min() < 2.05
    assert 2.95 < at[0].max() <= 3
    assert abs(float(at[0].detach().mean()) - 2.5) < 0.05


def test_the_zero_centred_penalty_and_its_gradient_have_their_closed_forms() -> None:
    factor = torch.tensor(1.5, requires_grad=True)
    rows = torch.randn(9, 3, requires_grad=True)
    penalty = zero_centred_penalty(factor * rows.square().sum(dim=1) / 2, rows)  # the slope is factor * x
    squares = rows.detach().square().sum(dim=1).mean()
    torch.testing.assert_close(penalty, factor**2 * squares / 2)
    (found,) = torch.autograd.grad(penalty, factor)
    torch.testing.assert_close(found, factor.detach() * squares)


# --- remedies ----------------------------------------------------------------------------------------------------


def test_the_minibatch_deviation_is_the_mean_standard_deviation() -> None:
    features = torch.randn(6, 3)
    out = MinibatchDeviation()(features)
    assert torch.equal(out[:, :3], features)
    expected = np.std(features.numpy(), axis=0).mean()
    np.testing.assert_allclose(out[:, 3], expected, rtol=1e-5)


def test_minibatch_discrimination_is_its_formula_row_by_row() -> None:
    layer, features = MinibatchDiscrimination(5, kernels=3, dimensions=2), torch.randn(4, 5)
    projected = (features @ layer.project.weight.detach().T).view(4, 3, 2)
    found = layer(features).detach()
    for i in range(4):
        for b in range(3):
            close = [math.exp(-float((projected[i, b] - projected[j, b]).abs().sum())) for j in range(4) if j != i]
            assert float(found[i, 5 + b]) == pytest.approx(sum(close) / 3, rel=1e-4)


def test_of_maps_of_features_the_deviation_is_one_more_map() -> None:
    features = torch.randn(6, 3, 4, 5)
    out = MinibatchDeviation()(features)
    assert out.shape == (6, 4, 4, 5)
    np.testing.assert_allclose(out[:, 3], np.std(features.numpy(), axis=0).mean(), rtol=1e-5)


def test_replay_first_fills_and_then_exchanges() -> None:
    buffer = ReplayBuffer(6, 1, share=0.5)
    first, second, third = (torch.arange(4.0)[:, None] + 10 * k for k in range(3))
    assert torch.equal(buffer.exchange(first), first)
    assert torch.equal(buffer.exchange(second), second)  # the buffer has room for two
    before = buffer.stored.flatten().tolist()
    assert before == [0, 1, 2, 3, 10, 11]
    shown = buffer.exchange(third)
    assert torch.equal(shown[2:], third[2:])
    assert set(shown[:2].flatten().tolist()) <= set(before)
    after = [*shown.flatten().tolist(), *buffer.stored.flatten().tolist()]
    assert sorted(after) == sorted([*before, *third.flatten().tolist()])


def test_replay_is_kept_with_the_network() -> None:
    one, other = ReplayBuffer(3, 2), ReplayBuffer(3, 2)
    one.exchange(torch.randn(2, 2))
    other.load_state_dict(one.state_dict())
    assert torch.equal(one.stored, other.stored)
    assert int(other.count) == 2


def test_the_moving_average_has_its_closed_form() -> None:
    net = nn.Linear(1, 1, bias=False)
    average, expected = MovingAverage(net, decay=0.5), net.weight.item()
    for k, value in enumerate([2.0, 5.0, -1.0, 4.0, 0.5] * 3, start=1):
        net.weight.data.fill_(value)
        average.update(net)
        expected += max(0.5, 9 / (9 + k)) * (value - expected)
    assert float(average.net.weight) == pytest.approx(expected)
    assert not average.net.weight.requires_grad


def test_the_moving_average_takes_over_buffers_as_they_are() -> None:
    net = nn.BatchNorm1d(2)
    average = MovingAverage(net, decay=0.5)
    net(torch.randn(50, 2) + 3)
    average.update(net)
    assert torch.equal(average.net.running_mean, net.running_mean)
    assert int(average.net.num_batches_tracked) == 1


# --- k steps of the critic for one of the generator ------------------------------------------------------------------


class Shift(nn.Module):
    """Generator and critic in one number each, so that what was updated can be seen."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(1.0))

    def forward(self, x: Tensor, given: Tensor) -> Tensor:
        return x[:, 0] * self.weight + given


def test_the_critic_steps_k_times_for_one_of_the_generator() -> None:
    net = AdversarialNetwork(Shift(), Shift(), decay=0.5)
    optimizers: list[Optimizer] = [SGD(part.parameters(), lr=0.1) for part in (net.critic, net.generator)]
    step = AdversarialStep(
        net,
        optimizers,
        "wasserstein",
        lambda x: (x, torch.zeros(len(x))),
        lambda real, given: net.generator(torch.ones(len(real), 1), given)[:, None],
        critic_steps=3,
    )
    weights = []
    for _ in range(6):
        before = net.critic.weight.item()
        step(torch.full((4, 1), 3.0))
        weights.append(net.generator.weight.item())
        assert net.critic.weight.item() != before
    assert [weights[at] == weights[at - 1] for at in range(1, 6)] == [True, False, True, True, False]
    # d(critic) = mean D(synthetic) - mean D(real) = w (1 - 3), d(generator) = -w at the critic's third step
    assert weights[2] == pytest.approx(1 + 0.1 * (1 + 3 * 0.1 * 2))
    assert int(net.critic_updates) == 6
    assert net.average.net.weight.item() != weights[-1]


def test_a_lazy_penalty_is_as_many_times_heavier() -> None:
    net = AdversarialNetwork(Shift(), Shift(), decay=0.5)
    seen: list[float] = []

    def outputs(critic: Shift, real: Tensor, synthetic: Tensor, given: Tensor, weight: float) -> Any:
        seen.append(weight)
        return zero_centred_outputs(critic, real, synthetic, given, weight)

    optimizers: list[Optimizer] = [SGD(part.parameters(), lr=0.0) for part in (net.critic, net.generator)]
    step = AdversarialStep(
        net,
        optimizers,
        "relativistic",
        lambda x: (x, x[:, 0] * 0),
        lambda x, given: net.generator(x, given)[:, None],
        outputs,
        2.0,
        4,
    )
    for _ in range(6):
        step(torch.randn(4, 1))
    assert seen == [8.0, 0.0, 0.0, 0.0, 8.0, 0.0]


# --- two samples -------------------------------------------------------------------------------------------------


def test_the_energy_distance_is_its_definition() -> None:
    one, other = torch.randn(5, 3), torch.randn(7, 3)
    a, b = one.numpy(), other.numpy()
    pairs = cdist(a, a)[~np.eye(5, dtype=bool)].mean(), cdist(b, b)[~np.eye(7, dtype=bool)].mean()
    assert float(energy_distance(one, other)) == pytest.approx(2 * cdist(a, b).mean() - sum(pairs), rel=1e-4)


def test_the_energy_distance_is_zero_on_average_between_equals_and_grows_with_a_shift() -> None:
    equal = np.mean([float(energy_distance(torch.randn(40, 2), torch.randn(40, 2))) for _ in range(200)])
    assert abs(equal) < 0.01
    near, far = (float(energy_distance(torch.randn(500, 2), torch.randn(500, 2) + s)) for s in (0.3, 1.0))
    assert 0.03 < near < far


def test_the_deviation_among_rows_of_a_label_is_that_from_their_mean() -> None:
    features = torch.randn(6, 2, 3, 3, dtype=torch.float64)
    labels = torch.tensor([0, 1, 0, 2, 1, 0])
    square = torch.zeros_like(features)
    for label in (0, 1, 2):
        rows = features[labels == label]
        square[labels == label] = (rows - rows.mean(dim=0)).square()
    expected = square.mean(dim=0).sqrt().mean()
    out = MinibatchDeviation()(features, labels)
    torch.testing.assert_close(out[:, 2], expected.expand(6, 3, 3), atol=1e-6, rtol=0)
    torch.testing.assert_close(MinibatchDeviation()(features, labels * 0), MinibatchDeviation()(features))


def test_rows_alike_within_their_labels_have_no_deviation_there() -> None:
    labels = torch.tensor([0, 1, 0, 1])
    features = torch.tensor([[0.0], [9.0]])[labels]
    assert float(MinibatchDeviation()(features)[0, 1]) == pytest.approx(4.5, abs=1e-3)
    assert float(MinibatchDeviation()(features, labels)[0, 1]) == pytest.approx(0, abs=1e-3)

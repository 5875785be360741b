"""The formulas of the autoencoders, each against another way to the same number."""

import math
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Categorical, MixtureSameFamily, MultivariateNormal, Normal, kl_divergence

from anomalo.models.run import LocalRun
from anomalo.neural import MixtureHeads
from anomalo.plugin import Block, Encoded, Layout
from anomalo_autoencoders.bottleneck.residual import Residual
from anomalo_autoencoders.bottleneck.stacked import Stacked, StackedNet
from anomalo_autoencoders.masking.denoising import Denoising, dropout
from anomalo_autoencoders.masking.masked import MaskedAutoencoder
from anomalo_autoencoders.regularised.contractive import Contractive, ContractiveNet, jacobian_norm
from anomalo_autoencoders.regularised.sparse import RATE_DECAY, Sparse, bernoulli_divergence
from anomalo_autoencoders.variational.variational_autoencoder import Variational, gaussian_divergence, log_weights


def layout(numbers: int, categories: int = 0) -> Layout:
    blocks = [Block(f"n{at}", "number", at) for at in range(numbers)]
    blocks += [Block(f"c{at}", "category", numbers + at, levels=("a", "b", "c")) for at in range(categories)]
    return Layout("table", (numbers + categories,), tuple(blocks))


def table(rows: int, numbers: int = 3, categories: int = 2) -> Encoded:
    rng = np.random.default_rng(0)
    values = np.hstack([rng.normal(size=(rows, numbers)), rng.integers(2, 5, (rows, categories))]).astype(np.float32)
    observed = rng.random(values.shape) > 0.1
    return Encoded(np.where(observed, values, 0).astype(np.float32), observed, layout(numbers, categories))


def tensors(data: Encoded) -> tuple[Tensor, Tensor]:
    return torch.tensor(data.values), torch.tensor(data.observed)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def test_the_divergence_of_bernoulli_variables() -> None:
    rates = torch.linspace(0.01, 0.99, 20)
    expected = kl_divergence(Bernoulli(torch.tensor(0.1)), Bernoulli(rates))
    torch.testing.assert_close(bernoulli_divergence(0.1, rates), expected)


def test_the_sparse_penalty_is_its_definition_with_the_rate_over_all_batches() -> None:
    model = Sparse(latent=4, target=0.2, l1=0.3, kl=0.7)
    net: Any = model.build(layout(3)).train()
    codes = [torch.rand(10, 4) for _ in range(5)]
    rate = torch.full((4,), 0.2)
    for code in codes:
        code.requires_grad_()
        penalty = model.sparsity(net, code)
        rate = RATE_DECAY * rate + (1 - RATE_DECAY) * code.detach().mean(dim=0)
        expected = 0.3 * code.abs().mean() + 0.7 * kl_divergence(Bernoulli(torch.tensor(0.2)), Bernoulli(rate)).mean()
        torch.testing.assert_close(penalty, expected)
        torch.testing.assert_close(net.rate, rate)
        # The gradient is that of a batch whose rate is the tracked one.
        now = code.mean(dim=0)
        whole = 0.3 * code.abs().mean()
        whole = whole + 0.7 * bernoulli_divergence(0.2, now + (rate - now).detach()).mean()
        torch.testing.assert_close(*(torch.autograd.grad(value, code)[0] for value in (penalty, whole)))
    before = net.eval().rate.clone()
    model.sparsity(net, codes[0])
    assert torch.equal(net.rate, before), "validation must not move the rate"


def full_jacobian(net: ContractiveNet, units: Tensor) -> Tensor:
    rows = [torch.autograd.functional.jacobian(lambda u: net.encode_units(u[None])[0], row) for row in units]
    return torch.stack([row.square().sum() for row in rows])


def test_the_jacobian_of_one_layer_is_exact() -> None:
    net = ContractiveNet(layout(3, 1), (), 5)
    units = torch.randn(7, net.heads.linear.out_features)
    torch.testing.assert_close(jacobian_norm(net, units), full_jacobian(net, units))


def test_hutchinsons_estimate_has_the_jacobian_as_its_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    net = ContractiveNet(layout(3, 1), (6,), 4)
    units = torch.randn(7, net.heads.linear.out_features)
    estimates = []
    for signs in product((0.0, 1.0), repeat=4):  # all sign vectors: the mean is exact
        monkeypatch.setattr(torch, "randint", lambda high, size, signs=signs, **_: torch.tensor(signs).expand(size))
        estimates.append(jacobian_norm(net, units))
    torch.testing.assert_close(torch.stack(estimates).mean(dim=0), full_jacobian(net, units))


def test_the_contractive_penalty_can_be_trained_on() -> None:
    for hidden in ((0,), (6,)):
        model = Contractive(latent=4, hidden=hidden, weight=2.0)
        net = model.build(layout(3, 1))
        assert isinstance(net, ContractiveNet)
        model.penalty(net, *tensors(table(20, 3, 1))).backward()
        assert net.code.weight.grad is not None
        assert net.code.weight.grad.abs().sum() > 0
        with torch.no_grad():
            assert model.penalty(net, *tensors(table(20, 3, 1))) > 0


def test_the_divergence_of_gaussians() -> None:
    mean, log_variance = torch.randn(6, 3), torch.randn(6, 3)
    expected = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0))
    torch.testing.assert_close(gaussian_divergence(mean, log_variance), expected)


def test_the_weight_of_a_code_is_prior_over_posterior() -> None:
    mean, log_variance, noise = torch.randn(6, 3), torch.randn(6, 3), torch.randn(3)
    code, weight = log_weights(noise, mean, log_variance)
    posterior = Normal(mean, (0.5 * log_variance).exp())
    torch.testing.assert_close(code, posterior.mean + posterior.stddev * noise)
    expected = Normal(0.0, 1.0).log_prob(code).sum(dim=1) - posterior.log_prob(code).sum(dim=1)
    torch.testing.assert_close(weight, expected)


class LinearGaussian(nn.Module):
    """x = W z + noise, with a posterior that is exact, or too wide."""

    def __init__(self, heads: Any, widened: float) -> None:
        super().__init__()
        self.heads, self.loading, self.widened = heads, torch.randn(4, 2), widened
        with torch.no_grad():
            heads.log_scale.copy_(torch.linspace(-1, 1, 4))
        self.noise = heads.scale().detach().square()
        self.precision = torch.eye(2) + self.loading.T @ (self.loading / self.noise[:, None])

    def posterior(self, x: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
        # The covariance must be diagonal for a mean-field posterior: rotate the code so that it is.
        covariance = torch.linalg.inv(self.precision)
        mean = x @ (self.loading / self.noise[:, None]) @ covariance
        return mean, torch.log(covariance.diagonal() * self.widened).expand_as(mean)

    def decode(self, code: Tensor) -> Tensor:
        return code @ self.loading.T


def linear_gaussian(widened: float, samples: int) -> tuple[Variational, Encoded, np.ndarray]:
    model = Variational(samples=samples)
    heads: Any = model.build(layout(4)).heads
    net = LinearGaussian(heads, widened)
    _, vectors = torch.linalg.eigh(net.precision)
    net.loading = net.loading @ vectors
    net.precision = torch.eye(2) + net.loading.T @ (net.loading / net.noise[:, None])
    model.net, model.layout_ = net, layout(4)
    model.noise_ = np.random.default_rng(1).standard_normal((samples, 2)).astype(np.float32)
    x = torch.randn(50, 4) * 2
    truth = MultivariateNormal(torch.zeros(4), net.loading @ net.loading.T + torch.diag(net.noise)).log_prob(x)
    return model, Encoded(x.numpy(), np.ones((50, 4), dtype=bool), layout(4)), -truth.numpy()


def test_the_bound_is_the_likelihood_if_the_posterior_is_exact() -> None:
    model, data, truth = linear_gaussian(widened=1.0, samples=1)
    np.testing.assert_allclose(model.score(data), truth, rtol=1e-4)


@pytest.mark.slow
def test_the_bound_tightens_with_more_codes() -> None:
    gaps = []
    for samples in (10, 5000):
        model, data, truth = linear_gaussian(widened=2.0, samples=samples)
        gaps.append(np.abs(model.score(data) - truth).mean())
    assert gaps[0] > 5 * gaps[1]
    assert gaps[1] < 0.02


def test_free_nats_cost_nothing() -> None:
    data = tensors(table(30))
    model = Variational(hide=0.0)
    net = model.build(layout(3, 2))
    losses = []
    for free in (0.0, 5.0):
        torch.manual_seed(1)
        losses.append(Variational(hide=0.0, beta=1.0, free=free).loss(net, *data).item())
    latent = 2
    cells = data[1].sum().item() / 30
    torch.manual_seed(1)
    without = Variational(hide=0.0, beta=0.0).loss(net, *data).item()
    assert losses[1] == pytest.approx(without + latent * 5.0 / cells, rel=1e-5)
    assert losses[0] < losses[1]


def test_the_mixture_is_that_of_torch() -> None:
    heads = MixtureHeads(layout(3, 2), 8, components=4)
    data = table(40)
    heads.initialise(data)
    x, observed = tensors(data)
    parameters = heads(torch.randn(40, 8) * 5)
    logs, means, scales = heads.mixture(parameters)
    mixture = MixtureSameFamily(Categorical(logits=logs), Normal(means, scales))
    nll = heads.nll(parameters, x, observed)
    expected = -mixture.log_prob(heads.standardise(x))
    torch.testing.assert_close(nll[:, :3], expected * observed[:, :3])
    torch.testing.assert_close(heads.center(parameters), mixture.mean)
    assert (nll[:, 3:][~observed[:, 3:]] == 0).all()


def test_a_masked_score_sums_each_cells_surprisal_given_the_others_and_a_tenth_of_its_single_energy() -> None:
    data = table(60)
    model = MaskedAutoencoder(hidden=(16,), epochs=3).fit(data, LocalRun())
    x, observed = tensors(data)
    total = np.zeros(60)
    heads: Any = model.net.heads
    with torch.no_grad():
        for column in range(5):
            alone = torch.zeros(5, dtype=torch.bool)
            alone[column] = True
            nll = heads.nll(model.net(x, observed & ~alone), x, observed)
            total += nll[:, column].numpy()
    numbers = data.layout.numbers
    total += 0.1 * 0.5 * np.square(np.where(data.observed, data.values, 0)[:, numbers]).sum(axis=1)
    np.testing.assert_allclose(model.score(data), total, rtol=1e-5, atol=1e-5)
    cells = model.explain(data)
    np.testing.assert_allclose(cells.contribution.sum(axis=1), total, rtol=1e-5, atol=1e-5)


def test_a_cells_expectation_does_not_depend_on_the_cell() -> None:
    data = table(60, 3, 0)
    model = MaskedAutoencoder(hidden=(16,), epochs=3).fit(data, LocalRun())
    changed = data.values.copy()
    changed[:, 1] += 100
    other = Encoded(changed, data.observed, data.layout)
    expected, moved = model.explain(data).expected, model.explain(other).expected
    np.testing.assert_array_equal(expected[:, 1], moved[:, 1])
    assert (expected[:, 0] != moved[:, 0]).any()


def test_a_wide_table_hides_columns_together() -> None:
    model = MaskedAutoencoder(hidden=(16,), epochs=1, passes=3).fit(table(60, 7, 1), LocalRun())
    assert sorted(np.bincount(model.hidden_together_)) == [2, 3, 3]


def test_tied_weights_are_one_tensor() -> None:
    free, tied = (StackedNet(layout(3, 1), (8, 4), tied) for tied in (False, True))
    matrices = [parameter for parameter in tied.parameters() if parameter.dim() == 2]
    assert len(matrices) == len([p for p in free.parameters() if p.dim() == 2]) / 2
    inner, hidden = tied.down[1], torch.randn(5, 4)
    before = tied.ascend(hidden, 1)
    torch.testing.assert_close(before, hidden @ inner.weight + tied.up[0].bias)
    with torch.no_grad():
        inner.weight.mul_(2)
    torch.testing.assert_close(tied.ascend(hidden, 1) - tied.up[0].bias, 2 * (before - tied.up[0].bias))
    units = torch.randn(5, tied.heads.linear.out_features)
    expected = tied.act(units @ tied.heads.linear.weight + tied.down[0].bias)
    torch.testing.assert_close(tied.descend(units, 0), expected)


@pytest.mark.parametrize("tied", [False, True])
def test_greedy_training_changes_one_layer_at_a_time(tied: bool) -> None:
    states: dict[str, list[dict[str, Tensor]]] = {}

    def listen(engine: Any, model: Any, run: LocalRun) -> None:
        from ignite.engine import Events

        copy = lambda: states.setdefault(f"phase {len(states)}", []).append(  # noqa: E731
            {name: value.clone() for name, value in model.net.state_dict().items()}
        )
        engine.add_event_handler(Events.STARTED, copy)

    data = table(200)
    model = Stacked(hidden=(12, 8), latent=2, tied=tied, greedy=2, epochs=2)
    run = LocalRun(notify=listen)
    model.fit(data, run)
    assert [entry["phase"] for entry in run.history] == [
        *("layer 1", "layer 1", "layer 2", "layer 2", "layer 3", "layer 3", "training", "training")
    ]
    snapshots = [found[0] for found in states.values()]
    for number, (before, after) in enumerate(pairwise(snapshots)):
        changed = {name for name in before if not torch.equal(before[name], after[name])}
        trained = ("down.0.", "heads.") if number == 0 else (f"down.{number}.", f"up.{number - 1}.")
        assert changed
        assert all(name.startswith(trained) for name in changed), changed


def test_corruption_is_of_the_three_kinds_asked_for() -> None:
    rng = np.random.default_rng(0)
    values = np.column_stack([rng.uniform(10, 20, 4000), rng.uniform(-2, -1, 4000), rng.integers(2, 5, 4000)])
    data = Encoded(values.astype(np.float32), np.ones(values.shape, dtype=bool), layout(2, 1))
    x, observed = tensors(data)

    def corrupted(**settings: float) -> tuple[np.ndarray, np.ndarray]:
        model = Denoising(**({"noise": 0.0, "patterns": 0.0, "hide": 0.0} | settings))
        model.layout_ = data.layout
        torch.manual_seed(0)
        damaged, seen = model.corrupt(x, observed)
        return damaged.numpy(), seen.numpy()

    noisy, seen = corrupted(noise=0.5)
    assert seen.all()
    np.testing.assert_array_equal(noisy[:, 2], data.values[:, 2])
    assert (noisy - data.values)[:, :2].std() == pytest.approx(0.5, rel=0.05)
    swapped, _ = corrupted(swap=0.3)
    moved = swapped != data.values
    assert moved[:, :2].mean() == pytest.approx(0.3, abs=0.02)
    for column in range(3):
        assert np.isin(swapped[:, column], data.values[:, column]).all()
    _, seen = corrupted(hide=0.25)
    assert seen.mean() == pytest.approx(0.75, abs=0.02)


@pytest.mark.parametrize(("share", "steps"), [(0.1, 26), (0.5, 128), (0.95, 243), (0.999, 255)])
def test_dropout_sets_a_share_of_units_to_zero_and_scales_the_others_up(share: float, steps: int) -> None:
    units = torch.rand(1, 401, 499) + 1  # not a multiple of the eight bytes that are drawn at once
    left = dropout(units, share)
    kept = left != 0
    torch.testing.assert_close(left[kept], units[kept] * 256 / (256 - steps))
    rate = steps / 256
    assert abs(float((~kept).float().mean()) - rate) < 5 * math.sqrt(rate * (1 - rate) / units.numel())
    one_each = [kept[:, 0::2].float().mean(), kept[:, 1::2].float().mean(), kept[:, :, 0::2].float().mean()]
    assert max(one_each) - min(one_each) < 0.02
    torch.manual_seed(1)
    again = dropout(units, share)
    assert not torch.equal(again, left)
    torch.manual_seed(1)
    assert torch.equal(dropout(units, share), again)


def test_dropout_of_nothing_changes_nothing() -> None:
    units = torch.rand(1, 3, 5)
    assert torch.equal(dropout(units, 0.0), units)


def test_units_are_dropped_in_training_only() -> None:
    net: Any = Denoising(hidden=(8, 8), members=2, dropout=0.5).build(layout(3, 2))
    x, seen = tensors(table(20))
    net.eval()
    assert torch.equal(net.encode(x, seen), net.encode(x, seen))
    net.train()
    assert not torch.equal(net.encode(x, seen), net.encode(x, seen))


def test_residual_blocks_start_as_the_identity() -> None:
    net: Any = Residual(blocks=3).build(layout(3, 1))
    hidden = torch.randn(5, 64)
    torch.testing.assert_close(nn.Sequential(*net.encoder[:3])(hidden), hidden)


def test_a_hidden_bias_is_the_target_rate_at_first() -> None:
    net: Any = Sparse(target=0.05).build(layout(3))
    code = net.encode(torch.zeros(1, 3), torch.ones(1, 3, dtype=torch.bool))
    assert code.mean().item() == pytest.approx(0.05, rel=1e-3)
    assert math.isclose(net.rate.mean().item(), 0.05, rel_tol=1e-3)

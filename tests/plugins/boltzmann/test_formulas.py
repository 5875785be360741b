"""The formulas of Boltzmann machines, each against enumeration or a closed form."""

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.special import spence
from scipy.stats import chisquare, kstest, multivariate_normal
from torch import Tensor

from anomalo.plugin import Block, Encoded, Layout
from anomalo_boltzmann.learning.contrastive_divergence import (
    LearningSettings,
    adam_optimizer,
    centred_gradient,
    complete_visible,
    set_gradients,
    update_by_contrastive_divergence,
)
from anomalo_boltzmann.likelihood.annealed_importance_sampling import (
    estimate_log_partition,
    independent_biases,
    tempered_free_energy,
)
from anomalo_boltzmann.likelihood.cell_surprisal import restricted_surprisals, surprisals_by_hiding
from anomalo_boltzmann.likelihood.enumeration import (
    binary_states,
    enumerable_sides,
    in_double_precision,
    log_likelihood,
    log_partition,
    log_weights,
    visible_states,
)
from anomalo_boltzmann.networks.fully_connected_machine import FullyConnectedMachine
from anomalo_boltzmann.networks.hidden_units import HIDDEN_KINDS, Bernoulli, Rectified
from anomalo_boltzmann.networks.random_streams import RowStream, row_keys
from anomalo_boltzmann.networks.restricted_machine import LARGEST_NORM, GradientPhase, RestrictedMachine
from anomalo_boltzmann.networks.visible_units import VisibleUnits


def layout(binary: int = 0, levels: tuple[int, ...] = (), gaussian: int = 0) -> Layout:
    blocks = [Block(f"b{k}", "number", 0, low=-1.0, high=0.0, integer=True) for k in range(binary)]
    blocks += [Block(f"c{k}", "category", 0, levels=tuple("abcdef"[:n])) for k, n in enumerate(levels)]
    blocks += [Block(f"g{k}", "number", 0, low=-3.0, high=3.0) for k in range(gaussian)]
    placed = tuple(Block(**{**vars(block), "position": at}) for at, block in enumerate(blocks))
    return Layout("table", (len(placed),), placed)


def machine(hidden: int = 3, kind: str = "bernoulli", size: float = 1.0, **columns: Any) -> RestrictedMachine:
    """Return a machine in double precision with random parameters of this size."""
    found = RestrictedMachine(VisibleUnits(layout(**columns)), hidden, kind).double()
    for parameter in found.parameters():
        parameter.copy_(0.7 * size * torch.randn_like(parameter))
    return found


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        yield
    torch.set_num_threads(threads)


def joint_energy(m: RestrictedMachine, v: Tensor, h: Tensor) -> float:
    """Return E(v, h) of one state, term by term."""
    units, total = m.units, -float(m.bias @ h)
    for i in range(units.count):
        field = sum(float(m.weight[i, j] * h[j]) for j in range(len(h)))
        if i < units.n_gaussian:
            variance = math.exp(float(units.log_variance[i]))
            total += float(v[i] - units.bias[i]) ** 2 / (2 * variance) - float(v[i]) * field / variance
        else:
            total -= float(v[i]) * (float(units.bias[i]) + field)
    return total


def test_energies_conditionals_and_the_partition_function_follow_from_the_joint_energy() -> None:
    m = machine(binary=2, levels=(3,))
    states = visible_states(m.units)
    assert sorted(map(tuple, states[:, :3].unique(dim=0).tolist())) == [(0, 0, 1), (0, 1, 0), (1, 0, 0)]
    assert len(states.unique(dim=0)) == 12
    hidden = list(torch.cat(list(binary_states(3))))
    joint = torch.tensor([[-joint_energy(m, v, h) for h in hidden] for v in states], dtype=torch.float64)
    torch.testing.assert_close(-m.free_energy(states), torch.logsumexp(joint, dim=1))
    chances = torch.softmax(joint, dim=1)
    torch.testing.assert_close(m.hidden.mean(m.drive(states)), chances @ torch.stack(hidden))
    downwards = torch.softmax(joint, dim=0)
    torch.testing.assert_close(m.rows(torch.stack(hidden)), downwards.T @ states)
    assert log_partition(m) == pytest.approx(float(torch.logsumexp(joint.flatten(), dim=0)), abs=1e-10)


def test_both_sides_give_the_same_partition_function() -> None:
    few = machine(hidden=2, binary=4, levels=(3, 2))
    by_hidden = torch.logsumexp(torch.cat([log_weights(few, h).sum(dim=1) for h in binary_states(2)]), dim=0)
    by_visible = torch.logsumexp(-few.free_energy(visible_states(few.units)), dim=0)
    assert log_partition(few) == pytest.approx(float(by_visible), abs=1e-10)
    assert float(by_hidden) == pytest.approx(float(by_visible), abs=1e-10)
    assert set(enumerable_sides(few)) == {"hidden", "visible"}
    assert set(enumerable_sides(machine(gaussian=1))) == {"hidden"}
    assert set(enumerable_sides(machine(binary=1, kind="rectified"))) == {"visible"}
    with pytest.raises(ValueError, match="annealed importance sampling"):
        log_partition(machine(hidden=21, gaussian=1))


def test_a_gaussian_machine_is_a_mixture_of_gaussians() -> None:
    m = machine(hidden=3, gaussian=2)
    b, c = m.units.bias.detach().numpy(), m.bias.detach().numpy()
    w, variance = m.weight.detach().numpy(), m.units.variance().detach().numpy()
    states = [np.array(h) for h in itertools.product([0.0, 1.0], repeat=3)]
    constant = np.prod(np.sqrt(2 * np.pi * variance))
    weights = [constant * np.exp(c @ h + (((b + w @ h) ** 2 - b**2) / (2 * variance)).sum()) for h in states]
    assert log_partition(m) == pytest.approx(math.log(sum(weights)), abs=1e-8)
    v = torch.randn(5, 2, dtype=torch.float64)
    density = sum(
        share / sum(weights) * multivariate_normal(b + w @ h, np.diag(variance)).pdf(v.numpy())
        for share, h in zip(weights, states, strict=True)
    )
    found = log_likelihood(m, v, torch.ones_like(v, dtype=torch.bool)).numpy() - log_partition(m)
    np.testing.assert_allclose(found, np.log(density), atol=1e-8)
    one = machine(hidden=2, gaussian=1)
    integral, _ = quad(lambda x: math.exp(-float(one.free_energy(torch.tensor([[x]]).double()))), -60, 60, limit=500)
    assert log_partition(one) == pytest.approx(math.log(integral), abs=1e-8)


@pytest.mark.parametrize("columns", [{"binary": 4}, {"levels": (3, 2)}, {"binary": 2, "levels": (3,)}])
@pytest.mark.parametrize("kind", ["bernoulli", "rectified"])
def test_positive_less_negative_phase_is_the_gradient_of_the_likelihood(kind: str, columns: Any) -> None:
    m = machine(kind=kind, **columns)
    states = visible_states(m.units)
    data = states[torch.randint(len(states), (7,))]
    with torch.enable_grad():
        likelihood = -m.free_energy(data).mean() - torch.logsumexp(-m.free_energy(states), dim=0)
        expected = torch.autograd.grad(likelihood, [m.weight, m.units.bias, m.bias])
    positive = m.phase(data, m.hidden.mean(m.drive(data)))
    negative = m.phase(states, m.hidden.mean(m.drive(states)), torch.softmax(-m.free_energy(states), dim=0))
    for truth, one, other in zip(expected, positive[:3], negative[:3], strict=True):
        torch.testing.assert_close(one - other, truth, rtol=0, atol=1e-8)


@pytest.mark.parametrize("columns", [{"gaussian": 3}, {"gaussian": 2, "binary": 2, "levels": (3,)}])
def test_the_same_with_gaussian_units_and_their_variances(columns: Any) -> None:
    m = machine(**columns)
    h = torch.cat(list(binary_states(3)))
    data = m.units.sample(m.rows(h), torch.rand(len(h), m.units.count)).detach()
    weights = log_weights(m, h).sum(dim=1)
    with torch.enable_grad():
        likelihood = -m.free_energy(data).mean() - torch.logsumexp(log_weights(m, h).sum(dim=1), dim=0)
        expected = torch.autograd.grad(likelihood, [m.weight, m.units.bias, m.bias, m.units.log_variance])
    positive = m.phase(data, m.hidden.mean(m.drive(data)))
    mean, deviation = m.rows(h), torch.zeros(m.units.count, dtype=torch.float64)
    deviation[: m.units.n_gaussian] = m.units.variance().sqrt()
    # Quadratic functions have their expectations halfway between one deviation up and one down.
    ends = [m.phase(mean + sign * deviation, h, torch.softmax(weights, dim=0)) for sign in (1, -1)]
    for truth, one, up, down in zip(expected, positive, *ends, strict=True):
        torch.testing.assert_close(one - (up + down) / 2, truth, rtol=0, atol=1e-8)


def test_the_centred_gradient_does_not_depend_on_what_is_called_one() -> None:
    m = machine(binary=4)
    flipped = in_double_precision(m)
    flip = torch.tensor([1.0, 0, 0, 1], dtype=torch.float64)
    # 1 - v for some units: b' = -b, W' = -W, c' = c + W
    flipped.bias.add_(flip @ m.weight)
    flipped.weight.mul_(1 - 2 * flip[:, None])
    flipped.units.bias.mul_(1 - 2 * flip)
    states = visible_states(m.units)
    data = states[[1, 2, 2, 5]]

    def ascent(one: RestrictedMachine, v: Tensor, every: Tensor) -> GradientPhase:
        h, dreamt = one.hidden.mean(one.drive(v)), one.hidden.mean(one.drive(every))
        shares = torch.softmax(-one.free_energy(every), dim=0)
        return centred_gradient(one.phase(v, h), one.phase(every, dreamt, shares), v.mean(dim=0), h.mean(dim=0))

    plain, other = ascent(m, data, states), ascent(flipped, (data - flip).abs(), (states - flip).abs())
    torch.testing.assert_close(other.weight, plain.weight * (1 - 2 * flip[:, None]))
    torch.testing.assert_close(other.visible, plain.visible * (1 - 2 * flip))
    torch.testing.assert_close(other.hidden, plain.hidden + flip @ plain.weight)


def test_unknown_units_are_summed_out_exactly_or_bounded() -> None:
    m = machine(binary=2, levels=(3,), gaussian=1)
    v = torch.tensor([[0.3, 0, 1, 0, 1, 0]], dtype=torch.float64)
    seen = torch.tensor([[True, False, False, False, True, False]])
    rest = visible_states(VisibleUnits(layout(binary=1, levels=(3,))))
    whole = v.repeat(6, 1)
    whole[:, [1, 2, 3, 5]] = rest
    truth = -torch.logsumexp(-m.free_energy(whole), dim=0)
    bound, expected = m.marginal(v * seen, seen)
    assert float(-log_likelihood(m, v * seen, seen)) == pytest.approx(float(truth), abs=1e-10)
    assert truth <= float(bound) < truth + 1
    assert torch.equal(expected[seen], v[seen])
    gaussian = torch.ones(1, 6, dtype=torch.bool)
    gaussian[:, 0] = False
    integral, _ = quad(
        lambda x: math.exp(-float(m.free_energy(torch.cat([torch.tensor([[x]]).double(), v[:, 1:]], dim=1)))), -40, 40
    )
    assert float(log_likelihood(m, v * gaussian, gaussian)) == pytest.approx(math.log(integral), abs=1e-8)
    torch.testing.assert_close(m.marginal(whole, whole > -9)[0], m.free_energy(whole))


@pytest.mark.parametrize("kind", ["bernoulli", "rectified"])
def test_surprisals_of_single_cells_are_exact_and_those_of_gaussian_ones_by_mean_field(kind: str) -> None:
    m = machine(kind=kind, binary=2, levels=(3, 2), gaussian=2, size=0.7)
    m.constrain()
    v = m.units.sample(m.rows(torch.rand(4, 3).double()), torch.rand(4, m.units.count).double())
    seen = torch.ones_like(v, dtype=torch.bool)
    found, expected = restricted_surprisals(m, v, seen)
    column = m.units.column
    for at in range(2, 4):  # categories
        levels_of_cell = column == at
        every = v[:, None].repeat(1, int(levels_of_cell.sum()), 1)
        every[:, :, levels_of_cell] = torch.eye(int(levels_of_cell.sum())).double()
        energies = m.free_energy(every.flatten(0, 1)).view(4, -1)
        torch.testing.assert_close(found[:, at], m.free_energy(v) + torch.logsumexp(-energies, dim=1))
        torch.testing.assert_close(expected[:, levels_of_cell], torch.softmax(-energies, dim=1))
    for at in range(2):  # binary numbers
        on, off = (torch.where(column == at, value, v) for value in (1.0, 0.0))
        both = torch.stack([-m.free_energy(on), -m.free_energy(off)])
        torch.testing.assert_close(found[:, at], m.free_energy(v) + torch.logsumexp(both, dim=0))
        torch.testing.assert_close(expected[:, column == at][:, 0], torch.softmax(both, dim=0)[0])
    slow, fills = surprisals_by_hiding(m, v, seen)
    torch.testing.assert_close(found[:, 4:], slow[:, 4:], rtol=0, atol=1e-3)
    torch.testing.assert_close(expected[:, :2], fills[:, :2], rtol=0, atol=1e-2)


def test_rectified_units_are_what_their_copies_add_up_to() -> None:
    x = torch.linspace(-30, 30, 201, dtype=torch.float64, requires_grad=True)
    unit = Rectified()
    np.testing.assert_allclose(
        unit.cumulant(x).detach(), -spence(1 + np.exp(x.detach().numpy())), rtol=1e-9, atol=1e-12
    )
    with torch.enable_grad():
        (slope,) = torch.autograd.grad(unit.cumulant(x).sum(), x)
    torch.testing.assert_close(slope, unit.mean(x))
    near = x.detach()[90:130]
    copies = torch.sigmoid(near[:, None] - torch.arange(100) - 0.5).sum(dim=1)
    torch.testing.assert_close(unit.mean(near), copies, rtol=0, atol=0.02)
    drawn = unit.sample(torch.full((20_000, 1), 4.0), torch.rand(20_000, 1))
    assert drawn.mean() == pytest.approx(4.0, abs=0.05)
    assert drawn.var() == pytest.approx(torch.sigmoid(torch.tensor(4.0)).item(), abs=0.05)


def test_rectified_and_gaussian_units_keep_a_distribution() -> None:
    m = machine(kind="rectified", gaussian=3, size=5.0)
    m.constrain()
    scaled = m.weight / m.units.variance().sqrt()[:, None]
    assert float(torch.linalg.matrix_norm(scaled, 2)) == pytest.approx(LARGEST_NORM)
    far = 1e4 * torch.randn(50, 3, dtype=torch.float64)
    assert (m.free_energy(far) > m.free_energy(far / 2)).all()


def frequencies(states: Tensor, drawn: Tensor) -> np.ndarray:
    """Return how often each of the states was drawn."""
    same = (drawn[:, None] == states).all(dim=2)
    assert same.any(dim=1).all()
    return same.sum(dim=0).numpy()


@pytest.mark.parametrize("clamped", [False, True])
def test_gibbs_sampling_visits_states_as_often_as_they_are_probable(clamped: bool) -> None:
    m = machine(hidden=2, binary=3, levels=(3,))
    states = visible_states(m.units)
    if clamped:
        states = states[states[:, 4] == 1]
    seen = torch.zeros(4000, 6, dtype=torch.bool)
    seen[:, 4] = clamped
    noise = RowStream(torch.arange(4000))
    v = seen.double()
    for _ in range(25):
        v = m.sweep(v, lambda width: noise(width).double(), seen=seen)[1]
    shares = torch.softmax(-m.free_energy(states), dim=0).numpy()
    assert chisquare(frequencies(states, v), shares * 4000).pvalue > 1e-3


def test_drawn_units_have_the_distributions_of_their_kind() -> None:
    units = VisibleUnits(layout(binary=1, levels=(4,), gaussian=1)).double()
    units.log_variance.fill_(math.log(4.0))
    expected = torch.tensor([[1.0, 0.1, 0.2, 0.3, 0.4, 0.25]], dtype=torch.float64).repeat(5000, 1)
    drawn = units.sample(expected, torch.rand(5000, 6, dtype=torch.float64))
    assert kstest((drawn[:, 0].numpy() - 1) / 2, "norm").pvalue > 1e-3
    assert chisquare(drawn[:, 1:5].sum(dim=0).numpy(), 5000 * np.array([0.1, 0.2, 0.3, 0.4])).pvalue > 1e-3
    assert float(drawn[:, 5].mean()) == pytest.approx(0.25, abs=0.03)


def test_annealed_importance_sampling_is_near_the_truth() -> None:
    m = machine(hidden=8, binary=8, levels=(3,), gaussian=2, size=0.6)
    v, seen = torch.zeros(3, 13, dtype=torch.float64), torch.zeros(3, 13, dtype=torch.bool)
    base = independent_biases(m.units, v, seen)
    found, weights = estimate_log_partition(m, base, temperatures=1000)
    truth = log_partition(m)
    assert abs(found.value - truth) < 0.05
    assert found.low < truth < found.high
    assert found.low <= found.value <= found.high < found.low + 0.5
    assert len(weights) == 100
    torch.testing.assert_close(tempered_free_energy(m, v, base, 1.0), m.free_energy(v))


def test_base_rates_are_those_of_the_rows() -> None:
    units = VisibleUnits(layout(binary=1, levels=(2,), gaussian=1)).double()
    v = torch.tensor([[2.0, 1, 0, 1], [4.0, 1, 0, 0], [0.0, 0, 0, 1]], dtype=torch.float64)
    seen = torch.tensor([[True] * 4, [True] * 4, [False, False, False, True]])
    base = independent_biases(units, v, seen)
    assert base[0] == 3
    np.testing.assert_allclose(torch.softmax(base[1:3], dim=0), [0.75, 0.25])
    np.testing.assert_allclose(torch.sigmoid(base[3]), 0.6)


def test_unknown_cells_are_drawn_from_their_conditional_distribution() -> None:
    m = machine(hidden=2, binary=3, size=0.6)
    seen = torch.tensor([[True, True, False]]).repeat(4000, 1)
    v = torch.tensor([[1.0, 0, 0]], dtype=torch.float64).repeat(4000, 1)
    filled, h = complete_visible(m, v, seen)
    both = torch.tensor([[1.0, 0, 0], [1, 0, 1]], dtype=torch.float64)
    share = torch.softmax(-m.free_energy(both), dim=0)[1]
    torch.testing.assert_close(h, m.hidden.mean(m.drive(filled)))
    assert torch.equal(filled[seen], v[seen])
    assert float(filled[:, 2].mean()) == pytest.approx(float(share), abs=0.03)


def test_learning_gains_likelihood_and_sparsity_silences_hidden_units() -> None:
    rng = np.random.default_rng(0)
    half = rng.integers(0, 2, (300, 3))
    rows = np.hstack([half, half]).astype(np.float32) - 1
    x, observed = torch.from_numpy(rows), torch.ones(300, 6, dtype=torch.bool)
    activity = {}
    for sparsity in (0.0, 5.0):
        m = RestrictedMachine(VisibleUnits(layout(binary=6)), 6)
        m.units.initialise(Encoded(rows, observed.numpy(), layout(binary=6)))
        settings = LearningSettings(1, persistent=False, target=0.1, sparsity=sparsity)
        step = update_by_contrastive_divergence(
            m, [adam_optimizer(list(m.parameters()), 0.05, 0.9)], source=m.units.encode, settings=settings
        )
        for _ in range(120):
            step(x, observed)
        v, seen = m.units.encode(x, observed)
        activity[sparsity] = float(m.codes(v, seen).mean())
        if not sparsity:
            found = float(log_likelihood(m, v, seen).mean()) - log_partition(m)
            assert found > -3.2  # independent units give -6 log 2 = -4.16, the best is -3 log 2 = -2.08
    assert activity[5.0] < 0.25 < activity[0.0]


def test_persistent_chains_continue_and_weight_decay_shrinks() -> None:
    m = machine(binary=4).float()
    chained = RestrictedMachine(m.units, 3, chains=30)
    x, observed = torch.zeros(10, 4), torch.zeros(10, 4, dtype=torch.bool)
    settings = LearningSettings(2, persistent=True, decay=0.5)
    step = update_by_contrastive_divergence(
        chained, [adam_optimizer([chained.weight], 1e-6, 0.0)], source=m.units.encode, settings=settings
    )
    before = chained.chains.clone()
    assert before.any()
    step(x, observed)
    assert not torch.equal(before, chained.chains)
    assert ((chained.chains == 0) | (chained.chains == 1)).all()
    positive = GradientPhase(*(torch.zeros_like(p) for p in (m.weight, m.units.bias, m.bias, m.units.log_variance)))
    set_gradients(chained, positive, torch.zeros(4), torch.zeros(3), settings)
    torch.testing.assert_close(chained.weight.grad, 0.5 * chained.weight)


def test_a_machine_of_pairs_follows_from_its_energy() -> None:
    net = FullyConnectedMachine(VisibleUnits(layout(binary=2, levels=(3,)), extra=2), chains=0).double()
    half = torch.randn_like(net.coupling)
    net.coupling.copy_((half + half.T) * net.mask)
    net.units.bias.copy_(torch.randn_like(net.units.bias))
    assert not net.coupling[:3, :3].any(), "levels of one category are not connected"
    states = visible_states(net.units)
    assert len(states) == 3 * 2**4
    pairs = [(i, j) for i in range(7) for j in range(i)]
    by_hand = [
        -float(net.units.bias @ s) - sum(float(net.coupling[i, j] * s[i] * s[j]) for i, j in pairs) for s in states
    ]
    np.testing.assert_allclose(net.energy(states).detach(), by_hand)

    data = states[torch.randint(len(states), (5,))]
    with torch.enable_grad():
        likelihood = -net.energy(data).mean() - torch.logsumexp(-net.energy(states), dim=0)
        coupling, bias = torch.autograd.grad(likelihood, [net.coupling, net.units.bias])
    positive, negative = net.pairs(data), net.pairs(states, torch.softmax(-net.energy(states), dim=0))
    torch.testing.assert_close((positive[0] - negative[0]) / 2, coupling * net.mask, rtol=0, atol=1e-8)
    torch.testing.assert_close(positive[1] - negative[1], bias, rtol=0, atol=1e-8)

    noise = RowStream(torch.arange(3000))
    s = torch.zeros(3000, 7, dtype=torch.float64)
    for _ in range(25):
        s = net.sweep(s, lambda width: noise(width).double())[1]
    shares = torch.softmax(-net.energy(states), dim=0).numpy()
    often = shares * 3000 > 5
    counts = frequencies(states, s)
    pooled = [np.append(part[often], part[~often].sum()) for part in (counts, shares * 3000)]
    assert chisquare(*pooled).pvalue > 1e-3
    seen = torch.zeros(1, 7, dtype=torch.bool)
    seen[:, :5] = True
    bound, _ = net.marginal(states[:1], seen)
    truth = -torch.logsumexp(-net.energy(states[(states[:, :5] == states[0, :5]).all(dim=1)]), dim=0)
    assert truth <= float(bound) < truth + 1


def test_row_noise_is_uniform_and_belongs_to_the_row() -> None:
    data = Encoded(
        np.random.default_rng(0).normal(size=(500, 2)).astype(np.float32), np.ones((500, 2), bool), layout(2)
    )
    key = torch.from_numpy(row_keys(data, 3))
    noise = RowStream(key)
    first, second = noise(20), noise(20)
    assert kstest(first.flatten().numpy(), "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(first.flatten(), second.flatten())[0, 1]) < 0.05
    assert abs(np.corrcoef(first[1:].flatten(), first[:-1].flatten())[0, 1]) < 0.05
    assert first.min() > 0
    assert first.max() < 1
    assert torch.equal(RowStream(key[7:8])(20), first[7:8])
    assert not torch.equal(RowStream(key, 1)(20), first)
    assert not np.array_equal(row_keys(data, 4), key.numpy())
    assert isinstance(HIDDEN_KINDS["bernoulli"], Bernoulli)

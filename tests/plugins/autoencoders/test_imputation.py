"""The networks that fill: quantiles and draws against their distributions, fills against closed forms."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from anomalo.encoding.scaling import compress, expand
from anomalo.models.run import LocalRun
from anomalo.neural import ColumnHeads, MixtureHeads, NaturalHeads, compressed, natural
from anomalo.plugin import Block, Encoded, Layout
from anomalo_autoencoders.masking.denoising import Denoising, hidden_cells
from anomalo_autoencoders.piecewise_input import PiecewiseInput
from anomalo_autoencoders.variational.importance_weighted_codes import level_of_missing
from anomalo_autoencoders.variational.miwae import Miwae
from anomalo_autoencoders.variational.not_miwae import NotMiwae
from anomalo_autoencoders.variational.variational_autoencoder import Variational
from anomalo_autoencoders.variational.variational_network import VariationalNet


def layout(numbers: int, categories: int = 0) -> Layout:
    blocks = [Block(f"n{at}", "number", at, low=-9.0, high=9.0) for at in range(numbers)]
    blocks += [Block(f"c{at}", "category", numbers + at, levels=("a", "b", "c")) for at in range(categories)]
    return Layout("table", (numbers + categories,), tuple(blocks))


def encoded(values: Any, observed: Any, categories: int = 0) -> Encoded:
    values = np.where(observed, values, 0).astype(np.float32)
    return Encoded(values, np.asarray(observed), layout(values.shape[1] - categories, categories))


def correlated(rows: int, seed: int = 0, shown: float = 0.7) -> tuple[Encoded, np.ndarray]:
    """Three numbers and a category that follow one hidden number, with cells missing at random; and the truth."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(rows, 1))
    numbers = 0.8 * hidden + 0.3 * rng.normal(size=(rows, 3))
    values = np.hstack([numbers, 2 + np.digitize(hidden, [-0.5, 0.5])])
    return encoded(values, rng.random(values.shape) < shown, 1), values


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


# Quantiles of the heads.


def test_the_natural_scale_is_the_encoders_without_its_compression() -> None:
    values = np.linspace(-40, 40, 801)
    inside = torch.from_numpy(compress(values))
    np.testing.assert_allclose(natural(inside).numpy(), expand(inside.numpy()), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(compressed(natural(inside)).numpy(), inside.numpy(), rtol=1e-6, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [ColumnHeads, NaturalHeads, MixtureHeads])
def test_uniform_shares_draw_from_the_distribution_of_the_heads(kind: type[ColumnHeads]) -> None:
    heads = kind(layout(2, 2), 4)
    data, _ = correlated(200)
    heads.initialise(encoded(data.values[:, [0, 1, 3, 3]], data.observed[:, [0, 1, 3, 3]], 2))
    parameters = heads.linear(2 * torch.randn(1, 4)) + torch.randn(1, heads.linear.out_features) * 0.5
    shares = (torch.arange(2000) + 0.5) / 2000
    drawn = heads.quantiles(parameters, shares[None, :, None].expand(1, 2000, 4))[0].detach()
    assert (drawn[1:] >= drawn[:-1]).all()
    numbers = natural(drawn[:, :2]) if kind is NaturalHeads else drawn[:, :2]
    found = ((numbers - heads.mean) / heads.deviation).detach()
    torch.testing.assert_close(found.mean(dim=0), heads.center(parameters)[0].detach(), atol=0.02, rtol=0)
    for column, expected in enumerate(heads.probabilities(parameters)):
        counts = torch.bincount(drawn[:, 2 + column].long() - 2, minlength=3) / 2000
        torch.testing.assert_close(counts, expected[0].detach(), atol=2e-3, rtol=0)


def test_a_mixtures_quantiles_undo_its_distribution_function() -> None:
    heads = MixtureHeads(layout(1), 4, components=3)
    parameters = torch.randn(6, 9)
    levels = torch.tensor([0.01, 0.3, 0.9]).expand(6, 3)[:, :, None]
    weights, means, scales = (part[:, 0].detach().numpy() for part in heads.mixture(parameters))
    found = heads.number_quantiles(parameters, levels)[:, :, 0].detach().numpy()
    for row in range(6):
        reached = [(np.exp(weights[row]) * stats.norm.cdf(at, means[row], scales[row])).sum() for at in found[row]]
        np.testing.assert_allclose(reached, [0.01, 0.3, 0.9], atol=1e-4)


# What the network is shown.


def test_pieces_are_how_far_a_number_has_got_between_quantiles() -> None:
    data = encoded(np.arange(101.0)[:, None], np.ones((101, 1), dtype=bool))
    first = PiecewiseInput(data.layout, 5, pieces=4)
    first.initialise(data)
    np.testing.assert_allclose(first.lower.numpy(), [[0, 25, 50, 75]])
    x, seen = torch.tensor([[60.0]]), torch.ones(1, 1, dtype=torch.bool)
    plain = super(PiecewiseInput, first).forward(x, seen)
    position = torch.tensor([[1.0, 1.0, 0.4, 0.0]]) - 0.5
    torch.testing.assert_close(first(x, seen), plain + position @ first.pieces.T)
    hidden = torch.zeros(1, 1, dtype=torch.bool)
    torch.testing.assert_close(first(x, hidden), super(PiecewiseInput, first).forward(x, hidden))


def test_hidden_cells_follow_the_patterns_of_other_rows() -> None:
    observed = torch.ones(4000, 6, dtype=torch.bool)
    observed[::2, :3] = False  # half of the rows lack the first three together
    hidden = hidden_cells(observed, 0.3, patterns=1.0)
    together = hidden[:, :3].all(dim=1)
    assert together.float().mean() == pytest.approx(0.5, abs=0.03)
    assert (hidden[together].sum(dim=1) <= 4).all()
    assert (hidden[~together].sum(dim=1) == 1).all()
    assert hidden_cells(observed, 0.3, patterns=0.0).float().mean() == pytest.approx(0.3, abs=0.02)


# Fills against what is known.


def test_the_denoiser_comes_close_to_the_conditional_expectation() -> None:
    train, _ = correlated(800)
    test, truth = correlated(400, seed=1)
    model = Denoising(members=2, hidden=(32, 32), pieces=4, epochs=12).fit(train, LocalRun(seed=0))
    filled = model.impute(test, draws=40)
    covariance = 0.64 * np.ones((3, 3)) + 0.09 * np.eye(3)
    errors, best, inside = [], [], []
    for row, seen in enumerate(test.observed[:, :3]):
        weights = covariance[np.ix_(~seen, seen)] @ np.linalg.inv(covariance[np.ix_(seen, seen)])
        best += list(weights @ truth[row, :3][seen] - truth[row, :3][~seen])
        errors += list(filled.point[row, :3][~seen] - truth[row, :3][~seen])
        inside += list((filled.low <= truth)[row, :3][~seen] & (truth <= filled.high)[row, :3][~seen])
    assert np.sqrt(np.mean(np.square(errors))) < 1.12 * np.sqrt(np.mean(np.square(best)))
    assert 0.82 < np.mean(inside) < 0.98
    missing = ~test.observed
    deviation = filled.draws.std(axis=0)[missing[:, :3].nonzero()[0], missing[:, :3].nonzero()[1]]
    assert np.median(deviation) == pytest.approx(np.std(errors), rel=0.35)


def test_a_number_is_expected_on_its_natural_scale() -> None:
    rng = np.random.default_rng(0)
    skewed = np.where(rng.random((2000, 1)) < 0.2, 8.0, rng.normal(size=(2000, 1)))
    data = encoded(np.hstack([compress(skewed), rng.normal(size=(2000, 1))]), np.ones((2000, 2), dtype=bool))
    model = Denoising(members=1, hidden=(16,), pieces=4, epochs=10).fit(data, LocalRun(seed=0))
    hidden = np.zeros((2000, 2), dtype=bool)
    hidden[:, 0] = True
    fill = expand(model.impute(data.hide(hidden)).point[:, 0]).mean()
    assert fill == pytest.approx(skewed.mean(), rel=0.15)
    assert fill > 1.12 * expand(compress(skewed).mean())


class LinearGaussian(VariationalNet):
    """x = W z + noise, with a proposal of fixed width about the mean of the complete row's posterior."""

    def __init__(self, heads: Any) -> None:
        nn.Module.__init__(self)
        self.heads, self.loading = heads, 0.5 * torch.randn(4, 2)
        with torch.no_grad():
            heads.log_scale.fill_(-1.0)
        self.noise = heads.scale().detach().square()

    def posterior(self, x: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
        return torch.zeros(len(x), 2), torch.zeros(len(x), 2)

    def decode(self, code: Tensor) -> Tensor:
        return code @ self.loading.T


@pytest.mark.slow
def test_fills_by_importance_are_the_closed_form() -> None:
    model = Variational(samples=8000)
    model.layout_ = layout(4)
    heads: Any = model.build(model.layout_).heads
    net: Any = LinearGaussian(heads)
    model.net, model.noise_ = net, np.random.default_rng(0).standard_normal((8000, 2)).astype(np.float32)
    rng = np.random.default_rng(1)
    covariance = (net.loading @ net.loading.T + torch.diag(net.noise)).numpy()
    values = rng.multivariate_normal(np.zeros(4), covariance, 8)
    seen = np.array([[True, True, False, False], [True, False, True, True]] * 4)
    model.chunk = 8
    filled = model.impute(encoded(values, seen), draws=3000)
    for row in range(8):
        o, m = seen[row], ~seen[row]
        gain = covariance[np.ix_(m, o)] @ np.linalg.inv(covariance[np.ix_(o, o)])
        mean, conditional = gain @ values[row, o], covariance[np.ix_(m, m)] - gain @ covariance[np.ix_(o, m)]
        deviation = np.sqrt(conditional.diagonal())
        np.testing.assert_allclose(filled.point[row, m], mean, atol=0.08)
        np.testing.assert_allclose(filled.high[row, m] - mean, 1.645 * deviation, atol=0.15)
        drawn = filled.draws[:, row][:, m]
        np.testing.assert_allclose(drawn.mean(axis=0), mean, atol=0.1)
        np.testing.assert_allclose(np.cov(drawn.T), conditional, atol=0.08)
    assert (filled.point[seen] == values.astype(np.float32)[seen]).all()


def test_the_bound_of_miwae_is_the_likelihood_of_the_observed_cells() -> None:
    model = Miwae(particles=10_000, hide=0.0)
    model.layout_ = layout(4)
    net: Any = LinearGaussian(model.build(model.layout_).heads)
    covariance = (net.loading @ net.loading.T + torch.diag(net.noise)).numpy()
    data = encoded(np.array([[0.3, -0.5, 9.0, 0.2]]), [[True, True, False, True]])
    kept = np.ix_([0, 1, 3], [0, 1, 3])
    truth = -stats.multivariate_normal(np.zeros(3), covariance[kept]).logpdf([0.3, -0.5, 0.2]) / 3
    found = model.loss(net, torch.tensor(data.values), torch.tensor(data.observed)).item()
    assert found == pytest.approx(truth, abs=0.02)


def test_levels_of_a_missing_number_follow_its_tilted_distribution() -> None:
    shares = torch.tensor([0.1, 0.2, 0.3, 0.4])[None, :, None]
    for uniform, level in ((0.05, 0.125), (0.1, 0.25), (0.2, 0.375), (1.0, 1.0)):
        found = level_of_missing(shares, torch.tensor([[uniform]]))
        assert found.item() == pytest.approx(level, abs=1e-5)


def self_masked(rows: int) -> tuple[Encoded, np.ndarray]:
    """Four numbers and a category that follow one hidden number; large ones of the first go missing."""
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(rows, 1))
    values = np.hstack([hidden + 0.5 * rng.normal(size=(rows, 4)), 2 + np.digitize(hidden, [-0.5, 0.5])])
    observed = np.ones(values.shape, dtype=bool)
    observed[:, 0] = rng.random(rows) > 1 / (1 + np.exp(-4 * (values[:, 0] - 0.5)))
    return encoded(values, observed, 1), values


@pytest.mark.slow
def test_a_model_of_the_mask_finds_the_mean_that_missing_not_at_random_hides() -> None:
    data, truth = self_masked(800)
    errors = {}
    for model in (Miwae, NotMiwae):
        settings: dict[str, Any] = {"hidden": (32, 16), "epochs": 20, "samples": 32, "hide": 0.0, "patience": 40}
        found = model(**settings, learning_rate=2e-2).fit(data, LocalRun(seed=0)).impute(data, draws=5)
        missing = ~data.observed[:, 0]
        errors[model.name] = float((found.point[missing, 0] - truth[missing, 0]).mean())
        errors[f"{model.name} draws"] = float((found.draws[:, missing, 0] - truth[missing, 0]).mean())
    assert errors["miwae"] < -0.25, errors
    assert abs(errors["notmiwae"]) < 0.5 * abs(errors["miwae"]), errors
    assert abs(errors["notmiwae draws"]) < 0.5 * abs(errors["miwae draws"]), errors


# Of every imputing network.


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Denoising, Miwae, NotMiwae, Variational])
def test_draws_belong_to_the_row_and_follow_the_probabilities(kind: type[Any]) -> None:
    train, _ = correlated(120)
    test, _ = correlated(40, seed=1, shown=0.5)
    model = kind(epochs=2).fit(train, LocalRun(seed=0))
    filled = model.impute(test, draws=60)
    order = np.random.default_rng(0).permutation(40)
    mixed, alone = model.impute(test.take(order), draws=60), model.impute(test.take(slice(3, 4)), draws=60)
    for name in ("point", "low", "high"):
        np.testing.assert_array_equal(getattr(mixed, name), getattr(filled, name)[order])
        np.testing.assert_array_equal(getattr(alone, name), getattr(filled, name)[3:4])
    assert (mixed.draws == filled.draws[:, order]).all()
    assert (alone.draws == filled.draws[:, 3:4]).all()
    assert (model.impute(test, draws=2).draws == filled.draws[:2]).all()
    assert (filled.draws[:, test.observed] == test.values[test.observed]).all()
    assert np.isnan(filled.low[:, 3]).all()
    assert (filled.low <= filled.high)[:, :3].all()
    missing = ~test.observed[:, 3]
    for level in range(3):
        share = (filled.draws[:, missing, 3] == level + 2).mean()
        assert share == pytest.approx(filled.proba[3][missing, level].mean(), abs=0.04)

"""Networks of windows: shapes, steps, masks, what training hides, and what a short training learns."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from anomalo.encoding.encoded import Encoded
from anomalo.models.run import LocalRun
from anomalo.testing.series import WIDTH, series
from anomalo_series.networks.layers import Steps, bridge, hidden_cells
from anomalo_series.networks.masked_series import Attention, MaskedSeries
from anomalo_series.networks.recurrent import CELLS, Recurrence, Recurrent
from anomalo_series.networks.recurrent_vae import RecurrentVae, VariationalRecurrence, divergence
from anomalo_series.networks.series_network import SeriesNetwork, mean_square
from anomalo_series.networks.tcn import Tcn, TemporalConvolutions

TRAIN, NEW = series()
NETWORKS = [Recurrent(epochs=2), RecurrentVae(epochs=2), Tcn(epochs=2), MaskedSeries(epochs=2, width=8, layers=1)]


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(5)


@pytest.mark.parametrize("points", [1, 7, 100])
@pytest.mark.parametrize("columns", [1, 3])
def test_networks_take_windows_of_any_length(points: int, columns: int) -> None:
    x, seen = torch.randn(2, points, columns), torch.ones(2, points, columns, dtype=torch.bool)
    for cell in CELLS:
        assert Recurrence(points, columns, 5, 2, cell)(x, seen).shape == x.shape
    assert TemporalConvolutions(points, columns, 4, 1)(x, seen).shape == x.shape
    assert Attention(points, columns, 8, 1)(x, seen).shape == x.shape


@pytest.mark.parametrize(("points", "most"), [(10, 24), (24, 24), (50, 24), (288, 24)])
def test_steps_are_cut_and_joined_again(points: int, most: int) -> None:
    steps, x = Steps(points, 2, most), torch.randn(3, points, 2)
    cut = steps.cut(x)
    assert cut.shape == (3, steps.count, 2 * steps.length)
    assert steps.count <= most
    assert (steps.join(cut) == x).all()


@pytest.mark.parametrize("model", NETWORKS, ids=lambda model: model.name)
def test_what_is_not_observed_is_not_seen(model: SeriesNetwork) -> None:
    net = model.build(TRAIN.layout).eval()
    x, seen = torch.randn(4, WIDTH, 2), torch.rand(4, WIDTH, 2) < 0.6
    with torch.no_grad():
        assert (net(x, seen) == net(torch.where(seen, x, 9.0), seen)).all()
        assert (net(x, seen) != net(x, torch.ones_like(seen))).any()


@pytest.mark.parametrize("model", NETWORKS, ids=lambda model: model.name)
def test_the_loss_and_its_gradient_ignore_what_is_not_observed(model: SeriesNetwork) -> None:
    net = model.build(TRAIN.layout)
    x, seen = torch.randn(8, WIDTH, 2), torch.rand(8, WIDTH, 2) < 0.6
    found = []
    for values in (x, torch.where(seen, x, 9.0)):
        torch.manual_seed(7)
        net.zero_grad()
        loss = model.loss(net, values, seen)
        loss.backward()
        found.append([loss.detach(), *(weight.grad for weight in net.parameters() if weight.grad is not None)])
    assert all((first == second).all() for first, second in zip(*found, strict=True))


def test_what_is_hidden_is_points_or_one_stretch() -> None:
    hidden = hidden_cells(torch.zeros(400, 40, 3), 0.2).numpy()
    runs = (np.diff(hidden.astype(int), axis=1, prepend=0) == 1).sum(axis=1)
    stretch = (runs <= 1).all(axis=1)
    assert 0.4 < stretch.mean() < 0.7
    assert hidden[~stretch].mean() < 0.35
    lengths = hidden[stretch].sum(axis=1)
    assert lengths.max() <= 31
    assert 0 < (lengths > 0).mean() < 0.8


def test_the_divergence_of_codes_is_that_of_torch() -> None:
    mean, spread = torch.randn(6, 3), torch.randn(6, 3)
    first = torch.distributions.Normal(mean, (0.5 * spread).exp())
    oracle = torch.distributions.kl_divergence(first, torch.distributions.Normal(0.0, 1.0)).sum(dim=1)
    assert torch.allclose(divergence(mean, spread), oracle, atol=1e-5)


def test_the_bound_is_the_normal_likelihood_of_observed_cells() -> None:
    model = RecurrentVae(beta=0.0)
    net = VariationalRecurrence(WIDTH, 2, 4, 2, "gru")
    with torch.no_grad():
        net.log_scale.copy_(torch.tensor([0.3, -0.2]))
    x, found, seen = torch.randn(5, WIDTH, 2), torch.randn(5, WIDTH, 2), torch.rand(5, WIDTH, 2) < 0.6
    normal = torch.distributions.Normal(found, net.log_scale.exp())
    constant = 0.5 * np.log(2 * np.pi)
    oracle = -normal.log_prob(x)[seen].mean() - constant
    assert model.bound(net, found, x, seen, torch.ones(5)).item() == pytest.approx(oracle.item(), abs=1e-5)


def test_the_mean_square_is_that_of_what_is_observed() -> None:
    found, x, seen = torch.randn(3, WIDTH, 2), torch.randn(3, WIDTH, 2), torch.rand(3, WIDTH, 2) < 0.5
    assert mean_square(found, x, seen) == pytest.approx(float((found - x)[seen].square().mean()), rel=1e-5)


def test_each_step_is_judged_while_it_is_hidden() -> None:
    model = MaskedSeries(epochs=1, width=8, layers=1).fit(TRAIN, LocalRun())
    one = NEW.take(slice(40, 41))
    changed = one.values.copy()
    changed[0, 5] += 3.0
    before, after = (model.explain(Encoded(values, one.observed, one.layout)) for values in (one.values, changed))
    assert (before.expected[0, 5] == after.expected[0, 5]).all()
    assert (before.expected[0, 6] != after.expected[0, 6]).any()


def test_a_fill_is_what_is_expected_given_all_that_is_observed() -> None:
    model = MaskedSeries(epochs=1, width=8, layers=1).fit(TRAIN, LocalRun())
    hidden = np.random.default_rng(0).random(NEW.values.shape) < 0.3
    given = NEW.hide(hidden)
    with torch.no_grad():
        expected = model.net(torch.tensor(given.values), torch.tensor(given.observed)).numpy()
    filled = model.impute(given).point
    assert filled[~given.observed] == pytest.approx(expected[~given.observed], abs=1e-5)
    assert (filled[given.observed] == given.values[given.observed]).all()


@pytest.mark.slow
@pytest.mark.parametrize("model", [Recurrent(epochs=25, latent=4), Tcn(epochs=25)], ids=lambda model: model.name)
def test_a_short_training_finds_a_wave_in_another_place(model: SeriesNetwork) -> None:
    model.fit(TRAIN, LocalRun())
    whole = NEW.take(np.flatnonzero(NEW.observed.all(axis=(1, 2))))
    odd = Encoded(whole.values[:, ::-1] * [1, -1], whole.observed, whole.layout)
    odd = Encoded(odd.values.astype(np.float32), odd.observed, odd.layout)
    assert np.median(model.score(odd)) > 1.5 * np.median(model.score(whole))


def test_codes_are_decoded_to_what_is_expected() -> None:
    model = Recurrent(epochs=1).fit(TRAIN, LocalRun())
    codes = model.embed(NEW)
    assert codes.shape == (len(NEW), model.latent)
    assert model.decode(codes) == pytest.approx(model.explain(NEW).expected, abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("model", NETWORKS, ids=lambda model: model.name)
def test_a_fit_that_was_stopped_goes_on_exactly(model: SeriesNetwork, after_kills: Callable[..., Any]) -> None:
    def fit(run: LocalRun) -> SeriesNetwork:
        return type(model)(**model.params() | {"epochs": 3}).fit(TRAIN, run)

    plain, resumed = fit(LocalRun(seed=1)), after_kills(fit, 3, seed=1)
    assert (plain.score(NEW) == resumed.score(NEW)).all()


def test_windows_are_drawn_from_the_prior_with_the_noise_of_cells() -> None:
    model = RecurrentVae(epochs=1, width=4, latent=2).fit(TRAIN, LocalRun())
    with torch.no_grad():
        for name, weight in model.net.named_parameters():
            if name.startswith(("from_code", "writer")):
                weight.zero_()  # what is decoded then is the heads' bias, whatever the code
        model.net.log_scale.copy_(torch.tensor([0.3, -0.2]))
    nothing = NEW.take(np.zeros(3000, dtype=np.intp))
    drawn = model.sample(nothing.hide(np.ones_like(nothing.observed)), LocalRun(seed=1)).values
    centre = model.net.steps.join(model.net.heads.bias.detach().expand(1, model.net.steps.count, -1))[0].numpy()
    assert drawn.mean(axis=0) == pytest.approx(centre, abs=0.1)
    assert drawn.std(axis=(0, 1)) == pytest.approx(np.exp([0.3, -0.2]), rel=0.05)


def test_the_code_of_a_drawn_window_is_that_of_what_is_given_or_of_the_prior() -> None:
    model = RecurrentVae(epochs=1, width=4, latent=2).fit(TRAIN, LocalRun())
    with torch.no_grad():
        model.net.log_scale.fill_(-20.0)
        model.net.to_log_variance.weight.zero_()
        model.net.to_log_variance.bias.fill_(-20.0)
        model.net.heads.weight.mul_(20)  # a code shows
    given = NEW.hide(np.random.default_rng(0).random(NEW.values.shape) < 0.3)
    drawn, expected = model.sample(given, LocalRun(seed=1)).values, model.explain(given).expected
    assert np.abs(drawn - expected)[~given.observed].max() < 0.1
    free = model.sample(NEW.hide(np.ones_like(NEW.observed)), LocalRun(seed=1)).values
    assert free.std(axis=0).mean() > 10 * np.exp(-5)


def test_lines_between_known_points_are_those_of_numpy() -> None:
    x, known = torch.randn(20, 15, 3), torch.rand(20, 15, 3) < 0.3
    found = bridge(x, known).numpy()
    for row, column in np.ndindex(20, 3):
        at = np.flatnonzero(known[row, :, column])
        line = np.interp(np.arange(15), at, x[row, at, column]) if len(at) else np.zeros(15)
        assert found[row, :, column] == pytest.approx(line, abs=1e-5)

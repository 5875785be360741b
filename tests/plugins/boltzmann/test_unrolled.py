"""The unrolled network is the belief network it starts from, and its likelihoods are what they say."""

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import expit, log_expit
from torch import Tensor

from anomalo.errors import UsageError
from anomalo.models.run import LocalRun
from anomalo.plugin import Encoded
from anomalo.testing import tables
from anomalo_autoencoders.bottleneck.linear import LinearAutoencoder
from anomalo_boltzmann.models.deep_belief_network import DeepBelief
from anomalo_boltzmann.models.restricted_boltzmann_machine import RestrictedBoltzmann
from anomalo_boltzmann.models.unrolled_autoencoder import Unrolled
from anomalo_boltzmann.networks.unrolled_network import UnrolledNet, least_squares_lines

STACKS = {
    "dbn": lambda: DeepBelief(hidden=(6, 4), epochs=1),
    "bernoulli": lambda: DeepBelief(hidden=(6, 4), epochs=1, numbers="bernoulli"),
    "rbm": lambda: RestrictedBoltzmann(hidden=5, epochs=1),
    "rectified": lambda: RestrictedBoltzmann(hidden=5, epochs=1, units="rectified"),
}


@cache
def stack(name: str) -> Any:
    return STACKS[name]().fit(tables()[0], LocalRun())


def unrolled(name: str, **params: Any) -> Any:
    model = Unrolled(epochs=1, **params)
    model.begin(tables()[0], LocalRun(initial=stack(name)))
    model.net.eval()
    return model


def complete() -> Encoded:
    """Rows without missing values, within the training table's bounds."""
    train, _ = tables()
    return train.take(np.flatnonzero(train.observed.all(axis=1)))


def tensors(data: Encoded) -> tuple[Tensor, Tensor]:
    return torch.tensor(data.values), torch.tensor(data.observed)


@pytest.mark.parametrize("name", STACKS)
def test_the_way_up_is_the_stacks_mean_field_pass(name: str) -> None:
    model, data = unrolled(name), complete()
    expected = stack(name).embed(data)
    np.testing.assert_allclose(model.net.hidden.mean(torch.tensor(model.embed(data))), expected, atol=1e-5)
    assert model.widths_ == [len(bias) for _, bias, _ in stack(name).layers()]


@pytest.mark.parametrize("name", STACKS)
def test_the_decoder_is_the_stacks_except_for_the_line_at_the_top(name: str, monkeypatch: Any) -> None:
    """With the line replaced by the activation itself, decoding gives the stack's reconstruction."""
    monkeypatch.setattr(UnrolledNet, "linearise", lambda *_: None)
    model, data = unrolled(name), complete()
    top = model.net.hidden.mean(torch.tensor(model.embed(data))).numpy()
    decoded = model.decode(top)
    np.testing.assert_allclose(decoded, stack(name).decode(top), atol=1e-5)


def test_the_line_is_the_nearest_one() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 3))
    y = expit(2 * x + rng.normal(size=3))
    start, slope = least_squares_lines(torch.tensor(x), torch.tensor(y))
    for column in range(3):
        expected = np.polyfit(x[:, column], y[:, column], 1)
        np.testing.assert_allclose([slope[column], start[column]], expected)


def test_linearising_changes_what_the_layer_above_sees_as_little_as_a_line_can(monkeypatch: Any) -> None:
    straight, data = unrolled("dbn"), tables()[0]
    monkeypatch.setattr(UnrolledNet, "linearise", lambda *_: None)
    raw = unrolled("dbn")
    code = torch.tensor(straight.embed(data))
    start, slope = least_squares_lines(code, torch.sigmoid(code))
    with torch.no_grad():
        np.testing.assert_allclose(straight.net.up[-1](code), raw.net.up[-1](start + slope * code), atol=1e-5)


def test_bernoulli_outputs_count_by_their_cross_entropy() -> None:
    model, data = unrolled("bernoulli"), complete()
    heads, layout = model.net.heads, data.layout
    with torch.no_grad():
        parameters = model.net(*tensors(data))
        nll = heads.nll(parameters, *tensors(data)).numpy()
        expected = heads.expected(parameters).numpy()
    for index, at in enumerate(layout.numbers):
        block, logit = layout.blocks[at], parameters[:, index].numpy().astype(float)
        share = (data.values[:, at] - block.low) / (block.high - block.low)
        np.testing.assert_allclose(nll[:, at], -share * log_expit(logit) - (1 - share) * log_expit(-logit), atol=1e-4)
        np.testing.assert_allclose(expected[:, at], block.low + (block.high - block.low) * expit(logit), atol=1e-4)


def test_draws_of_bernoulli_outputs_are_at_the_ends_as_often_as_they_say() -> None:
    model, data = unrolled("bernoulli"), tables()[0]
    missing = data.hide(np.arange(5) == np.zeros((len(data), 1)))  # the first number
    filled = model.impute(missing, draws=200)
    block = data.layout.blocks[0]
    high = filled.draws[:, :, 0] > (block.low + block.high) / 2
    np.testing.assert_allclose(np.unique(filled.draws[:, :, 0]), [block.low, block.high], atol=1e-5)
    expected = (filled.point[:, 0] - block.low) / (block.high - block.low)
    assert abs(high.mean() - expected.mean()) < 0.02


def test_fine_tuning_lowers_the_loss_and_continues_from_its_last_weights() -> None:
    train, _ = tables()
    first = Unrolled(epochs=8, hide=0.0, learning_rate=0.01, holdout=0.0)
    run = LocalRun(initial=stack("dbn"))
    first.fit(train, run)
    losses = [entry["loss"] for entry in run.history]
    assert losses[-1] < losses[0] - 0.05
    again = LocalRun(initial=first)
    Unrolled(epochs=1, hide=0.0, learning_rate=1e-7, holdout=0.0).fit(train, again)
    assert again.history[0]["loss"] == pytest.approx(losses[-1], abs=0.05)


def test_weights_from_nothing() -> None:
    train, _ = tables()
    nets = {}
    for weights in ("modern", "small"):
        model = Unrolled(hidden=(30, 20, 3), weights=weights)
        model.begin(train, LocalRun())
        nets[weights] = model.net.down[1].weight.detach().numpy()
    assert nets["small"].std() == pytest.approx(0.01, rel=0.1)
    assert nets["modern"].std() == pytest.approx(4 * np.sqrt(2 / 50), rel=0.1)


def test_what_is_no_stack_is_refused() -> None:
    train, _ = tables()
    other = LinearAutoencoder(epochs=1).fit(train, LocalRun())
    with pytest.raises(UsageError, match="model 'unrolled' cannot start from a 'linear': it has no layers"):
        Unrolled(hidden=(4, 2)).fit(train, LocalRun(initial=other))

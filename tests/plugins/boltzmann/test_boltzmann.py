"""Boltzmann machines as models of tables: deep ones against enumeration, fills, samples, likelihoods, resumed fits."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from torch import Tensor

from anomalo.errors import ParameterError
from anomalo.models.run import LocalRun
from anomalo.persistence.resume import Checkpoint, resumable_state
from anomalo.plugin import FIRST_LEVEL, Block, Encoded, Layout
from anomalo.testing import tables
from anomalo_boltzmann.learning.contrastive_divergence import LearningSettings
from anomalo_boltzmann.learning.wake_sleep import generative_loss, recognition_loss, sample_fantasies
from anomalo_boltzmann.likelihood.enumeration import (
    binary_states,
    in_double_precision,
    log_likelihood,
    log_partition,
    visible_states,
)
from anomalo_boltzmann.models.boltzmann_machine import BoltzmannMachine
from anomalo_boltzmann.models.deep_belief_network import DeepBelief
from anomalo_boltzmann.models.deep_boltzmann_machine import DeepBoltzmann
from anomalo_boltzmann.models.restricted_boltzmann_machine import RestrictedBoltzmann
from anomalo_boltzmann.networks.belief_network import BeliefNet
from anomalo_boltzmann.networks.deep_machine import DeepMachine
from anomalo_boltzmann.networks.visible_units import VisibleUnits, is_binary

QUICK: dict[str, Any] = {"learning_rate": 0.05, "batch_size": 100, "holdout": 0.0, "patience": 1000}


def binary_layout(columns: int) -> Layout:
    blocks = [Block(f"b{at}", "number", at, low=0.0, high=1.0, integer=True) for at in range(columns)]
    return Layout("table", (columns,), tuple(blocks))


def copies(rows: int = 200) -> Encoded:
    """Return a table whose last three bits repeat the first three, with a few errors."""
    rng = np.random.default_rng(0)
    half = rng.integers(0, 2, (rows, 3))
    again = np.where(rng.random(half.shape) < 0.03, 1 - half, half)
    values = np.hstack([half, again]).astype(np.float32)
    return Encoded(values, np.ones(values.shape, dtype=bool), binary_layout(6))


def every_row() -> Encoded:
    """Return all tables rows of six bits."""
    values = torch.cat(list(binary_states(6))).numpy().astype(np.float32)
    return Encoded(values, np.ones(values.shape, dtype=bool), binary_layout(6))


def without(data: Encoded, *positions: int) -> Encoded:
    cells = np.zeros(data.observed.shape, dtype=bool)
    cells[:, list(positions)] = True
    return data.hide(cells)


def randomised(net: torch.nn.Module, size: float = 1.0) -> None:
    for parameter in net.parameters():
        parameter.copy_(size * torch.randn_like(parameter))


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def fitted() -> dict[str, Any]:
    """One model of each kind, fitted on the table of copies."""
    models = {
        "rbm": RestrictedBoltzmann(hidden=6, epochs=30, persistent=False, **QUICK),
        "dbn": DeepBelief(hidden=(6, 4), epochs=15, persistent=False, wake_sleep=3, **QUICK),
        "dbm": DeepBoltzmann(hidden=(6, 4), epochs=12, persistent=False, **QUICK),
        "boltzmann": BoltzmannMachine(hidden=2, epochs=20, **QUICK),
    }
    return {name: model.fit(copies(), LocalRun(seed=1)) for name, model in models.items()}


def test_numbers_of_two_whole_values_are_binary() -> None:
    block = Block("flag", "number", 0, offset=0.2, scale=0.5, low=-0.4, high=1.6, integer=True)
    assert is_binary(block)
    assert not is_binary(replace(block, integer=False))
    assert not is_binary(replace(block, high=3.0))
    assert not is_binary(Block("c", "category", 0, levels=("a",)))


def test_rows_become_units_and_units_rows() -> None:
    data, _ = tables()
    units = VisibleUnits(data.layout)
    units.initialise(data)
    v, seen = units.encode(torch.tensor(data.values), torch.tensor(data.observed))
    assert v.shape == (200, units.count)
    again = units.decode(v).detach().numpy()
    np.testing.assert_allclose(again[data.observed], data.values[data.observed], atol=1e-6)
    assert not v[~seen].any()
    np.testing.assert_array_equal(seen[:, : units.n_gaussian].numpy(), data.observed[:, data.layout.numbers])
    for shares in units.probabilities(units.expect(torch.zeros_like(v))):
        np.testing.assert_allclose(shares.sum(dim=1).detach(), 1, rtol=1e-5)
    scaled = VisibleUnits(data.layout, "bernoulli")
    w, _ = scaled.encode(torch.tensor(data.values), torch.tensor(data.observed))
    assert w.min() == 0
    assert w.max() == 1
    np.testing.assert_allclose(scaled.decode(w).numpy()[data.observed], data.values[data.observed], atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["rbm", "dbn", "dbm", "boltzmann"])
def test_probabilities_of_all_rows_sum_to_one_and_the_rows_of_the_table_are_likely(fitted: Any, name: str) -> None:
    model = fitted[name]
    found = model.log_likelihood(every_row())
    assert logsumexp(found) == pytest.approx(0, abs=1e-5)
    assert model.log_likelihood(copies()).mean() > -3.4  # independent bits: -4.16
    part = without(every_row(), 1, 4)
    same = (every_row().values[:, [0, 2, 3, 5]] == part.values[0, [0, 2, 3, 5]]).all(axis=1)
    assert model.log_likelihood(part.take(slice(0, 1)))[0] == pytest.approx(logsumexp(found[same]), abs=1e-5)


@pytest.mark.parametrize("name", ["rbm", "dbn", "dbm", "boltzmann"])
def test_scores_order_rows_as_their_probabilities_do(fitted: Any, name: str) -> None:
    model, rows = fitted[name], every_row()
    score, truth = model.score(rows), -model.log_likelihood(rows)
    assert np.corrcoef(score, truth)[0, 1] > 0.97
    odd = (rows.values[:, :3] != rows.values[:, 3:]).sum(axis=1)
    assert score[odd == 0].mean() < score[odd == 1].mean() < score[odd >= 2].mean()


@pytest.mark.parametrize("name", ["rbm", "dbm", "boltzmann"])
def test_a_contribution_is_a_cells_surprisal_given_the_others(fitted: Any, name: str) -> None:
    model = fitted[name]
    row = copies().take(slice(0, 1))
    wrong = row.values.copy()
    wrong[0, 4] = 1 - wrong[0, 4]
    anomalous = replace(row, values=wrong)
    cells = model.explain(anomalous)
    assert cells.contribution.sum() == pytest.approx(model.score(anomalous)[0], rel=1e-4)
    assert cells.contribution[0].argmax() in (1, 4)
    surprisals = [
        (model.log_likelihood(without(anomalous, at)) - model.log_likelihood(anomalous))[0] for at in range(6)
    ]
    shared = cells.contribution[0] - surprisals
    np.testing.assert_allclose(shared, shared.mean(), atol=1e-4 if name == "rbm" else 0.5)


@pytest.mark.parametrize("name", ["rbm", "dbn", "dbm", "boltzmann"])
def test_fills_are_conditional_expectations(fitted: Any, name: str) -> None:
    model = fitted[name]
    rows = without(copies().take(slice(0, 30)), 4)
    filled = model.impute(rows, draws=8)
    fifth = np.arange(rows.values.shape[1]) == 4
    ends = [np.where(fifth, np.float32(end), rows.values) for end in (0, 1)]
    zero, one = (model.log_likelihood(replace(rows, values=end, observed=np.ones_like(rows.observed))) for end in ends)
    truth = 1 / (1 + np.exp(zero - one))
    assert np.abs(filled.point[:, 4] - truth).mean() < 0.1
    assert np.abs(filled.draws[:, :, 4].mean(axis=0) - truth).mean() < 0.2
    assert set(np.unique(filled.draws[:, :, 4])) <= {0.0, 1.0}
    np.testing.assert_array_equal(filled.draws[:, :, :4], np.broadcast_to(rows.values[:, :4], (8, 30, 4)))
    assert (filled.low <= filled.point).all()
    assert (filled.point <= filled.high).all()
    few = model.impute(rows.take(slice(3, 5)), draws=2)
    np.testing.assert_array_equal(few.draws, filled.draws[:2, 3:5])
    np.testing.assert_array_equal(few.point, filled.point[3:5])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["rbm", "dbn", "dbm", "boltzmann"])
def test_samples_follow_the_machine_and_keep_what_is_given(fitted: Any, name: str) -> None:
    model = fitted[name]
    given = without(Encoded.concatenate([every_row()] * 10), *range(6))
    rows = model.sample(given, LocalRun(seed=0))
    assert rows.observed.all()
    alike = (rows.values[:, :3] == rows.values[:, 3:]).mean()
    every = every_row()
    truth = (np.exp(model.log_likelihood(every)) * (every.values[:, :3] == every.values[:, 3:]).mean(axis=1)).sum()
    assert alike == pytest.approx(truth, abs=0.06)
    half = replace(every_row(), observed=np.tile([True, True, True, False, False, False], (64, 1)))
    kept = model.sample(half, LocalRun(seed=0))
    np.testing.assert_array_equal(kept.values[:, :3], half.values[:, :3])
    assert (kept.values[:, :3] == kept.values[:, 3:]).mean() > 0.75
    again = model.sample(half, LocalRun(seed=0))
    np.testing.assert_array_equal(kept.values, again.values)
    assert not np.array_equal(kept.values, model.sample(half, LocalRun(seed=1)).values)


def test_samples_of_a_mixed_table_have_its_levels_and_ranges() -> None:
    train, new = tables()
    model = RestrictedBoltzmann(hidden=8, epochs=3).fit(train, LocalRun())
    given = without(Encoded.concatenate([new] * 10), 0, 1, 2)
    rows = model.sample(given, LocalRun())
    synthetic = rows.observed & ~given.observed
    for block in train.layout.blocks:
        column = rows.values[synthetic[:, block.position], block.position]
        if block.kind == "number":
            assert ((column >= block.low) & (column <= block.high)).all()
        else:
            assert set(column) <= set(range(FIRST_LEVEL, FIRST_LEVEL + block.size))
    np.testing.assert_array_equal(rows.values[given.observed], given.values[given.observed])
    missing = 1 - synthetic[:, :3].mean(axis=0)
    np.testing.assert_allclose(missing, [block.missing for block in train.layout.blocks[:3]], atol=0.05)
    assert not rows.values[~rows.observed].any()
    filled = model.impute(new)
    assert (filled.low[:, :3] <= filled.high[:, :3]).all()
    for at in (3, 4):
        np.testing.assert_allclose(filled.proba[at].sum(axis=1), 1, rtol=1e-5)


def deep_energy(net: DeepMachine, v: Tensor, h: list[Tensor]) -> float:
    """Return the energy of a deep machine, layer by layer, from the blocks of its one machine."""
    machine, first = net.machine, len(h[0])
    table = net.machine.units.binary.stop
    total = -float(machine.units.bias[:table] @ v) - float(machine.bias[:first] @ h[0])
    total -= float(v @ machine.weight[:table, :first] @ h[0])
    total -= float(machine.units.bias[table:] @ h[1]) + float(h[1] @ machine.weight[table:, :first] @ h[0])
    if len(h) == 3:
        total -= float(machine.bias[first:] @ h[2]) + float(h[1] @ machine.weight[table:, first:] @ h[2])
    return total


@pytest.mark.parametrize("widths", [(2, 3), (2, 2, 2)])
@torch.no_grad()
def test_a_deep_machine_is_a_restricted_one_with_a_layer_that_is_never_seen(widths: tuple[int, ...]) -> None:
    net = DeepMachine(binary_layout(2), widths, "auto", 0)
    randomised(net.machine)
    net.machine.constrain()
    net = net.double()
    rows = torch.cat(list(binary_states(2)))
    hidden = visible_states(VisibleUnits(Layout("table", (0,), ()), extra=sum(widths)))
    layers = [list(h.split(widths)) for h in hidden]
    joint = torch.tensor([[-deep_energy(net, v, h) for h in layers] for v in rows], dtype=torch.float64)
    v, seen = net.machine.units.encode(rows, torch.ones(4, 2, dtype=torch.bool))
    assert v.shape[1] == 2 + widths[1]
    torch.testing.assert_close(log_likelihood(net.machine, v, seen), torch.logsumexp(joint, dim=1))
    assert log_partition(net.machine) == pytest.approx(float(torch.logsumexp(joint.flatten(), dim=0)))
    assert (net.machine.marginal(v, seen)[0] >= -torch.logsumexp(joint, dim=1) - 1e-9).all()


@torch.no_grad()
def test_layers_trained_alone_are_put_together_with_halved_biases() -> None:
    net = DeepMachine(binary_layout(4), (3, 2, 2), "auto", 0)
    randomised(net.stack)
    net.compose()
    first, second, third = net.stack.layers
    v, h = torch.bernoulli(torch.full((5, 4), 0.5)), torch.bernoulli(torch.full((5, 3), 0.5))
    above, top = torch.bernoulli(torch.full((5, 2), 0.5)), torch.bernoulli(torch.full((5, 2), 0.5))
    drive = net.machine.drive(torch.cat([v, above], dim=1))
    torch.testing.assert_close(drive[:, :3], (first.drive(v) + second.field(above) + second.units.bias) / 2)
    torch.testing.assert_close(drive[:, 3:], above @ third.weight + third.bias)
    field = net.machine.field(torch.cat([h, top], dim=1)) + net.machine.units.bias
    torch.testing.assert_close(field[:, 4:], (second.drive(h) + third.field(top) + third.units.bias) / 2)
    torch.testing.assert_close(field[:, :4], h @ first.weight.T + first.units.bias)


def test_depth_is_checked() -> None:
    with pytest.raises(ParameterError, match="two layers at least"):
        DeepBelief(hidden=(5,))
    with pytest.raises(ParameterError, match="two or three hidden layers"):
        DeepBoltzmann(hidden=(5, 4, 3, 2))


@pytest.mark.slow
@torch.no_grad()
def test_a_belief_network_weighs_its_samples_by_importance() -> None:
    net = BeliefNet(VisibleUnits(binary_layout(4)), (3, 2), 0, 4000, untied=False)
    randomised(net, 0.7)
    v = torch.tensor([[1.0, 0, 1, 1], [0, 0, 1, 0]])
    seen = torch.tensor([[True] * 4, [True, True, False, True]])
    lowest, top = (in_double_precision(machine) for machine in net.layers)
    h = torch.cat(list(binary_states(3)))
    expected = []
    for row, known in zip(v, seen, strict=True):
        down = -(lowest.units.surprisal(row.double().expand(8, -1), lowest.rows(h)) * known).sum(dim=1)
        expected.append(float(torch.logsumexp(down - top.free_energy(h), dim=0)))
    found, fill = net.marginal(v * seen, seen)
    np.testing.assert_allclose(-found, expected, atol=0.05)
    down = -(lowest.units.surprisal(v[1].double().expand(8, -1), lowest.rows(h)) * seen[1]).sum(dim=1)
    shares = torch.softmax(down - top.free_energy(h), dim=0)
    assert float(fill[1, 2]) == pytest.approx(float(shares @ lowest.rows(h)[:, 2]), abs=0.02)


def test_wake_and_sleep_learn_what_lies_below_and_above() -> None:
    net = BeliefNet(VisibleUnits(binary_layout(4)), (3, 2), 10, 1, untied=True)
    with torch.no_grad():
        randomised(net)
        net.untie()
    v, h = torch.bernoulli(torch.full((6, 4), 0.5)), torch.bernoulli(torch.full((6, 3), 0.5))
    torch.testing.assert_close(net.recognise(0, v), net.layers[0].drive(v))
    generative_loss(net, [v, h], torch.ones(6, 4, dtype=torch.bool)).backward()
    error = net.layers[0].rows(h) - v
    torch.testing.assert_close(net.layers[0].weight.grad, error.T @ h / 6, rtol=1e-4, atol=1e-5)
    recognition_loss(net, [v, h]).backward()
    error = torch.sigmoid(net.layers[0].drive(v)) - h
    torch.testing.assert_close(net.recognition[0].weight.grad, error.T @ v / 6, rtol=1e-4, atol=1e-5)
    fantasy = sample_fantasies(net, h, LearningSettings(3, persistent=True))
    assert torch.equal(fantasy, net.top.chains)
    assert fantasy.shape == (10, 3)


def test_layers_are_given_bottom_up(fitted: Any) -> None:
    (only,) = fitted["rbm"].layers()
    assert [part.shape for part in only] == [(6, 6), (6,), (6,)]
    assert [layer.weight.shape for layer in fitted["dbn"].layers()] == [(6, 6), (6, 4)]
    rows = copies()
    codes = 1 / (1 + np.exp(-(rows.values @ only.weight + only.bias_hidden)))
    np.testing.assert_allclose(fitted["rbm"].embed(rows), codes, atol=1e-5)


def test_the_history_shows_the_free_energies_of_both_kinds_of_rows() -> None:
    run = LocalRun()
    model = DeepBoltzmann(hidden=(5, 4), epochs=2).fit(copies(), run)
    assert [entry["phase"] for entry in run.history] == ["layer 1"] * 2 + ["layer 2"] * 2 + ["together"] * 2
    for entry in run.history:
        assert np.isfinite([entry["free_energy"], entry["held_out_free_energy"], entry["validation_loss"]]).all()
    assert len(model.base_biases_) == 6 + 4


def test_the_partition_function_is_exact_or_has_error_bars(fitted: Any) -> None:
    exact = fitted["rbm"].log_partition()
    assert exact.exact
    assert exact.low == exact.value == exact.high == log_partition(fitted["rbm"].machine())
    wide = RestrictedBoltzmann(hidden=21, epochs=1, numbers="gaussian").fit(copies(), LocalRun())
    found = wide.log_partition(temperatures=50, runs=20)
    assert not found.exact
    assert found.low < found.value < found.high
    again = wide.log_partition(temperatures=50, runs=20)
    assert again == found
    rows = copies().take(slice(0, 3))
    np.testing.assert_allclose(wide.log_likelihood(rows, found.value), -wide.score(rows) - found.value, rtol=1e-5)
    with pytest.raises(ValueError, match="at most 1048576 can be enumerated"):
        BoltzmannMachine(hidden=20, epochs=1).fit(copies(), LocalRun()).log_partition()


class Killed(BaseException):
    """What ends an attempt."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "create",
    [
        lambda: DeepBelief(hidden=(4, 3), epochs=2, wake_sleep=2),
        lambda: DeepBoltzmann(hidden=(4, 3), epochs=2),
        lambda: BoltzmannMachine(hidden=2, epochs=3),
    ],
    ids=["dbn", "dbm", "boltzmann"],
)
def test_a_fit_is_resumed_with_its_chains(tmp_path: Path, create: Any) -> None:
    expected = create().fit(copies(), LocalRun()).state().arrays
    left = [13]

    def kill(engine: Any, *_: Any) -> None:
        def count() -> None:
            left[0] -= 1
            if not left[0]:
                raise Killed

        from ignite.engine import Events

        engine.add_event_handler(Events.ITERATION_COMPLETED, count)

    found = None
    for _ in range(20):
        left[0] = 33
        try:
            with resumable_state(tmp_path / "job", {}, resume=True) as folder:
                keep = lambda number, folder=folder: Checkpoint(folder, f"training-{number}", 0)  # noqa: E731
                found = create().fit(copies(), LocalRun(notify=kill, keep=keep)).state().arrays
                break
        except Killed:
            continue
    assert found is not None
    assert left[0] != 33
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)

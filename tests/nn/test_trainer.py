"""The loop does what a plain one does, keeps the best epoch, and leaves the process as it found it."""

import copy
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from ignite.engine import Engine, Events
from torch import Tensor, nn
from torch.optim import SGD, Optimizer

from anomalo.errors import TrainingError, UsageError
from anomalo.models.run import LocalRun
from anomalo.neural import ArrayRows, BatchSource, NeuralModel
from anomalo.nn import dataset
from anomalo.nn.dataset import HOLDOUT_AT_LEAST, Batches, split
from anomalo.nn.trainer import Phase, enough_threads, resolve_device, seeded
from anomalo.plugin import Block, Encoded, Layout, Model, Run, param

COLUMNS = 3
TRUTH = torch.tensor([[1.0, -2.0, 0.5]])


def table(rows: int = 400, seed: int = 0) -> Encoded:
    values = np.random.default_rng(seed).normal(size=(rows, COLUMNS)).astype(np.float32)
    layout = Layout("table", (COLUMNS,), tuple(Block(name, "number", at) for at, name in enumerate("abc")))
    return Encoded(values, np.ones(values.shape, dtype=bool), layout)


@dataclass(kw_only=True)
class Regression(NeuralModel):
    """Learns known weights by plain gradient descent; the held-out loss is least at half of them."""

    name = "regression"
    learning_rate: float = param(0.05, low=0.0, high=1e9)
    target: float = param(0.5)

    def build(self, layout: Layout) -> nn.Module:
        return nn.Linear(COLUMNS, 1, bias=False)

    def optimizers(self, parameters: Sequence[nn.Parameter]) -> list[Optimizer]:
        return [SGD(parameters, lr=self.learning_rate)]

    def loss(self, net: nn.Module, x: Tensor, observed: Tensor) -> Tensor:
        return (net(x) - x @ TRUTH.T).square().mean()

    def validation(self, net: nn.Module, x: Tensor, observed: Tensor) -> Tensor:
        return (net(x) - self.target * x @ TRUTH.T).square().mean()


class Diverges(Regression):
    def loss(self, net: nn.Module, x: Tensor, observed: Tensor) -> Tensor:
        return super().loss(net, x, observed) * float("nan")


class DivergesOnlyWhereHeldOut(Regression):
    def validation(self, net: nn.Module, x: Tensor, observed: Tensor) -> Tensor:
        return super().validation(net, x, observed) * float("inf")


class Interrupted(Regression):
    def loss(self, net: nn.Module, x: Tensor, observed: Tensor) -> Tensor:
        raise KeyboardInterrupt


class Noisy(Regression):
    """Draws from every global generator that a step could draw from."""

    def loss(self, net: nn.Module, x: Tensor, observed: Tensor) -> Tensor:
        return super().loss(net, x + 0.01 * torch.randn(x.shape), observed)


def factor(epoch: int, epochs: int) -> float:
    """The learning rate of an epoch, counted from 1: a half cosine from 1 towards 1/20."""
    return 0.05 + 0.95 * (1 + math.cos(math.pi * (epoch - 1) / epochs)) / 2


def replay(model: Regression, data: Encoded, seed: int) -> tuple[Tensor, list[float]]:
    """The same training as a plain loop: the best weights, and the held-out loss of each epoch."""
    train, held = split(len(data), model.holdout, seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        weight = nn.Linear(COLUMNS, 1, bias=False).weight.detach().clone()
    x, x_held = torch.from_numpy(data.values[train]), torch.from_numpy(data.values[held])
    size = min(model.batch_size, max(16, len(train) // 20))
    best, losses = weight, [math.inf]
    for epoch in range(1, model.epochs + 1):
        order = np.random.default_rng([seed, 0, epoch]).permutation(len(train))
        for start in range(0, len(train), size):
            batch = x[order[start : start + size]]
            error = batch @ (weight - TRUTH).T
            gradient = 2 * (error * batch).mean(dim=0, keepdim=True)
            weight = weight - model.learning_rate * factor(epoch, model.epochs) * gradient
        losses.append((x_held @ (weight - model.target * TRUTH).T).square().mean().item())
        if losses[-1] == min(losses):
            best = weight
        if len(losses) - 1 - losses.index(min(losses)) >= model.patience:
            break
    return best, losses[1:]


@pytest.mark.parametrize("learning_rate", [0.001, 0.003, 0.02])
def test_training_equals_a_plain_loop_with_the_best_epoch_kept(learning_rate: float) -> None:
    model = Regression(epochs=40, learning_rate=learning_rate, patience=4, holdout=0.2)
    run = LocalRun(seed=5)
    model.fit(table(), run)
    weight, losses = replay(model, table(), seed=5)
    np.testing.assert_allclose([entry["validation_loss"] for entry in run.history], losses, rtol=1e-4)
    torch.testing.assert_close(model.net.weight.detach(), weight, rtol=1e-4, atol=1e-6)
    best = int(np.argmin(losses))
    assert best + 1 < len(losses) < model.epochs or learning_rate == 0.001  # it is not the last epoch that is kept
    assert not model.net.training


def test_the_history_has_the_mean_loss_of_the_rows() -> None:
    # With a learning rate of 0 every batch sees the same weights, so that the mean is over all rows.
    model, run, data = Regression(epochs=3, learning_rate=0.0, patience=9), LocalRun(seed=1), table(77)
    model.fit(data, run)
    train, _ = split(77, model.holdout, 1)
    loss = model.loss(model.net, torch.from_numpy(data.values[train]), torch.ones(1)).item()
    np.testing.assert_allclose([entry["loss"] for entry in run.history], [loss] * 3, rtol=1e-5)
    assert [(entry["phase"], entry["epoch"], entry["epochs"]) for entry in run.history] == [
        ("training", e, 3) for e in (1, 2, 3)
    ]


@pytest.mark.parametrize(("rows", "holdout"), [(HOLDOUT_AT_LEAST - 1, 0.5), (400, 0.0)])
def test_without_held_out_rows_the_training_loss_is_used(rows: int, holdout: float) -> None:
    model, run = Regression(epochs=30, learning_rate=1e-9, patience=2, holdout=holdout), LocalRun()
    model.fit(table(rows), run)
    assert all("validation_loss" not in entry for entry in run.history)


@pytest.mark.parametrize(("rows", "share", "held"), [(39, 0.5, 0), (40, 0.5, 20), (1000, 0.1, 100), (1000, 0.0, 0)])
def test_rows_are_split_without_loss_or_overlap(rows: int, share: float, held: int) -> None:
    train, out = split(rows, share, seed=3)
    assert len(out) == held
    np.testing.assert_array_equal(np.sort(np.r_[train, out]), np.arange(rows))
    np.testing.assert_array_equal(split(rows, share, seed=3)[1], out)
    if held:
        assert split(rows, share, seed=4)[1].tolist() != out.tolist()


@dataclass(kw_only=True)
class Labelled(NeuralModel):
    """Learns a third array, of another shape and type than the values."""

    name = "labelled"

    def build(self, layout: Layout) -> nn.Module:
        return nn.Linear(COLUMNS, 2)

    def training_data(self, data: Encoded, run: Run) -> BatchSource:
        return ArrayRows(data.values, data.observed, (data.values[:, 0] > 0).astype(np.int64), device=run.device)

    def loss(self, net: nn.Module, x: Tensor, observed: Tensor, label: Tensor) -> Tensor:
        assert (x.dtype, observed.dtype, label.dtype, label.shape) == (
            torch.float32,
            torch.bool,
            torch.int64,
            (len(x),),
        )
        return nn.functional.cross_entropy(net(x), label)


def test_a_loss_takes_the_tensors_of_the_training_data() -> None:
    run = LocalRun()
    Labelled(epochs=20, learning_rate=0.05).fit(table(), run)
    assert run.history[-1]["loss"] < 0.2 < run.history[0]["loss"]
    assert run.history[-1]["validation_loss"] < 0.3


@dataclass(kw_only=True)
class Series(NeuralModel):
    """Rows [n, T, C] that are made when they are asked for."""

    name = "series"

    def build(self, layout: Layout) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(5 * 2, 1))

    def training_data(self, data: Encoded, run: Run) -> BatchSource:
        return Waves()

    def loss(self, net: nn.Module, waves: Tensor) -> Tensor:
        return (net(waves).squeeze(1) - waves.sum(dim=(1, 2))).square().mean()


class Waves:
    def __len__(self) -> int:
        return 300

    def batch(self, index: Any) -> tuple[Tensor]:
        steps = torch.from_numpy(index)[:, None, None] + torch.arange(10).reshape(5, 2)
        return (torch.sin(steps.float()),)


def test_rows_can_be_of_any_shape_and_made_when_they_are_needed() -> None:
    run = LocalRun()
    Series(epochs=30, learning_rate=0.05).fit(table(), run)
    assert run.history[-1]["validation_loss"] < 0.01 * run.history[0]["validation_loss"]


@pytest.mark.parametrize("arrays", [(), (np.zeros(3), np.zeros((2, 4)))])
def test_arrays_of_training_rows_have_equally_many(arrays: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError, match="give one or more of equally many rows"):
        ArrayRows(*arrays)


def test_arrays_that_cannot_be_written_to_are_left_as_they_are() -> None:
    array = np.arange(6.0).reshape(3, 2)
    array.flags.writeable = False
    (tensor,) = ArrayRows(array).batch(np.array([2, 1]))
    tensor.zero_()
    assert array.sum() == 15


def test_resident_rows_are_those_of_the_arrays() -> None:
    rows, index = ArrayRows(np.arange(12.0).reshape(4, 3), np.arange(4)), np.array([3, 0, 3])
    gathered = rows.batch(index)
    rows.resident = tuple(torch.tensor(array) for array in rows.arrays)  # as on an accelerator
    assert all(torch.equal(one, other) for one, other in zip(rows.batch(index), gathered, strict=True))


def test_early_stopping_takes_a_running_mean_of_the_held_out_loss() -> None:
    class Smooth(Regression):
        def phases(self, net: Any) -> list[Phase]:
            return [replace(phase, newest=0.25) for phase in super().phases(net)]

    each, smooth = LocalRun(), LocalRun()
    for model, run in ((Regression, each), (Smooth, smooth)):
        model(epochs=6, patience=99).fit(table(), run)
    mean = np.float32(each.history[0]["validation_loss"])
    for one, other in zip(each.history, smooth.history, strict=True):
        mean += np.float32(0.25) * (np.float32(one["validation_loss"]) - mean)
        assert other["validation_loss"] == pytest.approx(mean, rel=1e-6)
        assert other["loss"] == one["loss"]


def test_a_stage_can_keep_its_last_epoch() -> None:
    class Last(Regression):
        def phases(self, net: Any) -> list[Phase]:
            return [replace(phase, keeps_last=True) for phase in super().phases(net)]

    run = LocalRun(seed=5)
    model = Last(epochs=40, learning_rate=0.02, patience=4, holdout=0.2).fit(table(), run)
    assert len(run.history) == 40  # though the held-out loss rises after half of them
    torch.testing.assert_close(model.net.weight.detach(), TRUTH, rtol=0, atol=0.05)


def test_the_order_of_batches_is_a_pure_function_of_seed_phase_and_epoch() -> None:
    def batches(seed: int, phase: int, epoch: int) -> list[list[int]]:
        made = Batches(100, 32, seed, phase)
        made.epoch = epoch
        assert len(made) == 4
        return [index.tolist() for index in made]

    first = batches(1, 0, 1)
    assert [len(batch) for batch in first] == [32, 32, 32, 4]
    assert sorted(row for batch in first for row in batch) == list(range(100))
    np.random.default_rng(0).random(100)
    assert batches(1, 0, 1) == first
    others = [batches(2, 0, 1), batches(1, 1, 1), batches(1, 0, 2)]
    assert all(other != first for other in others)
    assert others[0] != others[1] != others[2]


@dataclass(kw_only=True)
class Staged(Regression):
    """First one half of the network, then the other."""

    def build(self, layout: Layout) -> nn.Module:
        return nn.Sequential(nn.Linear(COLUMNS, 2), nn.Linear(2, 1))

    def phases(self, net: Any) -> list[Phase]:
        return [
            Phase(name, list(net[at].parameters()), epochs, lambda optimizers: self.step(net, optimizers))
            for at, (name, epochs) in enumerate([("first", 2), ("second", 3)])
        ]


def test_phases_run_in_order_and_change_only_their_parameters() -> None:
    snapshots: list[dict[str, Tensor]] = []

    def record(engine: Engine, model: Any, run: LocalRun) -> None:
        snapshots.append(copy.deepcopy(model.net.state_dict()))

    def listen(engine: Engine, model: Any, run: LocalRun) -> None:
        record(engine, model, run)
        engine.add_event_handler(Events.EPOCH_COMPLETED, lambda: record(engine, model, run))

    model = Staged(epochs=9, learning_rate=0.01, target=1.0)
    run = LocalRun(notify=listen)
    model.fit(table(), run)
    assert [(entry["phase"], entry["epoch"], entry["epochs"]) for entry in run.history] == [
        *[("first", epoch, 2) for epoch in (1, 2)],
        *[("second", epoch, 3) for epoch in (1, 2, 3)],
    ]
    start, *first, between = snapshots[:4]
    for after in first:
        assert changed(start, after) == {"0.weight", "0.bias"}
    for after in snapshots[4:]:
        assert changed(between, after) == {"1.weight", "1.bias"}
    assert changed(between, model.net.state_dict()) == {"1.weight", "1.bias"}


def changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    return {name for name in before if not torch.equal(before[name], after[name])}


def test_the_learning_rate_follows_half_a_cosine() -> None:
    rates: list[float] = []

    class Recorded(Regression):
        def optimizers(self, parameters: Sequence[nn.Parameter]) -> list[Optimizer]:
            self.optimizer = SGD(parameters, lr=self.learning_rate)
            return [self.optimizer]

    model = Recorded(epochs=8, patience=99)

    def listen(engine: Engine, *_: Any) -> None:
        engine.add_event_handler(
            Events.ITERATION_COMPLETED(every=20), lambda: rates.append(model.optimizer.param_groups[0]["lr"])
        )

    model.fit(table(), LocalRun(notify=listen))
    np.testing.assert_allclose(rates, [0.05 * factor(epoch, 8) for epoch in range(1, 9)], rtol=1e-9)
    assert rates[0] == 0.05


def test_handlers_of_plugins_hear_every_iteration() -> None:
    heard: list[Any] = []

    def listen(engine: Engine, model: Model, run: LocalRun) -> None:
        heard.append((model, run))
        engine.add_event_handler(Events.ITERATION_COMPLETED, lambda: heard.append(engine.state.output["loss"]))

    model, run = Regression(epochs=3, batch_size=50, patience=99, holdout=0.0), LocalRun(notify=listen)
    model.fit(table(1001), run)
    assert heard[0] == (model, run)
    assert len(heard) - 1 == 3 * math.ceil(1001 / 50)
    assert all(isinstance(loss, Tensor) and not loss.requires_grad for loss in heard[1:])


def test_a_handler_of_a_plugin_can_end_the_training() -> None:
    def listen(engine: Engine, *_: Any) -> None:
        engine.add_event_handler(Events.EPOCH_COMPLETED(once=2), engine.terminate)

    run = LocalRun(notify=listen)
    Regression(epochs=30, patience=99).fit(table(), run)
    assert len(run.history) == 2


def test_progress_is_reported_after_each_epoch() -> None:
    calls: list[tuple[float, str]] = []
    run = LocalRun(progress=lambda share, text: calls.append((share, text)))
    Regression(epochs=4, patience=99).fit(table(), run)
    assert [share for share, _ in calls] == [0.25, 0.5, 0.75, 1.0]
    assert calls[-1][1] == f"training, loss {run.history[-1]['validation_loss']:.4g}"


def test_a_loss_that_is_not_a_number_is_reported_with_what_to_do() -> None:
    message = r"became nan in epoch 1 of phase 'training'; lower learning_rate \(now 0.05\) or look for extreme values"
    with pytest.raises(TrainingError, match=message):
        Diverges().fit(table(), LocalRun())


def test_a_learning_rate_that_is_too_high_is_reported() -> None:
    with pytest.raises(TrainingError, match=r"lower learning_rate \(now 1000000000.0\)"):
        Regression(learning_rate=1e9).fit(table(), LocalRun())


def test_a_held_out_loss_that_is_not_finite_is_reported() -> None:
    with pytest.raises(TrainingError, match="became inf in epoch 1"):
        DivergesOnlyWhereHeldOut().fit(table(), LocalRun())


def test_the_same_seed_gives_the_same_bits_and_another_one_others() -> None:
    def weights(seed: int) -> bytes:
        model = Noisy(epochs=3).fit(table(), LocalRun(seed=seed))
        return model.state().arrays["net.weight"].tobytes()

    first = weights(1)
    torch.randn(5)  # whatever the global state
    assert weights(1) == first
    assert weights(2) != first


def process_state() -> dict[str, Any]:
    return {
        "torch": torch.get_rng_state().numpy().tobytes(),
        "numpy": np.random.get_state()[1].tobytes(),
        "random": random.getstate(),
        "threads": torch.get_num_threads(),
        "gradients": torch.is_grad_enabled(),
        "dtype": torch.get_default_dtype(),
        "errors": np.geterr(),
    }


@pytest.fixture
def two_threads() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize(
    ("model", "error"),
    [
        (Noisy, None),
        (Diverges, TrainingError),
        (DivergesOnlyWhereHeldOut, TrainingError),
        (Interrupted, KeyboardInterrupt),
    ],
)
def test_the_process_is_left_as_it_was(model: type[Regression], error: type[BaseException] | None) -> None:
    before = process_state()
    fitted = model(epochs=2)
    if error is None:
        fitted.fit(table(), LocalRun())
        fitted.infer(lambda x, observed: (fitted.net(x),), table())
    else:
        with pytest.raises(error):
            fitted.fit(table(), LocalRun())
    assert process_state() == before


@pytest.mark.usefixtures("two_threads")
def test_small_work_takes_one_thread() -> None:
    with enough_threads(1000):
        assert torch.get_num_threads() == 1
    with enough_threads(10**10):
        assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == 2


def test_seeded_gives_the_state_back_even_after_an_error() -> None:
    before = torch.get_rng_state()
    drawn = []

    def draw() -> None:
        with seeded(3, torch.device("cpu")):
            drawn.append(torch.rand(2))
            raise ZeroDivisionError

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            draw()
        assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(*drawn)


@pytest.mark.parametrize("name", ["tpu9", "", "cuda:999", "GPU"])
def test_a_device_that_is_not_there_is_wrong_usage(name: str) -> None:
    with pytest.raises(UsageError, match=r"is not available here; use auto, cpu, cuda, cuda:N or mps"):
        Regression().fit(table(), LocalRun(device=name))


def test_auto_takes_a_device_that_is_there() -> None:
    assert resolve_device("cpu") == torch.device("cpu")
    assert torch.zeros(1, device=resolve_device("auto")).item() == 0


def test_two_rows_are_enough() -> None:
    run = LocalRun()
    Regression(epochs=2).fit(table(2), run)
    assert len(run.history) == 2


def test_rows_on_disk_are_shuffled_in_windows_of_blocks() -> None:
    rows = 3 * dataset.BLOCK * dataset.WINDOW + 1_000
    order = dataset.in_windows(rows, np.random.default_rng(0))
    assert np.array_equal(np.sort(order), np.arange(rows))
    window = order[: dataset.BLOCK * dataset.WINDOW]
    assert len(np.unique(window // dataset.BLOCK)) <= dataset.WINDOW + 1, "few stretches of the file"
    assert np.abs(np.diff(window)).mean() > dataset.BLOCK, "in random order"
    batches = dataset.Batches(rows, 100, 0, 0, on_disk=True)
    first = list(batches)
    batches.skip = 7
    assert np.array_equal(np.concatenate(first[7:]), np.concatenate(list(batches)))

"""A training that is killed, anywhere, and goes on ends with the weights of one that was left alone, to the bit."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from ignite.engine import Engine, Events
from torch import Tensor, nn
from torch.optim import SGD

from anomalo.models.run import LocalRun
from anomalo.neural import NeuralModel, Phase
from anomalo.nn.checkpoint import pack, unpack
from anomalo.persistence.resume import Checkpoint, ResumableState, resumable_state
from anomalo.pipeline.config import FitConfig
from anomalo.pipeline.fitted import Fitted
from anomalo.plugin import Block, Encoded, Layout, Run, verbs_of
from anomalo.registry.registry import Registry
from anomalo.tabular.schema import infer


class Killed(KeyboardInterrupt):
    """What ends an attempt."""


@pytest.mark.parametrize(
    "state",
    [
        {"a": [torch.arange(3), (1, 2.5, "x", None, True)], 7: {"b": torch.tensor(float("nan"))}},
        torch.ones(2, 0),
        [],
        float("inf"),
    ],
)
def test_a_state_is_put_together_as_it_was(state: Any) -> None:
    again = unpack(*pack(state))
    assert repr(again) == repr(state)


def test_a_state_that_cannot_be_kept_is_refused() -> None:
    with pytest.raises(TypeError, match="cannot keep a set in a checkpoint"):
        pack({"a": {1, 2}})


@dataclass(kw_only=True)
class Everything(NeuralModel):
    """Two phases with dropout, noise, momentum, batch statistics and NumPy's randomness: all that has a state."""

    name = "everything"

    def build(self, layout: Layout) -> nn.Module:
        width = layout.shape[0]
        first = nn.Sequential(nn.Linear(width, 5), nn.BatchNorm1d(5), nn.Dropout(0.3))
        return nn.Sequential(first, nn.Linear(5, width))

    def loss(self, net: nn.Module, x: Tensor, observed: Tensor) -> Tensor:
        noise = 0.1 * torch.randn_like(x) + 0.01 * float(self.run.rng.normal())
        return (net(x + noise) - x).square().mean()

    def optimizers(self, parameters: Any) -> Any:
        half = len(parameters) // 2
        return [SGD(parameters[:half], lr=0.01, momentum=0.9), *super().optimizers(parameters[half:])]

    def phases(self, net: Any) -> list[Phase]:
        return [
            Phase(name, list(part.parameters()), epochs, lambda optimizers: self.step(net, optimizers), newest=newest)
            for name, part, epochs, newest in [("first", net[0], self.epochs, 0.3), ("second", net[1], 2, 1.0)]
        ]

    def fit(self, data: Encoded, run: Run) -> "Everything":
        self.run = run
        return super().fit(data, run)


def numbers(rows: int) -> Encoded:
    values = np.random.default_rng(0).normal(size=(rows, 3)).astype(np.float32)
    layout = Layout("table", (3,), tuple(Block(name, "number", at) for at, name in enumerate("abc")))
    return Encoded(values, np.ones(values.shape, dtype=bool), layout)


def mixed(rows: int) -> pa.Table:
    rng = np.random.default_rng(0)
    kind = [None if draw < 0.1 else "xyz"[int(draw * 3)] for draw in rng.random(rows)]
    return pa.table({"a": rng.normal(size=rows), "b": rng.integers(0, 50, rows), "kind": kind})


def killer(after: int) -> Callable[..., None]:
    """Return a hook that ends a training after so many more iterations, or at the end of an epoch."""
    left = [after]

    def count() -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Killed

    def listen(engine: Engine, *_: Any) -> None:
        for event in (Events.ITERATION_COMPLETED, Events.EPOCH_COMPLETED, Events.EPOCH_STARTED):
            engine.add_event_handler(event, count)

    return listen


def resumed(
    folder: Path, fit: Callable[[ResumableState, Callable[..., None]], Any], seed: int, most: int = 40
) -> tuple[Any, int]:
    """Fit, killed after up to so many events, until it ends; return what `fit` returned, and the attempts."""
    rng = np.random.default_rng(seed)
    for attempt in range(1, 200):
        try:
            with resumable_state(folder, {}, resume=True) as state:
                return fit(state, killer(int(rng.integers(2, most)))), attempt
        except Killed:
            continue
    raise AssertionError("the fit never ended: it does not go on where it was")


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[k], other[k], equal_nan=True) for k in one)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("every", [0.0, 0.003])
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_every_state_of_a_training_is_kept(tmp_path: Path, seed: int, every: float) -> None:
    data = numbers(300)
    model, left_alone = Everything(epochs=3, batch_size=20, patience=99), LocalRun(seed=seed)
    expected = model.fit(data, left_alone).state().arrays
    runs: list[LocalRun] = []

    def fit(state: ResumableState, kill: Callable[..., None]) -> Everything:
        keep = lambda number: Checkpoint(state, f"training-{number}", every)  # noqa: E731
        runs.append(LocalRun(seed=seed, notify=kill, keep=keep))
        return Everything(epochs=3, batch_size=20, patience=99).fit(data, runs[-1])

    found, attempts = resumed(tmp_path / "job", fit, seed)
    assert attempts > 2
    assert same(found.state().arrays, expected)
    assert runs[-1].history == left_alone.history
    assert runs[-1].rng.normal() == left_alone.rng.normal()


@pytest.mark.slow
def test_early_stopping_is_kept(tmp_path: Path) -> None:
    data = numbers(200)
    plan = {"epochs": 30, "batch_size": 20, "patience": 1, "learning_rate": 0.03}
    left_alone = LocalRun()
    expected = Everything(**plan).fit(data, left_alone).state().arrays
    assert 2 < len(left_alone.history) < 30, "it is to stop early"

    def fit(state: ResumableState, kill: Callable[..., None]) -> Everything:
        keep = lambda number: Checkpoint(state, f"training-{number}", 0)  # noqa: E731
        return Everything(**plan).fit(data, LocalRun(notify=kill, keep=keep))

    found, _ = resumed(tmp_path / "job", fit, 5)
    assert same(found.state().arrays, expected)


NEURAL = [
    name
    for name, (model, *_) in Registry.load().models.items()
    if issubclass(model, NeuralModel) and "table" in model.modalities and "proba" not in verbs_of(model)  # takes labels
]


@pytest.mark.usefixtures("few_parts")
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == "undercomplete" else pytest.mark.matrix) for name in NEURAL]
)
def test_a_whole_fit_goes_on_where_it_was(tmp_path: Path, name: str) -> None:
    registry, table = Registry.load(), mixed(160)
    schema = infer(table)
    left_alone = Fitted.fit(table, schema, FitConfig(name, {"epochs": 2}, folds=2), registry).fitted

    def fit(state: ResumableState, kill: Callable[..., None]) -> Fitted:
        registry.training = lambda engine, model, run: kill(engine)  # type: ignore[method-assign]
        return Fitted.fit(table, schema, FitConfig(name, {"epochs": 2}, folds=2, keep=state, every=0), registry).fitted

    found, attempts = resumed(tmp_path / "job", fit, 1, most=14)
    assert attempts > (2 if verbs_of(registry.models[name][0]) == ("sample",) else 5)  # of these no fold is scored
    assert found.facts["training"]["resumed"] == attempts - 1
    assert found.facts["history"] == left_alone.facts["history"]
    assert same(found.model.state().arrays, left_alone.model.state().arrays)
    for part in ("reference", "training_scores", "surprisal_scale"):
        assert np.array_equal(getattr(found.calibration, part), getattr(left_alone.calibration, part))
    assert ("impute" in found.guarded.verbs) == (found.hidden is not None) == (left_alone.hidden is not None)
    if found.hidden is not None and left_alone.hidden is not None:
        np.testing.assert_array_equal(found.hidden.width, left_alone.hidden.width)

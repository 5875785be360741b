"""The adversarial models on tables: given cells are kept, equal seeds give equal rows, training resumes exactly."""

import copy
import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from ignite.engine import Engine, Events

from anomalo.errors import ParameterError
from anomalo.models.run import LocalRun
from anomalo.persistence.resume import Checkpoint, resumable_state
from anomalo.plugin import FIRST_LEVEL, Block, Encoded, Layout, TableTransform
from anomalo_gan.adversarial import AdversarialModel
from anomalo_gan.cgan import ConditionalGan
from anomalo_gan.encoding.mode_normalisation import ModeNormalisation
from anomalo_gan.encoding.training_rows import training_rows
from anomalo_gan.gan import Gan
from anomalo_gan.networks.gan_network import GanNetwork
from anomalo_gan.wgan import WassersteinGan

MODELS = [Gan, WassersteinGan, ConditionalGan]
SMALL: dict[str, Any] = {"epochs": 2, "hidden": 16, "depth": 1, "noise": 4}
REMEDIES = [
    {},
    {"replay": 50},
    {"minibatch": "deviation"},
    {"minibatch": "discrimination"},
    {"spectral": True},
    {"pack": 3},
    {"critic_steps": 2},
    {"modes": 5, "gumbel": 1.0},
    {"hard": False, "penalty": 0.0},
]

each_model = pytest.mark.parametrize("cls", MODELS, ids=lambda cls: cls.name)


def table(n: int = 120) -> Encoded:
    """Two numbers, one mostly 0 and one with missing values; two categories, one with a very rare level."""
    rng = np.random.default_rng(0)
    kind = rng.integers(3, size=n)
    rare = (rng.random(n) < 0.1).astype(int)
    rare[:2] = 2
    spent = np.where(rng.random(n) < 0.6, 0.0, rng.exponential(size=n).round(2))
    values = np.stack([rng.normal(size=n) + kind, spent, FIRST_LEVEL + kind, FIRST_LEVEL + rare], axis=1)
    observed = np.ones(values.shape, dtype=bool)
    observed[:, 0] = rng.random(n) > 0.2
    blocks = (
        Block("size", "number", 0, low=-3, high=5, missing=0.2),
        Block("spent", "number", 1, high=8),
        Block("kind", "category", 2, levels=("a", "b", "c")),
        Block("rare", "category", 3, levels=("x", "y", "z")),
    )
    return Encoded(np.where(observed, values, 0).astype(np.float32), observed, Layout("table", (4,), blocks))


def blank(data: Encoded, n: int, given: dict[int, int] | None = None) -> Encoded:
    """Rows in which nothing is given but the same codes at some positions."""
    shape = (n, *data.layout.shape)
    values, observed = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=bool)
    for position, code in (given or {}).items():
        values[:, position], observed[:, position] = code, True
    return Encoded(values, observed, data.layout)


def fitted(cls: type[AdversarialModel], data: Encoded, **params: Any) -> AdversarialModel:
    return cls(**(SMALL | params)).fit(data, LocalRun(seed=3))


def sample(model: AdversarialModel, given: Encoded, seed: int = 5) -> Encoded:
    return model.sample(given, LocalRun(seed=seed))


def same(one: Encoded, other: Encoded) -> bool:
    return np.array_equal(one.values, other.values) and np.array_equal(one.observed, other.observed)


@each_model
def test_whatever_is_given_is_kept_bit_for_bit(cls: type[AdversarialModel]) -> None:
    data = table()
    model = fitted(cls, data)
    given = data.hide(np.random.default_rng(1).random(data.values.shape) < 0.5)
    synthetic = sample(model, given)
    assert np.array_equal(synthetic.values[given.observed], given.values[given.observed])
    assert synthetic.observed[given.observed].all()
    assert np.isfinite(synthetic.values).all()


@each_model
def test_a_level_of_two_rows_is_generated_as_often_as_it_is_given(cls: type[AdversarialModel]) -> None:
    data = table()
    given = blank(data, 200, {3: FIRST_LEVEL + 2})
    synthetic = sample(fitted(cls, data), given)
    assert (synthetic.values[:, 3] == FIRST_LEVEL + 2).all()
    assert len(np.unique(synthetic.values[:, 0])) > 20  # the other cells are drawn


def test_the_label_is_the_level_that_is_given() -> None:
    data = table()
    blocks = tuple(dataclasses.replace(block, label=block.name == "rare") for block in data.layout.blocks)
    asked = []
    for layout in (data.layout, dataclasses.replace(data.layout, blocks=blocks)):
        model = cast("ConditionalGan", fitted(ConditionalGan, dataclasses.replace(data, layout=layout), given=1.0))
        net, modes = cast("GanNetwork", model.net), model.mode_normalisation
        values, present = training_rows(modes, modes.to_modes(model.transform.forward(data)))
        given = model.draw_batch(net, torch.from_numpy(values), torch.from_numpy(present))[1]
        asked.append({int(position) for position in net.column[given.argmax(dim=1)]})
    assert asked == [{0, 1, 2, 3}, {3}]


def test_what_is_given_restricts_what_it_follows_from() -> None:
    rng = np.random.default_rng(0)
    city = rng.integers(6, size=200)
    values = FIRST_LEVEL + np.stack([city, city // 3, rng.integers(2, size=200)], axis=1)
    levels = [tuple("abcdef"), ("x", "y"), ("p", "q")]
    blocks = tuple(Block(f"c{at}", "category", at, levels=names) for at, names in enumerate(levels))
    data = Encoded(values.astype(np.float32), np.ones(values.shape, dtype=bool), Layout("table", (3,), blocks))
    given = blank(data, 100, {1: FIRST_LEVEL + 1})
    synthetic = sample(fitted(Gan, data), given)
    assert (synthetic.values[:, 1] == FIRST_LEVEL + 1).all()
    assert set(np.unique(synthetic.values[:, 0])) <= {FIRST_LEVEL + 3.0, FIRST_LEVEL + 4.0, FIRST_LEVEL + 5.0}


def test_rows_from_nothing_stay_within_the_table_and_have_its_missing_values_and_zeros() -> None:
    data = table(400)
    synthetic = sample(fitted(Gan, data, epochs=8), blank(data, 400))
    sizes = data.values[data.observed[:, 0], 0]
    new = synthetic.values[synthetic.observed[:, 0], 0]
    assert sizes.min() <= new.min() < new.max() <= sizes.max()
    assert 0.05 < (~synthetic.observed[:, 0]).mean() < 0.45
    assert 0.3 < (synthetic.values[:, 1] == 0).mean() < 0.9
    assert synthetic.observed[:, 1:].all()
    assert set(np.unique(synthetic.values[:, 2])) <= {2.0, 3.0, 4.0}


@each_model
def test_equal_seeds_give_equal_rows_and_others_do_not(cls: type[AdversarialModel]) -> None:
    data = table()
    one, other = fitted(cls, data), fitted(cls, data)
    assert same(sample(one, blank(data, 30)), sample(other, blank(data, 30)))
    assert not same(sample(one, blank(data, 30)), sample(one, blank(data, 30), seed=6))


@each_model
def test_a_restored_model_makes_the_same_rows(cls: type[AdversarialModel]) -> None:
    data = table()
    model = fitted(cls, data)
    again = cls(**model.params()).restore(model.state())
    given = data.hide(np.arange(4)[None] % 2 == np.arange(len(data))[:, None] % 2)
    assert same(sample(model, given), sample(again, given))


@pytest.mark.parametrize("remedy", REMEDIES, ids=str)
def test_every_remedy_trains_and_reports_its_losses(remedy: dict[str, Any]) -> None:
    run = LocalRun()
    model = Gan(**SMALL, **remedy).fit(table(), run)
    epochs, last = run.history[:-1], run.history[-1]
    assert all(np.isfinite([epoch["critic_loss"], epoch["generator_loss"]]).all() for epoch in epochs)
    assert 0 <= last["coverage"] <= 1
    assert np.isfinite(sample(model, blank(table(), 5)).values).all()


def test_the_two_sample_test_changes_nothing_and_early_stopping_takes_its_running_mean() -> None:
    model = fitted(Gan, table())
    net = cast("GanNetwork", model.net)
    x, before = torch.zeros(50, net.format.items), copy.deepcopy(net.state_dict())
    found = []
    for _ in range(2):
        torch.manual_seed(0)
        found.append(float(model.validation(net, x, x == 0)))
    assert found[0] == found[1] > 0
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    assert [phase.newest for phase in model.phases(net)] == [0.1]


def test_a_collapsed_generator_is_reported() -> None:
    run = LocalRun()
    Gan(**(SMALL | {"epochs": 1}), learning_rate=1e-7).fit(table(400), run)
    assert "mode collapse: the generator makes rows like only" in run.history[-1]["warning"]


def test_the_original_losses_exist_and_no_unknown_ones() -> None:
    assert fitted(Gan, table(), game="minimax", penalty=0.0).params()["game"] == "minimax"
    with pytest.raises(ParameterError, match="relativistic"):
        Gan(game="maximin")


class Killed(BaseException):
    """What ends an attempt."""


def killer(after: int) -> Callable[..., None]:
    """Return a hook that ends a training after so many more iterations."""
    left = [after]

    def count() -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Killed

    def listen(engine: Engine, *_: Any) -> None:
        engine.add_event_handler(Events.ITERATION_COMPLETED, count)

    return listen


@each_model
def test_a_killed_training_resumes_to_the_same_weights(cls: type[AdversarialModel], tmp_path: Path) -> None:
    data, params = table(), SMALL | {"epochs": 3, "replay": 40, "minibatch": "discrimination"}
    whole = LocalRun(seed=3)
    expected = cls(**params).fit(data, whole)
    kills = 0
    while kills < 100:
        try:
            with resumable_state(tmp_path / "run", {}, resume=True) as state:
                keep = partial(lambda number, state: Checkpoint(state, f"training-{number}", 0.0), state=state)
                run = LocalRun(seed=3, keep=keep, notify=killer(9))
                found = cls(**params).fit(data, run)
                break
        except Killed:
            kills += 1
    assert kills > 1
    assert run.history == whole.history
    for name, array in expected.state().arrays.items():
        assert np.array_equal(array, found.state().arrays[name]), name


def wide(columns: int, levels: int, n: int = 60) -> Encoded:
    rng = np.random.default_rng(0)
    values = FIRST_LEVEL + rng.integers(levels, size=(n, columns))
    names = tuple(map(str, range(levels)))
    blocks = tuple(Block(f"c{at}", "category", at, levels=names) for at in range(columns))
    layout = Layout("table", (columns,), blocks)
    return Encoded(values.astype(np.float32), np.ones(values.shape, dtype=bool), layout)


@pytest.mark.slow
@pytest.mark.parametrize(("columns", "levels"), [(1000, 2), (100, 20)])
def test_wide_tables_train_without_overflow(columns: int, levels: int) -> None:
    data = wide(columns, levels)
    synthetic = sample(fitted(Gan, data, epochs=1), blank(data, 20))
    assert ((synthetic.values >= FIRST_LEVEL) & (synthetic.values < FIRST_LEVEL + levels)).all()


def test_tables_that_never_vary_are_generated_as_they_are() -> None:
    data = Encoded(
        np.full((50, 2), FIRST_LEVEL, dtype=np.float32),
        np.ones((50, 2), dtype=bool),
        Layout("table", (2,), (Block("a", "number", 0), Block("b", "category", 1, levels=("x",)))),
    )
    synthetic = sample(fitted(Gan, data), blank(data, 7))
    assert (synthetic.values == FIRST_LEVEL).all()
    assert synthetic.observed.all()


def test_no_rows_are_generated_for_none() -> None:
    data = table()
    assert len(sample(fitted(Gan, data), blank(data, 0))) == 0


def test_wgan_finds_all_modes_of_a_small_grid() -> None:
    rng = np.random.default_rng(0)
    centres = np.stack(np.meshgrid([-1.0, 0.0, 1.0], [-1.0, 0.0, 1.0]), axis=2).reshape(-1, 2)
    values = (centres[rng.integers(9, size=1000)] + 0.03 * rng.standard_normal((1000, 2))).astype(np.float32)
    layout = Layout("table", (2,), (Block("x", "number", 0, low=-2, high=2), Block("y", "number", 1, low=-2, high=2)))
    data = Encoded(values, np.ones(values.shape, dtype=bool), layout)
    model = WassersteinGan(hidden=64, epochs=10).fit(data, LocalRun())
    synthetic = sample(model, blank(data, 2000)).values
    distance = np.linalg.norm(synthetic[:, None] - centres, axis=2)
    near = distance.min(axis=1) < 4 * 0.03
    assert near.mean() > 0.9
    assert len(np.unique(distance.argmin(axis=1)[near])) == 9


def test_the_transform_comes_from_the_state_alone() -> None:
    data = table()
    model = fitted(Gan, data)
    again = Gan(**model.params()).restore(model.state())
    assert isinstance(again.transform, TableTransform)
    assert again.transform.sizes == model.transform.sizes
    assert torch.equal(again.net.column, model.net.column)


def test_modes_are_equally_frequent_and_lead_back() -> None:
    data = table(900)
    transform, rng = TableTransform.fit(data), np.random.default_rng(0)
    modes, parts = ModeNormalisation(transform, 6), transform.forward(data, rng)
    split = modes.to_modes(parts)
    assert modes.sizes == (6 + 1, 1 + 6, 3, 3)  # modes and a missing value; 0 and modes; levels
    assert (np.bincount(split.codes[split.known_numbers[:, 0], 0], minlength=6) > 90).all()
    assert split.numbers[split.known_numbers].std() == pytest.approx(1, abs=0.05)
    numbers, codes = modes.from_modes(split.numbers, split.codes)
    assert np.array_equal(codes, parts.codes)
    np.testing.assert_allclose(numbers[parts.known_numbers], parts.numbers[parts.known_numbers], atol=1e-4)


def test_conditions_on_modes_are_those_on_numbers() -> None:
    data = table(300)
    transform, rng = TableTransform.fit(data), np.random.default_rng(0)
    given = data.hide(rng.random(data.values.shape) < 0.5)
    split = ModeNormalisation(transform, 6).to_modes(transform.condition(given, rng))
    assert split.allowed is not None
    possible = split.allowed[1].sum(axis=1)
    assert (possible == np.where(given.observed[:, 1], 1, 7)).all()
    spent = given.observed[:, 1] & (given.values[:, 1] != 0)
    assert (split.codes[spent, 1] >= 1).all()
    assert (split.codes[given.observed[:, 1] & ~spent, 1] == 0).all()

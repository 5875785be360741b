"""A run keeps the history, reports progress, and gives randomness and other models."""

from typing import Any

import numpy as np
import pytest

from anomalo.errors import UsageError
from anomalo.models.run import LocalRun
from anomalo.plugin import Model
from anomalo.registry.registry import Registry


def test_the_generator_follows_from_the_seed_and_is_one_for_the_run() -> None:
    run = LocalRun(seed=3)
    drawn = [run.rng.random(), run.rng.random()]
    assert drawn == list(np.random.default_rng(3).random(2))
    assert run.rng is run.rng
    assert LocalRun(seed=4).rng.random() != drawn[0]


def test_the_global_random_state_is_not_used() -> None:
    before = np.random.get_state()[1].tobytes()
    LocalRun(seed=3).rng.random(100)
    assert np.random.get_state()[1].tobytes() == before


def test_reports_are_kept_in_order_and_belong_to_the_run() -> None:
    run = LocalRun()
    for epoch in (1, 2):
        run.report(epoch=epoch, epochs=2, loss=1 / epoch)
    assert run.history == [{"epoch": 1, "epochs": 2, "loss": 1.0}, {"epoch": 2, "epochs": 2, "loss": 0.5}]
    assert LocalRun().history == []


def test_progress_gets_the_share_and_the_held_out_loss_if_there_is_one() -> None:
    calls: list[tuple[float, str]] = []
    run = LocalRun(progress=lambda share, text: calls.append((share, text)))
    run.report(done=0.25, loss=0.71299)
    run.report(done=0.5, loss=0.5, validation_loss=12345.678)
    run.report(trees=100)  # not a share of anything
    run.report(done=1.0)
    assert calls == [(0.25, "loss 0.713"), (0.5, "loss 1.235e+04"), (1.0, "")]
    assert len(run.history) == 4


def test_progress_names_the_phase_or_part_and_has_a_loss_only_where_there_is_one() -> None:
    texts: list[str] = []
    run = LocalRun(progress=lambda _, text: texts.append(text))
    run.report(done=0.1, phase="knn: training", loss=0.5)
    run.report(done=0.2, part="ecod")
    run.report(done=0.3, epoch=2)
    assert texts == ["knn: training, loss 0.5", "ecod", ""]


def test_plugins_are_notified_of_an_engine() -> None:
    calls: list[Any] = []
    run = LocalRun(notify=lambda *arguments: calls.append(arguments))
    engine, model = object(), Model()
    run.attach(engine, model)
    assert calls == [(engine, model, run)]
    LocalRun().attach(engine, model)  # without plugins to notify


def test_other_models_are_made_by_the_registry() -> None:
    model = LocalRun(registered=Registry.load().create).create("knn", neighbours=7)
    assert (model.name, model.params()["neighbours"]) == ("knn", 7)


def test_without_a_registry_there_are_no_other_models() -> None:
    with pytest.raises(UsageError, match="cannot create model 'knn': this run has no registry"):
        LocalRun().create("knn")

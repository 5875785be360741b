"""Supervised heads: their encoder, what is kept of it, what is saved, and the checks of scikit-learn."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from anomalo import TableClassifier, TableEmbedder
from anomalo.errors import UsageError
from anomalo.models.run import LocalRun
from anomalo.plugin import Encoded
from anomalo.registry.registry import Registry
from anomalo.testing import tables
from anomalo.testing.tables import labelled
from anomalo_autoencoders.classifier import Classifier, encoder_layers

REGISTRY = Registry.load()
QUICK: dict[str, Any] = {"epochs": 2}
ENCODERS: dict[str, dict[str, Any]] = {
    "undercomplete": {},
    "stacked": {},
    "denoising": {"hidden": (8, 8), "members": 2},
}


def run(initial: Any = None, seed: int = 0) -> LocalRun:
    return LocalRun(seed=seed, initial=initial, registered=REGISTRY.create)


def pretrained(name: str = "undercomplete", **params: Any) -> Any:
    return REGISTRY.create(name, **{"epochs": 1, **ENCODERS[name], **params}).fit(tables()[0], run())


def weights(net: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: parameter.detach().numpy().copy() for name, parameter in net.named_parameters()}


@pytest.mark.parametrize("name", ENCODERS)
def test_what_is_saved_comes_back_with_its_encoder(name: str) -> None:
    train, new = tables()
    model = Classifier(**QUICK).fit(labelled(train), run(pretrained(name)))
    state = model.state()
    assert not [array for array in state.arrays if array.startswith("net.encoder.")]
    again = Classifier().restore(state, REGISTRY.create)
    np.testing.assert_array_equal(again.proba(new), model.proba(new))
    assert model.proba(new).shape == (len(new), 2)
    np.testing.assert_array_equal(model.score(new), model.proba(new)[:, 1].astype(float))


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("freeze", [0, 1, -1])
def test_the_lowest_layers_are_kept(name: str, freeze: int) -> None:
    base = pretrained(name)
    before = weights(base.net)
    model = Classifier(freeze=freeze, tuning=1.0, **QUICK).fit(labelled(tables()[0]), run(base))
    after = weights(model.net.encoder)
    moved = {key for key, array in before.items() if array.size and (array != after[key]).any()}
    for key, array in weights(base.net).items():
        np.testing.assert_array_equal(array, before[key])  # the model to start from stays as it was
    found = encoder_layers(base.net, tables()[0].layout)
    named = {id(parameter): key for key, parameter in base.net.named_parameters()}
    kept = {named[id(p)] for layer in (found if freeze < 0 else found[:freeze]) for p in layer}
    assert not moved & kept
    assert bool(moved) == (freeze >= 0)
    assert not [key for key in moved if key.startswith("decoder")]


def test_a_kept_encoder_and_its_head_are_a_logistic_regression() -> None:
    train = labelled(tables()[0])
    base = pretrained()
    exact: dict[str, Any] = {"weight_decay": 0.0, "holdout": 0.0, "patience": 1000}
    model = Classifier(freeze=-1, epochs=30, learning_rate=0.1, **exact).fit(train, run(base))
    codes = base.embed(train)
    standard = (codes - codes.mean(axis=0)) / codes.std(axis=0)
    oracle = LogisticRegression(C=np.inf, max_iter=1000).fit(standard, train.target).predict_proba(standard)
    rows, target = np.arange(len(train)), train.target.astype(int)
    ours, theirs = (-np.log(proba[rows, target]).mean() for proba in (model.proba(train), oracle))
    assert theirs - 1e-6 <= ours <= theirs + 0.005


def test_layers_are_found_from_the_bottom() -> None:
    layout = tables()[0].layout
    shapes = [{tuple(p.shape) for p in layer} for layer in encoder_layers(pretrained(hidden=(16, 8)).net, layout)]
    assert shapes[0] >= {(16, 3), (16,)}
    assert shapes[1:] == [{(8, 16), (8,)}, {(2, 8), (2,)}]
    tied = encoder_layers(pretrained("stacked", hidden=(16,), tied=True).net, layout)
    assert len(tied) == 2


def test_a_fit_continues_from_another_classifier() -> None:
    train, new = labelled(tables()[0]), tables()[1]
    for first in (Classifier(**QUICK).fit(train, run()), Classifier(**QUICK).fit(train, run(pretrained()))):
        same = Classifier(epochs=1, learning_rate=1e-7).fit(train, run(first))
        np.testing.assert_allclose(same.proba(new), first.proba(new), atol=1e-3)


def test_a_stack_of_machines_is_unrolled_first() -> None:
    from anomalo_boltzmann.models.restricted_boltzmann_machine import RestrictedBoltzmann
    from anomalo_boltzmann.models.unrolled_autoencoder import Unrolled

    train = labelled(tables()[0])
    machine = RestrictedBoltzmann(hidden=5, epochs=1).fit(tables()[0], run())

    def create(name: str, **params: Any) -> Any:
        return Unrolled(**params) if name == "unrolled" else REGISTRY.create(name, **params)

    surroundings = LocalRun(initial=machine, registered=create)
    model = Classifier(freeze=-1, **QUICK).fit(train, surroundings)
    whole = train.take(np.flatnonzero(train.observed.all(axis=1)))
    code = torch.sigmoid(torch.tensor(model.encoder_.embed(whole)))
    np.testing.assert_allclose(code, machine.embed(whole), atol=1e-5)


def test_rows_need_classes_and_what_they_start_from_an_encoder() -> None:
    train, _ = tables()
    with pytest.raises(UsageError, match="learns from labels"):
        Classifier().fit(train, run())
    with pytest.raises(UsageError, match="model 'median' has no encoder to start from"):
        Classifier().fit(labelled(train), run(REGISTRY.create("median").fit(train, run())))


@pytest.mark.matrix
@parametrize_with_checks([TableClassifier(params={"epochs": 8, "learning_rate": 0.05, "hidden": (16,)})])
def test_passes_the_checks_of_scikit_learn(
    estimator: TableClassifier, check: Callable[[TableClassifier], None]
) -> None:
    check(estimator)


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=120)
    colour = np.where(hidden + 0.3 * rng.normal(size=120) > 0, "red", "blue")
    return pd.DataFrame({"a": hidden + 0.3 * rng.normal(size=120), "b": -hidden, "colour": colour})


def test_rows_without_a_label_are_left_out_but_pretrained_on(rows: pd.DataFrame) -> None:
    y = np.where(rows["b"] < 0, "up", "down").astype(object)
    y[30:] = None
    base = TableEmbedder("undercomplete", params={"epochs": 2})
    with pytest.warns(UserWarning, match="90 rows have no label and were left out"):
        found = TableClassifier(initial=base, params={"epochs": 30}).fit(rows, y)
    assert found.fitted_.facts["rows"] == 30
    assert not hasattr(base, "fitted_")
    assert found.classes_.tolist() == ["down", "up"]
    with pytest.warns(UserWarning, match="90 rows"):
        alone = TableClassifier(initial=base.fit(rows), params={"epochs": 30}).fit(rows, y)
    np.testing.assert_array_equal(alone.predict_proba(rows), found.predict_proba(rows))
    assert (found.predict(rows)[30:] == np.where(rows["b"] < 0, "up", "down")[30:]).mean() > 0.8


def test_a_frozen_estimator_survives_a_cross_validation(rows: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    base = FrozenEstimator(TableEmbedder("linear", params={"epochs": 1}).fit(rows))
    fits: list[object] = []
    monkeypatch.setattr(TableEmbedder, "fit", lambda self, X, y=None: fits.append(self))
    model = TableClassifier(initial=base, params={"epochs": 5})
    assert len(cross_val_score(model, rows, rows["colour"] == "red", cv=2)) == 2
    assert fits == []


@pytest.mark.parametrize(
    ("initial", "message"),
    [("denoising", "expected an estimator such as TableEmbedder"), (LogisticRegression(), "expected an estimator")],
)
def test_what_is_no_estimator_of_ours_is_refused(initial: Any, message: str, rows: pd.DataFrame) -> None:
    with pytest.raises(UsageError, match=message):
        TableClassifier(initial=initial).fit(rows, rows["colour"])


def test_probabilities_are_in_the_order_of_the_classes(rows: pd.DataFrame) -> None:
    y = np.array([3, 1, 2])[np.digitize(rows["b"], [-0.5, 0.5])]
    model = TableClassifier(params={"epochs": 40, "learning_rate": 0.02}).fit(rows, y)
    assert model.classes_.tolist() == [1, 2, 3]
    proba = model.predict_proba(rows)
    assert (model.classes_[proba.argmax(axis=1)] == y).mean() > 0.85
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-12)


def test_the_order_of_other_rows_does_not_matter() -> None:
    train, new = tables()
    model = Classifier(**QUICK).fit(labelled(train), run())
    whole = model.proba(new)
    np.testing.assert_array_equal(model.proba(new.take(slice(None, None, -1)))[::-1], whole)
    bare: Encoded = replace(new, target=None)
    np.testing.assert_array_equal(model.proba(bare.take(slice(3, 4))), whole[3:4])

"""Every first-party model passes scikit-learn's checks behind the estimators, and some that its suite leaves out."""

import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from anomalo import AnomalyDetector, TableEmbedder, TableImputer
from anomalo.plugin import verbs_of
from anomalo.registry.registry import Registry

pytestmark = [
    pytest.mark.usefixtures("frugal"),
    # The warnings of an imputer that estimates its errors, for tables of noise.
    pytest.mark.filterwarnings("ignore:nothing predicts:UserWarning"),
    pytest.mark.filterwarnings("ignore:model .* predicts hidden cells no better:UserWarning"),
]

REGISTRY = Registry.load()
OURS = [
    name
    for plugin in REGISTRY.plugins()
    if plugin.first_party
    for name in plugin.models
    if "table" in REGISTRY.get(name).modalities
]
QUICK = {"epochs": 1, "trees": 5}
SMALLER = {
    "auto": {"members": "knn,undercomplete"},
}
"""What keeps fits of one model short; the conformance kit runs `auto` with all its parts."""
REPRESENTATIVE = {"knn", "linear", "mean"}
"""Models whose checks `make test` runs: one without torch, a neural one with all verbs, one that only imputes."""
SHORT_BATCH = {"batch_size": 32, "holdout": 0.0}
"""A batch of 32 rows, and so a last one of a single row where there are 33."""

Estimator = AnomalyDetector | TableImputer | TableEmbedder
Fit = Callable[..., Estimator]


def having(name: str, **settings: Any) -> dict[str, Any]:
    """Return those of the settings that the model has."""
    known = {parameter.name for parameter in REGISTRY.get(name).parameters()}
    return {key: value for key, value in settings.items() if key in known}


def estimators(**settings: Any) -> Iterator[Estimator]:
    """Yield one quick estimator for each model and what it can do."""
    for name in OURS:
        params = having(name, **{**QUICK, **settings}) | SMALLER.get(name, {})
        verbs = verbs_of(REGISTRY.get(name))
        if "proba" in verbs:  # needs labels: see test_classifier.py
            continue
        if "score" in verbs:
            yield AnomalyDetector(name, params=params, calibrate=False)
        if "impute" in verbs:
            yield TableImputer(name, params=params)
        if "embed" in verbs:
            yield TableEmbedder(name, params=params)


def called(estimator: Estimator) -> str:
    return f"{type(estimator).__name__}-{estimator.model}"


def answer(estimator: Estimator, X: Any) -> np.ndarray:
    return np.asarray(estimator.score_samples(X) if isinstance(estimator, AnomalyDetector) else estimator.transform(X))


def holed(rows: int = 80, columns: int = 4) -> np.ndarray:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(rows, 1)) + 0.5 * rng.normal(size=(rows, columns))
    X[rng.random(X.shape) < 0.1] = np.nan
    return X


def global_states() -> tuple[Any, ...]:
    numpy_state = np.random.get_state(legacy=True)
    return random.getstate(), numpy_state[1].tobytes(), numpy_state[2:], torch.get_rng_state().numpy().tobytes()


def parameters(estimators: Iterable[Estimator]) -> list[Any]:
    """Return one parameter for each estimator; those of most models are for `make test-all`."""
    return [
        pytest.param(one, id=called(one), marks=() if one.model in REPRESENTATIVE else pytest.mark.matrix)
        for one in estimators
    ]


each = pytest.mark.parametrize("estimator", parameters(estimators()))


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@parametrize_with_checks([one for one in [*estimators(), AnomalyDetector("knn")] if one.model in REPRESENTATIVE])
def test_passes_the_checks_of_scikit_learn(estimator: Estimator, check: Callable[[Estimator], None]) -> None:
    check(estimator)


@pytest.mark.matrix
@parametrize_with_checks([one for one in estimators() if one.model not in REPRESENTATIVE])
def test_every_model_passes_the_checks_of_scikit_learn(
    estimator: Estimator, check: Callable[[Estimator], None]
) -> None:
    check(estimator)


def test_every_model_that_scores_imputes_or_embeds_is_checked() -> None:
    found = {called(estimator) for estimator in estimators()}
    detectors = {f"AnomalyDetector-{name}" for name in ("iforest", "knn", "linear", "undercomplete")}
    imputers = {f"TableImputer-{name}" for name in ("linear", "undercomplete", "mean", "median", "mode")}
    embedders = {f"TableEmbedder-{name}" for name in ("linear", "masked", "residual", "variational")}
    assert detectors | imputers | embedders <= found


@each
@pytest.mark.parametrize("random_state", [0, None])
def test_global_random_states_are_neither_read_nor_changed(estimator: Estimator, random_state: int | None) -> None:
    X = holed()
    answers = []
    for seed in (1, 2):
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        before = global_states()
        answers.append(answer(clone(estimator).set_params(random_state=random_state).fit(X), X))
        assert global_states() == before
    if random_state is not None:
        np.testing.assert_array_equal(*answers)


@pytest.mark.parametrize(
    "estimator",
    [one for one in estimators(reference=20) if one.model in ("iforest", "knn", "linear", "undercomplete")],
    ids=called,
)
def test_the_seed_decides(estimator: Estimator) -> None:
    X = holed()
    first, again, other = (answer(estimator.set_params(random_state=seed).fit(X), X) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@each
@pytest.mark.parametrize("order", ["C", "F"])
def test_read_only_arrays_are_enough_and_nothing_is_written_to(estimator: Estimator, order: Any) -> None:
    X = np.array(holed(), order=order)
    kept = X.copy()
    X.setflags(write=False)
    answer(estimator.fit(X), X)[:] = 0
    np.testing.assert_array_equal(X, kept)


@each
def test_frames_on_read_only_memory_are_not_written_to(estimator: Estimator) -> None:
    values = holed()
    values.setflags(write=False)
    X = pd.DataFrame(values, columns=list("abcd"), copy=False)
    kept = pd.DataFrame(holed(), columns=list("abcd"))
    fitted = estimator.fit(X)
    if isinstance(fitted, TableEmbedder):
        given = fitted.inverse_transform(fitted.transform(X))
    else:
        given = fitted.transform(X) if isinstance(fitted, TableImputer) else fitted.explain(X)
    given.loc[:, given.columns[given.dtypes == np.float64]] = 0.0
    pd.testing.assert_frame_equal(X, kept)


@each
def test_units_do_not_matter(estimator: Estimator) -> None:
    """Without a guard for the scale, a column in nanometres would drown one in light years."""
    X = holed()
    units = np.array([2.0**-60, 2.0**-5, 1.0, 2.0**90])  # powers of two: nothing is rounded
    one, other = answer(estimator.fit(X), X), answer(estimator.fit(X * units), X * units)
    if isinstance(estimator, TableImputer):
        np.testing.assert_allclose(other, one * units, rtol=1e-5)
    else:
        np.testing.assert_array_equal(other, one)


@each
def test_columns_without_variance_and_with_huge_numbers_are_finite(estimator: Estimator) -> None:
    X = holed()
    X[:, 1] = 7.0
    X[:, 2] = np.where(np.arange(len(X)) == 3, 1.0, 0.0)  # every quantile but the last is equal
    X[0, 3], X[1, 3] = 1e300, -1e300
    new = X.copy()
    new[:, 1] = 8.0
    for rows in (X, new):
        assert np.isfinite(answer(estimator.fit(X), rows)).all()


@pytest.mark.parametrize("estimator", parameters(estimators(**SHORT_BATCH)))
@pytest.mark.parametrize("rows", [2, 31, 33])
def test_a_short_last_batch_does_no_harm(estimator: Estimator, rows: int) -> None:
    X = np.random.default_rng(2).normal(size=(rows, 3))
    given = answer(estimator.fit(X), X)
    assert np.isfinite(given).all()
    np.testing.assert_array_equal(answer(estimator, X[-1:]), given[-1:])


@each
def test_a_rows_answer_depends_on_that_row_alone(estimator: Estimator) -> None:
    X = holed(70)
    whole = answer(estimator.fit(X), X)
    np.testing.assert_array_equal(answer(estimator, X[::-1]), whole[::-1])
    np.testing.assert_array_equal(np.concatenate([answer(estimator, X[:33]), answer(estimator, X[33:])]), whole)

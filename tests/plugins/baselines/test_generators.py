"""The baseline generators: against closed forms, enumeration and SciPy, and with cells that are given."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm, truncnorm
from sklearn.mixture import GaussianMixture

from anomalo.models.run import LocalRun
from anomalo.plugin import Block, Encoded, Layout, Model, TableTransform
from anomalo_baselines import Bootstrap, GaussianCopula, MarginalSampler, Mixture, Smote
from anomalo_baselines.generators.condition_matching import matching_rows
from anomalo_baselines.generators.latent_intervals import LatentIntervals
from anomalo_baselines.generators.mixture import _TrainingRows

SAMPLERS = [Bootstrap, GaussianCopula, MarginalSampler, Mixture, Smote]
LEVELS = ("a", "b", "c")


def encoded(values: Any, kinds: str, observed: Any = None) -> Encoded:
    """Rows of columns that are numbers (n) or categories (c) with codes from 2."""
    cells = np.asarray(values, dtype=np.float32)
    seen = np.ones(cells.shape, dtype=bool) if observed is None else np.asarray(observed)
    blocks = tuple(
        Block(f"x{at}", "number" if kind == "n" else "category", at, () if kind == "n" else LEVELS, missing=0.1)
        for at, kind in enumerate(kinds)
    )
    return Encoded(np.where(seen, cells, np.float32(0)), seen, Layout("table", (len(kinds),), blocks))


def people(rows: int = 1500, missing: float = 0.0) -> Encoded:
    """Two related numbers, a third with many zeros, a category that follows the first, and one that follows nothing."""
    rng = np.random.default_rng(0)
    height = rng.standard_normal(rows)
    weight = 0.9 * height + 0.4 * rng.standard_normal(rows)
    gain = np.where(rng.random(rows) < 0.7, 0.0, np.exp(height))
    size = 2 + (height > -0.3) + (height > 1.5)
    hue = rng.choice([2, 3, 4], rows, p=[0.899, 0.1, 0.001])
    return encoded(np.column_stack([height, weight, gain, size, hue]), "nnncc", rng.random((rows, 5)) >= missing)


def nothing(data: Encoded, rows: int) -> Encoded:
    return data.take(np.zeros(rows, dtype=int)).hide(np.ones((rows, data.values.shape[1]), dtype=bool))


def given(data: Encoded, rows: int, cells: dict[int, float]) -> Encoded:
    """So many rows in which the cells at these positions are known."""
    values, observed = np.zeros((rows, data.values.shape[1]), dtype=np.float32), np.zeros((rows, 5), dtype=bool)
    for at, value in cells.items():
        values[:, at], observed[:, at] = value, True
    return Encoded(values, observed, data.layout)


@pytest.fixture(scope="module")
def fitted() -> Callable[[type[Model]], Any]:
    kept: dict[type[Model], Any] = {}
    return lambda model: kept.setdefault(model, model().fit(people(), LocalRun()))


@pytest.mark.parametrize("model", SAMPLERS)
def test_columns_are_distributed_as_in_training(model: type[Model], fitted: Any) -> None:
    data = people()
    rows = fitted(model).sample(nothing(data, 3000), LocalRun(seed=1))
    assert rows.observed.all()
    for at in (3, 4):
        shares = [np.bincount(part.values[:, at].astype(int), minlength=5) / len(part) for part in (data, rows)]
        np.testing.assert_allclose(shares[0], shares[1], atol=0.06)
    assert abs((rows.values[:, 2] == 0).mean() - (data.values[:, 2] == 0).mean()) < 0.07
    assert (rows.values.min(axis=0) >= data.values.min(axis=0)).all()
    assert (rows.values.max(axis=0) <= data.values.max(axis=0)).all()


@pytest.mark.parametrize("model", [Bootstrap, GaussianCopula, Mixture, Smote])
def test_relations_are_kept_and_marginals_lose_them(model: type[Model], fitted: Any) -> None:
    data = people()
    for kind, low in ((model, 0.85), (MarginalSampler, -0.1)):
        rows = fitted(kind).sample(nothing(data, 2000), LocalRun()).values
        assert low < np.corrcoef(rows[:, 0], rows[:, 1])[0, 1] < low + 0.2


@pytest.mark.parametrize("model", SAMPLERS)
def test_given_cells_stay_to_the_bit_rare_levels_too(model: type[Model], fitted: Any) -> None:
    cells = {0: 1.2345678, 4: 4.0}
    rows = fitted(model).sample(given(people(), 200, cells), LocalRun())
    for at, value in cells.items():
        assert (rows.values[:, at] == np.float32(value)).all()


@pytest.mark.parametrize("model", [Bootstrap, GaussianCopula, Mixture, Smote])
def test_given_cells_are_conditions(model: type[Model], fitted: Any) -> None:
    data = people()
    tall, short = (fitted(model).sample(given(data, 400, {3: level}), LocalRun()).values for level in (4.0, 2.0))
    assert tall[:, 1].mean() > 0.9
    assert short[:, 1].mean() < -0.6
    heavy = fitted(model).sample(given(data, 400, {1: 1.5}), LocalRun()).values
    assert abs(heavy[:, 0].mean() - data.values[np.abs(data.values[:, 1] - 1.5) < 0.2, 0].mean()) < 0.3


@pytest.mark.parametrize("model", SAMPLERS)
def test_missing_values_come_as_often_and_are_drawn_where_nothing_is_given(model: type[Model]) -> None:
    data = people(600, missing=0.2)
    rows = model().fit(data, LocalRun()).sample(nothing(data, 2000), LocalRun())
    np.testing.assert_allclose(rows.observed.mean(axis=0), 0.8, atol=0.06)
    assert (rows.values[~rows.observed] == 0).all()


@pytest.mark.parametrize("model", [GaussianCopula, Mixture])
def test_wide_tables_are_finite(model: type[Model]) -> None:
    rng = np.random.default_rng(0)
    data = encoded(rng.integers(2, 4, (120, 300)), "c" * 300)
    rows = model().fit(data, LocalRun()).sample(nothing(data, 50), LocalRun())
    assert np.isin(rows.values, [2, 3]).all()


# Copies and neighbours


def test_a_bootstrap_row_is_a_training_row(fitted: Any) -> None:
    data = people()
    rows = fitted(Bootstrap).sample(nothing(data, 50), LocalRun())
    assert {row.tobytes() for row in rows.values} <= {row.tobytes() for row in data.values}


def test_the_rows_that_match_best_by_brute_force() -> None:
    train, seen = np.array([[0, 2], [1, 2], [1, 3], [9, 3]], dtype=np.float32), np.ones((4, 2), dtype=bool)
    seen[3, 1] = False
    rows = encoded([[1, 3], [0, 0], [1, 3], [9, 3]], "nc", [[True, True], [False, False], [True, True], [True, True]])
    found = {tuple(rows.tolist()): fits.tolist() for rows, fits in matching_rows(rows, train, seen, 1)}
    assert found == {(0, 2): [2], (1,): [0, 1, 2, 3], (3,): [3]}
    # The distances are 2, 1, 0 and 64 + 1.
    assert [fits.tolist() for _, fits in matching_rows(rows.take([0]), train, seen, 2)] == [[1, 2]]
    # A cell that is missing in a training row is 1 away.
    hidden = rows.take([0]).hide(np.array([[True, False]]))
    assert [fits.tolist() for _, fits in matching_rows(hidden, train, seen, 1)] == [[2]]


def test_smote_goes_between_a_row_and_its_neighbour_and_lets_neighbours_vote() -> None:
    line = np.linspace(0, 1, 9)
    data = encoded(np.column_stack([line, 2 * line, [2, 2, 2, 3, 2, 2, 4, 4, 4]]), "nnc")
    rows = Smote(neighbours=2).fit(data, LocalRun()).sample(nothing(data, 300), LocalRun()).values
    np.testing.assert_allclose(rows[:, 1], 2 * rows[:, 0], atol=1e-6)
    assert len(np.unique(rows[:, 0])) > 250
    assert not (rows[:, 2] == 3).any()  # its neighbours outvote it


def test_smote_given_a_class_stays_between_rows_of_that_class() -> None:
    rng = np.random.default_rng(0)
    near = np.concatenate([rng.normal(0, 1, 200), rng.normal(0.5, 0.01, 12)])
    data = encoded(np.column_stack([near, np.repeat([2, 3], [200, 12])]), "nc")
    condition = nothing(data, 100)
    observed = condition.observed.copy()
    observed[:, 1] = True
    rows = (
        Smote()
        .fit(data, LocalRun())
        .sample(Encoded(np.where(observed, np.float32(3), 0), observed, data.layout), LocalRun())
    )
    rare = near[200:]
    assert rare.min() - 1e-6 <= rows.values[:, 0].min() <= rows.values[:, 0].max() <= rare.max() + 1e-6


# Copula


def test_intervals_are_truncated_normals() -> None:
    intervals, rng = LatentIntervals.of(np.array([0.2, 0.9, 1.0])), np.random.default_rng(0)
    inner = intervals.low.clip(-38), intervals.high.clip(max=38)
    np.testing.assert_allclose(
        intervals.means(), [truncnorm.mean(low, high) for low, high in zip(*inner, strict=True)], atol=1e-6
    )
    assert intervals.codes(np.array([-3.0, 0.0, 3.0])).tolist() == [0, 1, 2]
    allowed = np.tile([True, False, True], (40_000, 1))
    score, codes = intervals.draw(np.full(40_000, 0.5), 0.8, allowed, rng)
    ends = [((low - 0.5) / 0.8, (high - 0.5) / 0.8) for low, high in zip(intervals.low, intervals.high, strict=True)]
    mass = np.array([np.diff(norm.cdf(end))[0] for end in ends])
    assert (codes == 2).mean() == pytest.approx(mass[2] / (mass[0] + mass[2]), abs=0.01)
    expected = truncnorm.mean(*ends[2], loc=0.5, scale=0.8)
    assert score[codes == 2].mean() == pytest.approx(expected, abs=0.01)


def test_the_copula_of_a_gaussian_is_that_gaussian() -> None:
    rng, covariance = np.random.default_rng(0), np.array([[1, 0.8, 0.3], [0.8, 1, 0.5], [0.3, 0.5, 1]])
    data = encoded(rng.multivariate_normal(np.zeros(3), covariance, 4000), "nnn")
    model = GaussianCopula().fit(data, LocalRun())
    np.testing.assert_allclose(model.correlation_, covariance, atol=0.04)
    condition = Encoded(
        np.tile(np.float32([1, 0, 0]), (4000, 1)), np.tile([True, False, False], (4000, 1)), data.layout
    )
    rows = model.sample(condition, LocalRun()).values[:, 1:]
    np.testing.assert_allclose(rows.mean(axis=0), covariance[0, 1:], atol=0.08)
    rest = covariance[1:, 1:] - np.outer(covariance[0, 1:], covariance[0, 1:])
    np.testing.assert_allclose(np.cov(rows.T), rest, atol=0.08)


# Mixture


def test_the_mixtures_step_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    centres = np.repeat([[-4, 0], [0, 4], [5, -3]], 200, axis=0)
    data = encoded(centres + rng.standard_normal((600, 2)), "nn")
    model = Mixture(components=3, rounds=200).fit(data, LocalRun(seed=2))
    transform = TableTransform.unpack(model.transform_, model.columns_)
    scores = transform.forward(data, LocalRun().rng).numbers
    precise = GaussianMixture(3, covariance_type="diag", means_init=model.mean_, reg_covar=1e-6).fit(scores)
    np.testing.assert_allclose(model.mean_, precise.means_, atol=0.03)
    np.testing.assert_allclose(model.weight_, precise.weights_, atol=0.01)


def test_the_mixtures_conditionals_by_enumeration() -> None:
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 3, 900)
    table = np.column_stack([2 + (rng.random(900) < [0.1, 0.8, 0.5][at]) * rng.integers(1, 3, 900) for at in range(3)])
    table[kind == 0] = 2
    data = encoded(table, "ccc")
    model = Mixture(components=4).fit(data, LocalRun())
    split = np.split(model.shares_, [3, 6], axis=1)
    joint = np.einsum("k,ka,kb,kc->abc", model.weight_, *split)
    condition = Encoded(
        np.tile(np.float32([0, 3, 0]), (20_000, 1)), np.tile([False, True, False], (20_000, 1)), data.layout
    )
    rows = model.sample(condition, LocalRun()).values.astype(int) - 2
    for one, other in itertools.product(range(3), repeat=2):
        share = ((rows[:, 0] == one) & (rows[:, 2] == other)).mean()
        assert share == pytest.approx(joint[one, 1, other] / joint[:, 1].sum(), abs=0.015)


def test_expectation_maximisation_never_loses() -> None:
    data = people(400)
    run = LocalRun()
    model = Mixture(components=5, rounds=15).fit(data, run)
    losses = np.array([entry["loss"] for entry in run.history])
    assert (np.diff(losses) < 0.02).all()  # but for the priors
    assert losses[-1] < losses[0]
    transform = TableTransform.unpack(model.transform_, model.columns_)
    belongs, _ = model._expect(_TrainingRows(transform.forward(data, LocalRun().rng), transform.sizes))
    np.testing.assert_allclose(belongs.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("model", [GaussianCopula, Mixture])
def test_a_column_that_is_determined_is_a_condition_on_what_determines_it(model: type[Model]) -> None:
    rng = np.random.default_rng(0)
    town = rng.integers(2, 5, 600)
    data = encoded(np.column_stack([town, np.where(town == 4, 3, 2), rng.standard_normal(600)]), "ccn")
    condition = nothing(data, 200)
    observed = condition.observed.copy()
    observed[:, 1] = True
    land = np.float32(2)
    rows = model().fit(data, LocalRun()).sample(Encoded(np.where(observed, land, 0), observed, data.layout), LocalRun())
    assert set(np.unique(rows.values[:, 0])) == {2, 3}
    assert (rows.values[:, 1] == land).all()

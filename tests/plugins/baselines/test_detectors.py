"""The baselines against scikit-learn, against themselves after a restore, and on tables that break things."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.covariance import LedoitWolf
from sklearn.ensemble import IsolationForest as SklearnForest
from sklearn.ensemble._iforest import _average_path_length
from sklearn.neighbors import NearestNeighbors

from anomalo.models.row_random import row_uniform
from anomalo.models.run import LocalRun
from anomalo.plugin import UNSEEN, Block, Encoded, Layout, Model, ModelState, is_model, verbs_of
from anomalo_baselines import (
    IsolationForest,
    LocalOutlierFactor,
    MeanImputer,
    MedianImputer,
    ModeImputer,
    NearestNeighbours,
    RobustCovariance,
    anomalo_models,
)
from anomalo_baselines.detectors import covariance
from anomalo_baselines.detectors.category_surprisal import code_shares, with_surprisal
from anomalo_baselines.detectors.iforest import average_path_length

SCORERS = [IsolationForest, NearestNeighbours, RobustCovariance]
IMPUTERS = [MeanImputer, MedianImputer, ModeImputer]
LEVELS = ("blue", "green", "red")


def table(rows: int, numbers: int = 3, categories: int = 1, seed: int = 0, missing: float = 0.1) -> Encoded:
    """A table with numbers of several scales, categories with a rare level, and missing values."""
    rng = np.random.default_rng(seed)
    blocks = [Block(f"n{i}", "number", i, missing=missing) for i in range(numbers)]
    blocks += [Block(f"c{i}", "category", numbers + i, LEVELS, missing=missing) for i in range(categories)]
    values = np.empty((rows, numbers + categories), dtype=np.float32)
    values[:, :numbers] = rng.standard_normal((rows, numbers)) * 10.0 ** np.arange(numbers)
    values[:, numbers:] = rng.choice([2, 3, 4], p=[0.6, 0.3, 0.1], size=(rows, categories))
    observed = rng.random(values.shape) >= missing
    return Encoded(
        np.where(observed, values, np.float32(0)), observed, Layout("table", values.shape[1:], tuple(blocks))
    )


def numeric(matrix: Any) -> Encoded:
    """A complete table of numbers: its dense matrix is the matrix itself."""
    values = np.asarray(matrix, dtype=np.float32)
    blocks = tuple(Block(f"n{i}", "number", i) for i in range(values.shape[1]))
    return Encoded(values, np.ones(values.shape, dtype=bool), Layout("table", values.shape[1:], blocks))


def reloaded(model: Model) -> Model:
    """The model after a trip through copied arrays and JSON text."""
    state = model.state()
    arrays = {name: np.frombuffer(a.tobytes(), a.dtype).reshape(a.shape) for name, a in state.arrays.items()}
    return type(model)(**model.params()).restore(ModelState(arrays, json.loads(json.dumps(state.values))))


def test_the_plugin_offers_its_models_under_their_names() -> None:
    models = list(anomalo_models())
    assert all(is_model(model) for model in models)
    verbs = {model.name: verbs_of(model) for model in models}
    fills = dict.fromkeys(["mean", "median", "mode", "chained", "forest", "boosted", "knn_impute"], ("impute",))
    explains = dict.fromkeys(["covariance", "knn", "ecod", "hbos"], ("score", "explain"))
    makes = dict.fromkeys(["copula", "mixture", "smote", "marginals", "bootstrap"], ("sample",))
    assert verbs == {**dict.fromkeys(["iforest", "lof"], ("score",)), **explains, **fills, **makes}


# Isolation forest


def test_average_path_length_is_scikit_learns() -> None:
    counts = np.arange(1, 500)
    np.testing.assert_allclose(average_path_length(counts), _average_path_length(counts), rtol=1e-15)


@pytest.mark.parametrize(("rows", "samples"), [(1, 256), (2, 256), (3, 256), (40, 256), (700, 256), (700, 100)])
def test_iforest_equals_scikit_learn(rows: int, samples: int) -> None:
    train, test = table(rows, seed=1), table(2500, seed=2)
    ours = IsolationForest(samples=samples, trees=30).fit(train, LocalRun(seed=7)).score(test)
    forest = SklearnForest(n_estimators=30, max_samples=min(samples, rows), random_state=7)
    forest.fit(with_surprisal(train, code_shares(train)))
    np.testing.assert_allclose(
        ours, -forest.score_samples(with_surprisal(test, code_shares(train))), atol=1e-12, rtol=0
    )


def test_iforest_splits_ties_as_scikit_learn_does() -> None:
    rng = np.random.default_rng(0)
    data = numeric(rng.integers(0, 4, size=(300, 2)))
    ours = IsolationForest().fit(data, LocalRun()).score(data)
    forest = SklearnForest(random_state=0).fit(data.values)
    np.testing.assert_allclose(ours, -forest.score_samples(data.values), atol=1e-12, rtol=0)


def test_a_value_on_a_threshold_goes_left() -> None:
    model = IsolationForest().fit(numeric([[0.0], [1.0]]), LocalRun())
    left, right = model.children_[model.roots_[0]]
    model.threshold_[model.roots_] = 0.5
    model.length_[:] = np.arange(len(model.length_))
    model.roots_, model.longest_ = model.roots_[:1], 1.0
    assert (-np.log2(model.score(numeric([[0.5], [0.51]])))).tolist() == pytest.approx([left, right])


def test_iforest_finds_a_far_row_and_follows_its_seed() -> None:
    data = numeric(np.vstack([np.random.default_rng(0).standard_normal((200, 2)), [[30.0, -30.0]]]))
    scores = [IsolationForest().fit(data, LocalRun(seed=seed)).score(data) for seed in (0, 0, 1)]
    assert scores[0].argmax() == 200
    assert (scores[0] == scores[1]).all()
    assert (scores[0] != scores[2]).any()


def test_a_seed_beyond_32_bits_is_taken() -> None:
    data = table(20)
    assert np.isfinite(IsolationForest(trees=2).fit(data, LocalRun(seed=2**40)).score(data)).all()


# Nearest neighbours


def sklearn_distance(train: Encoded, test: Encoded, neighbours: int) -> Any:
    index = NearestNeighbors(n_neighbors=neighbours, algorithm="brute").fit(train.dense().matrix.astype(np.float64))
    return index.kneighbors(test.dense().matrix.astype(np.float64))[0].mean(axis=1)


@pytest.mark.parametrize("neighbours", [1, 5, 40])
@pytest.mark.parametrize("rows", [40, 333])
def test_knn_equals_scikit_learn(rows: int, neighbours: int) -> None:
    train, test = table(rows, seed=1), table(200, seed=2)
    ours = NearestNeighbours(neighbours=neighbours).fit(train, LocalRun()).score(test)
    np.testing.assert_allclose(ours, sklearn_distance(train, test, neighbours), rtol=1e-6, atol=1e-6)


def test_knn_distances_do_not_cancel_far_from_the_centre() -> None:
    reference = np.arange(40.0)[:, None] + 100_000.0
    scores = NearestNeighbours(neighbours=3).fit(numeric(reference), LocalRun()).score(numeric([[100_010.25]]))
    assert scores[0] == pytest.approx((0.25 + 0.75 + 1.25) / 3, abs=1e-9)


def test_knn_takes_all_rows_when_there_are_fewer_than_k() -> None:
    scores = NearestNeighbours(neighbours=5).fit(numeric([[0.0], [2.0]]), LocalRun()).score(numeric([[0.0], [1.0]]))
    assert scores.tolist() == [1.0, 1.0]


def test_knn_is_zero_on_rows_seen_often_enough() -> None:
    data = numeric(np.repeat(np.eye(3), 400, axis=0))
    assert (NearestNeighbours().fit(data, LocalRun()).score(data) == 0).all()


def test_knn_counts_two_levels_as_one_apart_and_a_new_level_as_between() -> None:
    layout = Layout("table", (1,), (Block("c", "category", 0, LEVELS),))
    codes = np.array([[2.0], [3.0], [UNSEEN]], dtype=np.float32)
    data = Encoded(codes, codes > UNSEEN, layout)
    scores = NearestNeighbours().fit(data.take(slice(1)), LocalRun()).score(data)
    np.testing.assert_allclose(scores, [0.0, 1.0, np.sqrt(0.5)], rtol=1e-6)


def test_knn_keeps_a_sample_drawn_by_the_run() -> None:
    data = table(300)
    samples = [
        NearestNeighbours(reference=50).fit(data, LocalRun(seed=seed)).state().arrays["reference_"]
        for seed in (0, 0, 1)
    ]
    assert samples[0].shape == (50, data.dense().matrix.shape[1])
    assert (samples[0] == samples[1]).all()
    assert (samples[0] != samples[2]).any()


def shares_by_hand(score: Any, drops: Any) -> Any:
    return score[:, None] * drops / drops.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("neighbours", [1, 5, 40])
@pytest.mark.parametrize("rows", [40, 333])
def test_knn_reasons_are_those_of_brute_force(rows: int, neighbours: int) -> None:
    train, test = table(rows, categories=2, seed=1), table(100, categories=2, seed=2)
    model = NearestNeighbours(neighbours=neighbours).fit(train, LocalRun())
    cells, score, position = model.explain(test), model.score(test), test.dense().position
    reference, dense = (data.dense().matrix.astype(np.float64) for data in (train, test))
    drops = np.empty(test.values.shape)
    for row, column in np.ndindex(*drops.shape):
        distance = np.linalg.norm((reference - dense[row])[:, position != column], axis=1)
        nearest = np.argsort(distance, kind="stable")[:neighbours]
        seen = nearest[train.observed[nearest, column]]
        assert_expected(cells.expected[row, column], train.values[seen, column], column >= 3)
        replaced = dense[row].copy()
        replaced[position == column] = reference[seen][:, position == column].mean(axis=0) if len(seen) else 0
        drops[row, column] = score[row] - np.sort(np.linalg.norm(reference - replaced, axis=1))[:neighbours].mean()
    drops = np.maximum(drops, 0)
    np.testing.assert_allclose(cells.contribution, shares_by_hand(score, drops), rtol=1e-6, atol=1e-7)


def assert_expected(found: float, seen: Any, category: bool) -> None:
    """The mean of a number, the most frequent of codes; the centre or the first level if nothing was seen."""
    counts = np.bincount(seen.astype(int) if category else [], minlength=5)
    assert found == pytest.approx(counts[2:].argmax() + 2 if category else seen.mean() if len(seen) else 0, abs=1e-4)


def test_knn_expects_what_the_nearest_rows_have_not_what_the_cell_says() -> None:
    line = np.linspace(-3, 3, 601)[:, None] * [1, 2, 1]
    cells = NearestNeighbours().fit(numeric(line), LocalRun()).explain(numeric([[1.0, -4.0, 1.0]]))
    assert cells.expected[0, 1] == pytest.approx(2.0, abs=1e-6)
    assert cells.contribution.argmax() == 1


def test_knn_explains_from_evenly_spaced_rows() -> None:
    train, test = table(50, seed=1), table(30, seed=2)
    model, few = (
        NearestNeighbours(explained_by=20).fit(d, LocalRun()) for d in (train, train.take(np.arange(20) * 5 // 2))
    )
    found, expected = model.explain(test), few.explain(test)
    assert (found.expected == expected.expected).all()
    shares = expected.contribution / few.score(test)[:, None]
    np.testing.assert_allclose(found.contribution, shares * model.score(test)[:, None])


def test_a_score_that_no_column_explains_is_divided_equally() -> None:
    # By row 0; the score is the distance to rows 0 and 1.
    model = NearestNeighbours(explained_by=1).fit(numeric([[0.0, 0.0], [6.0, 8.0]]), LocalRun())
    np.testing.assert_allclose(model.explain(numeric([[0.0, 0.0]])).contribution, [[2.5, 2.5]])
    zeros = numeric(np.zeros((9, 2)))
    assert (NearestNeighbours().fit(zeros, LocalRun()).explain(zeros).contribution == 0).all()


# Fills


def observed_of(data: Encoded, position: int) -> Any:
    return data.values[data.observed[:, position], position]


@pytest.mark.parametrize(("model", "centre"), [(MeanImputer, np.mean), (MedianImputer, np.median)])
def test_a_fill_is_the_centre_of_the_training_values(model: type[Model], centre: Callable[..., Any]) -> None:
    train, test = table(200, seed=1), table(50, seed=2, missing=0.5)
    filled = model().fit(train, LocalRun()).impute(test).point  # type: ignore[attr-defined]
    assert (filled[test.observed] == test.values[test.observed]).all()
    for position in range(3):
        expected = centre(observed_of(train, position).astype(np.float64))
        np.testing.assert_allclose(filled[~test.observed[:, position], position], expected, rtol=1e-6)
    assert (filled[~test.observed[:, 3], 3] == 2).all()


def test_mode_is_the_most_frequent_value_and_the_smallest_of_equals() -> None:
    data = numeric([[1.0, 5.0], [7.0, 4.0], [7.0, 4.0], [0.0, 5.0]])
    fill = ModeImputer().fit(data, LocalRun()).impute(data.hide(np.ones((4, 2), dtype=bool))).point
    assert fill.tolist() == [[7.0, 4.0]] * 4


@pytest.mark.parametrize("model", IMPUTERS)
def test_probabilities_are_the_training_frequencies(model: type[Any]) -> None:
    data = table(100, categories=2)
    proba = model().fit(data, LocalRun()).impute(data).proba
    assert sorted(proba) == [3, 4]
    for position, share in proba.items():
        counts = np.bincount(observed_of(data, position).astype(int), minlength=5)[2:]
        np.testing.assert_allclose(share, np.tile(counts / counts.sum(), (100, 1)), rtol=1e-6)


@pytest.mark.parametrize("model", IMPUTERS)
def test_draws_follow_the_training_values(model: type[Any]) -> None:
    train, hidden = table(4000, seed=1), table(1, seed=2, missing=1.0)
    draws = model().fit(train, LocalRun(seed=3)).impute(hidden, draws=4000).draws[:, 0]
    for position in range(3):
        values = observed_of(train, position)
        assert np.isin(draws[:, position], values).all()
        assert draws[:, position].mean() == pytest.approx(values.mean(), abs=0.1 * float(values.std()))
        assert draws[:, position].std() == pytest.approx(values.std(), rel=0.1)
    shares = np.bincount(draws[:, 3].astype(int), minlength=5)[2:] / 4000
    np.testing.assert_allclose(shares, [0.6, 0.3, 0.1], atol=0.04)


def test_draws_belong_to_the_row_and_the_seed() -> None:
    train, test = table(300, seed=1), table(40, seed=2, missing=0.5)
    model = MeanImputer().fit(train, LocalRun(seed=3))
    draws = model.impute(test, draws=6).draws
    assert draws is not None
    order = np.random.default_rng(0).permutation(40)
    assert (model.impute(test.take(order), draws=6).draws == draws[:, order]).all()
    assert (model.impute(test.take(slice(5, 6)), draws=6).draws == draws[:, 5:6]).all()
    assert (model.impute(test, draws=2).draws == draws[:2]).all()
    assert (MeanImputer().fit(train, LocalRun(seed=4)).impute(test, draws=6).draws != draws).any()
    observed = np.broadcast_to(test.observed, draws.shape)
    assert (draws[observed] == np.broadcast_to(test.values, draws.shape)[observed]).all()


def test_row_uniform_is_uniform_and_sees_every_cell() -> None:
    data = table(2000, missing=0.0)
    uniform = row_uniform(data, seed=0, draws=5)
    assert uniform.shape == (5, 2000, 4)
    counts = np.histogram(uniform, bins=20, range=(0, 1))[0]
    assert (abs(counts - 2000) < 5 * np.sqrt(2000)).all()
    assert abs(np.corrcoef(uniform.transpose(1, 0, 2).reshape(2000, -1).T) - np.eye(20)).max() < 0.11
    for position in range(4):
        cells = np.zeros(data.values.shape, dtype=bool)
        cells[0, position] = True
        changed = row_uniform(data.hide(cells), seed=0, draws=5)
        assert (changed[:, 0] != uniform[:, 0]).all()
        assert (changed[:, 1:] == uniform[:, 1:]).all()


def test_row_uniform_takes_equal_rows_for_equal() -> None:
    assert (row_uniform(numeric([[-0.0]]), 0, 3) == row_uniform(numeric([[0.0]]), 0, 3)).all()


def test_a_column_that_was_never_observed_gets_zero_or_the_first_level() -> None:
    data = table(10, missing=1.0)
    for model in IMPUTERS:
        filled = model().fit(data, LocalRun()).impute(data, draws=3)
        assert (filled.point == [0, 0, 0, 2]).all()
        assert (filled.draws[:, :, :3] == 0).all()
        assert set(np.unique(filled.draws[:, :, 3])) <= {2, 3, 4}
        np.testing.assert_allclose(filled.proba[3], 1 / 3)


# What holds for all of them


def answers(model: Any, data: Encoded) -> Sequence[Any]:
    if "explain" in verbs_of(type(model)):
        cells = model.explain(data)
        return [model.score(data), cells.contribution, cells.expected]
    if "score" in verbs_of(type(model)):
        return [model.score(data)]
    filled = model.impute(data, draws=2)
    return [filled.point, filled.draws.transpose(1, 0, 2), *filled.proba.values()]


@pytest.mark.parametrize("model", [*SCORERS, *IMPUTERS])
@settings(deadline=None, max_examples=15)
@given(
    rows=st.integers(1, 40),
    numbers=st.integers(0, 3),
    categories=st.integers(0, 2),
    missing=st.sampled_from([0.0, 0.3, 1.0]),
    seed=st.integers(0, 99),
)
def test_answers_are_finite_restorable_and_row_by_row(
    model: type[Any], rows: int, numbers: int, categories: int, missing: float, seed: int
) -> None:
    train, test = table(rows, numbers, categories, seed, missing), table(150, numbers, categories, seed + 1, missing)
    small = {"trees": 5} if model is IsolationForest else {}
    fitted = model(**small).fit(train, LocalRun(seed=seed))
    whole, back = answers(fitted, test), answers(reloaded(fitted), test)
    order = np.random.default_rng(seed).permutation(150)
    shuffled, alone = answers(fitted, test.take(order)), answers(fitted, test.take(slice(70, 71)))
    for found, again, mixed, single in zip(whole, back, shuffled, alone, strict=True):
        assert np.isfinite(found).all()
        assert (again == found).all()
        assert (mixed == found[order]).all()
        assert (single == found[70:71]).all()


def odd_tables() -> dict[str, Encoded]:
    plain = table(30)
    constant = Encoded(np.full_like(plain.values, 2), np.ones_like(plain.observed), plain.layout)
    single = Layout("table", (1,), (Block("c", "category", 0, ("only",)),))
    unseen = np.where(np.arange(4) == 3, UNSEEN, plain.values).astype(np.float32)
    return {
        "constant": constant,
        "one row": plain.take(slice(1)),
        "no usable column": Encoded(np.full((9, 1), 2, np.float32), np.ones((9, 1), dtype=bool), single),
        "a category without a level": table(9, 0, 1, missing=1.0),
        "unseen levels": Encoded(unseen, plain.observed & (np.arange(4) < 3), plain.layout),
        "huge values": numeric(np.eye(5) * 1e30),
    }


@pytest.mark.parametrize("model", [*SCORERS, *IMPUTERS])
@pytest.mark.parametrize("kind", list(odd_tables()))
def test_odd_tables_are_survived(model: type[Any], kind: str) -> None:
    data = odd_tables()[kind]
    fitted = model().fit(data, LocalRun())
    for answer in answers(fitted, data):
        assert len(answer) == len(data)
        assert np.isfinite(answer).all()


@pytest.mark.parametrize("model", SCORERS)
def test_scores_are_equal_where_rows_do_not_differ(model: type[Any]) -> None:
    for kind in ("constant", "no usable column"):
        data = odd_tables()[kind]
        assert len(np.unique(model().fit(data, LocalRun()).score(data))) == 1
    assert (model().fit(data, LocalRun()).score(data) == 0).all()


@pytest.mark.parametrize("model", [*SCORERS, *IMPUTERS])
def test_no_rows_give_no_answers(model: type[Any]) -> None:
    data = table(30)
    for answer in answers(model().fit(data, LocalRun()), data.take(slice(0))):
        assert len(answer) == 0


@pytest.mark.parametrize("model", [*SCORERS, *IMPUTERS])
def test_neither_the_data_nor_the_global_generator_is_touched(model: type[Any]) -> None:
    data = table(30)
    values, observed = data.values.copy(), data.observed.copy()
    data.values.flags.writeable = data.observed.flags.writeable = False
    before = np.random.get_state()[1].copy()  # type: ignore[index]
    answers(model().fit(data, LocalRun()), data)
    assert (data.values == values).all()
    assert (data.observed == observed).all()
    assert (np.random.get_state()[1] == before).all()  # type: ignore[index]


@pytest.mark.parametrize("neighbours", [5, 20])
def test_lof_is_that_of_scikit_learn(neighbours: int) -> None:
    from sklearn.neighbors import LocalOutlierFactor as Reference

    rng = np.random.default_rng(0)
    train, test = rng.normal(size=(300, 4)), 2 * rng.normal(size=(100, 4))
    model = LocalOutlierFactor(neighbours=neighbours).fit(numeric(train), LocalRun())
    reference = Reference(n_neighbors=neighbours, novelty=True).fit(train.astype(np.float32))
    np.testing.assert_allclose(model.score(numeric(test)), -reference.score_samples(test.astype(np.float32)), rtol=1e-5)


def test_lof_survives_equal_rows() -> None:
    rows = np.repeat(np.random.default_rng(0).normal(size=(3, 2)), 50, axis=0)
    model = LocalOutlierFactor().fit(numeric(rows), LocalRun())
    assert np.isfinite(model.score(numeric(np.vstack([rows, [[99.0, 99.0]]])))).all()


def test_categories_become_the_sum_of_their_surprisals() -> None:
    data = table(60, numbers=2, categories=2, seed=3)
    known = code_shares(data)
    rows = with_surprisal(data, known)
    assert np.array_equal(rows[:, :2], np.where(data.observed, data.values, 0)[:, :2])
    expected = np.zeros(60)
    for at in (2, 3):
        codes = data.values[:, at].astype(int)
        counts = np.array([np.count_nonzero(codes == code) for code in range(len(LEVELS) + 2)]) + 0.5
        expected -= np.log(counts / counts.sum())[codes]
    assert np.allclose(rows[:, 2], expected, rtol=1e-6)
    assert with_surprisal(table(5, categories=0), code_shares(table(5, categories=0))).shape == (5, 3)


def test_covariance_without_trimming_is_ledoit_wolfs() -> None:
    from sklearn.covariance import LedoitWolf

    rng = np.random.default_rng(0)
    values = (rng.normal(size=(400, 5)) @ rng.normal(size=(5, 5))).astype(np.float32)
    model = RobustCovariance(support=1.0).fit(numeric(values), LocalRun())
    reference = LedoitWolf().fit(values / model.scale_)
    np.testing.assert_allclose(
        2 * model.score(numeric(values)), reference.mahalanobis(values / model.scale_), rtol=1e-4
    )


def test_covariance_is_not_drawn_away_by_outliers() -> None:
    rng = np.random.default_rng(0)
    clean = rng.multivariate_normal([0, 0, 0], [[1, 0.9, 0], [0.9, 1, 0], [0, 0, 1]], size=800)
    dirty = np.vstack([clean, rng.normal([8, -8, 8], 0.3, size=(160, 3))])
    model = RobustCovariance().fit(numeric(dirty), LocalRun())
    assert np.abs(model.centre_ * model.scale_).max() < 0.3
    assert model.score(numeric(dirty))[800:].min() > model.score(numeric(dirty))[:800].max()


def test_covariance_survives_constant_dependent_and_too_many_columns() -> None:
    rng = np.random.default_rng(0)
    one = rng.normal(size=(30, 1))
    values = np.hstack([one, 2 * one, np.full((30, 1), 7.0), rng.normal(size=(30, 50))])
    scores = RobustCovariance().fit(numeric(values), LocalRun()).score(numeric(values))
    assert np.isfinite(scores).all()
    broken = values.copy()
    broken[0, 1] += 3  # breaks the dependence
    assert RobustCovariance().fit(numeric(values), LocalRun()).score(numeric(broken))[0] > scores[0]


def test_covariance_gives_a_column_of_missing_values_the_variance_of_its_values() -> None:
    rng = np.random.default_rng(3)
    data = numeric(rng.normal(size=(20_000, 2)).astype(np.float32))
    observed = np.ones((20_000, 2), dtype=bool)
    observed[:, 1] = rng.random(20_000) < 0.05
    data = replace(data, observed=observed)
    model = RobustCovariance(support=1.0).fit(data, LocalRun())
    assert model.score(numeric([[3.0, 0.0], [0.0, 3.0]])) == pytest.approx(3.0**2 / 2, rel=0.15)


def blocks_of(data: Encoded) -> list[Any]:
    """The dense columns of each column of the table."""
    return [np.flatnonzero(data.dense().position == column) for column in range(data.values.shape[1])]


def test_covariance_reasons_are_those_of_the_conditional_gaussian() -> None:
    train, test = table(500, categories=2, seed=1), table(60, categories=2, seed=2)
    model = RobustCovariance().fit(train, LocalRun())
    cells, score = model.explain(test), model.score(test)
    covariance = np.linalg.inv(model.whitening_ @ model.whitening_.T) * np.outer(model.scale_, model.scale_)
    centre, x = model.centre_ * model.scale_, test.dense().matrix.astype(np.float64)
    drops = np.empty(test.values.shape)
    for column, part in enumerate(blocks_of(test)):
        rest = np.setdiff1d(np.arange(x.shape[1]), part)
        solved = np.linalg.solve(covariance[np.ix_(rest, rest)], (x - centre)[:, rest].T)
        drops[:, column] = score - 0.5 * ((x - centre)[:, rest] * solved.T).sum(axis=1)
        mean = centre[part] + solved.T @ covariance[np.ix_(rest, part)]
        expected = mean[:, 0] if column < 3 else mean[:, :3].argmax(axis=1) + 2
        np.testing.assert_allclose(cells.expected[:, column], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(cells.contribution, shares_by_hand(score, drops), rtol=1e-6, atol=1e-9)


def test_covariance_expects_the_level_that_goes_with_the_row() -> None:
    rng = np.random.default_rng(0)
    codes = rng.choice([2, 3, 4], p=[0.6, 0.3, 0.1], size=2000)
    values = np.stack([np.select([codes == 2, codes == 3], [0.0, 3.0], -3.0) + 0.1 * rng.normal(size=2000), codes], 1)
    layout = Layout("table", (2,), (Block("n", "number", 0), Block("c", "category", 1, LEVELS)))
    data = Encoded(values.astype(np.float32), np.ones((2000, 2), dtype=bool), layout)
    expected = RobustCovariance(support=1.0).fit(data, LocalRun()).explain(data).expected
    assert (expected[:, 1] == codes).mean() > 0.9
    assert np.corrcoef(expected[:, 0], values[:, 0])[0, 1] > 0.9


def test_covariance_shares_equally_at_the_centre() -> None:
    model = RobustCovariance().fit(numeric([[-1.0, 0.0], [1.0, 0.0], [0.0, -1.0], [0.0, 1.0]]), LocalRun())
    model.centre_ = np.zeros(2)
    cells = model.explain(numeric([[0.0, 0.0]]))
    assert (cells.contribution == 0).all()
    assert (cells.expected == 0).all()


def mapped(data: Encoded, folder: Path) -> Encoded:
    """Return the rows in files that are mapped into memory."""
    data.values.tofile(folder / "values")
    data.observed.tofile(folder / "observed")
    shape = data.values.shape
    return Encoded(
        np.memmap(folder / "values", np.float32, "r", shape=shape),
        np.memmap(folder / "observed", np.bool_, "r", shape=shape),
        data.layout,
    )


def test_covariance_of_rows_in_files_is_of_all_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its last steps use all rows: it is what the same steps in memory give, not what the sample gives."""
    monkeypatch.setattr(covariance, "SAMPLE", 300)
    monkeypatch.setattr(covariance, "PART", 700)
    rng = np.random.default_rng(0)
    values = (rng.normal(size=(6_000, 1)) + 0.5 * rng.normal(size=(6_000, 4))).astype(np.float32)
    layout = Layout("table", (4,), tuple(Block(str(at), "number", at) for at in range(4)))
    data = Encoded(values, np.ones(values.shape, dtype=bool), layout)
    found = covariance.RobustCovariance().fit(mapped(data, tmp_path), LocalRun())
    sample = covariance.RobustCovariance().fit(data.take(slice(0, 300)), LocalRun())
    centre, whitening, scaled = sample.centre_, sample.whitening_, values / sample.scale_
    for _ in range(covariance.STEPS_WITH_ALL):
        distance = np.square((scaled - centre) @ whitening).sum(axis=1)
        kept = scaled[distance <= np.sort(distance)[round(0.75 * 6_000) - 1]]
        centre = kept.mean(axis=0)
        eigenvalues, vectors = np.linalg.eigh(LedoitWolf().fit(kept).covariance_)
        whitening = vectors / np.sqrt(eigenvalues)
    np.testing.assert_allclose(found.centre_, centre, atol=1e-5)
    expected = 0.5 * np.square((scaled - centre) @ whitening).sum(axis=1)
    np.testing.assert_allclose(found.score(data), expected, rtol=1e-3)
    assert np.abs(sample.centre_ - centre).max() > 1e-3, "otherwise this test shows nothing"

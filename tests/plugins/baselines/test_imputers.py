"""The imputers that predict each column from the others, against closed forms and scikit-learn, and on odd tables."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer

from anomalo.errors import ParameterError
from anomalo.models.learners.trees import Trees, flatten_forest, round_down_to_float32
from anomalo.models.run import LocalRun
from anomalo.plugin import (
    UNSEEN,
    Block,
    Encoded,
    Layout,
    boosting_inputs,
    conditional,
    expectation_maximisation,
    missing_on_both_sides,
)
from anomalo.registry.registry import Registry
from anomalo.workspace import artifacts
from anomalo_baselines.imputers.boosted import FEWEST, BoostedImputer
from anomalo_baselines.imputers.chained import ChainedImputer
from anomalo_baselines.imputers.forest import ForestImputer
from anomalo_baselines.imputers.indicators import indicator_matrix, level_shares, probabilities
from anomalo_baselines.imputers.knn_impute import NeighbourImputer

REGISTRY = Registry.load()
SMALL: list[tuple[Any, dict[str, Any]]] = [
    (ChainedImputer, {}),
    (ForestImputer, {"trees": 5, "rounds": 2}),
    (BoostedImputer, {"trees": 6, "rate": 0.4}),
    (NeighbourImputer, {"neighbours": 10}),
]
each = pytest.mark.parametrize(("model", "params"), SMALL, ids=[model.name for model, _ in SMALL])


def fitted(model: Any, data: Encoded, seed: int = 0, **params: Any) -> Any:
    return model(**params).fit(data, LocalRun(seed=seed, registered=REGISTRY.create))


def numeric(values: Any, observed: Any = None) -> Encoded:
    """A table of numbers, with missing values where `observed` is False."""
    values = np.asarray(values, dtype=np.float32)
    observed = np.ones(values.shape, dtype=bool) if observed is None else observed
    blocks = tuple(Block(f"n{i}", "number", i) for i in range(values.shape[1]))
    return Encoded(np.where(observed, values, np.float32(0)), observed, Layout("table", values.shape[1:], blocks))


def mixed(rows: int, seed: int = 0, missing: float = 0.2, levels: int = 4) -> Encoded:
    """Three numbers and two categories that follow one hidden quantity."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=rows)
    numbers = hidden[:, None] * [1.0, -2.0, 0.5] + 0.4 * rng.normal(size=(rows, 3))
    first = np.digitize(hidden + 0.3 * rng.normal(size=rows), [0.8, 1.5, 9.0][: max(0, min(3, levels - 1))]) + 2
    second = rng.integers(0, max(1, levels), size=rows) + 2
    values = np.column_stack([numbers, first, second]).astype(np.float32)
    observed = rng.random(values.shape) >= missing
    names = tuple(f"level {i}" for i in range(levels))
    blocks = [Block(f"n{i}", "number", i) for i in range(3)] + [Block(f"c{i}", "category", i, names) for i in (3, 4)]
    return Encoded(np.where(observed, values, np.float32(0)), observed, Layout("table", (5,), tuple(blocks)))


# The Gaussian


def gaussian(rows: int, seed: int, columns: int = 5) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(columns, columns))
    return rng.normal(size=(rows, columns)) @ mixing.T, mixing @ mixing.T, rng


def test_the_conditional_is_that_of_the_textbook_for_every_pattern() -> None:
    deviation, covariance, rng = gaussian(40, 0)
    hidden = rng.random(deviation.shape) < 0.5
    precision = np.linalg.inv(covariance)
    pull = np.where(hidden, 0.0, deviation) @ precision
    found = {}
    for rows, at, mean, within in conditional(precision, pull, hidden):
        found |= {int(row): (at[i], mean[i], within[i]) for i, row in enumerate(rows)}
    assert sorted(found) == np.flatnonzero(hidden.any(axis=1)).tolist()
    for row, (at, mean, within) in found.items():
        m, o = np.flatnonzero(hidden[row]), np.flatnonzero(~hidden[row])
        weights = (
            covariance[np.ix_(m, o)] @ np.linalg.inv(covariance[np.ix_(o, o)]) if len(o) else np.zeros((len(m), 0))
        )
        assert at.tolist() == m.tolist()
        np.testing.assert_allclose(mean, weights @ deviation[row, o], atol=1e-8)
        np.testing.assert_allclose(within, covariance[np.ix_(m, m)] - weights @ covariance[np.ix_(o, m)], atol=1e-8)


def test_em_finds_the_maximum_of_the_observed_likelihood() -> None:
    rows, _, rng = gaussian(300, 1, columns=3)
    seen = rng.random(rows.shape) > 0.3
    mean, covariance = expectation_maximisation(rows, seen, np.zeros(3) + 1e-9, 2000, 1e-10)

    def likelihood(mean: Any, covariance: Any) -> float:
        total = 0.0
        for row, known in zip(rows, seen, strict=True):
            d, part = (row - mean)[known], covariance[np.ix_(known, known)]
            total -= 0.5 * (d @ np.linalg.solve(part, d) + np.linalg.slogdet(part)[1]) if known.any() else 0.0
        return total

    best = likelihood(mean, covariance)
    for _ in range(20):
        nudge = 0.01 * rng.normal(size=(3, 3))
        assert likelihood(mean + 0.01 * rng.normal(size=3), covariance) < best
        assert likelihood(mean, covariance + nudge @ nudge.T) < best + 1e-6


def test_chained_gives_the_conditional_expectation_of_a_known_gaussian() -> None:
    values, covariance, rng = gaussian(20_000, 2, columns=4)
    data = numeric(values)
    model = fitted(ChainedImputer, data, ridge=1e-6)
    test = numeric(values[:200], rng.random((200, 4)) > 0.4)
    filled = model.impute(test).point
    for row, known in zip(range(200), test.observed, strict=True):
        m, o = np.flatnonzero(~known), np.flatnonzero(known)
        expected = covariance[np.ix_(m, o)] @ np.linalg.solve(covariance[np.ix_(o, o)], values[row, o])
        np.testing.assert_allclose(filled[row, m], expected, atol=0.12 * np.sqrt(covariance.diagonal().max()))


def test_chained_fills_as_chained_bayesian_ridges_on_linear_data() -> None:
    values, _, rng = gaussian(600, 3, columns=6)
    values[:, 3:] = values[:, :3] @ rng.normal(size=(3, 3)) + 0.5 * rng.normal(size=(600, 3))
    observed = rng.random(values.shape) > 0.2
    data = numeric(values, observed)
    peer = IterativeImputer(max_iter=200, tol=1e-3, random_state=0)
    theirs = peer.fit_transform(np.where(observed, values, np.nan))[~observed]
    ours = fitted(ChainedImputer, data, ridge=1e-4, rounds=500).impute(data).point[~observed]
    truth, deviation = values[~observed], values.std()
    assert np.sqrt(np.square(ours - theirs).mean()) < 0.08 * deviation
    assert np.square(ours - truth).mean() < 1.02 * np.square(theirs - truth).mean()


def test_probabilities_are_those_of_linear_discriminant_analysis() -> None:
    """Indicators regressed on Gaussian classes lead to the posterior that Bayes' theorem gives."""
    rng = np.random.default_rng(4)
    shares, middle = np.array([0.6, 0.3, 0.1]), rng.normal(size=(3, 2)) * 1.5
    level = rng.choice(3, size=200_000, p=shares)
    x = middle[level] + rng.normal(size=(len(level), 2))
    y = np.eye(3)[level]
    both = np.cov(np.column_stack([y, x]).T)
    weights = both[:3, 3:] @ np.linalg.inv(both[3:, 3:])
    given = x[:300]
    expected = (given - x.mean(axis=0)) @ weights.T
    conditional_covariance = np.broadcast_to(both[:3, :3] - weights @ both[3:, :3] + 1e-9 * np.eye(3), (300, 3, 3))
    found = probabilities(expected, conditional_covariance, both[:3, :3] + 1e-9 * np.eye(3), shares)
    log = np.log(shares) - 0.5 * np.square(given[:, None] - middle).sum(axis=2)
    bayes = np.exp(log) / np.exp(log).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found, bayes, atol=0.02)


def test_probabilities_of_an_empty_row_are_the_shares() -> None:
    data = mixed(400)
    proba = fitted(ChainedImputer, data).impute(data.hide(np.ones(data.values.shape, dtype=bool))).proba
    for position, shares in level_shares(data).items():
        np.testing.assert_allclose(proba[position][0], shares, atol=0.02)


def test_rare_levels_share_an_indicator_and_its_probability() -> None:
    data = mixed(900, levels=40)
    matrix, _ = indicator_matrix(data)
    assert matrix.shape[1] == 3 + 20 + 20
    proba = fitted(ChainedImputer, data).impute(data.hide(np.ones(data.values.shape, dtype=bool))).proba[4][0]
    np.testing.assert_allclose(proba, level_shares(data)[4], atol=0.01)


def test_draws_of_two_numbers_vary_together() -> None:
    rng = np.random.default_rng(5)
    one = rng.normal(size=2000)
    data = numeric(np.column_stack([one, one + 0.6 * rng.normal(size=2000), rng.normal(size=2000)]))
    empty = data.take(slice(1)).hide(np.ones((1, 3), dtype=bool))
    draws = fitted(ChainedImputer, data).impute(empty, draws=3000).draws[:, 0]
    found = np.corrcoef(draws.T)
    assert found[0, 1] == pytest.approx(np.corrcoef(data.values.T)[0, 1], abs=0.05)
    assert abs(found[0, 2]) < 0.08
    np.testing.assert_allclose(draws.std(axis=0), data.values.std(axis=0), rtol=0.1)


# Trees


def test_rounded_thresholds_part_float32_values_as_the_exact_ones_do() -> None:
    rng = np.random.default_rng(6)
    values = np.sort(rng.normal(size=4000).astype(np.float32))
    middles = (values[1:].astype(np.float64) + values[:-1]) / 2
    thresholds = np.concatenate([middles, values, np.nextafter(values.astype(np.float64), -np.inf)])
    assert (round_down_to_float32(thresholds) <= thresholds).all()
    for near in (np.searchsorted(values, thresholds) + shift for shift in (-1, 0, 1)):
        near = values[np.clip(near, 0, len(values) - 1)]
        assert ((near <= round_down_to_float32(thresholds)) == (near <= thresholds)).all()


@pytest.mark.parametrize("kind", [RandomForestRegressor, RandomForestClassifier])
def test_the_walk_ends_in_scikit_learns_leaves(kind: Any) -> None:
    rng = np.random.default_rng(7)
    x = np.round(rng.normal(size=(300, 4)), 1).astype(np.float32)
    forest = kind(n_estimators=7, random_state=0).fit(x, np.digitize(x[:, 0] + x[:, 1] ** 2, [0, 1, 2]))
    trees = flatten_forest([tree.tree_ for tree in forest.estimators_])
    trees = Trees(trees.roots, trees.depths, trees.feature, round_down_to_float32(trees.threshold), trees.children)
    new = np.round(rng.normal(size=(500, 4)), 1).astype(np.float32)
    found = np.stack(list(trees.leaves(new)), axis=1) - trees.roots
    assert (found == forest.apply(new)).all()


def grown(model: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Remember scikit-learn's models: the argument of `_flatten`."""
    kept: list[Any] = []
    flatten = model._flatten

    def remembering(*arguments: Any) -> None:
        kept.extend(arguments[0])
        flatten(*arguments)

    monkeypatch.setattr(model, "_flatten", remembering)
    return kept


def test_forest_predicts_what_scikit_learns_forests_predict(monkeypatch: pytest.MonkeyPatch) -> None:
    train, test = mixed(300, seed=1), mixed(150, seed=2, missing=0.4)
    model = ForestImputer(trees=9, rounds=2, start="chained")
    kept = grown(model, monkeypatch)
    model.fit(train, LocalRun(registered=REGISTRY.create))
    filled = model.start_.impute(test).point.copy()
    proba = {}
    for number in range(2):
        given = filled.copy()
        for _, block, forest in (entry for entry in kept if entry[0] == number):
            at = block.position
            rows = ~test.observed[:, at]
            filled[rows, at] = forest.predict(np.delete(given, at, axis=1)[rows])
            if block.kind == "category":
                shares = np.zeros((rows.sum(), block.size))
                shares[:, forest.classes_.astype(int) - 2] = forest.predict_proba(np.delete(given, at, axis=1)[rows])
                proba[at] = rows, shares
    ours = model.impute(test)
    np.testing.assert_allclose(ours.point, filled, rtol=1e-5, atol=1e-5)
    for at, (rows, shares) in proba.items():
        np.testing.assert_allclose(ours.proba[at][rows], shares, atol=1e-5)


def test_forest_errors_are_those_of_the_trees_out_of_bag(monkeypatch: pytest.MonkeyPatch) -> None:
    data = mixed(200, missing=0.0)
    model = ForestImputer(trees=60, rounds=1)
    kept = grown(model, monkeypatch)
    model.fit(data, LocalRun(registered=REGISTRY.create))
    _, block, forest = kept[0]
    again = RandomForestRegressor(**{**forest.get_params(), "oob_score": True})
    without = model.start_.impute(data.hide(np.ones(data.values.shape, dtype=bool))).point
    inputs = np.delete(np.where(data.observed, data.values, without), block.position, axis=1)
    again.fit(inputs, data.values[:, block.position])
    table = model.residuals_[: model.residual_ends_[0]]
    np.testing.assert_allclose(table[:, 0], np.sort(again.oob_prediction_), atol=1e-5)


def test_forest_inputs_do_not_depend_on_the_truth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each column's first inputs are those that the first imputer gives without that column."""
    data, model, found = mixed(100), ForestImputer(trees=2, rounds=1, start="chained"), {}
    grow = model._grow

    def watched(inputs: Any, truth: Any, block: Block, seed: int) -> Any:
        found[block.position] = inputs
        return grow(inputs, truth, block, seed)

    monkeypatch.setattr(model, "_grow", watched)
    model.fit(data, LocalRun(registered=REGISTRY.create))
    for column, given in found.items():
        hidden = np.broadcast_to(np.arange(5) == column, data.values.shape)
        expected = model.start_.impute(data.hide(hidden)).point[data.observed[:, column]]
        np.testing.assert_array_equal(given, np.delete(expected, column, axis=1))


@pytest.mark.parametrize("start", ["knn", "forest"])
def test_forest_refuses_to_start_from_a_model_that_does_not_impute(start: str) -> None:
    with pytest.raises(ParameterError, match=f"start='{start}'"):
        fitted(ForestImputer, mixed(20), start=start)


@pytest.mark.parametrize("levels", [2, 4])
def test_boosted_predicts_what_scikit_learns_models_predict(levels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    train, test = mixed(300, seed=1, levels=levels), mixed(150, seed=2, missing=0.4, levels=levels)
    values = train.values.copy()
    values[:, 4][values[:, 4] == levels + 1] = 2  # a level that training never has
    train = replace(train, values=values)
    model = BoostedImputer(trees=12)
    kept = grown(model, monkeypatch)
    model.fit(train, LocalRun())
    matrix, first = missing_on_both_sides(boosting_inputs(test), test.layout.categories), 0
    for number, (position, boosting) in enumerate(zip(model.positions_, kept, strict=True)):
        block = test.layout.blocks[position]
        size = max(1, block.size)
        raw = model._raw(number, matrix, model.baselines_[first : first + size])
        first += size
        if boosting is None:
            assert len(np.unique(train.values[train.observed[:, position], position])) == 1
            continue
        given = boosting_inputs(test)
        given[:, position] = 0
        if block.kind == "number":
            np.testing.assert_allclose(raw[:, 0], boosting.model.predict(given), atol=1e-5)
        else:
            shares = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)
            own = boosting.model.classes_.astype(int) - 2
            np.testing.assert_allclose(shares[:, own], boosting.model.predict_proba(given), atol=1e-5)
            assert np.delete(shares, own, axis=1).max(initial=0.0) == 0
    assert len(model.sets_)


@pytest.mark.slow
def test_boosted_estimates_its_error_on_rows_that_a_model_was_fitted_without() -> None:
    rng = np.random.default_rng(8)
    noise = numeric(rng.normal(size=(240, 3)))
    errors = fitted(BoostedImputer, noise, trees=200).residuals_[:, 1]
    assert errors.std() > 0.95


def test_boosted_with_few_cells_predicts_the_mean_and_the_shares() -> None:
    data = mixed(FEWEST - 1, missing=0.0)
    filled = fitted(BoostedImputer, data).impute(data.hide(np.ones(data.values.shape, dtype=bool)))
    np.testing.assert_allclose(filled.point[:, :3], np.tile(data.values[:, :3].mean(axis=0), (len(data), 1)), rtol=1e-5)
    np.testing.assert_allclose(filled.proba[4][0], level_shares(data)[4], atol=1e-6)


# Neighbours


@pytest.mark.parametrize("neighbours", [1, 5, 300])
def test_knn_impute_equals_scikit_learn_on_numbers(neighbours: int) -> None:
    rng = np.random.default_rng(9)
    train = numeric(rng.normal(size=(200, 5)), rng.random((200, 5)) > 0.3)
    test = numeric(rng.normal(size=(150, 5)), rng.random((150, 5)) > 0.4)
    peer = KNNImputer(n_neighbors=neighbours).fit(np.where(train.observed, train.values, np.nan))
    theirs = peer.transform(np.where(test.observed, test.values, np.nan))
    known = test.observed.any(axis=1)
    ours = fitted(NeighbourImputer, train, neighbours=neighbours).impute(test).point
    np.testing.assert_allclose(ours[known], theirs[known], atol=1e-5)
    means = np.nanmean(np.where(train.observed, train.values, np.nan), axis=0)
    np.testing.assert_allclose(ours[~known], np.tile(means, ((~known).sum(), 1)), atol=1e-5)


def test_knn_impute_votes_by_brute_force_and_counts_two_levels_as_one_apart() -> None:
    train, test = mixed(80, seed=1), mixed(60, seed=2)
    proba = fitted(NeighbourImputer, train, neighbours=7).impute(test).proba[3]
    for row in np.flatnonzero(~test.observed[:, 3] & test.observed.any(axis=1)):
        both = test.observed[row] & train.observed
        apart = np.where(np.arange(5) < 3, np.square(test.values[row] - train.values), test.values[row] != train.values)
        with np.errstate(invalid="ignore"):
            distance = np.where(both, apart, 0).sum(axis=1) / both.sum(axis=1)
        donors = np.flatnonzero(train.observed[:, 3] & both.any(axis=1))
        nearest = donors[np.argsort(distance[donors], kind="stable")[:7]]
        counts = np.bincount(train.values[nearest, 3].astype(int), minlength=6)[2:]
        np.testing.assert_allclose(proba[row], counts / 7, atol=1e-6)


def test_knn_impute_draws_values_of_neighbours() -> None:
    train = numeric([[0.0, 1.0], [0.1, 2.0], [9.0, 50.0], [9.1, 60.0]])
    test = numeric([[0.0, 0.0]], np.array([[True, False]]))
    draws = fitted(NeighbourImputer, train, neighbours=2).impute(test, draws=50).draws
    assert set(np.unique(draws[:, 0, 1])) == {1.0, 2.0}
    assert (draws[:, 0, 0] == 0).all()


def test_knn_impute_errors_are_those_of_rows_without_themselves() -> None:
    rng = np.random.default_rng(10)
    noise = numeric(rng.normal(size=(250, 4)))
    errors = fitted(NeighbourImputer, noise, neighbours=10).residuals_[:, 1]
    assert errors.std() > 0.95


# What holds for all of them


def every(filled: Any) -> list[Any]:
    return [filled.point, filled.low, filled.high, filled.draws.transpose(1, 0, 2), *filled.proba.values()]


@each
def test_a_row_alone_is_the_row_in_any_batch_to_the_bit(model: Any, params: dict[str, Any]) -> None:
    train, test = mixed(120, seed=1), mixed(1100, seed=2, missing=0.4)
    imputer = fitted(model, train, **params)
    whole = every(imputer.impute(test, draws=3))
    order = np.random.default_rng(0).permutation(len(test))
    for rows in (order, slice(7, 8), slice(1090, 1100)):
        for array, found in zip(whole, every(imputer.impute(test.take(rows), draws=3)), strict=True):
            np.testing.assert_array_equal(found, array[rows])
    np.testing.assert_array_equal(imputer.impute(test, draws=2).draws, imputer.impute(test, draws=3).draws[:2])


@each
def test_imputed_values_are_better_than_the_mean(model: Any, params: dict[str, Any]) -> None:
    train, complete = mixed(400, seed=1), mixed(400, seed=2, missing=0.0)
    hidden = np.random.default_rng(3).random(complete.values.shape) < 0.3
    mean, ours = (
        fitted(m, train, **p).impute(complete.hide(hidden)) for m, p in ((REGISTRY.get("mean"), {}), (model, params))
    )
    for at in range(3):
        cells = hidden[:, at], at
        errors = [np.square(filled.point[cells] - complete.values[cells]).mean() for filled in (mean, ours)]
        assert errors[1] < 0.95 * errors[0]
    right = [(filled.point[hidden[:, 3], 3] == complete.values[hidden[:, 3], 3]).mean() for filled in (mean, ours)]
    assert right[1] > right[0]


@each
def test_intervals_and_draws_cover_nine_tenths_of_the_truths(model: Any, params: dict[str, Any]) -> None:
    train, complete = mixed(500, seed=1), mixed(600, seed=2, missing=0.0)
    hidden = np.random.default_rng(3).random(complete.values.shape) < 0.2
    hidden[:, 3:] = False
    filled = fitted(model, train, **params).impute(complete.hide(hidden), draws=40)
    truth = complete.values[hidden]
    assert (filled.low[hidden] <= filled.point[hidden]).all()
    assert (filled.high[hidden] >= filled.point[hidden]).all()
    assert ((truth >= filled.low[hidden]) & (truth <= filled.high[hidden])).mean() == pytest.approx(0.9, abs=0.05)
    low, high = np.quantile(filled.draws[:, hidden], [0.05, 0.95], axis=0)
    assert ((truth >= low) & (truth <= high)).mean() == pytest.approx(
        0.9, abs=0.15 if model is NeighbourImputer else 0.08
    )
    observed = complete.values[~hidden & (np.arange(5) < 3)]
    assert (filled.low[~hidden & (np.arange(5) < 3)] == observed).all()
    assert np.isnan(filled.low[:, 3:]).all()


def odd_tables() -> dict[str, Encoded]:
    plain = mixed(30)
    single = Layout("table", (1,), (Block("c", "category", 0, ("only",)),))
    unseen = np.where(np.arange(5) == 4, UNSEEN, plain.values).astype(np.float32)
    return {
        "constant": Encoded(np.full_like(plain.values, 2), np.ones_like(plain.observed), plain.layout),
        "one row": plain.take(slice(1)),
        "nothing observed": mixed(9, missing=1.0),
        "one level": Encoded(np.full((9, 1), 2, np.float32), np.ones((9, 1), dtype=bool), single),
        "a category without levels": mixed(9, missing=1.0, levels=0),
        "unseen levels": Encoded(unseen, plain.observed & (np.arange(5) < 4), plain.layout),
        "huge values": numeric(np.eye(5) * 1e30),
        "many levels": mixed(60, levels=50),
    }


@each
@pytest.mark.parametrize("kind", list(odd_tables()))
def test_odd_tables_are_imputed(model: Any, params: dict[str, Any], kind: str) -> None:
    data = odd_tables()[kind]
    imputer = fitted(model, data, **params)
    rng = np.random.default_rng(0)
    for hidden in (
        np.zeros(data.values.shape, bool),
        rng.random(data.values.shape) < 0.5,
        np.ones(data.values.shape, bool),
    ):
        test = data.hide(hidden)
        filled = imputer.impute(test, draws=2)
        for array in (filled.point, filled.draws, *filled.proba.values()):
            assert np.isfinite(array).all()
        assert (filled.point[test.observed] == test.values[test.observed]).all()
        for block in data.layout.blocks:
            if block.size:
                np.testing.assert_allclose(filled.proba[block.position].sum(axis=1), 1, atol=1e-5)
                codes = filled.draws[:, ~test.observed[:, block.position], block.position]
                assert np.isin(codes, np.arange(block.size) + 2).all()
    assert all(len(array) == 0 for array in every(imputer.impute(data.take(slice(0)), draws=1)))


@each
def test_a_column_complete_in_training_is_imputed_when_values_are_missing_later(
    model: Any, params: dict[str, Any]
) -> None:
    train = mixed(200, seed=1)
    values, observed = train.values.copy(), train.observed.copy()
    values[:, 0] = np.where(observed[:, 0], values[:, 0], 5.0)
    observed[:, 0] = True
    test = mixed(50, seed=2, missing=0.0).hide(np.arange(5) == 0)
    filled = fitted(model, Encoded(values, observed, train.layout), **params).impute(test).point
    assert len(np.unique(filled[:, 0])) > 5


@each
def test_saved_without_pickle_and_restored_to_the_bit(model: Any, params: dict[str, Any], tmp_path: Path) -> None:
    train, test = mixed(80, seed=1), mixed(40, seed=2)
    imputer = fitted(model, train, **params)
    artifacts.save(tmp_path / "model", {}, imputer.state())
    again = model(**params).restore(artifacts.load(tmp_path / "model").state, REGISTRY.create)
    assert {path.suffix for path in (tmp_path / "model").rglob("*") if path.is_file()} == {".json", ".safetensors"}
    for array, found in zip(every(imputer.impute(test, draws=2)), every(again.impute(test, draws=2)), strict=True):
        np.testing.assert_array_equal(found, array)

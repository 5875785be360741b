"""The blend of imputers: its parts against scikit-learn and brute force, its properties on simulated tables."""

from copy import copy

import numpy as np
import pytest
from anomalo_auto.imputation.boosting import ColumnBoosting
from scipy.optimize import minimize
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.kernel_ridge import KernelRidge as SklearnKernelRidge

from anomalo.errors import ParameterError
from anomalo.models.run import LocalRun
from anomalo.plugin import FIRST_LEVEL, Block, Encoded, Layout
from anomalo.registry.registry import Registry
from anomalo_auto.auto import Auto
from anomalo_auto.imputation import boosting, forest, kernel_ridge
from anomalo_auto.imputation.blend import Blend
from anomalo_auto.imputation.column_model import INPUTS, SMALLEST, _input_entries, _without_small
from anomalo_auto.imputation.completed_rows import EntryLayout
from anomalo_auto.imputation.forest import ColumnForest
from anomalo_auto.imputation.imputation_rounds import ColumnFit, RoundFitter
from anomalo_auto.imputation.kernel_ridge import KernelRidge
from anomalo_auto.imputation.missingness_notes import MissingnessTest
from anomalo_auto.imputation.mixture_weights import mixture_weights
from anomalo_auto.imputation.target_column import Target

NUMBER = Block("size", "number", 0)


def category(size: int) -> Block:
    return Block("kind", "category", 0, levels=tuple("abcdefgh"[:size]))


def target(block: Block, truth: np.ndarray) -> Target:
    return Target(block, np.ones(len(truth), dtype=bool), truth.astype(np.float64))


def inputs(rows: int, seed: int = 0, missing: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(rows, 4)).astype(np.float32)
    matrix[rng.random(matrix.shape) < missing] = np.nan
    return matrix


def numbers(matrix: np.ndarray, seed: int = 0) -> np.ndarray:
    known = np.nan_to_num(matrix)
    return np.sin(2 * known[:, 0]) + known[:, 1] + 0.1 * np.random.default_rng(seed).normal(size=len(matrix))


def levels(matrix: np.ndarray, size: int) -> np.ndarray:
    return np.digitize(np.nan_to_num(matrix[:, 0]), np.linspace(-0.8, 0.8, size - 1))


def test_the_kernel_regression_is_scikit_learns_where_every_row_is_a_landmark() -> None:
    matrix, new = inputs(150), inputs(40, seed=1)
    truth = numbers(matrix)
    fitted, _ = KernelRidge.fit(matrix, target(NUMBER, truth), np.random.default_rng(0))
    standardised = [np.clip((part - fitted.centre) / fitted.scale, -4, 4) for part in (matrix, new)]
    errors = []
    for penalty in kernel_ridge.PENALTIES:
        peer = SklearnKernelRidge(alpha=penalty, kernel="rbf", gamma=fitted.rate[0])
        expected = peer.fit(standardised[0], truth - truth.mean()).predict(standardised[1]) + truth.mean()
        errors.append(np.abs(fitted.predict(new, target(NUMBER, truth))[:, 0] - expected).max())
    assert min(errors) < 5e-3 < sorted(errors)[1]  # landmarks are kept as float32


def test_the_kernel_regressions_leave_one_out_predictions_are_those_of_refitting_without_each_row() -> None:
    rng = np.random.default_rng(2)
    features, outputs = rng.normal(size=(30, 5)), rng.normal(size=(30, 2))
    held_out = kernel_ridge._ridge(features, outputs)[1]
    distances = []
    for penalty in kernel_ridge.PENALTIES:
        left_out = np.empty_like(outputs)
        for row in range(len(features)):
            rest = np.arange(len(features)) != row
            normal = features[rest].T @ features[rest] + penalty * np.eye(5)
            left_out[row] = features[row] @ np.linalg.solve(normal, features[rest].T @ outputs[rest])
        distances.append((np.square(left_out - outputs).mean(), np.abs(held_out - left_out).max()))
    assert min(distances)[1] < 1e-8, "not those of the penalty with the smallest error"


@pytest.mark.parametrize("block", [NUMBER, category(2), category(4)], ids=["number", "two levels", "four levels"])
def test_the_forest_predicts_as_scikit_learns_does_in_and_out_of_the_bag(block: Block) -> None:
    matrix, new = inputs(200), inputs(50, seed=1)
    truth = numbers(matrix) if block.kind == "number" else levels(matrix, block.size)
    fitted, held_out = ColumnForest.fit(matrix, target(block, truth), np.random.default_rng(5))
    peer = (RandomForestRegressor if block.kind == "number" else RandomForestClassifier)(
        forest.TREES,
        max_features=forest.FEATURES,
        min_samples_leaf=forest.LEAF[block.kind],
        random_state=int(np.random.default_rng(5).integers(2**31)),
        oob_score=True,
    ).fit(matrix, truth)
    expected = peer.predict(new)[:, None] if block.kind == "number" else peer.predict_proba(new)
    unseen = peer.oob_prediction_[:, None] if block.kind == "number" else peer.oob_decision_function_
    assert np.allclose(fitted.predict(new, target(block, truth)), expected, atol=1e-5)
    assert np.allclose(held_out, unseen, atol=1e-5)


@pytest.mark.parametrize("block", [NUMBER, category(2), category(4)], ids=["number", "two levels", "four levels"])
def test_boosting_predicts_as_scikit_learns_does_with_missing_values(block: Block) -> None:
    matrix, new = inputs(240, missing=0.3), inputs(60, seed=1, missing=0.3)
    matrix[:, 3] = np.where(np.arange(240) % 2, np.nan, 1.0)  # only whether it is missing can be split on
    truth = numbers(matrix) if block.kind == "number" else levels(matrix, block.size)
    truth = truth + np.isnan(matrix[:, 3]) if block.kind == "number" else truth
    column = target(block, truth)
    fitted, held_out = ColumnBoosting.fit(matrix, column, np.random.default_rng(5))
    rng = np.random.default_rng(5)
    folds, seeds = rng.permutation(len(matrix)) % boosting.FOLDS, rng.integers(2**31, size=boosting.FOLDS)
    peers = [boosting._boosted(matrix[folds != f], column, folds != f, int(seed)) for f, seed in enumerate(seeds)]

    def predicted(peer: object, rows: np.ndarray) -> np.ndarray:
        return peer.predict(rows)[:, None] if block.kind == "number" else peer.predict_proba(rows)  # type: ignore

    mean = np.mean([predicted(peer, new) for peer in peers], axis=0)
    assert np.allclose(fitted.predict(new, column), mean, atol=1e-5)
    for fold, peer in enumerate(peers):
        assert np.allclose(held_out[folds == fold], predicted(peer, matrix[folds == fold]), atol=1e-5)


def test_a_level_that_a_fold_lacks_does_no_harm_to_boosting() -> None:
    matrix = inputs(90)
    truth = levels(matrix, 2)
    truth[0] = 2  # a level of one row
    fitted, held_out = ColumnBoosting.fit(matrix, target(category(3), truth), np.random.default_rng(0))
    for proba in (held_out, fitted.predict(matrix, target(category(3), truth))):
        assert np.allclose(proba.sum(axis=1), 1, atol=1e-5)
    only, _ = ColumnBoosting.fit(matrix, target(category(3), np.append(np.zeros(89), 1)), np.random.default_rng(0))
    assert np.isfinite(only.predict(matrix, target(category(3), truth))).all()


def test_weights_of_numbers_minimise_the_squared_error() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=300)
    predictions = np.stack(
        [truth + rng.normal(size=300), 0.5 * truth + 0.3 * rng.normal(size=300), rng.normal(size=300)]
    )
    found = mixture_weights(predictions[:, :, None], target(NUMBER, truth))
    best = minimize(
        lambda w: np.mean((w @ predictions - truth) ** 2),
        np.full(3, 1 / 3),
        bounds=[(0, 1)] * 3,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        tol=1e-12,
    )
    assert np.allclose(found, best.x, atol=1e-3)


def test_weights_of_categories_maximise_the_likelihood() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(3, size=400)
    sharp = np.eye(3)[np.where(rng.random(400) < 0.7, truth, rng.integers(3, size=400))] * 0.9 + 0.1 / 3
    predictions = np.stack([sharp, np.full((400, 3), 1 / 3)])
    found = mixture_weights(predictions, target(category(3), truth))
    grid = np.linspace(0, 1, 1001)
    likelihood = [np.log(w * sharp[range(400), truth] + (1 - w) / 3).sum() for w in grid]
    assert found[0] == pytest.approx(grid[int(np.argmax(likelihood))], abs=0.02)


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry.load()


BLOCKS = (
    Block("a", "number", 0, low=-4, high=4, missing=0.2),
    Block("b", "number", 1, low=-4, high=4, missing=0.2),
    Block("c", "category", 2, levels=("x", "y", "z"), missing=0.2),
    Block("noise", "number", 3, low=-4, high=4, missing=0.2),
)


def table(rows: int, seed: int = 0, share: float = 0.2, noise: float = 0.3) -> tuple[Encoded, np.ndarray]:
    """Two numbers and a category of one origin, a number that nothing predicts; also the truth of all cells."""
    rng = np.random.default_rng(seed)
    origin = rng.normal(size=rows)
    truth = np.column_stack(
        [
            origin + noise * rng.normal(size=rows),
            np.abs(origin) + noise * rng.normal(size=rows),
            FIRST_LEVEL + np.digitize(origin, [-0.5, 0.7]),
            rng.normal(size=rows),
        ]
    ).astype(np.float32)
    observed = rng.random(truth.shape) > share
    return Encoded(np.where(observed, truth, 0).astype(np.float32), observed, Layout("table", (4,), BLOCKS)), truth


def fitted(data: Encoded, registry: Registry, **params: object) -> Blend:
    return Blend(**params).fit(data, LocalRun(seed=1, registered=registry.create))


@pytest.fixture(scope="module")
def simple(registry: Registry) -> Blend:
    return fitted(table(600)[0], registry)


@pytest.mark.slow
def test_the_reported_error_is_the_actual_one(simple: Blend) -> None:
    data, truth = table(3000, seed=9)
    hidden, filled = simple.hidden_cells(), simple.impute(data)
    for at in (0, 1, 3):
        missing = ~data.observed[:, at]
        error = np.sqrt(np.mean((filled.point[missing, at] - truth[missing, at]) ** 2))
        assert hidden.error[at] == pytest.approx(error, rel=0.15)
    missing = ~data.observed[:, 2]
    assert hidden.error[2] == pytest.approx(np.mean(filled.point[missing, 2] != truth[missing, 2]), abs=0.05)


def test_an_unpredictable_column_is_imputed_by_its_mean_and_reported(simple: Blend) -> None:
    hidden = simple.hidden_cells()
    assert hidden.error[3] > 0.97 * hidden.baseline[3]
    assert hidden.error[1] < 0.7 * hidden.baseline[1]  # b bends: no linear equation predicts it
    assert any("nothing predicts 'noise' better" in note for note in hidden.notes)


def clusters(rows: int, seed: int) -> tuple[Encoded, np.ndarray]:
    """Six numbers around one of eight centres, which nothing linear predicts; also the truth of all cells."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(7).normal(size=(8, 6))
    truth = (centres[rng.integers(8, size=rows)] + 0.2 * rng.normal(size=(rows, 6))).astype(np.float32)
    observed = rng.random(truth.shape) > 0.4
    blocks = tuple(Block(name, "number", at, low=-4, high=4, missing=0.4) for at, name in enumerate("abcdef"))
    return Encoded(np.where(observed, truth, 0).astype(np.float32), observed, Layout("table", (6,), blocks)), truth


@pytest.mark.slow
def test_the_second_round_imputes_better_than_the_first(registry: Registry) -> None:
    both, (data, truth) = fitted(clusters(300, 0)[0], registry), clusters(1000, 1)
    first = copy(both)
    first._rounds = both._rounds[:1]
    missing = ~data.observed
    errors = [np.sqrt(np.mean((blend.predict(data)[0] - truth)[missing] ** 2)) for blend in (both, first)]
    assert len(both._rounds) == 2
    assert errors[0] < 0.97 * errors[1]


def test_rows_are_completed_without_the_cell_that_is_to_be_predicted(simple: Blend) -> None:
    data, truth = table(200, seed=4)
    folds = np.arange(len(data)) % simple.folds_
    other = data.values.copy()
    other[:, 1] = np.where(data.observed[:, 1], truth[::-1, 1], 0)
    completed = []
    for values in (data.values, other):
        changed = Encoded(values, data.observed, data.layout)
        targets = [Target.of(changed, block) for block in BLOCKS]
        learned = [ColumnFit(target, target.outputs(), np.zeros(0)) for target in targets]
        fit = RoundFitter(EntryLayout(data.layout), simple._bases, changed, folds, {})
        completed.append([part[0] for part in fit._completed(simple._rounds, learned)])
    others = EntryLayout(data.layout).position != 1
    assert np.array_equal(completed[0][1][:, others], completed[1][1][:, others])
    assert not np.array_equal(completed[0][0][:, others], completed[1][0][:, others])
    assert np.allclose(completed[1][1][data.observed[:, 1], 1], truth[::-1, 1][data.observed[:, 1]])  # held out


def test_small_weights_are_left_out() -> None:
    assert np.allclose(_without_small(np.array([0.8, SMALLEST / 2, 0.2 - SMALLEST / 2])).sum(), 1)
    assert np.flatnonzero(_without_small(np.array([0.8, SMALLEST / 2, 0.2 - SMALLEST / 2])) == 0).tolist() == [1]
    assert np.allclose(_without_small(np.full(100, 0.01)), 0.01)


def test_intervals_hold_nine_cells_of_ten(simple: Blend) -> None:
    data, truth = table(3000, seed=9)
    filled = simple.impute(data, draws=20)
    for at in (0, 1, 3):
        missing = ~data.observed[:, at]
        inside = (filled.low[missing, at] <= truth[missing, at]) & (truth[missing, at] <= filled.high[missing, at])
        assert 0.86 < inside.mean() < 0.94
        drawn = filled.draws[:, missing, at]
        ranks = (drawn < truth[missing, at]).sum(axis=0)  # of the truth among the draws: uniform from 0 to 20
        shares = np.bincount(ranks // 7, minlength=3) / missing.sum()
        assert np.allclose(shares, 1 / 3, atol=0.08)


def test_probabilities_are_calibrated(simple: Blend) -> None:
    data, truth = table(3000, seed=9)
    proba = simple.impute(data).proba[2][~data.observed[:, 2]]
    level = truth[~data.observed[:, 2], 2].astype(int) - FIRST_LEVEL
    assert proba.max(axis=1).mean() == pytest.approx(np.mean(proba.argmax(axis=1) == level), abs=0.05)


@pytest.mark.slow
def test_values_not_missing_at_random_are_reported_and_random_ones_are_not(registry: Registry, simple: Blend) -> None:
    assert not any("at random" in note for note in simple.hidden_cells().notes)
    data, truth = table(600)
    high = np.zeros_like(data.observed)
    high[:, 0] = (truth[:, 0] > 0.5) & (np.arange(600) % 4 > 0)
    notes = fitted(data.hide(high), registry).hidden_cells().notes
    assert any("'a' (where high values are expected)" in note for note in notes)


def test_rare_levels_are_reported_where_expected_even_if_they_are_most_frequent_together() -> None:
    block = Block("town", "category", 0, levels=("x",), rare=("y", "z"))
    column = target(block, np.append(np.ones(80), np.zeros(20)))
    missingness = MissingnessTest()
    sure, unsure = np.tile([0.1, 0.9], (60, 1)), np.tile([0.7, 0.3], (100, 1))
    missingness.compare(column, unsure, sure)
    assert "'town' (where rarer levels are expected)" in missingness.notes()[0]


def test_a_column_complete_in_training_may_have_missing_values_later(registry: Registry) -> None:
    data, _ = table(200, share=0.0)
    found = fitted(data, registry)
    hidden = np.zeros_like(data.observed)
    hidden[:50, 1] = True
    filled = found.impute(data.hide(hidden))
    assert np.corrcoef(filled.point[:50, 1], data.values[:50, 1])[0, 1] > 0.7
    assert len(found._rounds) == 1, "without missing values there is nothing to complete for a second one"


@pytest.mark.slow
def test_networks_are_left_out_if_it_is_to_be_fast(registry: Registry) -> None:
    data = table(60)[0]
    names = {q: fitted(data, registry, quality=q, epochs=1).state().values["names_"] for q in ("fast", "best")}
    assert Blend().quality == Auto().quality == "fast"
    assert names == {"fast": ["chained"], "best": ["chained", "denoising"]}


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"bases": ""}, "expected different models' names"),
        ({"bases": "mean,mean"}, "expected different models' names"),
        ({"bases": "iforest"}, "'iforest' cannot be one, it does not impute"),
        ({"bases": "blend"}, "'blend' cannot be one"),
    ],
)
def test_unusable_bases_are_named(registry: Registry, params: dict[str, str], text: str) -> None:
    with pytest.raises(ParameterError, match=text):
        fitted(table(40)[0], registry, **params)


def test_many_columns_are_predicted_from_correlated_ones() -> None:
    rng = np.random.default_rng(3)
    origin = rng.normal(size=(300, 3))
    completed = (origin[:, np.arange(230) % 3] + 0.5 * rng.normal(size=(300, 230))).astype(np.float32)
    entry_layout = EntryLayout(Layout("table", (230,), tuple(Block(f"x{at}", "number", at) for at in range(230))))
    entries = _input_entries(entry_layout, completed, target(Block("x7", "number", 7), completed[:, 7]))
    assert len(entries) == INPUTS
    assert 7 not in entries
    assert np.isin(np.arange(1, 230, 3)[np.arange(1, 230, 3) != 7], entries).all()  # all 76 of the same origin

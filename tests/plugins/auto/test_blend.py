"""The blend of imputers: its parts against scikit-learn and brute force, its properties on simulated tables."""

from copy import copy

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.kernel_ridge import KernelRidge as SklearnKernelRidge

from anomalo.models.run import LocalRun
from anomalo.plugin import FIRST_LEVEL, Block, Encoded, Layout
from anomalo.registry.registry import Registry
from anomalo_auto.imputation import blend, entry_layout, forest, kernel_ridge
from anomalo_auto.imputation.blend import Blend
from anomalo_auto.imputation.column_model import SMALLEST, mixture
from anomalo_auto.imputation.discriminant import Discriminant
from anomalo_auto.imputation.entry_layout import EntryLayout
from anomalo_auto.imputation.forest import ColumnForest, grow, unfitted
from anomalo_auto.imputation.gaussian_base import GaussianBase, HeldOutRows
from anomalo_auto.imputation.imputation_rounds import INPUTS, ColumnFit, RoundFitter
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
    fitted, _ = KernelRidge.fit(matrix, target(NUMBER, truth), np.random.default_rng(0), landmarks=150)
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
    column = target(block, truth)
    grown = unfitted(column, len(matrix), np.random.default_rng(5))
    grow(grown, 10, matrix, column)
    held_out = grow(grown, 50, matrix, column)
    peer = (RandomForestRegressor if block.kind == "number" else RandomForestClassifier)(
        50,
        max_features=forest.FEATURES,
        min_samples_leaf=forest.LEAF[block.kind],
        max_samples=200,
        random_state=int(np.random.default_rng(5).integers(2**31)),
        oob_score=True,
    ).fit(matrix, truth)
    found = ColumnForest.of(grown, column).predict(new, column)
    if block.kind == "number":
        assert np.allclose(found[:, 0], peer.predict(new), atol=1e-5)
        assert np.allclose(held_out[:, 0], peer.oob_prediction_, atol=1e-5)
    else:
        expected = (50 * peer.predict_proba(new) + column.marginal()) / 51
        assert np.allclose(found, expected, atol=1e-5)
        assert (held_out.argmax(axis=1) == peer.oob_decision_function_.argmax(axis=1)).mean() > 0.95
        assert held_out.min() > 0, "no level is impossible"


def test_trees_of_large_tables_are_grown_on_samples() -> None:
    column = target(NUMBER, np.zeros(3 * forest.SAMPLE))
    assert unfitted(column, len(column.truth), np.random.default_rng(0)).max_samples == forest.SAMPLE


def test_a_discriminant_recovers_levels_that_linear_regressions_mask() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(3, size=600)
    place = truth + 0.3 * rng.normal(size=600)  # three levels in a row: the middle one's regression is flat
    design = np.column_stack([np.ones(600), place])
    expected = (design @ np.linalg.lstsq(design, np.eye(3)[truth], rcond=None)[0]).astype(np.float32)
    fitted, held_out = Discriminant.fit(expected, target(category(3), truth), rng)
    middle = truth == 1
    assert np.mean(expected.argmax(axis=1)[middle] == 1) < 0.7
    assert np.mean(held_out.argmax(axis=1)[middle] == 1) > 0.8
    assert np.allclose(held_out.sum(axis=1), 1, atol=1e-5)
    alone = fitted.predict(expected[3:4], target(category(3), truth))
    assert np.array_equal(alone, fitted.predict(expected, target(category(3), truth))[3:4])


def test_a_discriminants_held_out_predictions_do_not_know_the_level() -> None:
    rng = np.random.default_rng(0)
    expected, truth = rng.normal(size=(60, 8)).astype(np.float32), rng.integers(8, size=60)
    fitted, held_out = Discriminant.fit(expected, target(category(8), truth), rng)
    known = fitted.predict(expected, target(category(8), truth))
    assert np.mean(known.argmax(axis=1) == truth) > 0.3
    assert np.mean(held_out.argmax(axis=1) == truth) < 0.2


def test_levels_that_share_an_entry_share_its_probability_by_frequency() -> None:
    block = Block("town", "category", 0, levels=tuple(f"t{at}" for at in range(40)))
    layout = EntryLayout(Layout("table", (1,), (block,)))
    codes = np.concatenate([np.arange(40), np.full(60, 35)])
    matrix, _ = layout.matrix(
        Encoded(
            (codes[:, None] + FIRST_LEVEL).astype(np.float32), np.ones((100, 1), bool), Layout("table", (1,), (block,))
        )
    )
    assert matrix.shape == (100, 30)
    assert (matrix[29:, 29] == 1).all()
    column = target(block, codes)
    _, held_out = Discriminant.fit(matrix.astype(np.float32), column, np.random.default_rng(0))
    assert held_out.shape == (100, 40)
    assert (held_out[40:].argmax(axis=1) == 35).all()


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
    both, (data, truth) = fitted(clusters(300, 0)[0], registry, quality="best"), clusters(1000, 1)
    first = copy(both)
    first._rounds = both._rounds[:1]
    missing = ~data.observed
    errors = [np.sqrt(np.mean((blend.predict(data)[0] - truth)[missing] ** 2)) for blend in (both, first)]
    assert len(both._rounds) == 2
    assert errors[0] < 0.97 * errors[1]


def gaussian(data: Encoded) -> tuple[np.ndarray, np.ndarray, GaussianBase, np.ndarray]:
    layout = EntryLayout(data.layout)
    matrix, seen = layout.matrix(data)
    return matrix, seen, GaussianBase.fit(matrix, seen, layout.number), np.arange(len(data)) % 3


@pytest.mark.parametrize("column", [0, 2], ids=["number", "category"])
def test_rows_with_a_column_hidden_are_those_that_the_gaussian_completes_without_it(column: int) -> None:
    data, _ = table(90, share=0.4)
    matrix, seen, base, folds = gaussian(data)
    models = base.without_each(matrix, seen, folds)
    here = EntryLayout(data.layout).of(column)
    others = np.setdiff1d(np.arange(matrix.shape[1]), np.arange(here.start, here.stop))
    found, alone = HeldOutRows(matrix, seen, models, folds).without(here, others)
    hidden = seen.copy()
    hidden[:, here] = False
    for fold, model in enumerate(models):
        expected = model.complete(matrix, hidden)[folds == fold]
        assert np.allclose(found[folds == fold], expected[:, others], atol=1e-4)
        assert np.allclose(alone[folds == fold], expected[:, here], atol=1e-4)


def test_a_gaussian_without_a_fold_has_forgotten_its_rows() -> None:
    data, _ = table(300, share=0.4)
    matrix, seen, base, folds = gaussian(data)
    without = base.without_each(matrix, seen, folds)[0]
    afresh = GaussianBase.fit(matrix[folds != 0], seen[folds != 0], EntryLayout(data.layout).number)
    hidden = seen & (np.arange(matrix.shape[1]) != 1)
    completed = [model.complete(matrix, hidden)[folds == 0, 1] for model in (without, afresh, base)]
    assert np.abs(completed[0] - completed[1]).mean() < 0.5 * np.abs(completed[2] - completed[1]).mean()


@pytest.mark.parametrize("quality", ["fast", "best"])
def test_rows_are_completed_without_the_cell_that_is_to_be_predicted(registry: Registry, quality: str) -> None:
    data, truth = table(120, seed=4)
    other = data.values.copy()
    other[:, 1] = np.where(data.observed[:, 1], truth[::-1, 1], 0)
    learned = fitted(data, registry, quality=quality, trees=5)
    completed = []
    for values in (data.values, other):
        changed = Encoded(values, data.observed, data.layout)
        layout = EntryLayout(data.layout)
        matrix, seen = layout.matrix(changed)
        rows = HeldOutRows(matrix, seen, [learned._base], np.zeros(len(data), np.intp))
        fitter = RoundFitter(layout, changed, rows, learned._base.correlation(), np.ones(4, bool), {})
        column = Target.of(changed, BLOCKS[1])
        fit = ColumnFit(column, column.outputs().astype(np.float32), np.zeros(0))
        completed.append(fitter._completed_again(BLOCKS[1], learned._rounds, fit))
    others = EntryLayout(data.layout).position != 1
    assert np.allclose(completed[0][:, others], completed[1][:, others], atol=1e-5)
    assert np.allclose(completed[1][data.observed[:, 1], 1], truth[::-1, 1][data.observed[:, 1]])  # held out


@pytest.mark.parametrize("quality", ["fast", "best"])
def test_all_that_was_learned_is_restored(registry: Registry, quality: str) -> None:
    data, _ = table(200, seed=4)
    learned = fitted(data, registry, quality=quality, trees=5)
    state = learned.state()
    restored = Blend(quality=quality).restore(state)
    again = restored.state()
    assert again.values == state.values
    assert again.arrays.keys() == state.arrays.keys()
    assert all(np.array_equal(again.arrays[name], array, equal_nan=True) for name, array in state.arrays.items())
    for found, expected in zip(restored._rounds, learned._rounds, strict=True):
        for one, other in zip(found.columns, expected.columns, strict=True):
            assert np.array_equal(one.marginal, other.marginal)
            assert one.weights.sum() == pytest.approx(1)
    filled, expected = restored.impute(data, draws=2), learned.impute(data, draws=2)
    assert np.array_equal(filled.draws, expected.draws)


def test_small_weights_are_left_out() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=500)
    good, bad = truth + 0.1 * rng.normal(size=500), truth + 2 * rng.normal(size=500)
    weights = mixture({"good": good[:, None], "bad": bad[:, None]}, target(NUMBER, truth))
    assert 0 < mixture_weights(np.stack([good, bad])[:, :, None], target(NUMBER, truth))[1] < SMALLEST
    assert weights == {"good": 1.0, "bad": 0.0}


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


def correlation(found: Blend, data: Encoded, column: int) -> float:
    hidden = np.zeros_like(data.observed)
    hidden[:50, column] = True
    filled = found.impute(data.hide(hidden)).point[:50, column]
    return float(np.corrcoef(filled, data.values[:50, column])[0, 1])


def test_columns_without_missing_values_in_training_are_predicted_by_the_base_alone(registry: Registry) -> None:
    data, _ = table(300, share=0.0)
    only_a = np.zeros_like(data.observed)
    only_a[::5, 0] = True
    found = fitted(data.hide(only_a), registry)
    assert [bool({*column.learners} - {"discriminant"}) for column in found._rounds[0].columns[:3]] == [
        True,
        False,
        False,
    ]
    assert correlation(found, data, 1) > 0.3
    error = found.hidden_cells().error
    filled = found.impute(data.hide(np.arange(4) == np.ones((300, 1)))).point[:, 1]
    assert error[1] == pytest.approx(np.sqrt(np.mean((filled - data.values[:, 1]) ** 2)), rel=0.1)


def test_a_complete_table_teaches_all_columns_if_it_is_to_impute(registry: Registry) -> None:
    data, _ = table(300, share=0.0)
    run = LocalRun(seed=1, goals=frozenset({"impute"}), registered=registry.create)
    found = Blend(quality="best").fit(data, run)
    assert correlation(found, data, 1) > 0.7  # b bends: the base alone reaches about .5
    assert len(found._rounds) == 1, "without missing values there is nothing to complete for a second one"


def test_many_columns_are_predicted_from_correlated_ones() -> None:
    rng = np.random.default_rng(3)
    origin = rng.normal(size=(300, 3))
    values = (origin[:, np.arange(230) % 3] + 0.5 * rng.normal(size=(300, 230))).astype(np.float32)
    layout = Layout("table", (230,), tuple(Block(f"x{at}", "number", at) for at in range(230)))
    data = Encoded(values, np.ones(values.shape, bool), layout)
    fitter = RoundFitter(EntryLayout(layout), data, None, np.corrcoef(values.T), np.ones(230, bool), {})
    chosen = fitter._inputs(layout.blocks[7])
    assert len(chosen) == INPUTS
    assert 7 not in chosen
    assert (chosen % 3 == 1).all()  # all of the same origin


def test_in_wide_tables_categories_share_entries_and_columns_with_few_missing_values_have_none(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = tuple(
        Block(f"x{at}", "category", at, levels=tuple("abcdefgh"), missing=at / 10)
        if at % 2
        else Block(f"x{at}", "number", at, low=-4, high=4, missing=at / 10)
        for at in range(6)
    )
    assert EntryLayout(Layout("table", (6,), blocks)).sizes.tolist() == [1, 8, 1, 8, 1, 8]
    monkeypatch.setattr(entry_layout, "WIDTH", 18)
    assert EntryLayout(Layout("table", (6,), blocks)).sizes.tolist() == [1, 5, 1, 5, 1, 5]
    monkeypatch.setattr(entry_layout, "WIDTH", 8)
    layout = Layout("table", (6,), blocks)
    assert EntryLayout(layout).sizes.tolist() == [0, 0, 1, 3, 1, 3]
    rng = np.random.default_rng(0)
    origin = rng.normal(size=200)
    values = np.where(np.arange(6) % 2, FIRST_LEVEL + np.digitize(origin, [-1, 0, 1])[:, None], origin[:, None])
    data = Encoded(values.astype(np.float32), rng.random((200, 6)) > 0.2, layout)
    found = fitted(data, registry, trees=5)
    filled = found.impute(data)
    assert np.allclose(filled.point[~data.observed[:, 0], 0], origin[data.observed[:, 0]].mean(), atol=1e-4)
    for at in (2, 4):
        missing = ~data.observed[:, at]
        assert np.corrcoef(filled.point[missing, at], origin[missing])[0, 1] > 0.8
    again = Blend().restore(found.state())
    assert np.array_equal(again.impute(data).point, filled.point)


def test_learners_are_fitted_for_the_columns_with_the_most_missing_values_as_the_work_allows(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, _ = table(300, share=0.1)
    more = np.zeros_like(data.observed)
    more[::3, 1] = True
    monkeypatch.setattr(blend, "WORK", blend.COLUMN + 300)
    columns = fitted(data.hide(more), registry, trees=5)._rounds[0].columns
    assert [at for at, column in enumerate(columns) if {*column.learners} - {"discriminant"}] == [1]


def test_held_out_predictions_do_not_know_the_cell(registry: Registry) -> None:
    rng = np.random.default_rng(5)
    blocks = tuple(Block(f"x{at}", "number", at, low=-4, high=4, missing=0.1) for at in range(30))
    values = rng.normal(size=(130, 30)).astype(np.float32)  # so few rows that a fit learns noise by heart
    data = Encoded(values, rng.random(values.shape) > 0.1, Layout("table", (30,), blocks))
    hidden = fitted(data, registry, trees=5).hidden_cells()
    assert np.mean(hidden.error / hidden.baseline) > 0.96

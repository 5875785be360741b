"""Replaced synthetic rows: ratios against closed forms, replacements against enumeration."""

import json
from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn.ensemble import HistGradientBoostingClassifier

from anomalo.generators.density_ratio import (
    FEWEST,
    HEAVIEST,
    HELD_OUT,
    DensityRatio,
    correct_by_density_ratio,
    learn_density_ratio,
)
from anomalo.plugin import FIRST_LEVEL, Block, Encoded, Layout

LEVELS = 300
BLOCKS = (
    Block("x", "number", 0, low=-5, high=5),
    Block("group", "category", 1, levels=("a", "b", "c")),
    Block("many", "category", 2, levels=tuple(map(str, range(LEVELS)))),
    Block("empty", "number", 3, low=0, high=1),
)
LAYOUT = Layout("table", (4,), BLOCKS)
REAL, SYNTHETIC = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.3, 0.5])
"""Shares of the groups."""


def rows(n: int, seed: int, mean: float = 0.0, groups: Any = REAL) -> Encoded:
    rng = np.random.default_rng(seed)
    x, group = rng.normal(mean, 1, n), rng.choice(3, n, p=groups)
    values = np.stack([x, FIRST_LEVEL + group, FIRST_LEVEL + rng.integers(LEVELS, size=n), np.zeros(n)], axis=1)
    observed = np.ones((n, 4), dtype=bool)
    observed[:, 3], observed[::7, 0] = False, False
    return Encoded(np.where(observed, values, 0).astype(np.float32), observed, LAYOUT)


def nothing(n: int) -> Encoded:
    return Encoded(np.zeros((n, 4), np.float32), np.zeros((n, 4), bool), LAYOUT)


class Known:
    """The ratio of the groups' shares, exactly."""

    def weights(self, data: Encoded) -> Any:
        return (REAL / SYNTHETIC)[(data.values[:, 1] - FIRST_LEVEL).astype(int)]


def draw(given: Encoded, rng: np.random.Generator) -> Encoded:
    """Rows with the synthetic groups' shares, except for given cells."""
    synthetic = np.zeros(given.values.shape, np.float32)
    chance = rng.random((len(given), 2))
    synthetic[:, 0] = chance[:, 0]
    synthetic[:, 1] = FIRST_LEVEL + np.searchsorted(SYNTHETIC.cumsum(), chance[:, 1], side="right")
    return Encoded(np.where(given.observed, given.values, synthetic), np.ones(synthetic.shape, dtype=bool), LAYOUT)


def test_the_ratio_of_two_normals_is_the_closed_form() -> None:
    ratio = DensityRatio.fit(rows(8000, 0), rows(20_000, 1, mean=0.7), seed=0)
    fresh = rows(4000, 2, mean=0.35)
    seen = fresh.observed[:, 0] & (abs(fresh.values[:, 0]) < 1.5)
    truth = np.exp((0.7**2 / 2) - 0.7 * fresh.values[:, 0])
    found, truth = (np.log(weights[seen]) for weights in (ratio.weights(fresh), truth))
    fit = stats.linregress(truth, found)
    assert fit.slope == pytest.approx(1, abs=0.15)
    assert fit.intercept == pytest.approx(0, abs=0.2)
    assert fit.rvalue > 0.6


def test_synthetic_rows_have_a_ratio_of_one_on_average() -> None:
    ratio = DensityRatio.fit(rows(4000, 0), rows(8000, 1, groups=SYNTHETIC), seed=0)
    weights = ratio.weights(rows(5000, 3, groups=SYNTHETIC))
    assert weights.mean() == pytest.approx(1, abs=0.05)


def test_the_trees_are_scikit_learns() -> None:
    real, synthetic = rows(500, 0), rows(1000, 1, groups=SYNTHETIC)
    ratio = DensityRatio.fit(real, synthetic, seed=5)
    kept = np.arange(len(synthetic)) % HELD_OUT != 0
    both = [np.where(part.observed, part.values, np.nan) for part in (real, synthetic.take(kept))]
    matrix = np.concatenate(both)
    matrix[:, [1, 2]] -= FIRST_LEVEL
    matrix[matrix[:, 2] >= 254, 2], matrix[:, 3] = np.nan, 0
    model = HistGradientBoostingClassifier(
        max_depth=8, l2_regularization=5, categorical_features=[1, 2], early_stopping=False, random_state=5
    ).fit(matrix, np.repeat([1, 0], [500, kept.sum()]))
    start = np.log(500 / kept.sum())
    theirs = np.minimum(np.exp(model.decision_function(matrix[:500]) - start), HEAVIEST)
    np.testing.assert_allclose(ratio.weights(real), ratio.scale * theirs, rtol=1e-4)


def test_replaced_rows_are_as_few_as_the_total_variation_and_lead_to_the_real_shares() -> None:
    given, rng = nothing(40_000), np.random.default_rng(0)
    before = draw(given, np.random.default_rng(rng.integers(2**63, size=4)[0]))
    after = correct_by_density_ratio(given, draw, Known(), 40, np.random.default_rng(0))  # type: ignore[arg-type]
    counts = np.bincount((after.values[:, 1] - FIRST_LEVEL).astype(int))
    assert stats.chisquare(counts, REAL * counts.sum()).pvalue > 0.01
    changed = (before.values[:, 0] != after.values[:, 0]).mean()
    assert changed == pytest.approx(np.abs(REAL - SYNTHETIC).sum() / 2, abs=0.01)


def test_given_cells_stay_also_where_all_such_rows_are_made_too_often() -> None:
    given = nothing(300)
    values, observed = given.values.copy(), given.observed.copy()
    values[:, 1], observed[:, 1] = FIRST_LEVEL + 2, True
    synthetic = correct_by_density_ratio(Encoded(values, observed, LAYOUT), draw, Known(), 3, np.random.default_rng(0))  # type: ignore[arg-type]
    assert (synthetic.values[:, 1] == FIRST_LEVEL + 2).all()
    assert len(synthetic) == 300


def test_a_row_does_not_depend_on_how_many_follow() -> None:
    few, many = (
        correct_by_density_ratio(nothing(n), draw, Known(), 4, np.random.default_rng(3))  # type: ignore[arg-type]
        for n in (50, 51)
    )
    np.testing.assert_array_equal(few.values[:40], many.values[:40])


def test_a_packed_ratio_is_the_same() -> None:
    ratio = DensityRatio.fit(rows(800, 0), rows(1600, 1, mean=0.5), seed=0)
    array, value = ratio.pack()
    other = DensityRatio.unpack(array, json.loads(json.dumps(value)))
    fresh = rows(400, 2)
    np.testing.assert_array_equal(ratio.weights(fresh), other.weights(fresh))


def test_few_rows_give_no_ratio() -> None:
    assert learn_density_ratio(rows(FEWEST - 1, 0), draw, np.random.default_rng(0)) is None


def test_what_is_learned_of_a_generator_corrects_it() -> None:
    real, rng = rows(4000, 0), np.random.default_rng(0)
    wrong = lambda given, rng: rows(len(given), int(rng.integers(2**31)), groups=SYNTHETIC)  # noqa: E731
    ratio = learn_density_ratio(real, wrong, rng)
    assert ratio is not None
    synthetic = correct_by_density_ratio(nothing(8000), wrong, ratio, 4, rng)
    shares = np.bincount((synthetic.values[:, 1] - FIRST_LEVEL).astype(int)) / len(synthetic)
    assert np.abs(shares - REAL).sum() < 0.5 * np.abs(SYNTHETIC - REAL).sum()

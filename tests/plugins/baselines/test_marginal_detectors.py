"""The detectors that look at each column alone: `ecod` and `hbos` against loops over single cells."""

import json
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomalo.models.run import LocalRun
from anomalo.plugin import UNSEEN, Block, Encoded, Layout, Model, ModelState
from anomalo.testing.tables import tables, with_constants
from anomalo_baselines import EmpiricalTails, Histograms
from anomalo_baselines.detectors.hbos import DISTINCT, FAR

BOTH = pytest.mark.parametrize("kind", [EmpiricalTails, Histograms])


def numeric(matrix: Any) -> Encoded:
    """A complete table of numbers."""
    values = np.asarray(matrix, dtype=np.float32)
    blocks = tuple(Block(f"n{at}", "number", at) for at in range(values.shape[1]))
    return Encoded(values, np.ones(values.shape, dtype=bool), Layout("table", values.shape[1:], blocks))


def fitted(kind: type[Model], data: Encoded, **params: Any) -> Any:
    return kind(**params).fit(data, LocalRun(seed=1))


def rarity(train: Encoded, data: Encoded, row: int, at: int) -> float:
    """-log of the share of a level, and of being missing or not, counted cell by cell."""
    lacking = sum(not seen for seen in train.observed[:, at])
    share = (lacking + 0.5) / (len(train) + 1) if lacking else 0.0
    if not data.observed[row, at]:
        return -np.log(share) if lacking else 0.0
    found = -np.log(1 - share)
    size = train.layout.blocks[at].size
    if size:
        known = [code for code, seen in zip(train.values[:, at], train.observed[:, at], strict=True) if seen]
        equal = sum(code == data.values[row, at] for code in known)
        found -= np.log((equal + 0.5) / (len(known) + 0.5 * size))
    return float(found)


def fixed(train: Encoded, data: Encoded, row: int) -> float:
    """How rare the levels are together, and which numbers are missing."""
    categories = [at for at, block in enumerate(train.layout.blocks) if block.kind == "category"]
    together = [sum(rarity(train, train, other, at) for at in categories) for other in range(len(train))]
    own = sum(rarity(train, data, row, at) for at in categories)
    numbers = sum(rarity(train, data, row, int(at)) for at in train.layout.numbers)
    return numbers + (tails(together, own - 1e-9)[1] if categories and own else 0.0)


def tails(train: list[float], value: float) -> tuple[float, float]:
    """-log of the left and of the right tail probability of a value; beyond all training values exponential."""

    def tail(values: list[float], at: float) -> float:
        count = len(values)
        found = -np.log((sum(other >= at for other in values) + 0.5) / (count + 1))
        top = sorted(values)[int(0.95 * count) :]
        excess = max(sum(top) / len(top) - top[0], 1e-3)
        return float(found + max(at - max(values), 0) / excess)

    return tail([-other for other in train], -value), tail(train, value)


def brute_force_ecod(train: Encoded, data: Encoded) -> list[float]:
    scores = []
    for row in range(len(data)):
        sums = np.full(3, fixed(train, data, row))
        for at, block in enumerate(train.layout.blocks):
            known = [float(v) for v, seen in zip(train.values[:, at], train.observed[:, at], strict=True) if seen]
            if block.kind == "number" and data.observed[row, at] and known:
                left, right = tails(known, float(data.values[row, at]))
                third = sum((value - np.float32(np.mean(np.float32(known)))) ** 3 for value in known)
                sums += [left, right, left if third < 0 else right]
        scores.append(max(sums))
    return scores


def test_ecod_is_the_largest_of_three_sums_of_tail_surprisals() -> None:
    train, new = tables()
    found = fitted(EmpiricalTails, train).score(new)
    np.testing.assert_allclose(found, brute_force_ecod(train, new), rtol=1e-6)
    assert len({round(score, 6) for score in found}) > 50


@settings(deadline=None, max_examples=40)
@given(
    train=st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 9)), min_size=1, max_size=30),
    new=st.lists(st.tuples(st.integers(-9, 9), st.integers(-3, 12)), min_size=1, max_size=4),
)
def test_ecod_with_ties_and_beyond_the_range_is_what_loops_give(train: list[Any], new: list[Any]) -> None:
    found = fitted(EmpiricalTails, numeric(train)).score(numeric(new))
    np.testing.assert_allclose(found, brute_force_ecod(numeric(train), numeric(new)), rtol=1e-5)


def test_ecod_takes_the_side_to_which_a_column_is_skewed_where_that_is_the_largest() -> None:
    rng = np.random.default_rng(0)
    one = rng.exponential(size=400)
    model = fitted(EmpiricalTails, numeric(np.column_stack([one, -rng.permutation(one)])))
    far = numeric([[one.max(), -one.max()]])
    single = -np.log(1.5 / 401)  # the value itself, and half a row
    assert model.score(far)[0] == pytest.approx(2 * single)  # neither left nor right, but each on its long side
    assert model.skewed_left_.tolist() == [False, True]


def test_ecod_takes_its_distributions_from_so_many_rows() -> None:
    train = numeric(np.arange(100.0)[:, None])
    model = fitted(EmpiricalTails, train, reference=10)
    assert len(model.sorted_) == 10
    assert set(model.sorted_) <= set(train.values[:, 0])


def brute_force_bins(train: list[float], bins: int, value: float) -> float:
    """-log of the density of the value's bin, relative to that of a bin of median width."""
    rare = -np.log(0.5 / len(train))
    edges = sorted(set(np.quantile(train, np.linspace(0, 1, bins + 1))))
    outside = max(edges[0] - value, value - edges[-1])
    if outside > 0:
        return float(rare + min(outside, FAR))
    pairs = list(pairwise(edges))
    median = np.median([high - low for low, high in pairs])
    for number, (low, high) in enumerate(pairs):
        last = number == len(pairs) - 1
        inside = [low <= other < high or (last and other == high) for other in (value, *train)]
        if inside[0]:
            density = sum(inside[1:]) / len(train) * median / (high - low)
            return float(min(-np.log(density), rare)) if density else float(rare)
    raise AssertionError(value)


@pytest.mark.parametrize("bins", [2, 7, 20])
def test_hbos_is_the_sum_of_surprisals_of_bins(bins: int) -> None:
    rng = np.random.default_rng(bins)
    train = np.column_stack([rng.normal(size=300), rng.standard_t(2, size=300)])
    train[::3, 0] = 0.25  # a value that fills several bins
    data = numeric(train)
    new = numeric(np.vstack([train[:40], 3 * rng.normal(size=(40, 2)), [[1e6, -1e6], [0.25, 0]]]))
    found = fitted(Histograms, data, bins=bins).score(new)
    columns = data.values.T.astype(np.float64).tolist()
    expected = [
        sum(brute_force_bins(column, bins, value) for column, value in zip(columns, row, strict=True))
        for row in new.values.astype(np.float64).tolist()
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_a_number_with_few_values_has_a_bin_for_each() -> None:
    train = numeric([[0.0]] * 50 + [[1.0]] * 30 + [[5.0]] * 20)
    found = fitted(Histograms, train).score(numeric([[0], [1], [5], [2], [7], [-4], [1e5]]))
    rare = -np.log(0.5 / 100)
    np.testing.assert_allclose(found, [*-np.log([0.5, 0.3, 0.2]), rare, rare + 2, rare + 4, rare + FAR])
    many = numeric(np.arange(DISTINCT + 1.0)[:, None])
    assert fitted(Histograms, many).score(numeric([[2.5]]))[0] < -np.log(0.5 / len(many))


def test_an_empty_bin_is_as_surprising_as_half_a_row() -> None:
    values = np.concatenate([np.linspace(0, 1, 50), np.linspace(100, 101, 50)])
    (inside,) = fitted(Histograms, numeric(values[:, None]), bins=3).score(numeric([[50]]))
    assert 0 < inside <= -np.log(0.5 / 100)


@BOTH
@pytest.mark.parametrize("train", [np.arange(7.0), np.random.default_rng(0).normal(size=200), np.zeros(20)])
def test_beyond_the_training_values_a_more_extreme_value_has_no_lower_score(kind: type[Model], train: Any) -> None:
    model = fitted(kind, numeric(train[:, None]))
    inside = model.score(numeric(train[:, None]))
    for side in (1, -1):
        edge = side * (side * train).max()
        found = model.score(numeric((edge + side * np.linspace(0.01, 40, 200))[:, None]))
        assert (np.diff(found) > 0).all()
        assert found[0] >= inside.max()


@BOTH
def test_a_missing_value_is_a_level_of_its_own(kind: type[Model]) -> None:
    data = numeric(np.tile([[1.0, 2.0]], (40, 1)))
    hide = np.zeros((40, 2), dtype=bool)
    hide[:4, 0] = True
    train = data.hide(hide)
    cells = fitted(kind, train).explain(train).contribution
    share = 4.5 / 41
    np.testing.assert_allclose(cells[:4, 0], -np.log(share))
    complete = fitted(kind, data).explain(data.take([0])).contribution[0]
    np.testing.assert_allclose(cells[4:, 1], complete[1], atol=1e-12)  # a column without missing values
    none = data.take([0]).hide(np.array([[False, True]]))
    assert fitted(kind, data).explain(none).contribution[0, 1] == 0  # how surprising that is, the pipeline says


@BOTH
def test_levels_have_the_surprisal_of_rows_that_are_as_rare_together(kind: type[Model]) -> None:
    """Two columns: one cell of a rare level is as frequent in the rows as its share says, two are rarer."""
    blocks = tuple(Block(f"c{at}", "category", at, ("a", "b"), missing=0.1 * at) for at in range(2))
    rows = [(2, 2)] * 70 + [(3, 2)] * 15 + [(2, 3)] * 10 + [(3, 3)] * 2 + [(2, 0)] * 3
    codes = np.float32(rows)
    train = Encoded(codes, codes > 0, Layout("table", (2,), blocks))
    values = np.float32([[2, 2], [3, 2], [3, 3], [2, 0], [2, UNSEEN]])
    new = Encoded(values, values >= 2, train.layout)
    found = fitted(kind, train).score(new)
    alone = [[rarity(train, train, row, at) for at in range(2)] for row in range(100)]
    order = np.array(alone).sum(axis=1)
    own = [order[0], order[70], order[95], order[97], order[97]]
    assert len(set(own)) == 4
    np.testing.assert_allclose(found[:4], [-np.log(((order >= one).sum() + 0.5) / 101) for one in own[:4]])
    assert found[4] == found[3]  # an unseen level counts as missing


@BOTH
def test_the_surprisal_of_levels_is_divided_by_how_rare_each_is(kind: type[Model]) -> None:
    train, new = tables()
    numbers = len(train.layout.numbers)
    cells = fitted(kind, train).explain(new).contribution[:, numbers:]
    alone = np.array([[rarity(train, new, row, numbers + at) for at in range(2)] for row in range(len(new))])
    np.testing.assert_allclose(cells * alone.sum(axis=1, keepdims=True), alone * cells.sum(axis=1, keepdims=True))


@BOTH
def test_reasons_sum_to_the_score_and_expect_the_median_or_the_mode(kind: type[Model]) -> None:
    train, new = tables()
    model = fitted(kind, train)
    cells = model.explain(new)
    np.testing.assert_allclose(cells.contribution.sum(axis=1), model.score(new))
    for at, block in enumerate(train.layout.blocks):
        seen = train.values[train.observed[:, at], at]
        expected = np.median(seen) if block.kind == "number" else np.bincount(seen.astype(int)).argmax()
        assert (cells.expected[:, at] == np.float32(expected)).all()


@BOTH
def test_a_restored_model_gives_equal_scores(kind: type[Model]) -> None:
    train, new = tables()
    model = fitted(kind, train)
    state = model.state()
    arrays = {name: np.frombuffer(a.tobytes(), a.dtype).reshape(a.shape) for name, a in state.arrays.items()}
    copy: Any = kind(**model.params()).restore(ModelState(arrays, json.loads(json.dumps(state.values))))
    assert np.array_equal(copy.score(new), model.score(new))
    assert np.array_equal(copy.explain(new).expected, model.explain(new).expected)


@BOTH
def test_a_row_has_the_same_score_among_any_others(kind: type[Model]) -> None:
    train, new = tables()
    model = fitted(kind, train)
    together = model.score(new)
    assert together.tolist() == [float(model.score(new.take([row]))[0]) for row in range(len(new))]


@BOTH
def test_empty_and_constant_columns_and_a_single_row(kind: type[Model]) -> None:
    train, new = (with_constants(part) for part in tables())
    empty = np.zeros(train.values.shape, dtype=bool)
    empty[:, [1, 3]] = True
    model = fitted(kind, train.hide(empty))
    assert np.isfinite(model.score(new)).all()
    cells = model.explain(train).contribution
    assert np.ptp(cells[:, -2]) == np.ptp(cells[:, -1]) == 0
    assert np.isfinite(fitted(kind, train.take([0])).score(new)).all()
    assert np.isfinite(fitted(kind, train.take([0]).hide(np.ones((1, 7), dtype=bool))).score(new)).all()

"""Folds: equal rows share one, they are of even size, and with times they are stretches of time."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from anomalo.models.folds import STRETCHES, assign_folds, fold_count
from anomalo.models.run import LocalRun
from anomalo.testing import tables


@settings(deadline=None, max_examples=50)
@given(
    codes=st.lists(st.integers(0, 12), min_size=1, max_size=60),
    folds=st.integers(1, 6),
    seed=st.integers(0, 99),
    timed=st.booleans(),
)
def test_equal_rows_share_a_fold_and_folds_are_of_even_size(
    codes: list[int], folds: int, seed: int, timed: bool
) -> None:
    hashes = np.array(codes, dtype=np.uint64)
    times = hashes.astype(np.float32) if timed else None
    assigned = assign_folds(hashes, folds, seed, times)
    distinct = {code: {int(fold) for at, fold in zip(codes, assigned, strict=True) if at == code} for code in codes}
    assert all(len(found) == 1 for found in distinct.values())
    sizes = np.bincount([next(iter(found)) for found in distinct.values()])
    assert len(sizes) == min(folds, len(distinct))
    assert sizes.max() - sizes.min() <= (STRETCHES if timed else 1)


def test_the_seed_shuffles() -> None:
    hashes = np.arange(100, dtype=np.uint64)
    np.testing.assert_array_equal(assign_folds(hashes, 5, 0), assign_folds(hashes, 5, 0))
    assert (assign_folds(hashes, 5, 0) != assign_folds(hashes, 5, 1)).any()
    assert (np.diff(assign_folds(hashes, 5, 0)) < 0).any()


def test_with_times_each_fold_is_several_stretches_of_time() -> None:
    rng = np.random.default_rng(0)
    times = rng.normal(size=103).astype(np.float32)
    folds = assign_folds(rng.permutation(103).astype(np.uint64), 5, 0, times)
    in_time = folds[np.argsort(times)]
    assert np.count_nonzero(np.diff(in_time)) == 5 * STRETCHES - 1
    assert set(in_time[:25]) == set(in_time[-25:]) == set(range(5))


def test_large_tables_have_fewer_folds() -> None:
    assert [fold_count(rows) for rows in (2, 19_999, 20_000, 10**7)] == [5, 5, 3, 3]


def test_a_run_assigns_folds_by_its_seed_and_equal_rows_share_one() -> None:
    train, _ = tables()
    data = train.take(np.random.default_rng(0).integers(0, len(train), 300))
    found = LocalRun(seed=7).folds(data, 4)
    np.testing.assert_array_equal(found, assign_folds(data.hashes(), 4, 7))
    assert (found != LocalRun(seed=8).folds(data, 4)).any()


def test_a_run_whose_rows_have_times_assigns_stretches_of_time() -> None:
    train, _ = tables()
    times = train.values[:, train.layout.numbers[0]]
    data = replace(train, time=times)
    expected = assign_folds(data.hashes(), 4, 0, times)
    assert np.array_equal(LocalRun().folds(data, 4), expected)
    assert not np.array_equal(LocalRun().folds(train, 4), expected)

"""Which columns decide others, from codes: as a GROUP BY finds them, in all rows and in nearly all, by one search."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from anomalo.rules.functional_dependencies import Decisions, always, determined, independent, nearly


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def related(seed: int, rows: int, columns: int = 6) -> np.ndarray:
    """Columns of which several are functions of others, some with an exception."""
    random = rng(seed)
    codes = [random.integers(0, random.integers(2, 9), rows)]
    for _ in range(columns - 1):
        source = codes[random.integers(len(codes))]
        kind = random.random()
        new = random.integers(0, random.integers(2, 6), 9)[source] if kind < 0.7 else random.integers(0, 4, rows)
        if kind < 0.2:
            new = new.copy()
            new[random.integers(rows)] += 1
        codes.append(pd.factorize(new)[0])
    return np.stack(codes, axis=1)


def constant_by_group(codes: np.ndarray, source: int, target: int) -> bool:
    return bool((pd.DataFrame(codes).groupby(source)[target].nunique() == 1).all())


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_what_always_holds_is_what_a_group_by_says(seed: int) -> None:
    codes = related(seed, 400)
    found = set(always(codes))
    pairs = {(a, b) for a in range(6) for b in range(6) if a != b and codes[:, b].max() > 0}
    assert found <= {pair for pair in pairs if constant_by_group(codes, *pair)}
    frequent = {b for b in range(6) if np.bincount(codes[:, b]).max() < 380}
    assert found >= {(a, b) for a, b in pairs if b in frequent and constant_by_group(codes, a, b)}


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_what_always_holds_nearly_holds_without_exceptions(seed: int) -> None:
    codes = related(seed, 400)
    candidates = set(nearly(codes.astype(np.int32), np.arange(6)))
    for source, target in always(codes):
        assert (source, target) in candidates
        sizes = codes.max(axis=0) + 1
        counted = Decisions.of(codes[:, source], codes[:, target], sizes[source], sizes[target])
        assert counted.exceptions == 0
        np.testing.assert_array_equal(counted.usual[codes[:, source]], codes[:, target])


def test_one_exception_is_enough_to_hold_nearly_and_not_always() -> None:
    source = np.arange(1000) % 10
    codes = np.stack([source, source // 5], axis=1)
    assert list(always(codes)) == [(0, 1)]
    codes[3, 1] = 1
    assert list(always(codes)) == []
    assert (0, 1) in set(nearly(codes.astype(np.int32), np.arange(2)))
    assert Decisions.of(codes[:, 0], codes[:, 1], 10, 2).exceptions == 1


def test_a_missing_cell_is_a_level_where_all_rows_count_and_nothing_where_nearly_all_do() -> None:
    source = np.arange(1000) % 10
    target = np.where(np.arange(1000) < 50, -1, source // 5)
    codes = np.stack([source, target], axis=1)
    assert (0, 1) in set(nearly(codes.astype(np.int32), np.arange(2)))
    counted = Decisions.of(source, target, 10, 2)
    assert (counted.support, counted.exceptions) == (950, 0)
    assert list(always(np.stack([source, target % 3], axis=1))) == []


def test_rows_of_no_known_level_are_not_neighbours() -> None:
    source = np.arange(1000) % 10
    unknown = np.where(rng().random(1000) < 0.3, -1, source)
    target = np.where(unknown < 0, rng(1).integers(0, 2, 1000), source // 5)
    assert (0, 1) in set(nearly(np.stack([unknown, target], axis=1).astype(np.int32), np.arange(2)))


def test_no_dependency_follows_from_two_others() -> None:
    found = np.zeros((4, 4), dtype=bool)
    found[0, 1] = found[1, 2] = found[0, 2] = True  # 0 decides 1, 1 decides 2
    found[3, [0, 1, 2]] = found[0, 3] = True  # 0 and 3 decide each other
    assert list(independent(found)) == [(0, 3), (0, 1), (1, 2)]


def test_the_smallest_set_of_columns_stays() -> None:
    day = rng().permutation(np.arange(3000) % 60)
    other = rng().integers(0, 2, 3000)
    codes = np.stack([day // 30, day, other, (day + 1) % 60, day // 10], axis=1)
    assert determined(codes, np.array([False, False, False, True, False])) == {0: 3, 1: 3, 4: 3}


def test_what_may_be_coincidence_is_no_dependency() -> None:
    for rows, found in ((20, {}), (40, {1: 0})):
        same = np.repeat(np.arange(rows)[:, None] % 2, 2, axis=1)
        assert determined(same, np.zeros(2, dtype=bool)) == found
    nearly = np.stack([np.arange(1000) % 10, np.arange(1000) % 10 // 5], axis=1)
    nearly[0, 1] = 1
    assert determined(nearly, np.zeros(2, dtype=bool)) == {}

"""Edit distances as the definition has them, the nearest frequent text, and no quadratic time."""

import time
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomalo.cleaning.evidence import spelling as module
from anomalo.cleaning.evidence.spelling import edit_distances, spelling


def by_definition(left: str, right: str) -> int:
    @cache
    def distance(one: int, other: int) -> int:
        if not one or not other:
            return one + other
        same = left[one - 1] == right[other - 1]
        return min(
            distance(one - 1, other) + 1, distance(one, other - 1) + 1, distance(one - 1, other - 1) + (not same)
        )

    return distance(len(left), len(right))


@given(st.lists(st.tuples(st.text("abc\x00é", max_size=7), st.text("abc\x00é", max_size=7)), min_size=1, max_size=6))
def test_edit_distances_are_those_of_the_definition(pairs: list[tuple[str, str]]) -> None:
    found = edit_distances([one for one, _ in pairs], [other for _, other in pairs])
    assert found.tolist() == [by_definition(*pair) for pair in pairs]


def test_a_typo_is_near_the_frequent_text() -> None:
    values = ["birmingham", "birmingxam", "montgomery", "xl", "al", "nothing like it"]
    found = spelling(values, np.array([40, 1, 30, 2, 50, 1]))
    assert [values[at] if at >= 0 else None for at in found.nearest[[1, 3]]] == ["birmingham", "al"]
    assert found.edits[[1, 3]].tolist() == [1, 1]
    assert found.ratio[1] == pytest.approx(np.log(40))
    assert found.nearest[0] == -1
    assert found.similarity[5] < 0.4


def test_a_more_frequent_text_has_no_rarer_neighbour() -> None:
    found = spelling(["ab", "ac"], np.array([9, 2]))
    assert found.nearest.tolist() == [-1, 0]


def test_many_distinct_texts_take_no_quadratic_time() -> None:
    random = np.random.default_rng(0)
    letters = np.array(list("abcdefghij "))
    values = list(dict.fromkeys("".join(random.choice(letters, 12)) for _ in range(20_000)))
    counts = np.where(np.arange(len(values)) % 3 == 0, 2, 1)
    start = time.process_time()
    spelling(values, counts)
    assert time.process_time() - start < 60


@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from([0.5, 0.7, 1.0])), min_size=1, max_size=30))
def test_the_leading_pairs_of_a_row_are_those_with_the_largest_scores_and_the_first_columns(
    pairs: list[tuple[int, float]],
) -> None:
    pairs = sorted(pairs, key=lambda pair: pair[0])
    columns = np.random.default_rng(0).permutation(len(pairs))
    lines = [(row, -score, column) for (row, score), column in zip(pairs, columns.tolist(), strict=True)]
    expected = {
        (row, column)
        for row in range(5)
        for _, _, column in sorted(line for line in lines if line[0] == row)[: module.NEIGHBOURS]
    }
    rows, scores = (np.array(part) for part in zip(*pairs, strict=True))
    found = module._leading(rows, columns, scores.astype(float))
    assert sorted(zip(*map(np.ndarray.tolist, found), strict=True)) == sorted(expected)


def test_grams_are_numbered_in_the_order_of_the_text() -> None:
    """In the order of a set, sums would have other last bits in another process and decide between equal neighbours."""
    grams = module._grams(["abcde", "ab"])
    assert grams[[1]].indices.tolist() == [0, 1, 6, 11, 12]  # |a, ab, |ab; b|, ab|

"""Edit distances as the definition has them, the nearest frequent text, and no quadratic time."""

import time
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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

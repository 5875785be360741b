"""What is said of a new row depends on the reference and that row alone, and changes nothing that is said of others."""

from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from anomalo.cleaning.coded import CodedTable
from anomalo.cleaning.features import NAMES, evidence
from anomalo.cleaning.suspects import Suspects, suspects

Columns = dict[str, list[str]]

TOWNS = ("Salem", "Madison", "Clinton", "Georgetown", "Franklin", "Arlington")
ODD = ("", "N/A", "Salxm", "1e3", "-5", "999999", "$12", "12 kg", "é", "a\x00b", "x" * 300, "Madison ", "c 3", "17")


def visits(rows: int, seed: int, errors: float = 0.04) -> Columns:
    """Return a town, what it decides, numbers and free text, with some cells of another kind."""
    random = np.random.default_rng(seed)
    town = random.integers(0, len(TOWNS), rows)
    minutes = random.integers(5, 400, rows)
    table = {
        "town": [TOWNS[at] for at in town],
        "code": [f"c {at * 3}" for at in town],
        "minutes": [str(value) for value in minutes],
        "price": [f"{value * 2.5 + random.normal():.1f}" for value in minutes],
        "note": [f"{random.choice(['seen', 'sent'])} by {random.choice(list('abcdefg'))}{at}" for at in minutes],
    }
    for texts in table.values():
        for row in np.flatnonzero(random.random(rows) < errors):
            texts[row] = str(random.choice(ODD))
    return table


def coded(table: Columns, rows: list[int] | None = None) -> CodedTable:
    return CodedTable.of_texts(
        {name: texts if rows is None else [texts[at] for at in rows] for name, texts in table.items()}
    )


def features(table: CodedTable) -> NDArray[np.float32]:
    """Return the features of all cells, [n, columns, features]."""
    return np.stack([column.features() for column in evidence(table)], axis=1)


REFERENCE = coded(visits(300, 0))
ALONE = features(REFERENCE)


def same(one: Suspects, other: Suspects, rows: slice, others: slice) -> bool:
    pairs = zip(astuple(one)[1:5], astuple(other)[1:5], strict=True)
    return all(np.array_equal(left[rows], right[others]) for left, right in pairs) and one.threshold == other.threshold


cells = st.one_of(st.sampled_from(ODD), st.sampled_from(TOWNS), st.integers(-500, 500).map(str), st.text(max_size=6))
rows = st.tuples(*[cells] * 5)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.lists(rows, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_new_rows_have_the_same_features_alone_in_a_batch_and_in_any_order(
    new: list[tuple[str, ...]], random: np.random.Generator
) -> None:
    order = list(range(len(new)))
    random.shuffle(order)
    table = dict(zip(REFERENCE.names, map(list, zip(*new, strict=True)), strict=True))
    together = features(CodedTable.joined(REFERENCE, coded(table)))
    shuffled = features(CodedTable.joined(REFERENCE, coded(table, order)))
    assert np.array_equal(together[:300], ALONE)
    assert np.array_equal(together[300:][order], shuffled[300:])
    for at in range(min(len(new), 2)):
        one = features(CodedTable.joined(REFERENCE, coded(table, [at])))
        assert np.array_equal(one[300], together[300 + at])


def test_a_batch_of_many_new_rows_changes_no_result() -> None:
    table = visits(400, 1, 0.2)
    alone = suspects(REFERENCE)
    together = suspects(CodedTable.joined(REFERENCE, coded(table)))
    assert same(alone, together, slice(300), slice(300))
    for at in (0, 17, 399):
        one = suspects(CodedTable.joined(REFERENCE, coded(table, [at])))
        assert same(one, together, slice(300, 301), slice(300 + at, 301 + at))


def test_a_table_that_is_all_reference_is_the_table() -> None:
    columns = visits(300, 0)
    nothing = coded(columns, [])
    assert same(suspects(coded(columns)), suspects(CodedTable.joined(REFERENCE, nothing)), slice(300), slice(300))


def test_a_new_row_that_the_reference_has_is_that_row() -> None:
    """Else a wrong row that is read again would be evidence for itself."""
    found = features(CodedTable.joined(REFERENCE, coded(visits(300, 0))))
    first = {row: at for at, row in reversed(list(enumerate(zip(*visits(300, 0).values(), strict=True))))}
    originals = [first[row] for row in zip(*visits(300, 0).values(), strict=True)]
    assert np.array_equal(found[300:], ALONE[originals])


def test_new_errors_are_found_as_those_of_the_reference_are() -> None:
    clean = coded(visits(300, 0, 0))
    new = visits(40, 2, 0)
    errors = {("town", 3): "Madxson", ("code", 9): "c 99", ("minutes", 20): "99999", ("price", 31): "$12"}
    for (name, row), text in errors.items():
        new[name][row] = text
    found = suspects(CodedTable.joined(clean, coded(new)))
    wrong = {(300 + row, found.names.index(name)) for name, row in errors}
    ranked = np.argsort(found.probability[300:], axis=None)[::-1][: len(wrong)]
    assert {(300 + at // 5, at % 5) for at in ranked.tolist()} == wrong
    assert found.suggestion[303, 0] == "Madison"


@pytest.mark.parametrize("size", [0, 1, 2, 5])
def test_a_reference_of_few_rows_has_finite_features(size: int) -> None:
    reference = coded(visits(300, 0), list(range(size)))
    found = suspects(CodedTable.joined(reference, coded(visits(30, 1, 0.3))))
    assert found.probability.shape == (size + 30, 5)
    assert np.isfinite(found.probability).all()
    one = suspects(CodedTable.joined(reference, coded(visits(30, 1, 0.3), [4])))
    assert same(one, found, slice(size, size + 1), slice(size + 4, size + 5))


def test_features_have_their_names() -> None:
    assert ALONE.shape == (300, 5, len(NAMES))
    assert np.isfinite(ALONE).all()

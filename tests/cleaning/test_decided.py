"""Columns that decide others are found under the errors that break them, and their exceptions counted."""

import numpy as np

from anomalo.cleaning.coded import CodedTable
from anomalo.cleaning.decided import decided
from anomalo.cleaning.suspects import suspects

ROWS = 300


def table(errors: int) -> dict[str, list[str]]:
    """Return addresses whose zip decides the town, with misspelt towns, and a column that nothing decides."""
    random = np.random.default_rng(1)
    zips = random.integers(0, 12, ROWS)
    towns = [f"{'ABCDEF'[at % 6]}ville" for at in zips]
    for row in random.choice(ROWS, errors, replace=False):
        towns[row] = towns[row][:2] + "x" + towns[row][3:]
    return {
        "zip": [str(30000 + 77 * at) for at in zips],
        "town": towns,
        "grade": [str(at) for at in random.integers(1, 6, ROWS)],
    }


def test_exceptions_are_the_misspelt_cells() -> None:
    coded = CodedTable.of_texts(table(15))
    found = {rule.rule: rule for rule in decided(coded, suspects(coded))}
    assert (found["zip decides town"].support, found["zip decides town"].exceptions) == (ROWS, 15)
    assert not any("grade" in rule for rule in found)


def test_exceptions_do_not_hide_a_dependency_that_errors_break_in_a_twentieth_of_the_rows() -> None:
    """Without the suspected cells left out, so many exceptions are too many for a rule."""
    coded = CodedTable.of_texts(table(15))
    nothing = suspects(coded, only=())
    assert [rule.rule for rule in decided(coded, nothing)] == []


def test_nothing_is_decided_in_a_small_table() -> None:
    coded = CodedTable.of_texts({"a": ["x", "y"], "b": ["1", "2"]})
    assert decided(coded, suspects(coded)) == []

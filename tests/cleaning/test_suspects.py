"""Wrong cells of small generated tables are found, named and corrected; hostile tables do no harm."""

import time
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import average_precision_score, f1_score

from anomalo.cleaning.coded import CodedTable
from anomalo.cleaning.suspects import LEAST, suspects, threshold

Columns = dict[str, list[str]]


def clinics(rows: int = 600) -> Columns:
    """Return visits to clinics: the clinic decides town, zip and phone, the code decides the treatment."""
    random = np.random.default_rng(5)
    towns = ["Springfield", "Riverside", "Franklin", "Clinton", "Georgetown", "Salem", "Madison", "Arlington"]
    clinic = random.integers(0, 24, rows)
    code = random.integers(0, 9, rows)
    return {
        "clinic": [f"clinic {at:02}" for at in clinic],
        "town": [towns[at % 8] for at in clinic],
        "zip": [f"{30000 + at * 137}" for at in clinic],
        "phone": [f"555-{at * 31 % 900 + 100}-{at * 77 % 9000 + 1000}" for at in clinic],
        "code": [f"T-{at}" for at in code],
        "treatment": [f"{'abcdefghi'[at] * 3}ometry" for at in code],
        "minutes": [str(value) for value in random.integers(5, 60, rows)],
    }


ERRORS: dict[tuple[str, int], tuple[Callable[[str], str], str]] = {
    ("town", 11): (lambda text: text[:3] + "x" + text[4:], "typo"),
    ("town", 50): (lambda text: text[:-3] + text[-2:], "typo"),
    ("zip", 90): (lambda text: text[0] + "O" + text[2:], "typo"),
    ("phone", 130): (lambda text: text.replace("-", ""), "format"),
    ("minutes", 200): (lambda text: f"{text}00", "outlier"),
    ("minutes", 260): (lambda text: f"{text} min", "unit"),
    ("treatment", 310): (lambda text: "N/A", "missing"),
    ("code", 400): (lambda text: "", "missing"),
    ("zip", 420): (lambda text: str(30000 + (int(text) - 30000 + 137 * 5) % (24 * 137)), "dependency"),
}


def with_errors() -> tuple[Columns, np.ndarray, np.ndarray]:
    """Return the table with errors, the wrong cells and the true texts, both [n, columns]."""
    clean, dirty = clinics(), clinics()
    for (name, row), (changed, _) in ERRORS.items():
        dirty[name][row] = changed(clean[name][row])
    truth, observed = (np.array(list(table.values()), dtype=object).T for table in (clean, dirty))
    return dirty, truth != observed, truth


def test_wrong_cells_are_found_and_corrected() -> None:
    dirty, wrong, truth = with_errors()
    found = suspects(CodedTable.of_texts(dirty))
    assert average_precision_score(wrong.ravel(), found.probability.ravel()) > 0.9
    assert f1_score(wrong.ravel(), found.flagged.ravel()) > 0.8
    determined = [at for at, name in enumerate(found.names) if name in ("town", "zip", "treatment", "code")]
    there = (wrong & found.flagged)[:, determined]
    assert (found.suggestion == truth)[:, determined][there].mean() > 0.8


def reports(sources: int = 24, items: int = 25) -> tuple[Columns, Columns]:
    """Return times that sources of different reliability report for the same trains, and the true ones."""
    random = np.random.default_rng(7)
    times = random.integers(300, 1300, (items, 3))
    wrong_times = times + random.choice([-20, -7, -2, 1, 3, 5, 12, 45], (4, items, 3))
    reliable = np.linspace(0.3, 1.0, sources)
    dirty: Columns = {name: [] for name in ("source", "train", "due", "left", "arrived")}
    clean: Columns = {name: [] for name in dirty}
    for source in range(sources):
        for item in range(items):
            wrong = wrong_times[random.integers(4, size=3), item, range(3)]
            reported = np.where(random.random(3) < reliable[source], times[item], wrong)
            for table, row in ((dirty, reported), (clean, times[item])):
                cells = [f"{at // 60 % 12 or 12}:{at % 60:02} {'ap'[at // 720]}.m." for at in row]
                for name, text in zip(table, [f"site {source}", f"X-{item * 37 + 100}-A", *cells], strict=True):
                    table[name].append(text)
    return dirty, clean


def test_where_sources_disagree_a_third_of_the_cells_are_ranked_first() -> None:
    dirty, clean = reports()
    observed, truth = (np.array(list(table.values()), dtype=object).T for table in (dirty, clean))
    wrong = observed != truth
    assert wrong[:, 2:].mean() > 0.3
    found = suspects(CodedTable.of_texts(dirty))
    assert average_precision_score(wrong.ravel(), found.probability.ravel()) > 0.9


def test_kinds_are_those_of_the_errors() -> None:
    dirty, _, _ = with_errors()
    found = suspects(CodedTable.of_texts(dirty))
    kinds = {(name, row): found.kind[row, found.names.index(name)] for name, row in ERRORS}
    assert sum(kinds[at] == kind for at, (_, kind) in ERRORS.items()) >= len(ERRORS) - 1, kinds


def test_a_clean_table_has_few_flags() -> None:
    found = suspects(CodedTable.of_texts(clinics()))
    assert found.flagged.mean() < 0.002


def test_probabilities_of_suggestions_are_at_most_those_of_cells() -> None:
    found = suspects(CodedTable.of_texts(with_errors()[0]))
    assert (found.suggested <= found.probability).all()
    assert (found.suggested[found.suggestion == None] == 0).all()  # noqa: E711 - by element


def test_the_result_is_the_same_twice_and_in_another_order_of_columns() -> None:
    dirty, _, _ = with_errors()
    one, two = suspects(CodedTable.of_texts(dirty)), suspects(CodedTable.of_texts(dirty))
    assert (one.probability == two.probability).all()
    other = suspects(CodedTable.of_texts(dict(reversed(dirty.items()))))
    assert other.probability[:, ::-1] == pytest.approx(one.probability, abs=1e-6)


def test_typed_columns_are_texts_in_their_usual_spelling() -> None:
    table = CodedTable.of(pa.table({"a": pa.array([1.0, 2.5, None]), "b": pa.array(["x", " y ", None])}))
    assert [[column.values[code] for code in column.codes] for column in table.columns] == [
        ["1", "2.5", ""],
        ["x", "y", ""],
    ]


@pytest.mark.parametrize(
    "cells",
    [
        [],
        [""],
        ["", ""],
        ["a\x00b", "\x00", "\x00\x00", "a"],
        ["🙂", "👩‍👩‍👧", "שלום", "مرحبا", "\u202eabc"],
        ["x" * 10_000_000, "y", "y", "x" * 10_000_001],
        ["\r\n", "\t", "\x1b[0m", "\x7f"],
        ["1e999", "-inf", "nan", "9" * 5000],
        ["a\ud83d", "\udfff", "b"],
        ["c"] * 30,
        [""] * 30,
    ],
    ids=["no rows", "empty", "empty twice", "nul", "scripts", "huge", "control", "numbers"]
    + ["half surrogates", "constant", "all empty"],
)
def test_hostile_cells_do_no_harm(cells: list[str]) -> None:
    start = time.process_time()
    found = suspects(CodedTable.of_texts({"a": cells, "b": list(map(str, range(len(cells)))), "c": cells[::-1]}))
    assert np.isfinite(found.probability).all()
    assert found.probability.shape == (len(cells), 3)
    assert time.process_time() - start < 20


def test_the_threshold_has_the_largest_expected_f1() -> None:
    """By enumeration of all outcomes of five independent cells, with the ratio of expectations that is maximised."""
    probability = np.array([0.95, 0.9, 0.7, 0.45, 0.05])
    expected = {size: 2 * probability[:size].sum() / (size + probability.sum()) for size in range(1, 6)}
    best = max(expected, key=lambda size: expected[size])
    assert (probability > threshold(probability)).sum() == best == 4


def test_the_threshold_is_not_below_the_least_one() -> None:
    assert threshold(np.full(1000, 0.01)) == LEAST


def test_a_mark_of_one_cell_is_a_doubt_and_one_of_many_a_missing_value() -> None:
    """No other column says what `minutes` should have been."""
    once, often = clinics(), clinics()
    once["minutes"][5] = "?"
    for row in range(5, 65):
        often["minutes"][row] = "?"
    alone, many = (suspects(CodedTable.of_texts(table)) for table in (once, often))
    chance = [found.suggested[5, 6] / found.probability[5, 6] for found in (alone, many)]
    assert alone.suggestion[5, 6] == many.suggestion[5, 6] == ""
    assert chance == pytest.approx([1 / 2, 60 / 61], abs=0.1)

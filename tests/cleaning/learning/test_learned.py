"""What systematic errors look like is learned from a few rows; without errors among them, nothing gets worse."""

import json

import numpy as np
import pytest
from sklearn.metrics import f1_score

from anomalo.cleaning.coded import CodedTable
from anomalo.cleaning.examined import Examined
from anomalo.cleaning.learning.asking import ask
from anomalo.cleaning.learning.labels import Answer, Labels
from anomalo.cleaning.learning.learned import Learned, learn
from anomalo.errors import ArtefactError

Columns = dict[str, list[str]]


def beers(rows: int = 400, seed: int = 4) -> tuple[Columns, Columns]:
    """Return a table with systematic errors, and the true one: units, a state in the city, dates in another order."""
    random = np.random.default_rng(seed)
    towns = [("San Diego", "CA"), ("Gary", "IN"), ("Bend", "OR"), ("Saint Louis", "MO"), ("Denver", "CO")]
    town = [towns[at] for at in random.integers(0, 5, rows)]
    size = random.integers(8, 33, rows)
    day = [(int(a), int(b), int(c)) for a, b, c in zip(*random.integers(1, 13, (3, rows)), strict=True)]
    moved = random.random(rows) < 0.1
    clean = {
        "name": [f"brew {random.integers(1000)} of {one}" for one, _ in town],
        "city": [one for one, _ in town],
        "state": [one for _, one in town],
        "size": [str(one) for one in size],
        "date": [f"{m}/{d + 12}/{y:02}" for m, d, y in day],
    }
    dirty = {
        "name": clean["name"],
        "city": [f"{one} {state}" if there else one for (one, state), there in zip(town, moved, strict=True)],
        "state": ["" if there else state for (_, state), there in zip(town, moved, strict=True)],
        "size": [f"{one}.0 oz" if one % 3 else f"{one}.0 ounce" for one in size],
        "date": [f"{y}/{m}/{d + 12}" for m, d, y in day],
    }
    return dirty, clean


def texts(columns: Columns) -> np.ndarray:
    return np.array(list(columns.values()), dtype=object).T


def answered(table: CodedTable, rows: np.ndarray, dirty: Columns, clean: Columns) -> Labels:
    cells = [(int(row), name) for row in rows for name in dirty]
    given = [(row, name, dirty[name][row] != clean[name][row], clean[name][row]) for row, name in cells]
    return Labels.of([Answer(row, name, wrong, value if wrong else None) for row, name, wrong, value in given], table)


@pytest.fixture(scope="module")
def case() -> tuple[Examined, Labels, Learned, np.ndarray, np.ndarray]:
    dirty, clean = beers()
    examined = Examined.of(CodedTable.of_texts(dirty))
    labels = answered(examined.table, ask(examined, 20), dirty, clean)
    return examined, labels, learn(examined, labels), texts(dirty), texts(clean)


Case = tuple[Examined, Labels, Learned, np.ndarray, np.ndarray]


def test_systematic_errors_are_found_and_corrected(case: Case) -> None:
    examined, labels, learned, dirty, clean = case
    wrong, found = dirty != clean, learned.suspects(examined, labels)
    before = f1_score(wrong.ravel(), examined.suspects.flagged.ravel())
    assert f1_score(wrong.ravel(), found.flagged.ravel()) > 0.97 > 0.8 > before
    right = found.flagged & wrong & (found.suggestion == clean)
    assert 2 * right.sum() / (wrong.sum() + found.flagged.sum()) > 0.95


def test_what_was_answered_is_certain(case: Case) -> None:
    examined, labels, learned, _, clean = case
    found = learned.suspects(examined, labels)
    for answer in labels.answers:
        cell = answer.row, examined.table.names.index(answer.column)
        assert found.probability[cell] == answer.wrong
        if answer.wrong:
            assert found.suggestion[cell] == clean[cell]
            assert found.suggested[cell] == 1.0


def test_it_is_saved_as_plain_values(case: Case) -> None:
    examined, _, learned, _, _ = case
    again = Learned.from_json(json.loads(json.dumps(learned.to_json())))
    one, other = learned.suspects(examined), again.suspects(examined)
    assert (one.probability == other.probability).all()
    assert (one.suggestion == other.suggestion).all()
    assert one.threshold == other.threshold


@pytest.mark.parametrize("part", ["detector", "keys", "rules", "calibration", "threshold"])
def test_damaged_values_are_refused(case: Case, part: str) -> None:
    with pytest.raises(ArtefactError, match="damaged"):
        Learned.from_json({**case[2].to_json(), part: None})


def test_a_new_row_gets_the_same_answer_alone_and_among_others(case: Case) -> None:
    examined, _, learned, _, _ = case
    new, _ = beers(12, seed=9)
    together = learned.suspects(Examined.of(CodedTable.joined(examined.table, CodedTable.of_texts(new))))
    one = {name: values[5:6] for name, values in new.items()}
    alone = learned.suspects(Examined.of(CodedTable.joined(examined.table, CodedTable.of_texts(one))))
    row = examined.table.rows
    assert (together.probability[row + 5] == alone.probability[row]).all()
    assert (together.suggestion[row + 5] == alone.suggestion[row]).all()
    assert (together.suggested[row + 5] == alone.suggested[row]).all()


def test_systematic_errors_of_new_rows_are_found(case: Case) -> None:
    examined, _, learned, _, _ = case
    new, truth = beers(60, seed=11)
    found = learned.suspects(Examined.of(CodedTable.joined(examined.table, CodedTable.of_texts(new))))
    flagged = found.probability[examined.table.rows :] > found.threshold
    assert f1_score((texts(new) != texts(truth)).ravel(), flagged.ravel()) > 0.95


def test_right_cells_only_leave_the_order_of_suspicion(case: Case) -> None:
    _, clean = beers()
    dirty = {name: list(values) for name, values in clean.items()}
    places = [(row, name) for row, name in zip(range(20, 400, 40), ("city", "state", "size") * 4, strict=False)]
    for row, name in places:
        dirty[name][row] = "N/A"
    examined = Examined.of(CodedTable.of_texts(dirty))
    labels = answered(examined.table, np.arange(1, 15), dirty, clean)
    assert not any(answer.wrong for answer in labels.answers)
    found, wrong = learn(examined, labels).suspects(examined, labels), texts(dirty) != texts(clean)
    assert found.flagged[wrong].all()
    assert (found.flagged & ~wrong).sum() <= (examined.suspects.flagged & ~wrong).sum()

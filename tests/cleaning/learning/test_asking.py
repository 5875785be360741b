"""The rows that are asked for hold every kind of cell, and the file to fill in becomes answers."""

import numpy as np

from anomalo.cleaning.coded import CodedTable
from anomalo.cleaning.examined import Examined
from anomalo.cleaning.learning.asking import ask, ask_file
from anomalo.cleaning.learning.labels import Labels


def examined(rows: int = 300) -> Examined:
    random = np.random.default_rng(3)
    sizes = [
        f"{at}.0 oz" if odd < 0.9 else f"{at} ounces" for at, odd in zip(range(rows), random.random(rows), strict=True)
    ]
    dates = [f"{at % 12 + 1}/{at % 28 + 1}/2004" for at in range(rows)]
    dates[3] = "unknown"
    return Examined.of(CodedTable.of_texts({"size": sizes, "date": dates}))


TABLE = examined()


def test_the_rows_are_distinct_ordered_and_the_same_again() -> None:
    rows = ask(TABLE, 20)
    assert rows.tolist() == sorted(set(rows.tolist()))
    assert len(rows) == 20
    assert ask(TABLE, 20).tolist() == rows.tolist()
    assert ask(TABLE, 20, seed=1).tolist() != rows.tolist()


def test_kinds_of_cells_are_asked_for_once_each() -> None:
    rows = ask(TABLE, 6)
    texts = [TABLE.table.columns[0].values[TABLE.table.columns[0].codes[row]] for row in rows]
    assert {text.split()[1] for text in texts} == {"oz", "ounces"}


def test_no_more_rows_are_asked_for_than_there_are() -> None:
    assert ask(examined(5), 20).tolist() == [0, 1, 2, 3, 4]


def test_a_file_that_is_not_filled_in_has_no_answers() -> None:
    file = ask_file(TABLE, np.array([7, 8]))
    assert file.names == ["row", "column", "observed", "wrong", "value", "suggestion", "probability"]
    assert file.rows == 4
    assert Labels.of_table(file, TABLE.table).answers == ()

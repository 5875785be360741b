"""Answers are read as people write them; those that cannot be meant are refused in one line."""

import pytest

from anomalo.cleaning.coded import CodedTable
from anomalo.cleaning.learning.labels import Answer, Labels
from anomalo.errors import SourceError, UsageError

TABLE = CodedTable.of_texts({"city": ["Gary", "Salem IN", "N/A"], "state": ["IN", "", "OR"]})


def answers(*rows: tuple[str, str, str, str], **extra: list[str]) -> CodedTable:
    columns = dict(zip(("row", "column", "wrong", "value"), map(list, zip(*rows, strict=True)), strict=True))
    return CodedTable.of_texts({**columns, **extra})


def test_answers_are_read() -> None:
    given = answers(
        ("1", "city", " Yes ", "Salem"),
        ("2", "city", "TRUE", "(empty)"),
        ("1", "state", "y", ""),
        ("0", "city", "no", ""),
        ("0", "state", "0", "IN"),
        ("2", "state", "", ""),
    )
    assert Labels.of_table(given, TABLE).answers == (
        Answer(0, "city", False),
        Answer(0, "state", False),
        Answer(1, "city", True, "Salem"),
        Answer(1, "state", True),
        Answer(2, "city", True, ""),
    )


def test_an_answer_may_be_repeated() -> None:
    labels = Labels.of_table(answers(("0", "city", "n", ""), ("0", "city", "no", "Gary")), TABLE)
    assert labels.of_column("city") == [Answer(0, "city", False)]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("0", "citty", "yes", ""), "did you mean 'city'"),
        (("3", "city", "yes", ""), "the table's rows are 0 to 2"),
        (("-1", "city", "yes", ""), "the table's rows are 0 to 2"),
    ],
)
def test_cells_that_do_not_exist_are_refused(row: tuple[str, str, str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Labels.of_table(answers(row), TABLE)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("one", "city", "yes", "")], "expected a whole number from 0"),
        ([("0", "city", "maybe", "")], "write yes or no"),
        ([("0", "city", "yes", "Gary")], "is what it has"),
        ([("0", "city", "no", "Salem")], "said to be right"),
        ([("0", "city", "no", ""), ("0", "city", "yes", "")], "two different answers"),
    ],
)
def test_answers_that_cannot_be_meant_are_refused(rows: list[tuple[str, str, str, str]], message: str) -> None:
    with pytest.raises(SourceError, match=message):
        Labels.of_table(answers(*rows), TABLE)


def test_answers_without_a_column_are_refused() -> None:
    with pytest.raises(UsageError, match="no column 'value'; did you mean 'values'"):
        Labels.of_table(CodedTable.of_texts({"row": [], "column": [], "wrong": [], "values": []}), TABLE)


def test_answers_about_another_table_are_refused() -> None:
    with pytest.raises(SourceError, match="another table"):
        Labels.of_table(answers(("0", "city", "no", ""), observed=["Salem"]), TABLE)

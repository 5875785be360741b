"""What a person answered about some cells: whether each is wrong, and what it should have been."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from anomalo.cleaning.coded import CodedColumn, CodedTable
from anomalo.errors import SourceError, UsageError, did_you_mean

YES = frozenset(("yes", "y", "true", "t", "1", "wrong"))
NO = frozenset(("no", "n", "false", "f", "0", "right"))
EMPTY = "(empty)"
"""Written as the right value of a cell that should have been empty."""
COLUMNS = ("row", "column", "wrong", "value")


@dataclass(frozen=True)
class Answer:
    """What is known of one cell.

    Attributes
    ----------
    row : int
        From 0.
    column : str
        The column's name.
    wrong : bool
        Whether the cell is wrong.
    value : str or None
        What it should have been, an empty text if it should have been empty; None where that is unknown or it is right.
    """

    row: int
    column: str
    wrong: bool
    value: str | None = None


@dataclass(frozen=True)
class Labels:
    """Answers about cells of one table, at most one for each cell."""

    answers: tuple[Answer, ...]

    @classmethod
    def of(cls, answers: Sequence[Answer], table: CodedTable) -> Labels:
        """Return the answers about a table's cells, without repeated ones, in the order of rows and columns.

        Raises
        ------
        UsageError
            A row or column is not the table's.
        SourceError
            Two answers about one cell differ, or one contradicts itself.
        """
        known: dict[tuple[int, str], Answer] = {}
        for answer in answers:
            _check(answer, table)
            if known.setdefault((answer.row, answer.column), answer) != answer:
                raise SourceError(f"there are two different answers about row {answer.row} of {answer.column!r}")
        order = {name: at for at, name in enumerate(table.names)}
        return cls(tuple(sorted(known.values(), key=lambda answer: (answer.row, order[answer.column]))))

    @classmethod
    def of_table(cls, answers: CodedTable, table: CodedTable) -> Labels:
        """Return the answers in a table with the columns `row`, `column`, `wrong` and `value`.

        `wrong` is yes or no, also y, n, true, false, 1 and 0, in any case; a row without it is not answered and is left
        out. An empty `value` is an unknown one; `(empty)` says that the cell should have been empty. If there is a
        column `observed`, it is compared with the table's cells.

        Raises
        ------
        UsageError
            A column is absent, or a row or column is not the table's.
        SourceError
            A row number or `wrong` cannot be read, `observed` is not what the table has, or answers contradict each
            other.
        """
        columns = {column.name: column for column in answers.columns}
        for name in COLUMNS:
            if name not in columns:
                raise UsageError(f"the answers have no column {name!r}{did_you_mean(name, columns)}")
        return cls.of(list(_answers(answers.rows, columns, table)), table)

    def of_column(self, name: str) -> list[Answer]:
        """Return the answers about one column's cells."""
        return [answer for answer in self.answers if answer.column == name]


def _answers(rows: int, columns: Mapping[str, CodedColumn], table: CodedTable) -> Iterator[Answer]:
    for at in range(rows):
        texts = {name: column.values[column.codes[at]] for name, column in columns.items()}
        wrong = texts["wrong"].strip().lower()
        if not wrong:
            continue
        if wrong not in YES | NO:
            raise SourceError(f"answer {at + 1}: `wrong` is {texts['wrong']!r}; write yes or no")
        value = "" if texts["value"] == EMPTY else texts["value"] or None
        answer = Answer(_row(texts["row"], at), texts["column"], wrong in YES, value)
        _check(answer, table)
        observed = observed_text(table, answer)
        if "observed" in texts and texts["observed"].strip() != observed.strip():
            raise SourceError(
                f"answer {at + 1}: row {answer.row} of {answer.column!r} is {observed[:40]!r}, "
                f"not {texts['observed'][:40]!r}; the answers are for another table"
            )
        yield answer if answer.wrong or value != observed else Answer(answer.row, answer.column, False)


def _row(text: str, at: int) -> int:
    try:
        return int(text)
    except ValueError:
        raise SourceError(f"answer {at + 1}: `row` is {text!r}, expected a whole number from 0") from None


def _check(answer: Answer, table: CodedTable) -> None:
    if answer.column not in table.names:
        raise UsageError(f"there is no column {answer.column!r}{did_you_mean(answer.column, table.names)}")
    if not 0 <= answer.row < table.rows:
        raise UsageError(f"there is no row {answer.row}; the table's rows are 0 to {table.rows - 1}")
    where, observed = f"row {answer.row} of {answer.column!r}", observed_text(table, answer)
    if answer.wrong and answer.value == observed:
        raise SourceError(f"{where} is said to be wrong, and its right value {observed[:40]!r} is what it has")
    if not answer.wrong and answer.value not in (None, observed):
        raise SourceError(f"{where} is said to be right, and to have another value, {answer.value!r}")


def observed_text(table: CodedTable, answer: Answer) -> str:
    """Return the text of the cell that was asked for."""
    column = table.columns[table.names.index(answer.column)]
    return column.values[int(column.codes[answer.row])]

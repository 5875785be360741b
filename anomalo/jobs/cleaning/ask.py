"""Which rows of a table a person should look at, so that the answers teach most, as a file to fill in."""

from __future__ import annotations

from dataclasses import dataclass

from anomalo.cleaning.coded import CodedTable
from anomalo.cleaning.examined import Examined
from anomalo.cleaning.learning.asking import ask as most_instructive
from anomalo.cleaning.learning.asking import ask_file
from anomalo.errors import UsageError
from anomalo.jobs.cleaning.clean import readable_columns, write_table
from anomalo.jobs.context import JobContext
from anomalo.tabular.writing.destination import Output


@dataclass(frozen=True)
class Asked:
    """The file to fill in, the rows that it asks about, and how many cells these have."""

    file: Output
    rows: list[int]
    cells: int


def ask(context: JobContext, source: str, rows: int, output: Output | None, *, drop: tuple[str, ...] = ()) -> Asked:
    """Write the file, a line for each cell of the rows; nothing else is written.

    Raises
    ------
    SourceError, OutputError
        The table cannot be read, or the file not written.
    UsageError
        There is no output, `rows` is below 1, or a column does not exist.
    """
    if output is None:
        raise UsageError("the questions need a file to be filled in: give its name with -o, such as -o answers.csv")
    if rows < 1:
        raise UsageError(f"ask={rows}: expected a whole number from 1, such as 20")
    context.check_output(output, source)
    table = context.table(source)
    names, _ = readable_columns(table, drop)
    examined = Examined.of(CodedTable.of(table.select(names)))
    chosen = most_instructive(examined, rows)
    questions = ask_file(examined, chosen).to_arrow()
    with context.writer(output, questions.schema) as writer:
        write_table(writer, questions)
    return Asked(output, chosen.tolist(), len(questions))

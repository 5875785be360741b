"""Say how a table is understood before anything is fitted: its columns, why, and what can be decided otherwise."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from anomalo.errors import without_passwords
from anomalo.jobs.context import JobContext
from anomalo.pipeline.explaining.expected_cells import text
from anomalo.rules.discovery import discover
from anomalo.tabular.cells import is_plain, whole
from anomalo.tabular.columns import ParsedTable
from anomalo.tabular.parsing import as_array
from anomalo.tabular.schema import Column, Schema, SchemaOptions, infer
from anomalo.tabular.structure import structure

EXAMPLES = 3
"""So many of a column's most frequent values are shown."""
LONGEST = 30
"""Characters of an example."""


@dataclass(frozen=True)
class ColumnReport:
    """How one column is understood.

    Attributes
    ----------
    name, kind, role : str
        As `Column` has them.
    why : str
        Why it is of that kind, or why it is left out.
    missing : int
        Cells that are missing, or that hold a text which stands for that.
    tokens : dict of str to int
        These texts, with how often each occurs.
    unreadable : int
        Cells that are not of the column's kind.
    distinct : int
        Different values among the others.
    examples : list of str
        The most frequent ones, as they are in the table.
    """

    name: str
    kind: str
    role: str
    why: str
    missing: int
    tokens: dict[str, int]
    unreadable: int
    distinct: int
    examples: list[str]


@dataclass(frozen=True)
class RuleReport:
    """A rule between columns.

    Attributes
    ----------
    kind, rule : str
        What sort of rule it is, and the rule in words.
    columns : list of str
        Those that it is about: first the one whose cell is reported where it is broken.
    support, exceptions : int
        Rows that could break it, and those of them that do.
    """

    kind: str
    rule: str
    columns: list[str]
    support: int
    exceptions: int


@dataclass(frozen=True)
class SchemaReport:
    """How a table is understood.

    Attributes
    ----------
    source : str
        The table.
    rows : int
        How many it has.
    duplicates : int
        Rows that equal an earlier one in all columns that a model reads.
    columns : list of ColumnReport
        In the table's order.
    structure, warnings : list of str
        Sentences on the table as a whole, and on what may be wrong with its columns.
    rules : list of RuleReport
        What holds between columns in all rows, or in nearly all that could break it.
    toml : str
        The same understanding as options, for a file that `--schema` reads.
    """

    source: str
    rows: int
    duplicates: int
    columns: list[ColumnReport]
    structure: list[str]
    warnings: list[str]
    rules: list[RuleReport]
    toml: str

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON-ready values."""
        return asdict(self)


def schema_of(context: JobContext, source: str, options: SchemaOptions) -> SchemaReport:
    """Read a table and infer its columns, as a fit with the same options would; nothing is written.

    Raises
    ------
    SourceError
        The table cannot be read or holds nothing to learn from.
    UsageError
        An option names a column that does not exist.
    SchemaError
        A column does not hold the kind that was asked for.
    """
    table = ParsedTable(context.table(source))
    schema = infer(table, options)
    columns = [_report(column, schema, table) for column in schema.columns]
    whole_table = structure(table, schema)
    return SchemaReport(
        without_passwords(source),
        table.rows,
        whole_table.duplicates,
        columns,
        list(whole_table.sentences),
        list(schema.warnings),
        _rules(table, schema),
        as_toml(schema, options),
    )


def _rules(table: ParsedTable, schema: Schema) -> list[RuleReport]:
    found = discover(schema.parse(table), schema.features)
    return [RuleReport(rule.kind, rule.text, list(rule.columns), rule.support, rule.exceptions) for rule in found]


def _report(column: Column, schema: Schema, table: ParsedTable) -> ColumnReport:
    cells, missing, wrong = whole(table.table.column(column.name)), 0, 0
    if column.role == "feature":
        values, unreadable = table.parse(column, schema.reading)
        wrong = 0 if unreadable is None else int(unreadable.sum())
        observed = as_array(values).is_valid()
        missing, cells = len(cells) - pc.sum(observed).as_py() - wrong, cells.filter(observed)
    else:
        missing, cells = cells.null_count, cells.drop_null()
    distinct, examples = _examples(cells)
    why = column.note or column.why
    tokens = dict(schema.tokens.get(column.name, {}))
    return ColumnReport(column.name, column.kind, column.role, why, missing, tokens, wrong, distinct, examples)


def _examples(cells: pa.Array) -> tuple[int, list[str]]:
    """Return how many different values there are, and the most frequent ones."""
    if not is_plain(cells.type) or pa.types.is_null(cells.type):
        return len(cells), []
    counts = pc.value_counts(text(cells))
    values, often = counts.field("values"), counts.field("counts")
    first = pc.sort_indices(often, sort_keys=[("", "descending")])[:EXAMPLES]
    shown = [value if len(value) <= LONGEST else f"{value[:LONGEST]}…" for value in values.take(first).to_pylist()]
    return len(values), shown


def as_toml(schema: Schema, options: SchemaOptions) -> str:
    """Return a schema as options that lead to the same one, with the reasons as comments."""
    settable = {column.name: column.kind for column in schema.columns if column.kind not in ("constant", "empty")}
    roles = {column.name for column in schema.columns if column.role in ("id", "label")} | set(options.drop)
    kinds = {name: kind for name, kind in settable.items() if name not in roles}
    lines = replace(options, kinds=kinds).to_toml().splitlines()
    first = len(lines) - len(kinds)
    why = {column.name: column.note or column.why for column in schema.columns}
    noted = [f"{line}{_comment(why[name])}" for line, name in zip(lines[first:], kinds, strict=True)]
    return "\n".join([*lines[:first], *noted]) + "\n"


def _comment(why: str) -> str:
    return f"  # {' '.join(why.split())}" if why else ""

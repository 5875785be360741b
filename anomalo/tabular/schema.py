"""The columns of a table: inferred once with the user's overrides, then checked by name."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, cast

import numpy as np
import pyarrow as pa

from anomalo.errors import SchemaError, SourceError, UsageError
from anomalo.tabular import inference, parsing, sentinels
from anomalo.tabular.cells import Cells, is_plain
from anomalo.tabular.column import (
    DROPPED,
    IMAGE,
    KINDS,
    LEFT_OUT,
    TABLE,
    TEXT,
    Column,
    Infinite,
    Kind,
    Role,
    SchemaOptions,
    column_hint,
    is_text_column,
    modality_with,
    read_notes,
)
from anomalo.tabular.columns import Columns, ParsedTable, Values
from anomalo.tabular.inference import Guess
from anomalo.tabular.parsing import Mask, Texts, parse
from anomalo.tabular.series.roles import channel_guess, entity_guess, time_guess
from anomalo.tabular.understanding.names import option
from anomalo.tabular.understanding.number_parts import Numbers
from anomalo.tabular.understanding.reading import Reading

__all__ = ["KINDS", "Column", "Kind", "Schema", "SchemaOptions", "infer", "parse", "require_unique"]


@dataclass(frozen=True)
class Schema:
    """What a table's columns are, as a model was fitted on them.

    Attributes
    ----------
    columns : tuple of Column
        In the table's order.
    rows : int
        The number of rows of the table.
    missing : tuple of str
        The user's texts for a missing cell (see `SchemaOptions`).
    infinite : {"error", "missing"}
        What an infinite number is.
    warnings : tuple of str
        Warnings about the columns, one line each.
    label_learned : bool
        Whether the label is a column of the model, for one that samples: see `features`.
    modality : str
        What the rows are, as the reader of the source says: "table" unless it says otherwise. It decides which encoder
        and which models there are for them.
    keep : tuple of str
        Texts that are values although they usually stand for a missing cell: the user's, and those that a typed column
        has as values.
    tokens : mapping of str to mapping of str to int
        By column of a text file: the texts that were taken as missing cells, and how many cells had each.
    window, causal : int, bool
        Of series, as `SchemaOptions` has them.
    """

    columns: tuple[Column, ...]
    rows: int
    missing: tuple[str, ...] = ()
    infinite: Infinite = "error"
    warnings: tuple[str, ...] = ()
    label_learned: bool = False
    modality: str = TABLE
    keep: tuple[str, ...] = ()
    tokens: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    window: int = 0
    causal: bool = False

    @cached_property
    def reading(self) -> Reading:
        """How cells are read."""
        return Reading(self.missing, self.keep, self.infinite)

    @cached_property
    def features(self) -> tuple[Column, ...]:
        """The columns that a model reads; one that samples may learn the label too, which is hidden where it scores."""
        roles = ("feature", "label") if self.label_learned else ("feature",)
        return tuple(column for column in self.columns if column.role in roles)

    @cached_property
    def of_series(self) -> tuple[Column, ...]:
        """The columns with the times of points and the names of their series; none of a table."""
        return tuple(column for column in self.columns if column.role in ("time", "entity"))

    @property
    def id(self) -> str | None:
        """The name of the column that names a row."""
        return self._of_role("id")

    @property
    def label(self) -> str | None:
        """The name of the label column; never shown to a model that scores."""
        return self._of_role("label")

    @property
    def time(self) -> str | None:
        """The name of the column with the times of points; None of a table."""
        return self._of_role("time")

    @property
    def entity(self) -> str | None:
        """The name of the column that names series; None where there is one series, and of a table."""
        return self._of_role("entity")

    def _of_role(self, role: Role) -> str | None:
        return next((column.name for column in self.columns if column.role == role), None)

    @property
    def texts(self) -> tuple[str, ...]:
        """The columns of identifiers and free text that no model reads, unless the user left them out."""
        found = [column for column in self.columns if column.role == "dropped" and column.note != DROPPED]
        return tuple(column.name for column in found if column.kind in ("identifier", "text"))

    def column(self, name: str) -> Column:
        """Return a column by name.

        Raises
        ------
        KeyError
            There is none of that name.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"no column {name!r}")

    def check(self, names: Sequence[str]) -> None:
        """Check that a table with these columns can be read; their order, and extra ones, do not matter.

        Raises
        ------
        SchemaError
            Columns that the model reads are absent; all are named.
        """
        present = set(names)
        read = [column for column in (*self.features, *self.of_series) if column.role != "label"]
        absent = [column.name for column in read if column.name not in present]
        if absent:
            hint = column_hint(absent[0], names) if len(absent) == 1 else f"; the columns are: {', '.join(names)}"
            which = f"column {absent[0]!r}" if len(absent) == 1 else f"columns {', '.join(map(repr, absent))}"
            raise SchemaError(f"the model reads the {which}, which the table does not have{hint}")

    def parse(
        self,
        batch: pa.RecordBatch | pa.Table | ParsedTable,
        first_row: int = 0,
        label: bool = False,
        strict: bool = False,
    ) -> Columns:
        """Parse the columns that a model reads; they are found by name.

        Parameters
        ----------
        batch : RecordBatch, Table or ParsedTable [n]
            With at least the features; what is parsed already is taken as it is.
        first_row : int
            The position in the whole table of the batch's first row, for messages.
        label : bool
            Whether to parse the label too, if the model learns it; else it may be absent.
        strict : bool
            Whether a cell that cannot be read is an error; else only a column most of whose cells cannot is one.

        Raises
        ------
        SchemaError
            A feature is absent, or its cells are not of its kind.
        SourceError
            A number is infinite, and the schema does not take those as missing.
        """
        table = ParsedTable.of(batch)
        self.check(table.names)
        read = [column for column in (*self.features, *self.of_series) if label or column.role != "label"]
        values: dict[str, Values] = {}
        unreadable: dict[str, Mask] = {}
        for column in read:
            values[column.name], bad = table.parse(column, self.reading, first_row)
            if bad is not None:
                numbers = cast("Numbers", values[column.name])
                # The first batch shows whether it is another column; the end of a file may hold anything.
                if first_row == 0 or strict:
                    parsing.require_readable(column, table.cells(column.name), numbers, bad, first_row, strict)
                unreadable[column.name] = bad
        return Columns(table.rows, values, unreadable)

    def to_json(self) -> dict[str, Any]:
        """Return the schema as JSON-ready values."""
        return {
            **{item.name: getattr(self, item.name) for item in dataclasses.fields(self)},
            "columns": [column.to_json() for column in self.columns],
            "missing": list(self.missing),
            "keep": list(self.keep),
            "tokens": {name: dict(counts) for name, counts in self.tokens.items()},
            "warnings": list(self.warnings),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Schema:
        """Rebuild a schema from `to_json`."""
        lists = {name: tuple(value[name]) for name in ("missing", "keep", "warnings")}
        return cls(**{**value, **lists, "columns": tuple(map(Column.from_json, value["columns"]))})

    def continuing(self, before: Schema) -> Schema:
        """Return the schema of this table for a model that starts from one fitted with the schema `before`.

        The columns that the earlier model read stay as they were understood; all others are left out, but for the label
        and the id.

        Raises
        ------
        SchemaError
            A column is missing.
        UsageError
            The label or the id is a column that the earlier model reads.
        """
        before.check([column.name for column in self.columns])
        read = {column.name: column for column in (*before.features, *before.of_series)}
        for column in self.columns:
            taken = column.role in ("id", "label") and read.get(column.name, column).role == "feature"
            if column.name in read and taken:
                raise UsageError(
                    f"column {column.name!r} cannot be the {column.role}: the model to start from reads it; "
                    "pretrain without it (--label or --drop)"
                )
        note = "the model to start from does not read it"
        rest = [
            replace(column, role="dropped", note=note) if column.role == "feature" else column
            for column in self.columns
            if column.name not in read
        ]
        return replace(before, columns=(*before.features, *before.of_series, *rest), rows=self.rows, warnings=())

    def fitted_for(self, samples: bool) -> Schema:
        """Return the schema for a model that samples, or does not; raises as `learning_label` does.

        Windows of series have no label: their points would show those of neighbours.
        """
        return self.learning_label() if samples and self.time is None else self

    def learning_label(self) -> Schema:
        """Return the schema for a model that samples, and so learns the label, if there is one, like any column.

        Raises
        ------
        SchemaError
            The label is no column that can be learned.
        """
        column = next((column for column in self.columns if column.role == "label"), None)
        if column is None:
            return self
        if column.kind in LEFT_OUT:
            raise SchemaError(
                f"the label {column.name!r} cannot be learned: {column.note or column.kind}; "
                f"expected a few classes or a number ({option('--kind', f'{column.name}=category')} makes it one)"
            )
        return replace(self, label_learned=True)


def require_unique(names: Sequence[str], source: str = "the table") -> None:
    """Check that no column name occurs twice.

    Raises
    ------
    SourceError
        One does.
    """
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise SourceError(f"{source} has several columns named {', '.join(map(repr, twice))}; rename them")


def infer(table: pa.Table | ParsedTable, options: SchemaOptions | None = None) -> Schema:
    """Infer the kinds of a table's columns.

    The types of a typed table decide; only the columns of a text file are guessed. A `ParsedTable` then has the
    features parsed, and keeps what was read of the label.

    Raises
    ------
    SourceError
        Two columns have one name, there are no rows, no column is left to learn from, or a number is infinite.
    UsageError
        An option names a column that does not exist, or asks for a kind that the column cannot be.
    SchemaError
        A column does not hold the kind that the user gave.
    """
    options = options or SchemaOptions()
    table = ParsedTable.of(table)
    require_unique(table.names)
    options.require_known(table.names)
    if table.rows == 0:
        raise SourceError("the table has no rows; give one with at least a few")
    notes = read_notes(table.table.schema)
    options = options.merged(SchemaOptions(id=notes.get("id"), drop=tuple(notes.get("unread", ()))))
    guesses = [_column(name, table, notes, options) for name in table.names]
    columns = tuple(guess.column for guess in guesses)
    left_out = [
        _left_out(column, table) for column in columns if column.role == "dropped" and column.name not in options.drop
    ]
    if not any(column.role == "feature" for column in columns):
        raise SourceError("; ".join(["there is no column to learn from", *left_out]))
    warnings = [*notes.get("warnings", []), *left_out, *(warning for guess in guesses for warning in guess.warnings)]
    modality = modality_with(options.time, table.table.schema)
    kept = dict.fromkeys(f"{guess.column.name}={text}" for guess in guesses for text in guess.kept)
    return Schema(
        columns,
        table.rows,
        options.missing,
        options.infinite,
        tuple(warnings),
        modality=modality,
        keep=tuple(dict.fromkeys([*options.keep, *kept])),
        tokens={guess.column.name: guess.missing for guess in guesses if guess.missing},
        window=options.window,
        causal=options.causal,
    )


def _column(name: str, table: ParsedTable, notes: Mapping[str, Any], options: SchemaOptions) -> Guess:
    stored = notes.get("strings", {}).get(name, str(table.table.schema.field(name).type))
    storage = TEXT if is_text_column(table.table.schema, name) else stored
    base = Column(name, "text", _role(name, options), storage)
    if name in notes.get("images", ()):
        return Guess(replace(base, kind=IMAGE, role="feature", why="it names files of pixels"))
    if base.role == "dropped":
        return Guess(replace(base, note=DROPPED))
    if base.role == "id":
        return Guess(replace(base, kind="identifier", note="it names the row"))
    cells = table.cells(name)
    reading = Reading(options.missing, options.keep, options.infinite)
    separator = notes.get("separator", ",")
    if base.role == "entity":
        return entity_guess(base, cells, reading.of(name), separator)
    guess = _kind(base, cells, separator, reading, options.kinds)
    if base.role == "time":
        return time_guess(base, guess, cells, reading.of(name), separator)
    guess = guess if options.time is None else channel_guess(guess)
    if base.role == "label":
        table.keep(name, cells)
        return replace(guess, column=replace(guess.column, role="label", note="it says what the row is"), warnings=())
    if guess.column.kind in LEFT_OUT or guess.column.role == "dropped":
        return replace(guess, column=replace(guess.column, role="dropped"))
    values, unreadable = table.parse(guess.column, reading, cells=cells)
    if unreadable is not None:
        parsing.require_readable(guess.column, cells, cast("Numbers", values), unreadable)
    return replace(guess, warnings=(*guess.warnings, *_sentinels(guess.column, values)))


def _role(name: str, options: SchemaOptions) -> Role:
    if name == options.label:
        return "label"
    if name == options.id:
        return "id"
    if name in (options.time, options.entity):
        return "time" if name == options.time else "entity"
    return "dropped" if name in options.drop else "feature"


def _kind(base: Column, cells: Cells, separator: str, reading: Reading, kinds: Mapping[str, str]) -> Guess:
    mine = reading.of(base.name)
    if base.name in kinds:
        return inference.forced(base, cast("Kind", kinds[base.name]), cells, mine, separator)
    if base.storage == TEXT:
        return inference.guess_text(base.name, cells, mine, separator)
    return inference.guess_typed(base.name, cells, base.storage, mine)


def _sentinels(column: Column, values: Values) -> list[str]:
    if isinstance(values, Texts) or column.storage.startswith(("duration", "time[", "time32", "time64")):
        return []  # 0 is as usual as any other duration or time of day
    found = sentinels.suspicious(column, values)
    return [sentinels.warn(column, value, int(np.count_nonzero(values == value))) for value in found]


def _left_out(column: Column, table: ParsedTable) -> str:
    readable = column.kind != "empty" and is_plain(table.table.schema.field(column.name).type)
    keep = f" (to keep it: {option('--kind', f'{column.name}=category')})" if readable else ""
    if readable and column.kind in ("identifier", "text"):
        where = f"left out of models, only its format and spelling are checked: {column.note}"
    else:
        where = f"left out: {column.note}"
    return f"column {column.name!r} is {where}{keep}"

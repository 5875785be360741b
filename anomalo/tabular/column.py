"""What a column is (kind, role, text format), and what a user can decide about columns."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar, cast, get_args

import pyarrow as pa

from anomalo.errors import SchemaError, SourceError, UsageError, did_you_mean
from anomalo.tabular.understanding.number_style import PLAIN_STYLE, NumberStyle

Kind = Literal[
    "number", "integer", "boolean", "category", "datetime", "constant", "identifier", "text", "empty", "image"
]
Read = TypeVar("Read", pa.Table, pa.RecordBatch)
Role = Literal["feature", "id", "label", "dropped", "time", "entity"]
Infinite = Literal["error", "missing"]

IMAGE: Kind = "image"
"""The kind of a column that names files of pixels, and the modality of rows that are images."""
KINDS: tuple[Kind, ...] = tuple(kind for kind in get_args(Kind) if kind != IMAGE)
"""The kinds that a column of a table can have."""
MEASURED: frozenset[Kind] = frozenset({"number", "integer", "datetime"})
"""The kinds that become numbers; every other feature becomes a category."""
LEAST_WINDOW = 2
"""Points of a window of a series, at least."""
LEFT_OUT: frozenset[Kind] = frozenset({"identifier", "text", "empty"})
"""The kinds that no model reads."""
DROPPED = "it was asked to be dropped"
"""The note of a column that the user left out."""
TABLE = "table"
"""The modality of rows whose reader does not say another."""
SERIES = "series"
"""The modality of rows that are points of series, since the user says which column has their times."""
TEXT = "text"
"""The storage of a column that comes from a text file."""
METADATA = b"anomalo"
"""The key of an Arrow schema's metadata under which a reader records how it read its source (JSON)."""

_OPTIONS: dict[str, Any] = {
    "columns": dict,
    **dict.fromkeys(("drop", "missing", "keep"), list),
    **dict.fromkeys(("id", "label", "infinite", "time", "entity"), str),
    "window": int,
    "causal": bool,
}
_STRINGS = ("string", "large_string", "string_view")
_CHOICES = tuple(kind for kind in KINDS if kind not in ("constant", "empty"))


@dataclass(frozen=True)
class Column:
    """One column of a table, and how its cells are read and written.

    Attributes
    ----------
    name : str
        As in the table.
    kind : Kind
        What its cells are.
    role : {"feature", "id", "label", "dropped", "time", "entity"}
        Only features are shown to a model.
    storage : str
        The Arrow type that decoded values take; "text" for a column of a text file.
    numbers : NumberStyle
        How a text column writes numbers.
    tokens : tuple of two str
        How a boolean column spells false and true.
    date_format : tuple of str
        How a text column writes datetimes (see `datetimes`), the most frequent format first.
    note : str
        Why the column is left out.
    why : str
        Why the kind was guessed, in a few words.
    """

    name: str
    kind: Kind
    role: Role = "feature"
    storage: str = TEXT
    numbers: NumberStyle = PLAIN_STYLE
    tokens: tuple[str, str] = ("false", "true")
    date_format: tuple[str, ...] = ()
    note: str = ""
    why: str = ""

    @property
    def typed_text(self) -> bool:
        """Whether a typed source holds the column as text: there, no text stands for a missing cell."""
        return self.storage.removeprefix("dictionary<values=").split(",")[0] in _STRINGS

    @property
    def unit(self) -> tuple[str, str]:
        """What stands before and after its numbers in a text file, such as a currency or a unit."""
        return self.numbers.prefix, self.numbers.suffix

    def to_json(self) -> dict[str, Any]:
        """Return the column as JSON-ready values."""
        return {**dataclasses.asdict(self), "tokens": list(self.tokens)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Column:
        """Rebuild a column from `to_json`."""
        numbers = NumberStyle.from_json(value["numbers"])
        pairs = {name: tuple(value[name]) for name in ("tokens", "date_format")}
        return cls(**{**value, "numbers": numbers, **pairs})


@dataclass(frozen=True)
class SchemaOptions:
    """The user's decisions about columns, which replace guesses.

    Attributes
    ----------
    kinds : mapping of str to str
        Columns whose kind is given.
    drop : tuple of str
        Columns that are left out.
    id, label : str or None
        The column that names a row, and the one with its label.
    missing : tuple of str
        Texts that stand for a missing cell, besides the usual ones; `COLUMN=TEXT` is for one column only.
    infinite : {"error", "missing"}
        What an infinite number is.
    keep : tuple of str
        Texts that are values although they usually stand for a missing cell; `COLUMN=TEXT` is for one column only.
    time, entity : str or None
        The rows are points of series: the column with their times, and the one that names the series.
    window : int
        Points of a series that a model sees at a time; 0: as many as the series suggest.
    causal : bool
        Whether the score of a point depends on those before it alone; else also on those after it.
    """

    kinds: Mapping[str, str] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    id: str | None = None
    label: str | None = None
    missing: tuple[str, ...] = ()
    infinite: Infinite = "error"
    keep: tuple[str, ...] = ()
    time: str | None = None
    entity: str | None = None
    window: int = 0
    causal: bool = False

    def __post_init__(self) -> None:
        self._require_series()
        for name, kind in self.kinds.items():
            if kind not in _CHOICES:
                raise UsageError(f"column {name!r} cannot be of kind {kind!r}; the kinds are: {', '.join(_CHOICES)}")
        if self.infinite not in get_args(Infinite):
            raise UsageError(f"infinite is {self.infinite!r}; expected one of: {', '.join(get_args(Infinite))}")

    def _require_series(self) -> None:
        asked = {"entity": self.entity is not None, "window": self.window, "causal": self.causal}
        if self.time is None and any(asked.values()):
            given = next(name for name, there in asked.items() if there)
            raise UsageError(f"--{given} is for series; give the column with the times of the points, too: --time COL")
        if self.time is not None and self.time in (self.entity, self.id, self.label, *self.drop):
            raise UsageError(f"column {self.time!r} has the times of the points, and cannot be something else, too")
        if self.entity is not None and self.entity in (self.id, self.label, *self.drop):
            raise UsageError(f"column {self.entity!r} names the series, and cannot be something else, too")
        if self.window and self.window < LEAST_WINDOW:
            raise UsageError(f"a window of {self.window} points: expected {LEAST_WINDOW} or more")

    @classmethod
    def from_toml(cls, path: Path) -> SchemaOptions:
        """Read options from a TOML file: a table `columns` of kinds, and the other attributes by name.

        Raises
        ------
        SourceError
            The file cannot be read.
        UsageError
            It is not TOML, or holds something else than options.
        """
        try:
            value = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise SourceError(f"cannot read {path}: {error.strerror or error}; give a TOML file") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise UsageError(f"{path} is not TOML: {error}") from error
        for key, item in value.items():
            _check_option(path, key, item)
        return cls(
            kinds=value.get("columns", {}),
            drop=tuple(value.get("drop", ())),
            id=value.get("id"),
            label=value.get("label"),
            missing=tuple(value.get("missing", ())),
            infinite=value.get("infinite", "error"),
            keep=tuple(value.get("keep", ())),
            time=value.get("time"),
            entity=value.get("entity"),
            window=value.get("window", 0),
            causal=value.get("causal", False),
        )

    def to_toml(self) -> str:
        """Write the options as `from_toml` reads them.

        Examples
        --------
        >>> print(SchemaOptions({"age": "integer"}, drop=("note",)).to_toml(), end="")
        drop = ["note"]
        missing = []
        keep = []
        infinite = "error"
        <BLANKLINE>
        [columns]
        "age" = "integer"
        """
        lists = {"drop": self.drop, "missing": self.missing, "keep": self.keep}
        texts = {"id": self.id, "label": self.label, "infinite": self.infinite}
        texts |= {"time": self.time, "entity": self.entity}
        lines = [f"{key} = [{', '.join(map(_quoted, items))}]" for key, items in lists.items()]
        lines += [f"{key} = {_quoted(item)}" for key, item in texts.items() if item is not None]
        lines += [f"window = {self.window}"] if self.window else []
        lines += ["causal = true"] if self.causal else []
        lines += ["", "[columns]", *(f"{_quoted(name)} = {_quoted(kind)}" for name, kind in self.kinds.items())]
        return "\n".join(lines) + "\n"

    def merged(self, below: SchemaOptions) -> SchemaOptions:
        """Return these options on top of others: lists are joined, single values here win."""
        return SchemaOptions(
            kinds={**below.kinds, **self.kinds},
            drop=tuple(dict.fromkeys([*below.drop, *self.drop])),
            id=self.id or below.id,
            label=self.label or below.label,
            missing=tuple(dict.fromkeys([*below.missing, *self.missing])),
            infinite="missing" if "missing" in (self.infinite, below.infinite) else "error",
            keep=tuple(dict.fromkeys([*below.keep, *self.keep])),
            time=self.time or below.time,
            entity=self.entity or below.entity,
            window=self.window or below.window,
            causal=self.causal or below.causal,
        )

    def require_known(self, names: Sequence[str]) -> None:
        """Check that every column named here exists.

        Raises
        ------
        UsageError
            One does not; close matches are listed.
        """
        restricted = [item.rpartition("=")[0] for item in (*self.missing, *self.keep) if not _fits(item, names)]
        for name in [*self.kinds, *self.drop, self.id, self.label, self.time, self.entity, *restricted]:
            if name is not None and name not in names:
                raise UsageError(f"there is no column {name!r}{column_hint(name, names)}")


def _quoted(text: str) -> str:
    """Write a basic string of TOML, whose escapes are JSON's except for the character DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _check_option(path: Path, key: str, item: Any) -> None:
    if key not in _OPTIONS:
        raise UsageError(f"{path} has {key!r}; expected some of: {', '.join(_OPTIONS)}")
    parts = item.values() if isinstance(item, dict) else item if isinstance(item, list) else [item]
    kind = {
        dict: "a table of texts",
        list: "a list of texts",
        str: "a text",
        int: "a whole number",
        bool: "true or false",
    }
    texts = type(item) in (int, bool) or all(isinstance(part, str) for part in parts)
    if type(item) is not _OPTIONS[key] or not texts:
        raise UsageError(f"{path}: {key} is {item!r}; expected {kind[_OPTIONS[key]]}")


def _fits(token: str, names: Iterable[str]) -> bool:
    return "=" not in token or any(token.startswith(f"{name}=") for name in names)


def column_hint(name: str, names: Iterable[str]) -> str:
    """Return the end of a message on an unknown column: close matches, or the columns there are."""
    known = list(dict.fromkeys(names))
    listed = ", ".join(known[:20]) + (", …" if len(known) > 20 else "")
    return did_you_mean(name, known, 3) or f"; the columns are: {listed}"


def read_notes(schema: pa.Schema) -> dict[str, Any]:
    """Return what a reader noted about its source in the metadata of an Arrow schema.

    `text` is true for a text file, whose `separator` is noted too; `strings` maps the columns that were
    read as dictionaries for speed to the type of string that they hold in the file; `modality` says what the rows
    are, if not a table's; `images` are the columns that name files of pixels, `id` is the one that names the rows, and
    `unread` are others that no model reads.
    """
    notes = (schema.metadata or {}).get(METADATA)
    return cast("dict[str, Any]", json.loads(notes)) if notes else {}


def is_text_column(schema: pa.Schema, name: str) -> bool:
    """Whether a column's cells are texts of the source, in which any kind may be written, by its reader's notes."""
    notes = read_notes(schema)
    return bool(notes.get("text")) or name in notes.get("text_columns", ())


def modality_of(schema: pa.Schema) -> str:
    """Return what the rows of a source are, by its reader's notes: "table" if it does not say."""
    return str(read_notes(schema).get("modality", TABLE))


def modality_with(time: str | None, rows: pa.Schema) -> str:
    """Return what rows are: points of series if the user names the column of their times, else as their reader says."""
    return SERIES if time is not None else modality_of(rows)


def require_table(source: str, rows: Read) -> Read:
    """Return the rows of a source, a table or a batch, if they are a table's.

    Raises
    ------
    SchemaError
        They are of another modality.
    """
    found = modality_of(rows.schema)
    if found != TABLE:
        raise SchemaError(f"{source} holds rows of modality {found}; expected a table")
    return rows


def with_modality(schema: pa.Schema, modality: str) -> pa.Schema:
    """Return the Arrow schema of a source's batches with a note that its rows are of a modality other than "table"."""
    return write_notes(schema, {**read_notes(schema), "modality": modality})


def write_notes(schema: pa.Schema, notes: Mapping[str, Any]) -> pa.Schema:
    """Return the Arrow schema with a reader's notes in its metadata."""
    return schema.with_metadata({**(schema.metadata or {}), METADATA: json.dumps(notes).encode()})

"""Read a TOML file into dataclasses; mistakes are named with the line and the key."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from anomalo.errors import SourceError, UsageError, did_you_mean

Table = TypeVar("Table")
KINDS = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "a table",
    list: "a list",
    tuple: "a list of texts",
}


class TomlFile:
    """A TOML file with its text, so that messages can name lines.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    SourceError
        It cannot be read.
    UsageError
        It is not TOML.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.text = path.read_text(encoding="utf-8")
            self.value: dict[str, Any] = tomllib.loads(self.text)
        except OSError as error:
            raise SourceError(f"cannot read {path}: {error.strerror or error}; give a TOML file") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise UsageError(f"{path} is not TOML: {error}") from error

    def read(self, kind: type[Table], value: Mapping[str, Any], where: str = "") -> Table:
        """Return a table as a dataclass; a field ending in "_" is the key without it.

        Parameters
        ----------
        kind : type
            A dataclass whose fields are texts, numbers, truth values, tuples of texts, or tables.
        value : mapping
            The table.
        where : str
            Its name, such as "outputs", or "routes.1" for the second one of an array; empty for the top of the file.

        Raises
        ------
        UsageError
            A key is unknown or missing, or a value is of another kind.
        """
        hints = get_type_hints(kind)
        fields = {field.name.removesuffix("_"): field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
        for key in value:
            if key not in fields:
                known = f"{did_you_mean(key, fields)}; it has: {', '.join(fields)}"
                raise self.error(where, key, f"{_table(where)} has no key {key!r}{known}")
        for key, field in fields.items():
            required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
            if required and key not in value:
                raise self.error(where, None, f"{_table(where)} has no {key!r}, which is needed")
        names = {key: fields[key].name for key in value}
        return kind(**{name: self._checked(hints[name], value[key], where, key) for key, name in names.items()})

    def _checked(self, hint: Any, value: Any, where: str, key: str) -> Any:
        for option in get_args(hint) if get_origin(hint) is UnionType else (hint,):
            plain = get_origin(option) or option
            if plain is tuple and isinstance(value, list) and all(isinstance(item, str) for item in value):
                return tuple(value)
            if plain is float and type(value) is int:
                return float(value)
            if type(value) is plain:
                return value
        raise self.error(where, key, f"{key} is {value!r}; expected {_expected(hint)}")

    def error(self, where: str, key: str | None, text: str) -> UsageError:
        """Return an error about a key of a table, with its line where it can be found."""
        line = line_of(self.text, where, key)
        return UsageError(f"{self.path}{'' if line is None else f', line {line}'}: {text}")


def _table(where: str) -> str:
    name, _, number = where.partition(".")
    if not where:
        return "the file"
    return f"[{name}]" if not number else f"[[{name}]] number {int(number) + 1}"


def _expected(hint: Any) -> str:
    options = get_args(hint) if get_origin(hint) is UnionType else (hint,)
    kinds = [get_origin(option) or option for option in options if option is not type(None)]
    return " or ".join(KINDS[kind] for kind in kinds)


def line_of(text: str, where: str, key: str | None) -> int | None:
    r"""Return the line of a key in a TOML text, from 1, or of its table's header; None where it is not found.

    Examples
    --------
    >>> line_of('a = 1\n[[routes]]\nkind = "x"\n[[routes]]\nkind = "y"', "routes.1", "kind")
    5
    """
    table, counts, header = "", dict[str, int](), None
    for number, line in enumerate(text.splitlines(), 1):
        found = re.match(r"\s*(\[\[?)\s*([\w.\"-]+)\s*\]", line)
        if found:
            name = found[2].strip('"')
            at = counts[name] = counts.get(name, -1) + 1
            table = f"{name}.{at}" if found[1] == "[[" else name
            header = number if table == where else header
        elif key is not None and table == where and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
            return number
    return header

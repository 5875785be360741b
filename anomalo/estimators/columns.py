"""What a caller of the estimators decides about columns, and how the estimators speak of it."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from anomalo.errors import AnomaloError, UsageError
from anomalo.tabular.column import KINDS
from anomalo.tabular.schema import SchemaOptions

ROLES = ("id", "label", "drop")

Choices = Mapping[str, str] | SchemaOptions | None
"""A kind or role for some columns, by name, or everything that can be decided about them."""


def options_of(columns: Choices) -> SchemaOptions:
    """Return the options that `columns` stands for.

    Parameters
    ----------
    columns : mapping of str to str, SchemaOptions or None
        By column a kind, such as "category", or a role: "id" (it names the row), "label" (it is hidden from the
        model) or "drop". None decides nothing.

    Raises
    ------
    UsageError
        It is neither, a value is no kind or role, or two columns are the id or the label.

    Examples
    --------
    >>> options = options_of({"zone": "category", "key": "id"})
    >>> options.kinds, options.id
    ({'zone': 'category'}, 'key')
    """
    if columns is None:
        return SchemaOptions()
    if isinstance(columns, SchemaOptions):
        return columns
    if not isinstance(columns, Mapping):
        raise UsageError(f"columns={columns!r}: expected a dict such as {{'zone': 'category'}}, or SchemaOptions")
    for name, value in columns.items():
        if value not in (*KINDS, *ROLES):
            expected = ", ".join((*KINDS, *ROLES))
            raise UsageError(f"columns={{{name!r}: {value!r}}}: expected one of {expected}")
    roles = {role: [name for name, value in columns.items() if value == role] for role in ROLES}
    for role in ("id", "label"):
        if len(roles[role]) > 1:
            raise UsageError(f"columns names {len(roles[role])} columns the {role}: expected one at most")
    kinds = {name: value for name, value in columns.items() if value not in ROLES}
    return SchemaOptions(kinds, tuple(roles["drop"]), next(iter(roles["id"]), None), next(iter(roles["label"]), None))


_COLUMN = (
    (re.compile(r"--kind '([^'\n]*)=(\w+)'"), r"columns={'\1': '\2'}"),
    (re.compile(r"--(missing|keep) '([^'\n]*)'"), r"columns=SchemaOptions(\1=['\2'])"),
    (re.compile(r"--inf missing"), "columns=SchemaOptions(infinite='missing')"),
    (re.compile(r"--(id|label|drop) '?(\w+)'?"), r"columns={'\2': '\1'}"),
)


def in_python(text: str) -> str:
    """Return a message with the options of the command line as parameters of an estimator.

    Examples
    --------
    >>> in_python("column 'zone' is left out (to keep it: --kind 'zone=category')")
    "column 'zone' is left out (to keep it: columns={'zone': 'category'})"
    """
    for pattern, replacement in _COLUMN:
        text = pattern.sub(replacement, text)
    return text


def warn(texts: Iterable[str], stacklevel: int) -> None:
    """Warn of sentences, in Python's terms."""
    for text in texts:
        warnings.warn(in_python(text), UserWarning, stacklevel=stacklevel + 1)


@contextmanager
def speaking_python() -> Iterator[None]:
    """Let the errors that are raised inside speak in Python's terms."""
    try:
        yield
    except AnomaloError as error:
        if not error.args or not isinstance(error.args[0], str) or in_python(error.args[0]) == error.args[0]:
            raise
        error.args = (in_python(error.args[0]), *error.args[1:])
        raise

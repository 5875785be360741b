"""Columns of Python values, whose types are found first and then given to all of them."""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

_SMALLEST_INT, _LARGEST_INT = -(2**63), 2**63 - 1


def as_text(value: Any) -> str | None:
    """Return a value as a person would type it; None for none.

    Examples
    --------
    >>> [as_text(value) for value in (3.0, 2.5, True, "x", None, datetime.date(2024, 1, 31), [1])]
    ['3', '2.5', 'true', 'x', None, '2024-01-31', '[1]']
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


@dataclass
class Kinds:
    """The sorts of values that a column has had so far.

    Attributes
    ----------
    found : set of str
        Sorts of values: "integer", "number", "boolean", "date", "datetime", "time", "duration", "nested" and "text".
    """

    found: set[str] = field(default_factory=set)

    def see(self, values: Iterable[Any]) -> None:
        """Note the sorts of more values."""
        self.found.update(_sort(value) for value in values if value is not None)

    @property
    def type(self) -> pa.DataType:
        """The Arrow type that holds all of them; a string type for mixed ones."""
        found = self.found
        if not found:
            return pa.null()
        if found <= {"integer"}:
            return pa.int64()
        if found <= {"integer", "number", "large"}:
            return pa.float64()
        if found == {"date", "datetime"}:
            return pa.timestamp("us")
        single = {
            "boolean": pa.bool_(),
            "date": pa.date32(),
            "datetime": pa.timestamp("us"),
            "time": pa.time64("us"),
            "duration": pa.duration("us"),
        }
        return single.get(next(iter(found)), pa.string()) if len(found) == 1 else pa.string()

    @property
    def mixed(self) -> bool:
        """Whether values of several sorts are written as texts."""
        return self.type == pa.string() and self.found != {"text"}


def _sort(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer" if _SMALLEST_INT <= value <= _LARGEST_INT else "large"
    if isinstance(value, float):
        return "number"
    if isinstance(value, datetime.datetime):
        return "datetime"
    if isinstance(value, datetime.date):
        return "date"
    if isinstance(value, datetime.time):
        return "time"
    if isinstance(value, datetime.timedelta):
        return "duration"
    return "nested" if isinstance(value, list | dict) else "text"


def to_array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """Return values as an Arrow array of the type that `Kinds` found for them."""
    if kind == pa.string():
        return pa.array([as_text(value) for value in values], kind)
    if kind == pa.int64():
        return pa.array([None if value is None else int(value) for value in values], kind)
    if kind == pa.float64():
        return pa.array([None if value is None or math.isnan(value) else float(value) for value in values], kind)
    if pa.types.is_timestamp(kind):
        return pa.array([_moment(value) for value in values], kind)
    return pa.array(values, kind)


def _moment(value: Any) -> datetime.datetime | None:
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return datetime.datetime.combine(value, datetime.time())
    return value  # type: ignore[no-any-return]

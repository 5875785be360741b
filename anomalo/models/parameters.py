"""The hyperparameters that a model declares: default, bounds, choices and a sentence of help."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from anomalo.errors import ParameterError


def param(
    default: Any,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: Sequence[Any] | None = None,
    help: str = "",
) -> Any:
    """Declare a hyperparameter; the command line, forms, searches and docs read this declaration.

    Parameters
    ----------
    default : bool, int, float, str or tuple of int
        Also decides the type.
    low, high : float, optional
        Inclusive bounds (of every item, for a tuple).
    choices : sequence, optional
        The allowed values.
    help : str
        One sentence in plain words.

    Examples
    --------
    >>> from anomalo.plugin import Model
    >>> @dataclass(kw_only=True)
    ... class Example(Model):
    ...     name = "example"
    ...     neighbours: int = param(5, low=1, help="How many neighbours to average over.")
    >>> Example(**Example.parse({"neighbours": "7"})).neighbours
    7
    """
    return field(default=default, metadata={"low": low, "high": high, "choices": choices, "help": help})


_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True)
class Parameter:
    """A declared hyperparameter, as `Model.parameters` lists it."""

    name: str
    default: Any
    low: float | None
    high: float | None
    choices: tuple[Any, ...] | None
    help: str

    def parse(self, text: str) -> Any:
        """Read a value from text.

        Raises
        ------
        ParameterError
            If the text is not of the parameter's type.
        """
        kind = type(self.default)
        try:
            if kind is bool:
                return _BOOLEANS[text.strip().lower()]
            if kind is tuple:
                return tuple(int(item) for item in text.split(",") if item.strip())
            return kind(text)
        except (ValueError, KeyError):
            expected = {"bool": "true or false", "int": "a whole number", "float": "a number"}
            shown = expected.get(kind.__name__, "whole numbers separated by commas")
            raise ParameterError(f"{self.name}={text}: expected {shown}, such as {self.default}") from None

    def check(self, value: Any) -> None:
        """Check a value's type, choices and bounds.

        Raises
        ------
        ParameterError
            If one of them does not hold.
        """
        kind = type(self.default)
        whole = kind is float and type(value) is int
        if not (isinstance(value, kind) or whole) or (kind is int and isinstance(value, bool)):
            raise ParameterError(f"{self.name}={value!r}: expected {kind.__name__}, got {type(value).__name__}")
        if self.choices is not None and value not in self.choices:
            raise ParameterError(f"{self.name}={value!r}: expected one of {', '.join(map(repr, self.choices))}")
        if kind is tuple and not value:
            raise ParameterError(f"{self.name}=(): expected at least one value, such as {self.default}")
        for item in value if kind is tuple else [value]:
            below = self.low is not None and not item >= self.low
            above = self.high is not None and not item <= self.high
            if below or above:
                bounds = f"at least {self.low}" if self.high is None else f"from {self.low} to {self.high}"
                raise ParameterError(f"{self.name}={value!r}: expected a value {bounds}")

"""What a way of rewriting texts consists of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

Arguments = tuple[str, ...]

LONGEST = 256
"""Longer texts are neither examples nor rewritten."""


class Way(NamedTuple):
    """A family of functions from text to text.

    Attributes
    ----------
    propose : callable (before, after) -> iterator of arguments
        Which functions of the family rewrite one text as the other.
    apply : callable (arguments, text) -> str or None
        The rewritten text; None where the function does not apply.
    describe : callable (arguments) -> str
        What the function does, as the end of a sentence in the imperative.
    trust : float
        The share of other wrong texts that a function found from a single example rewrites rightly.
    """

    propose: Callable[[str, str], Iterator[Arguments]]
    apply: Callable[[Arguments, str], str | None]
    describe: Callable[[Arguments], str]
    trust: float

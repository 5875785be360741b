"""Rules as JSON-ready values, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from anomalo.rules.absences import MissingWhere, MissingWith
from anomalo.rules.arithmetic.products import Product
from anomalo.rules.arithmetic.remainders import Remainder
from anomalo.rules.arithmetic.sums import Sum
from anomalo.rules.constants import Constant
from anomalo.rules.dependencies import Dependency
from anomalo.rules.intervals import Interval
from anomalo.rules.orders import Order
from anomalo.rules.rule import Rule
from anomalo.rules.single.domains import Domain
from anomalo.rules.single.signs import Sign

_SORTS: dict[str, type[Rule]] = {
    sort.sort: sort
    for sort in (
        *(Sum, Remainder, Product, Order, Sign, Domain),
        *(Dependency, Interval, Constant, MissingWith, MissingWhere),
    )
}


def to_json(rules: Iterable[Rule]) -> list[dict[str, Any]]:
    """Return rules as JSON-ready values."""
    return [rule.to_json() for rule in rules]


def from_json(values: Iterable[Mapping[str, Any]]) -> tuple[Rule, ...]:
    """Rebuild rules from `to_json`."""
    return tuple(_rule(**value) for value in values)


def _rule(sort: str, **fields: Any) -> Rule:
    return _SORTS[sort].from_fields(**{n: tuple(v) if isinstance(v, list) else v for n, v in fields.items()})

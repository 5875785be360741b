"""Products of numbers: amount = quantity × price."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from anomalo.rules.acceptance import accepted
from anomalo.rules.arithmetic.triples import Matrix, matters, triples
from anomalo.rules.cells import Mask, Numbers, Writer, decimals, numbers, plain
from anomalo.rules.rule import Rule
from anomalo.tabular.columns import Columns

RELATIVE = 1e-6
"""Products of numbers that are not rounded agree to this share."""


@dataclass(frozen=True, kw_only=True)
class Product(Rule):
    """A number that is the product of two others, up to rounding.

    Attributes
    ----------
    factors : tuple of two str
        The columns that are multiplied.
    unit : float
        The last decimal of the target; 0 if it has too many.
    rounding : tuple of three float
        The largest rounding error of the target and of each factor.
    """

    sort: ClassVar[str] = "product"
    factors: tuple[str, str]
    unit: float = 0.0
    rounding: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def kind(self) -> str:
        """A product."""
        return "product"

    @property
    def columns(self) -> tuple[str, ...]:
        """The target and the factors."""
        return self.target, *self.factors

    @property
    def one_way(self) -> bool:
        """No: all other columns decide each."""
        return False

    @property
    def text(self) -> str:
        """As an equation."""
        return f"{self.target} = {' × '.join(self.factors)}"

    def applies(self, columns: Columns) -> Mask:
        """Return the rows in which all numbers are observed, and the target or both factors are not 0."""
        target, first, second = (numbers(columns, name) for name in self.columns)
        there = ~(np.isnan(target) | np.isnan(first) | np.isnan(second))
        return np.asarray(there & ((target != 0) | ((first != 0) & (second != 0))))

    def broken(self, columns: Columns) -> Mask:
        """Return the rows in which the two sides differ by more than rounding."""
        target = numbers(columns, self.target)
        product, allowed = self._product(columns)
        with np.errstate(invalid="ignore"):
            return np.asarray(np.abs(target - product) > allowed)

    def exact(self, columns: Columns) -> Numbers:
        """Return the product, rounded as the target is; nan where the factors are too coarse for that."""
        product, allowed = self._product(columns)
        close = allowed <= max(self.unit, 0.0) + RELATIVE * np.abs(product)
        return np.where(close, np.round(product, decimals(self.unit)), np.nan)

    def expected(self, columns: Columns, write: Writer = plain) -> list[str]:
        """Return the product, and the formula."""
        product = np.round(self._product(columns)[0], decimals(self.unit))
        return [f"{value} ({' × '.join(self.factors)})" for value in write(self.target, product)]

    def _product(self, columns: Columns) -> tuple[Numbers, Numbers]:
        """Return the products, and how much rounding may change them."""
        first, second = (numbers(columns, name) for name in self.factors)
        with np.errstate(over="ignore", invalid="ignore"):
            product = first * second
            allowed = self.rounding[0] + self.rounding[1] * np.abs(second) + self.rounding[2] * np.abs(first)
            return product, allowed + RELATIVE * np.abs(product)


def products(part: Columns, matrix: Matrix) -> Iterator[Product]:
    """Yield the products of two factors; flags, which are 0 or 1, are none."""
    flags = [name for name, column in zip(matrix.names, matrix.values.T, strict=True) if _is_flag(column)]
    matrix = matrix.without(set(flags))
    for target, first, second in triples(matrix, np.multiply):
        names = matrix.names
        fine = np.where(matrix.steps < 1, 0.505 * matrix.steps, 0.0)
        rule = Product(
            target=names[target],
            factors=(names[first], names[second]),
            unit=float(matrix.steps[target]),
            rounding=(float(0.505 * matrix.steps[target]), float(fine[first]), float(fine[second])),
        )
        if _is_rule(rule, part, matrix.values[:, target]):
            yield rule


def _is_rule(rule: Product, part: Columns, target: Numbers) -> bool:
    there, wrong = rule.applies(part), rule.broken(part)
    product, allowed = rule._product(part)
    support = int(there.sum())
    if not support:
        return False
    shuffled = np.roll(target[there], support // 2)
    chance = float(np.mean(np.abs(shuffled - product[there]) > allowed[there]))
    changing = [there & (numbers(part, name) != 1) & (numbers(part, name) != 0) for name in rule.factors]
    return accepted(support, int(wrong.sum()), chance) and all(matters(rows, wrong) for rows in changing)


def _is_flag(column: Numbers) -> bool:
    seen = column[~np.isnan(column)]
    return bool(((seen == 0) | (seen == 1)).all())

"""What every synthetic row has to satisfy: ranges, inequalities between columns, and combinations seen in training."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from anomalo.encoding.encoded import Block, Layout
from anomalo.encoding.scaling import expand
from anomalo.errors import SchemaError, UsageError
from anomalo.tabular import parsing
from anomalo.tabular.column import MEASURED, Column, column_hint
from anomalo.tabular.schema import Schema

EXPECTED = "expected a range such as 'age >= 18' or '0 <= age <= 99', 'start < end', or 'fixed: city, country'"
MOST = 100_000
"""More combinations than this are not fixed ones."""
PASSES = 25
HOLE = -1.5e300
"""Stands for a hole among combinations, where nan would not be equal to itself."""
_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "<=": operator.le,
    "<": operator.lt,
    ">=": operator.ge,
    ">": operator.gt,
}
_TURNED = {"<=": ">=", "<": ">", ">=": "<=", ">": "<"}


Mask = NDArray[np.bool_]
Own = NDArray[np.float64]
"""Cells as they are written, float64 [n, columns]: numbers in their own units, codes of categories, nan for a hole."""


@dataclass(frozen=True)
class Bound:
    """A number on one side of a limit, in the column's own units; a hole breaks nothing."""

    position: int
    relation: str
    limit: float
    step: float

    def broken(self, own: Own) -> Mask:
        """Return the rows, bool [n], that break it."""
        cells = own[:, self.position]
        return np.asarray(~np.isnan(cells) & ~_OPERATORS[self.relation](cells, self.limit))

    def mend(self, own: Own, free: Mask, rng: np.random.Generator) -> None:
        """Move the free ones of the breaking cells to the limit."""
        rows = self.broken(own) & free[:, self.position]
        own[rows, self.position] = _beside(self.limit, self.relation, self.step)


@dataclass(frozen=True)
class Order:
    """One number below another, both in their own units; a hole breaks nothing."""

    lower: int
    upper: int
    strict: bool
    steps: tuple[float, float]

    def broken(self, own: Own) -> Mask:
        """Return the rows, bool [n], that break it."""
        low, high = own[:, self.lower], own[:, self.upper]
        return (low >= high) if self.strict else (low > high)

    def mend(self, own: Own, free: Mask, rng: np.random.Generator) -> None:
        """Exchange the two where both are free; where that does not do, move a free one to the other."""
        both = self.broken(own) & free[:, self.lower] & free[:, self.upper]
        own[both, self.lower], own[both, self.upper] = own[both, self.upper], own[both, self.lower]
        sign = "" if self.strict else "="
        sides = [(self.lower, self.upper, "<" + sign), (self.upper, self.lower, ">" + sign)]
        turn = rng.random(len(own)) < 0.5  # which one moves: what one of them cannot do, the other may
        for side, (cell, other, relation) in enumerate(sides):
            rows = self.broken(own) & free[:, cell] & (~free[:, other] | (turn == bool(side)))
            own[rows, cell] = _beside(own[rows, other], relation, self.steps[side])


@dataclass(frozen=True)
class Fixed:
    """Columns that take only combinations which the training table had.

    Attributes
    ----------
    positions : tuple of int
        The columns.
    seen : float64 [k, columns]
        The combinations; nan for a hole.
    often : int [k]
        How many training rows had each.
    """

    positions: tuple[int, ...]
    seen: Own
    often: NDArray[np.int64]

    @classmethod
    def of(cls, positions: Sequence[int], own: Own) -> Fixed:
        """Return the training table's combinations."""
        seen, often = np.unique(_plain(own[:, list(positions)]), axis=0, return_counts=True)
        return cls(tuple(positions), seen, often)

    def broken(self, own: Own) -> Mask:
        """Return the rows, bool [n], that break it."""
        known = {row.tobytes() for row in self.seen}
        cells = _plain(own[:, list(self.positions)])
        return np.array([row.tobytes() not in known for row in cells], dtype=np.bool_)

    def mend(self, own: Own, free: Mask, rng: np.random.Generator) -> None:
        """Give breaking rows the combination that changes fewest of their free cells; ties are drawn by frequency."""
        at = np.array(self.positions)
        for row in np.flatnonzero(self.broken(own)):
            alike = self.seen == _plain(own[row, at])
            possible = np.flatnonzero(alike[:, ~free[row, at]].all(axis=1))
            if not len(possible):
                continue
            agree = alike[possible].sum(axis=1)
            best = possible[agree == agree.max()]
            chosen = self.seen[rng.choice(best, p=self.often[best] / self.often[best].sum())]
            own[row, at] = np.where(chosen == HOLE, np.nan, chosen)


Constraint = Bound | Order | Fixed
_SORTS: dict[str, Callable[..., Constraint]] = {"bound": Bound, "order": Order, "fixed": Fixed}


def to_json(constraint: Constraint) -> dict[str, Any]:
    """Return a constraint as JSON-ready values."""
    value = {name: item.tolist() if isinstance(item, np.ndarray) else item for name, item in vars(constraint).items()}
    return {"sort": type(constraint).__name__.lower(), **value}


def from_json(value: dict[str, Any]) -> Constraint:
    """Rebuild a constraint from `to_json`."""
    items: dict[str, Any] = {name: tuple(item) if isinstance(item, list) else item for name, item in value.items()}
    sort = items.pop("sort")
    if sort == "fixed":
        items |= {"seen": np.array(value["seen"], dtype=np.float64), "often": np.array(value["often"], dtype=np.int64)}
    return _SORTS[sort](**items)


def parse(texts: Sequence[str], schema: Schema, layout: Layout, training: Own | None = None) -> list[Constraint]:
    """Understand constraints such as `0 <= age <= 99`, `start < end` or `fixed: city, country`.

    Parameters
    ----------
    training : float64 [n, columns], optional
        The training table's cells, which fixed combinations are learned from.

    Raises
    ------
    UsageError
        One is not understood, names a column that is not there or no number, cannot be satisfied within the training
        range, or asks for fixed combinations where there is no training table.
    """
    return [one for text in texts for one in _parse(text.strip(), schema, layout, training)]


def _parse(text: str, schema: Schema, layout: Layout, training: Own | None) -> list[Constraint]:
    if match := re.fullmatch(r"fixed:(.+)", text):
        names = [name.strip() for name in match[1].split(",")]
        positions = [_position(name, text, schema) for name in names]
        if training is None:
            raise UsageError(f"constraint {text!r}: combinations are learned in training; give it to fit")
        fixed = Fixed.of(positions, training)
        if len(fixed.seen) > MOST:
            raise UsageError(f"constraint {text!r}: {len(fixed.seen):,} combinations; expected at most {MOST:,}")
        return [fixed]
    parts = re.split(r"\s*(<=|>=|<|>)\s*", text)
    if len(parts) not in (3, 5) or not all(parts):
        raise UsageError(f"constraint {text!r}: {EXPECTED}")
    triples = [(parts[at], parts[at + 1], parts[at + 2]) for at in range(0, len(parts) - 2, 2)]
    return [_relation(text, triple, schema, layout) for triple in triples]


def _relation(text: str, triple: tuple[str, str, str], schema: Schema, layout: Layout) -> Constraint:
    left, relation, right = triple
    columns = {column.name: position for position, column in enumerate(schema.features)}
    if left in columns and right in columns:
        lower, upper = (left, right) if relation in ("<", "<=") else (right, left)
        low, high = _number(lower, text, schema), _number(upper, text, schema)
        steps = _step(layout.blocks[low]), _step(layout.blocks[high])
        return Order(low, high, relation in ("<", ">"), steps)
    if left not in columns and right in columns:
        left, relation, right = right, _TURNED[relation], left
    position = _number(left, text, schema)
    block = layout.blocks[position]
    bound = Bound(position, relation, _limit(right, schema.features[position], text), _step(block))
    ends = expand([block.low, block.high], block.offset, block.scale)
    if not any(_OPERATORS[relation](end, bound.limit) for end in ends):
        raise UsageError(f"constraint {text!r}: {block.name!r} was {ends[0]:g} to {ends[1]:g} in training, never so")
    return bound


def _position(name: str, text: str, schema: Schema) -> int:
    names = [column.name for column in schema.features]
    if name not in names:
        raise UsageError(f"constraint {text!r}: the model has no column {name!r}{column_hint(name, names)}; {EXPECTED}")
    return names.index(name)


def _number(name: str, text: str, schema: Schema) -> int:
    position = _position(name, text, schema)
    column = schema.features[position]
    if column.kind not in MEASURED:
        raise UsageError(f"constraint {text!r}: column {name!r} is a {column.kind}; expected a number or a date")
    return position


def _limit(text: str, column: Column, constraint: str) -> float:
    try:
        value = float(parsing.numbers(column, pa.array([text]))[0])
    except SchemaError:
        value = np.nan
    if not np.isfinite(value):
        raise UsageError(f"constraint {constraint!r}: {text!r} is neither a column nor a {column.kind}; {EXPECTED}")
    return value


def enforce(
    own: Own,
    constraints: Sequence[Constraint],
    free: Mask,
    clip_to_domain: Callable[[Own], Own],
    rng: np.random.Generator,
) -> None:
    """Move every free cell that breaks a constraint, as little as is simple.

    Parameters
    ----------
    own : float64 [n, columns]
        The cells, changed in place.
    free : bool [n, columns]
        The cells that may be changed.
    tidy : callable
        Returns the cells nearest to given ones that their columns can hold.

    Raises
    ------
    UsageError
        Some row cannot satisfy them all.
    """
    for _ in range(PASSES):
        if not broken(own, constraints).any():
            return
        for constraint in constraints:
            constraint.mend(own, free, rng)
            np.copyto(own, clip_to_domain(own), where=free)
    rows = int(broken(own, constraints).sum())
    if rows:
        raise UsageError(f"the constraints and what is given contradict each other in {rows:,} rows; relax one of them")


def broken(own: Own, constraints: Sequence[Constraint]) -> Mask:
    """Return the rows, bool [n], that break any constraint."""
    found = np.zeros(len(own), dtype=np.bool_)
    for constraint in constraints:
        found |= constraint.broken(own)
    return found


def _beside(limit: Any, relation: str, step: float) -> Any:
    """Return the nearest number to a limit that satisfies the relation: the limit, or a step off."""
    return limit + {"<": -step, ">": step}.get(relation, 0.0)


def _step(block: Block) -> float:
    """Return the least difference between two numbers of a column that is worth the name, in its own units."""
    return block.step or 1e-4 * block.scale


def _plain(cells: Own) -> Own:
    """Return cells in which equal ones have equal bits, and holes a number of their own."""
    return np.where(np.isnan(cells), HOLE, cells + 0.0)

"""Constraints on synthetic rows: ranges, inequalities between columns, and combinations of the training rows."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from anomalo.encoding.layout import Block, Layout
from anomalo.encoding.scaling import expand
from anomalo.errors import SchemaError, UsageError
from anomalo.tabular import parsing
from anomalo.tabular.column import MEASURED, Column, column_hint
from anomalo.tabular.schema import Schema

EXPECTED = "expected a range such as 'age >= 18' or '0 <= age <= 99', 'start < end', or 'fixed: city, country'"
MOST = 100_000
"""The most combinations that a `fixed:` constraint may have."""
PASSES = 25
MISSING_CELL = -1.5e300
"""Stands for a missing value among combinations, because nan is not equal to itself."""
_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "<=": operator.le,
    "<": operator.lt,
    ">=": operator.ge,
    ">": operator.gt,
}
_TURNED = {"<=": ">=", "<": ">", ">=": "<=", ">": "<"}


Mask = NDArray[np.bool_]
OriginalCells = NDArray[np.float64]
"""Cells, float64 [n, columns]: numbers in original units, codes of categories, nan for a missing value."""


@dataclass(frozen=True)
class Bound:
    """A number on one side of a limit, in the column's original units; missing values satisfy it."""

    position: int
    relation: str
    limit: float
    step: float

    def broken(self, original: OriginalCells) -> Mask:
        """Return the rows, bool [n], that violate it."""
        cells = original[:, self.position]
        return np.asarray(~np.isnan(cells) & ~_OPERATORS[self.relation](cells, self.limit))

    def repair(self, original: OriginalCells, free: Mask, rng: np.random.Generator) -> None:
        """Move the violating cells that are free to the limit."""
        rows = self.broken(original) & free[:, self.position]
        original[rows, self.position] = _beside(self.limit, self.relation, self.step)


@dataclass(frozen=True)
class Order:
    """One number below another, both in original units; missing values satisfy it."""

    lower: int
    upper: int
    strict: bool
    steps: tuple[float, float]

    def broken(self, original: OriginalCells) -> Mask:
        """Return the rows, bool [n], that violate it."""
        low, high = original[:, self.lower], original[:, self.upper]
        return (low >= high) if self.strict else (low > high)

    def repair(self, original: OriginalCells, free: Mask, rng: np.random.Generator) -> None:
        """Exchange the two where both are free; where that is not enough, move a free one to the other."""
        both = self.broken(original) & free[:, self.lower] & free[:, self.upper]
        original[both, self.lower], original[both, self.upper] = original[both, self.upper], original[both, self.lower]
        sign = "" if self.strict else "="
        sides = [(self.lower, self.upper, "<" + sign), (self.upper, self.lower, ">" + sign)]
        turn = rng.random(len(original)) < 0.5  # which one moves, at random: the other may be able to where it cannot
        for side, (cell, other, relation) in enumerate(sides):
            rows = self.broken(original) & free[:, cell] & (~free[:, other] | (turn == bool(side)))
            original[rows, cell] = _beside(original[rows, other], relation, self.steps[side])


@dataclass(frozen=True)
class Fixed:
    """Columns that take only the combinations of the training table.

    Attributes
    ----------
    positions : tuple of int
        The columns.
    seen : float64 [k, columns]
        The combinations; `MISSING_CELL` for a missing value.
    often : int [k]
        The number of training rows with each.
    """

    positions: tuple[int, ...]
    seen: OriginalCells
    often: NDArray[np.int64]

    @classmethod
    def of(cls, positions: Sequence[int], original: OriginalCells) -> Fixed:
        """Return the training table's combinations."""
        seen, often = np.unique(_plain(original[:, list(positions)]), axis=0, return_counts=True)
        return cls(tuple(positions), seen, often)

    def broken(self, original: OriginalCells) -> Mask:
        """Return the rows, bool [n], that violate it."""
        known = {row.tobytes() for row in self.seen}
        cells = _plain(original[:, list(self.positions)])
        return np.array([row.tobytes() not in known for row in cells], dtype=np.bool_)

    def repair(self, original: OriginalCells, free: Mask, rng: np.random.Generator) -> None:
        """Give violating rows the combination that changes fewest free cells; ties are drawn by frequency."""
        at = np.array(self.positions)
        for row in np.flatnonzero(self.broken(original)):
            alike = self.seen == _plain(original[row, at])
            possible = np.flatnonzero(alike[:, ~free[row, at]].all(axis=1))
            if not len(possible):
                continue
            agree = alike[possible].sum(axis=1)
            best = possible[agree == agree.max()]
            chosen = self.seen[rng.choice(best, p=self.often[best] / self.often[best].sum())]
            original[row, at] = np.where(chosen == MISSING_CELL, np.nan, chosen)


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


def parse(
    texts: Sequence[str], schema: Schema, layout: Layout, training: OriginalCells | None = None
) -> list[Constraint]:
    """Parse constraints such as `0 <= age <= 99`, `start < end` or `fixed: city, country`.

    Parameters
    ----------
    training : float64 [n, columns], optional
        The training table's cells, from which fixed combinations are learned.

    Raises
    ------
    UsageError
        A constraint cannot be parsed, names a column that is absent or not numeric, cannot be satisfied within the
        training range, or asks for fixed combinations where there is no training table.
    """
    return [one for text in texts for one in _parse(text.strip(), schema, layout, training)]


def _parse(text: str, schema: Schema, layout: Layout, training: OriginalCells | None) -> list[Constraint]:
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
        raise UsageError(
            f"constraint {text!r}: {block.name!r} was {ends[0]:g} to {ends[1]:g} in training; "
            "expected a limit that training values satisfy"
        )
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
    original: OriginalCells,
    constraints: Sequence[Constraint],
    free: Mask,
    clip_to_domain: Callable[[OriginalCells], OriginalCells],
    rng: np.random.Generator,
) -> None:
    """Repair the free cells that violate constraints, by small moves.

    Parameters
    ----------
    original : float64 [n, columns]
        The cells, which are changed.
    free : bool [n, columns]
        The cells that may be changed.
    clip_to_domain : callable
        Returns the nearest cells that their columns can hold; see `WritesRows.clip_to_domain`.

    Raises
    ------
    UsageError
        Some row cannot satisfy all constraints.
    """
    for _ in range(PASSES):
        if not broken(original, constraints).any():
            return
        for constraint in constraints:
            constraint.repair(original, free, rng)
            np.copyto(original, clip_to_domain(original), where=free)
    rows = int(broken(original, constraints).sum())
    if rows:
        raise UsageError(f"the constraints and what is given contradict each other in {rows:,} rows; relax one of them")


def broken(original: OriginalCells, constraints: Sequence[Constraint]) -> Mask:
    """Return the rows, bool [n], that violate any constraint."""
    found = np.zeros(len(original), dtype=np.bool_)
    for constraint in constraints:
        found |= constraint.broken(original)
    return found


def _beside(limit: Any, relation: str, step: float) -> Any:
    """Return the nearest number to a limit that satisfies the relation: the limit, or one step from it."""
    return limit + {"<": -step, ">": step}.get(relation, 0.0)


def _step(block: Block) -> float:
    """Return the smallest difference between two numbers of a column that counts, in original units."""
    return block.step or 1e-4 * block.scale


def _plain(cells: OriginalCells) -> OriginalCells:
    """Return cells in which equal values have equal bits, and missing ones are `MISSING_CELL`."""
    return np.where(np.isnan(cells), MISSING_CELL, cells + 0.0)

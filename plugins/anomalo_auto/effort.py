"""How much work each effort allows, and about how long it takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from anomalo.plugin import Layout, Plan, is_goal


@dataclass(frozen=True)
class Effort:
    """The limits of a fit.

    Attributes
    ----------
    rows : int
        Rows that are learned from, at most: a random sample of larger tables.
    folds : int
        Parts of the rows; every member is fitted once without each.
    sizes : mapping of str to parameters
        Of members, by their name.
    best : int
        Of tables with at most so many cells to learn from the imputer learns twice: that costs a second, and is better.
    """

    rows: int
    folds: int
    sizes: Mapping[str, Mapping[str, Any]]
    best: int

    def quality(self, cells: int) -> str:
        """Return the quality of the imputer, by the number of cells that it learns from."""
        return "best" if cells <= self.best else "fast"


BRIEF: Mapping[str, Mapping[str, Any]] = {"denoising": {"pieces": 8, "epochs": 5}}
"""A detector need not be trained as long as an imputer: more epochs do not find more."""

EFFORTS = {
    "fast": Effort(20_000, 2, BRIEF, 0),
    "default": Effort(20_000, 3, BRIEF, 30_000),
    "thorough": Effort(100_000, 5, {}, 10**9),
}

FIT, LEARN, SCORE = 0.5, 1.8e-6, 3.5e-6
IMPUTER, IMPUTE = 4.0, 1.9e-5
"""Seconds: for one fit of a member, for each cell in it, its calibration included, and for each that is scored; for the
imputer and for each cell that it learns. Measured by `benchmarks/scale.py` and `benchmarks/plan.py`."""
PROCESS, PER_ROW, PER_CELL = 600e6, 16e3, 180.0
"""Bytes: of the process, and for each row and cell that is learned from. Measured by `benchmarks/scale.py`."""


def plan(effort: Effort, members: Sequence[str], layout: Layout, rows: int, goals: frozenset[str]) -> Plan:
    """Return what a fit is going to do; it depends on nothing but these."""
    columns, learned = len(layout.blocks), min(rows, effort.rows)
    size = f"{learned:,} rows of {columns} columns" + (f", a sample of {rows:,}" if learned < rows else "")
    parts, seconds = [], 0.0
    if is_goal(goals, "score") or is_goal(goals, "embed"):
        parts.append(f"{', '.join(members)}, each fitted {effort.folds} times on {size}")
        seconds += len(members) * effort.folds * (FIT + LEARN * learned * columns)
    if is_goal(goals, "impute"):
        parts.append(f"imputation learned from {size}")
        seconds += IMPUTER + IMPUTE * learned * columns
    memory = PROCESS + learned * (PER_ROW + PER_CELL * columns)
    return Plan("; ".join(parts), seconds, memory, SCORE * rows * columns)

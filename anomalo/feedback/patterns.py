"""Rows that reviews say are normal: patterns of cells up to a score, and what they change of the scores."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from anomalo.calibration.conformal import Calibration
from anomalo.calibration.results import Accepted, Scored
from anomalo.encoding.encoded import Mask, Scores
from anomalo.feedback.conditions import Condition
from anomalo.tabular.columns import Columns
from anomalo.tabular.quantities import count

Kind = Literal["false alarm", "expected"]
NONE = -1
"""The pattern of a row that fits none."""
MOST = 200
"""Patterns of a model, at most."""


@dataclass(frozen=True)
class Pattern:
    """Rows with some cells in common, which are no alerts up to a score.

    Attributes
    ----------
    kind : {"false alarm", "expected"}
        What analysts said of the rows that it was learned from.
    conditions : tuple of Condition
        What holds for its rows; at least one.
    limit : float
        The largest score that is accepted; infinite for expected rows, which are accepted whatever their scores.
    rows : int
        How many reviewed rows it was learned from.

    Examples
    --------
    >>> print(Pattern("expected", (Condition("device", levels=("dev07",)), Condition("shift", levels=("night",))), 3))
    expected: device is dev07, shift is night (3 rows)
    """

    kind: Kind
    conditions: tuple[Condition, ...]
    rows: int
    limit: float = math.inf

    def __str__(self) -> str:
        return f"{self.kind}: {', '.join(map(str, self.conditions))} ({count(self.rows, 'row')})"

    def of(self, columns: Columns) -> Mask:
        """Return which rows of a batch its conditions hold for, whatever their scores, bool [n]."""
        found = np.ones(columns.rows, dtype=np.bool_)
        for condition in self.conditions:
            if found.any():
                found &= condition.of(columns)
        return found

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON-ready values."""
        limit = {} if math.isinf(self.limit) else {"limit": self.limit}
        return {"kind": self.kind, "conditions": [one.to_json() for one in self.conditions], "rows": self.rows, **limit}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Rebuild it from `to_json`."""
        conditions = tuple(map(Condition.from_json, value["conditions"]))
        return cls(value["kind"], conditions, value["rows"], value.get("limit", math.inf))


@dataclass(frozen=True)
class Feedback:
    """All that reviews have taught a model.

    Attributes
    ----------
    patterns : tuple of Pattern
        Those with the largest limits first: a row that fits several is of the first one.
    """

    patterns: tuple[Pattern, ...] = ()

    @classmethod
    def of(cls, patterns: Sequence[Pattern]) -> Self:
        """Return the feedback of some patterns: of more than `MOST`, those of the most rows; equal ones once."""
        distinct = {(one.kind, one.conditions): one for one in sorted(patterns, key=lambda one: (one.limit, one.rows))}
        kept = sorted(distinct.values(), key=lambda one: -one.rows)[:MOST]
        return cls(tuple(sorted(kept, key=lambda one: -one.limit)))

    @cached_property
    def limits(self) -> Scores:
        """The patterns' limits, and for a row that fits none, the last one, minus infinity."""
        return np.array([*(pattern.limit for pattern in self.patterns), -np.inf])

    def match(self, columns: Columns) -> NDArray[np.int32]:
        """Return the first pattern that each row of a batch fits, `NONE` if none, int32 [n]."""
        found = np.full(columns.rows, NONE, dtype=np.int32)
        for at, pattern in enumerate(self.patterns):
            found[(found == NONE) & pattern.of(columns)] = at
        return found

    def applied(self, scored: Scored, fits: NDArray[np.int32], calibration: Calibration) -> Scored:
        """Return the results of rows with those accepted that fit a pattern: they have the median training score.

        So no p-value becomes smaller. If a row is normal with a probability of at least 1 - p before, it is so after,
        whatever the rows were that were reviewed, and why: the guarantee of `Calibration.p_values` does not need them
        to be like the others.

        Parameters
        ----------
        scored : Scored [n]
            By the model alone.
        fits : int32 [n]
            The result of `match`.
        """
        total = len(calibration.reference)
        if not total:
            return scored
        typical = calibration.reference[(total - 1) // 2]
        p_value = float(calibration.as_new(np.array([typical]))[0])
        accepted = (fits != NONE) & (scored.score <= self.limits[fits]) & (scored.score > typical)
        score = np.where(accepted, typical, scored.score)
        p_values = np.where(accepted, np.maximum(p_value, scored.p_value), scored.p_value)
        before = Accepted(np.where(accepted, fits, np.int32(NONE)), scored.score, scored.p_value)
        return Scored(score, p_values, scored.known, before)

    def to_json(self) -> list[dict[str, Any]]:
        """Return it as JSON-ready values."""
        return [pattern.to_json() for pattern in self.patterns]

    @classmethod
    def from_json(cls, value: Sequence[Mapping[str, Any]]) -> Self:
        """Rebuild it from `to_json`."""
        return cls(tuple(map(Pattern.from_json, value)))

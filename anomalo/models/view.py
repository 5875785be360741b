"""What a model sees of the rows: their columns, and what is derived from points in time."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from anomalo.encoding.encoded import Encoded, Floats
from anomalo.models.base import is_goal
from anomalo.models.results import Cells, Filled, HiddenCells


@dataclass(frozen=True)
class View:
    """Which parts of the rows a model sees.

    A raw point in time is no evidence of an anomaly: the first and the last rows of a table would be its extremes. A
    model that scores sees the hour, the weekday, durations instead. To impute it sees both. A model that samples sees
    the columns alone, since it draws whole rows.

    Attributes
    ----------
    derived : bool
        What is derived from points in time, behind the columns.
    moments : bool
        Points in time themselves, when rows are scored.
    """

    derived: bool = False
    moments: bool = True

    @classmethod
    def of(cls, goals: frozenset[str], samples: bool) -> View:
        """Return the view of a model that is fitted for these goals, to sample among others or not."""
        return cls() if samples else cls(derived=True, moments=not is_goal(goals, "score"))

    def of_rows(self, data: Encoded, moments: bool | None = None) -> Encoded:
        """Return the rows as the model sees them; moments are shown or hidden as the view has it, or as is asked."""
        data = data.as_models_see()
        if not self.derived or data.derived is None:
            return data if data.derived is None else replace(data, derived=None)
        values, observed = data.values, data.observed
        if not (self.moments if moments is None else moments):
            shown = ~data.layout.spread([block.moment for block in data.layout.blocks])
            values, observed = values * shown, observed & shown
        return Encoded(
            np.concatenate([values, data.derived.values], axis=1),
            np.concatenate([observed, data.derived.observed], axis=1),
            data.layout.with_derived(),
            data.target,
            time=data.time,
        )


def explained_columns(cells: Cells, data: Encoded) -> Cells:
    """Return the cells of the rows' columns: what is derived contributes to its first source.

    Parameters
    ----------
    cells : Cells [n, columns and derived]
        As a model explains what it sees.
    data : Encoded [n, columns]
        The rows themselves.
    """
    columns = data.values.shape[1]
    if data.derived is None or cells.contribution.shape[1] == columns:
        return cells
    contribution, rest = cells.contribution[:, :columns].copy(), cells.contribution[:, columns:]
    position = {block.name: block.position for block in data.layout.blocks}
    for block in data.derived.layout.blocks:
        contribution[:, position[block.sources[0]]] += rest[:, block.position]
    return Cells(contribution, cells.expected[:, :columns], Cells(rest, cells.expected[:, columns:]))


def filled_columns(filled: Filled, columns: int) -> Filled:
    """Return the fills of the first columns."""

    def cut(array: Floats | None) -> Floats | None:
        return None if array is None else array[..., :columns]

    proba = {position: found for position, found in filled.proba.items() if position < columns}
    return Filled(filled.point[..., :columns], cut(filled.draws), proba, cut(filled.low), cut(filled.high))


def hidden_columns(found: HiddenCells, columns: int) -> HiddenCells:
    """Return the errors of the first columns."""
    return HiddenCells(found.width[:columns], found.error[:columns], found.baseline[:columns], found.notes)

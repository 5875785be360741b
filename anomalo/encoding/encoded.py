"""What models see of a batch: encoded values, a mask, and the layout that describes each position."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalo.encoding.layout import Block, Layout
from anomalo.encoding.row_hashes import row_hashes
from anomalo.encoding.series.points import Positions
from anomalo.rules.evidence import Evidence

Floats = NDArray[np.float32]
Scores = NDArray[np.float64]
Mask = NDArray[np.bool_]

MISSING = 0
"""The code of a missing category."""
UNSEEN = 1
"""The code of a category that was not in the training table, and the value of a number's cell that cannot be read (such
cells are not observed)."""
FIRST_LEVEL = 2
"""The code of a block's first known level."""
DENSE_LEVELS = 32
"""`Encoded.dense` gives at most this many one-hot columns to a category."""
_OF_ROWS = ("target", "time", "texts", "reviewed", "season")
_PARTS = ("derived", "evidence", "positions")


@dataclass(frozen=True)
class Dense:
    """A numeric matrix for models that need one, and the column of each of its entries.

    Attributes
    ----------
    matrix : float32 [n, width]
        Numbers (0, the centre, where missing), one-hot levels times sqrt(1/2) (so that two different
        levels are 1 apart), and a 0/1 flag for each column that had missing cells in training.
    position : intp [width]
        The cell that each matrix column came from, as an index into a row's flattened values; for a table the column.
    """

    matrix: Floats
    position: NDArray[np.intp]


@dataclass(frozen=True)
class Encoded:
    """A batch as models see it: numbers and a mask, nothing else. It is never changed: the arrays cannot be written to.

    Attributes
    ----------
    values : float32 [n, *layout.shape]
        Scaled numbers and category codes; 0 where a cell is missing, and `UNSEEN` where a category
        holds a level that the training table did not have, or a number's cell cannot be read.
    observed : bool [n, *layout.shape]
        False for missing cells, for unseen levels and for cells that cannot be read.
    layout : Layout
        What each position means.
    target : float64 [n] or None
        Each row's class, an index into `Layout.classes`, for models that learn from labels.
    derived : Encoded [n] or None
        What is computed from the rows' points in time. The core shows it to models behind the columns.
    time : float32 [n] or None
        When each row happened, where a table has one column that says so: anything that grows with time.
    evidence : Evidence [n] or None
        The rules between columns that rows break, which no model sees; None if no row breaks one.
    texts : float32 [n, columns of text] or None
        The surprisal in nats of cells of columns that no model reads; None if there is no such column.
    reviewed : int32 [n] or None
        The pattern of reviewed rows that each row fits, -1 for none; None if the model has no feedback.
    positions : Positions [n] or None
        Of a series whose rows are single points, where they stand: the core shows models the windows that end there.
    season : int8 [n, T] or None
        Of windows of a series, the phase of each point in a cycle of the calendar: the hour of the day, from steps of a
        day on the day of the week, from those of a week on the month, each from 0; -1 outside of the series. None if
        its times are numbers.

    Raises
    ------
    ValueError
        If the shapes do not agree.
    """

    values: Floats
    observed: Mask
    layout: Layout
    target: NDArray[np.float64] | None = None
    derived: Encoded | None = None
    time: Floats | None = None
    evidence: Evidence | None = None
    texts: Floats | None = None
    reviewed: NDArray[np.int32] | None = None
    positions: Positions | None = None
    season: NDArray[np.int8] | None = None

    def __post_init__(self) -> None:
        expected = (len(self.values), *self.layout.shape)
        if self.values.shape != expected or self.observed.shape != expected:
            raise ValueError(
                f"values {self.values.shape} and observed {self.observed.shape} do not fit the layout: {expected}"
            )
        for name in ("values", "observed", *_OF_ROWS):
            array = getattr(self, name)
            if array is not None and array.flags.writeable:
                object.__setattr__(self, name, _read_only(array))

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: NDArray[Any] | slice) -> Encoded:
        """Return the rows selected by an index array, a mask or a slice."""
        others = {name: None if (array := getattr(self, name)) is None else array[rows] for name in _OF_ROWS}
        parts = {name: None if (part := getattr(self, name)) is None else part.take(rows) for name in _PARTS}
        return Encoded(self.values[rows], self.observed[rows], self.layout, **others, **parts)

    def hide(self, cells: Mask) -> Encoded:
        """Return a copy without the cells under the mask `cells` [n, *shape], and without what derives from them.

        They break no rule any more, and the rows are no longer those that were reviewed.
        """
        values = np.where(cells, np.float32(MISSING), self.values)
        derived = None if self.derived is None else self.derived.hide(self._derived_from(cells))
        evidence, seen = self.evidence_but(cells), self.observed & ~cells
        return dataclasses.replace(
            self, values=values, observed=seen, derived=derived, evidence=evidence, reviewed=None
        )

    def _derived_from(self, cells: Mask) -> Mask:
        """Return which derived cells are computed from any of the cells under a mask."""
        assert self.derived is not None
        position = {block.name: block.position for block in self.layout.blocks}
        sources = [[position[name] for name in block.sources] for block in self.derived.layout.blocks]
        return np.stack([cells[:, at].any(axis=1) for at in sources], axis=1)

    def evidence_but(self, cells: Mask) -> Evidence | None:
        """Return the evidence without the rules that report a cell under the mask `cells` [n, columns]."""
        return None if self.evidence is None else self.evidence.but(cells)

    def unreadable(self) -> Mask:
        """Return which cells of numbers cannot be read, bool [n, *shape]."""
        number = self.layout.spread([block.kind == "number" for block in self.layout.blocks])
        found: Mask = ~self.observed & (self.values == UNSEEN) & number
        return found

    def as_models_see(self) -> Encoded:
        """Return the rows with the cells that cannot be read missing, which they are to a model."""
        unreadable = self.unreadable()
        return self.hide(unreadable) if unreadable.any() else self

    def without_label(self) -> Encoded:
        """Return the rows with the label, if the layout has one, hidden."""
        if not len(self.layout.labels):
            return self
        return self.hide(self.layout.spread([block.label for block in self.layout.blocks])[None])

    def flat(self) -> tuple[Floats, Mask]:
        """Return values and mask with a row's cells along one axis, [n, cells]: views, not copies."""
        shape = (len(self), math.prod(self.layout.shape))
        return self.values.reshape(shape), self.observed.reshape(shape)

    def hashes(self) -> NDArray[np.uint64]:
        """Return a 64-bit hash of each row's content, of a series of its window's, equal for equal rows, uint64 [n]."""
        rules = None if self.evidence is None else self.evidence.surprisal
        of_rows = row_hashes(*self.flat(), rules, self.texts)
        return of_rows if self.positions is None else self.positions.hashes(of_rows)

    def dense(self) -> Dense:
        """Return a numeric matrix whose columns depend on the layout alone, never on the rows."""
        values, seen = self.flat()
        columns: list[NDArray[Any]] = []
        position: list[int] = []
        for cell, at in enumerate(self.layout.block_of_cell):
            for column in _dense_columns(self.layout.blocks[at], values[:, cell], seen[:, cell]):
                columns.append(column)
                position.append(cell)
        matrix = np.stack(columns, axis=1) if columns else np.zeros((len(self), 0))
        return Dense(matrix.astype(np.float32, copy=False), np.array(position, dtype=np.intp))

    @classmethod
    def blank(cls, layout: Layout, rows: int = 1) -> Encoded:
        """Return rows all of whose cells are missing."""
        values = np.zeros((rows, *layout.shape), dtype=np.float32)
        derived = None if layout.derived is None else cls.blank(layout.derived, rows)
        return cls(values, values.astype(np.bool_), layout, derived=derived)

    @staticmethod
    def concatenate(parts: Sequence[Encoded]) -> Encoded:
        """Stack batches of one layout; targets and times are kept if every part has them, other evidence if any has."""
        targets, times, texts, reviewed, seasons = ([getattr(part, name) for part in parts] for name in _OF_ROWS)
        derived = [part.derived for part in parts if part.derived is not None]
        positions = [part.positions for part in parts if part.positions is not None]
        return Encoded(
            np.concatenate([part.values for part in parts]),
            np.concatenate([part.observed for part in parts]),
            parts[0].layout,
            None if any(target is None for target in targets) else np.concatenate(targets),
            Encoded.concatenate(derived) if len(derived) == len(parts) else None,
            None if any(time is None for time in times) else np.concatenate(times),
            Evidence.concatenate([(len(part), part.evidence) for part in parts]),
            None if any(text is None for text in texts) else np.concatenate(texts),
            None if any(each is None for each in reviewed) else np.concatenate(reviewed),
            Positions.concatenate(positions) if len(positions) == len(parts) else None,
            None if any(season is None for season in seasons) else np.concatenate(seasons),
        )


def _dense_columns(block: Block, values: Floats, seen: Mask) -> Iterable[NDArray[Any]]:
    if block.kind == "number":
        yield np.where(seen, values, 0.0)
    elif block.size > 1:
        for level in range(min(block.size, DENSE_LEVELS)):
            yield (values == level + FIRST_LEVEL) * np.sqrt(0.5)
    if block.missing > 0:
        yield (~seen).astype(np.float32)


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    """Return a view that cannot be written to."""
    view = array.view()
    view.flags.writeable = False
    return view

"""Tables as matrices and back, for peers that know only numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from masked_tables import is_number
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


class Matrix:
    """A number is a column, a category one indicator for each level seen in training.

    Parameters
    ----------
    train : DataFrame
        The training rows, with missing values.
    standardise : bool
        Whether numbers get the mean 0 and the standard deviation 1 over the training cells.
    drop : bool
        Whether a category's first level has no indicator, so that the indicators do not sum to a constant.

    Attributes
    ----------
    block : dict of str to int [width]
        The positions of each column in the matrix.
    """

    def __init__(self, train: pd.DataFrame, *, standardise: bool = False, drop: bool = False) -> None:
        self.names = [str(name) for name in train.columns]
        self.levels = {name: None if is_number(train[name]) else _levels(train[name]) for name in self.names}
        self.first = int(drop)
        widths = [1 if (levels := self.levels[name]) is None else len(levels) - self.first for name in self.names]
        ends = np.cumsum([0, *widths])
        self.block = {name: np.arange(*ends[at : at + 2]) for at, name in enumerate(self.names)}
        self.width = int(ends[-1])
        numbers = train.select_dtypes("float")
        deviation = numbers.std(ddof=0)
        self.centre = numbers.mean() if standardise else numbers.mean() * 0
        self.scale = deviation.where(deviation > 0, 1.0) if standardise else deviation * 0 + 1

    def coded(self, name: str, cells: Any) -> Numbers:
        """Return cells [n] of a column as its part of the matrix, [n, width of the column]; NaN for missing ones."""
        levels = self.levels[name]
        if levels is None:
            return ((np.asarray(cells, dtype=np.float64) - self.centre[name]) / self.scale[name])[:, None]
        indicators = (np.asarray(cells, dtype=object)[:, None] == levels[self.first :]).astype(np.float64)
        indicators[pd.isna(cells)] = np.nan
        return indicators

    def of(self, table: pd.DataFrame) -> Numbers:
        """Return a table as a matrix [n, width]."""
        return np.hstack([self.coded(name, table[name]) for name in self.names])

    def decoded(self, name: str, part: Numbers) -> NDArray[Any]:
        """Return a column's part of the matrix as cells [n]: numbers in their units, the level that weighs most."""
        levels = self.levels[name]
        if levels is None:
            return part[:, 0] * self.scale[name] + self.centre[name]
        rest = 1.0 - part.sum(axis=1, keepdims=True)
        weights = np.hstack([rest, part]) if self.first else part
        return np.asarray(levels[weights.argmax(axis=1)])

    def filled(self, rows: pd.DataFrame, values: Numbers) -> pd.DataFrame:
        """Return rows whose missing cells come from a matrix [n, width]."""
        cells = {name: self.decoded(name, values[:, self.block[name]]) for name in self.names}
        return rows.fillna(pd.DataFrame(cells, index=rows.index))

    def others(self, values: Numbers, name: str) -> Numbers:
        """Return a matrix without a column's part."""
        return np.delete(values, self.block[name], axis=1)


def _levels(column: Any) -> NDArray[Any]:
    return np.array(sorted(column.dropna().unique()), dtype=object)


def mean_or_mode(column: Any) -> Any:
    """Return the mean of a number, or the most frequent level (of several the first in the alphabet)."""
    return column.mean() if is_number(column) else column.mode().iloc[0]

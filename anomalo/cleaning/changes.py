"""Which listed suggestions are probable enough to be applied, and can be written in their columns' types."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from anomalo.tabular.writing.replacing import Replacements, by_column, writable

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Changes:
    """What is to be replaced.

    Attributes
    ----------
    replacements : dict of str to Replacements
        By column.
    applied : bool array [lines]
        Which of the listed cells.
    unwritable : int
        Suggestions that are probable enough, and cannot be written in their column's type.
    """

    replacements: dict[str, Replacements]
    applied: Mask
    unwritable: int


def changes_of(lines: pa.Table, probability: float, schema: pa.Schema) -> Changes:
    """Return the suggestions that are right with at least a probability.

    Parameters
    ----------
    lines : Table
        The suspected cells, as `listing.CELLS` says.
    probability : float
        Of the cell being wrong and the suggestion right.
    schema : Schema
        Of the table.
    """
    sure = np.asarray(lines["suggestion_probability"].fill_null(0.0)) >= probability
    rows, columns = lines["row"].to_pylist(), np.array(lines["column"].to_pylist(), dtype=object)
    texts = np.array([text or None for text in lines["suggestion"].to_pylist()], dtype=object)
    applied = np.zeros(len(lines), dtype=np.bool_)
    for name in set(columns[sure]):
        at = np.flatnonzero(sure & (columns == name))
        applied[at] = writable(texts[at].tolist(), schema.field(name).type)
    at = np.flatnonzero(applied)
    found = by_column([rows[one] for one in at], columns[at].tolist(), texts[at].tolist())
    return Changes(found, applied, int((sure & ~applied).sum()))

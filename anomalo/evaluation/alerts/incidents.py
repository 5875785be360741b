"""Incidents: rows whose scores have the same main reasons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from anomalo.encoding.encoded import Mask, Scores

MAIN = 0.8
"""The main reasons of a row are the fewest that make up this share of the contributions of all its reasons."""


@dataclass(frozen=True)
class Incident:
    """Alerts with the same main reasons.

    Attributes
    ----------
    number : int
        Its position among the `columns` of `Incidents`.
    columns : tuple of str
        The main reasons, in alphabetical order.
    alerts : int
        How many alerts have them.
    p_value : float
        The smallest of theirs.
    """

    number: int
    columns: tuple[str, ...]
    alerts: int
    p_value: float


@dataclass(frozen=True)
class Incidents:
    """The main reasons of all rows.

    Attributes
    ----------
    columns : tuple of tuple of str
        The sets of main reasons that occur, each in alphabetical order.
    of_row : int32 [n]
        The set of each row; -1 for a row without reasons.
    """

    columns: tuple[tuple[str, ...], ...]
    of_row: NDArray[np.int32]

    def among(self, alert: Mask, p_value: Scores) -> list[Incident]:
        """Return the incidents of the alerts, the one with most alerts first.

        Parameters
        ----------
        alert : bool [n]
            Which rows are alerts.
        p_value : float64 [n]
            Of all rows.
        """
        rows = np.flatnonzero(alert & (self.of_row >= 0))
        which = self.of_row[rows]
        counts, best = np.bincount(which, minlength=len(self.columns)), np.ones(len(self.columns))
        np.minimum.at(best, which, p_value[rows])
        order = np.lexsort((best, -counts))
        return [Incident(int(at), self.columns[at], int(counts[at]), float(best[at])) for at in order if counts[at]]


def incidents(reasons: pa.Array) -> Incidents:
    """Return the main reasons of rows.

    Parameters
    ----------
    reasons : Array of list of struct [n]
        `column` and `contribution`, largest first, as in the files of scores.

    Examples
    --------
    >>> rows = [[{"column": "b", "contribution": 3.0}, {"column": "a", "contribution": 3.0}], [],
    ...         [{"column": "b", "contribution": 9.0}, {"column": "a", "contribution": 1.0}]]
    >>> found = incidents(pa.array(rows))
    >>> found.columns, found.of_row.tolist()
    ((('b',), ('a', 'b')), [1, -1, 0])
    """
    of_row = np.full(len(reasons), -1, dtype=np.int32)
    cells = pc.list_flatten(reasons)
    if not len(cells):
        return Incidents((), of_row)
    lengths = pc.list_value_length(reasons).fill_null(0).to_numpy()
    rows = np.flatnonzero(lengths)
    filled = np.arange(lengths.max()) < lengths[rows, None]
    names = pc.struct_field(cells, "column").dictionary_encode()
    distinct = names.dictionary.to_pylist()
    rank = np.argsort(np.argsort(np.array(distinct, dtype=object)))
    code, part = np.full(filled.shape, -1, dtype=np.int32), np.zeros(filled.shape)
    code[filled] = rank[names.indices.to_numpy()]
    part[filled] = np.maximum(pc.struct_field(cells, "contribution").to_numpy(), 0)
    before = np.cumsum(part, axis=1) - part
    main = filled & (before < MAIN * part.sum(axis=1, keepdims=True) * (1 - 1e-9))
    main[:, 0] = True
    sets, which = np.unique(np.sort(np.where(main, code, -1), axis=1), axis=0, return_inverse=True)
    ordered = sorted(distinct)
    of_row[rows] = which.reshape(-1)
    return Incidents(tuple(tuple(ordered[at] for at in each if at >= 0) for each in sets.tolist()), of_row)

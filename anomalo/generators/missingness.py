"""Cells that are holes just where another column says so: values that nobody measured, columns that miss together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomalo.generators.functional_dependencies import MOST_LEVELS, determinations

Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Gate:
    """A code that is a hole just where another code, its root, has some values.

    Attributes
    ----------
    code, root : int
        Their indices among a row's codes. No root has a gate of its own.
    hole : int
        The value of the code that is the hole: its last.
    closed : bool [size of the root]
        The root's values with which it is a hole.
    usual : int
        The most frequent of its other values.
    """

    code: int
    root: int
    hole: int
    closed: Mask
    usual: int

    def narrow(self, allowed: Sequence[Mask]) -> None:
        """Exclude, in place, values of either code, bool [n, size], that contradict all that the other may be.

        Where a hole is excluded and several other values are left, it stays: `round_trip` mends those rows for less.
        """
        code, root = allowed[self.code], allowed[self.root]
        for rows, values in ((~code[:, self.hole], ~self.closed), (~code[:, : self.hole].any(axis=1), self.closed)):
            rows = rows & (root & values).any(axis=1)
            root[rows] &= values
        shut = code[:, self.hole] & ~(root & ~self.closed).any(axis=1)
        code[shut, : self.hole] = False
        if self.hole == 1:
            code[code[:, 0] & ~(root & self.closed).any(axis=1), self.hole] = False

    def round_trip(self, codes: Codes) -> None:
        """Make, in place, holes of codes [n, k] where the root wants them, and usual values where it does not."""
        closed, own = self.closed[codes[:, self.root]], codes[:, self.code]
        codes[:, self.code] = np.where(closed, self.hole, np.where(own == self.hole, self.usual, own))


def find_gates(codes: Codes, sizes: Sequence[int], holed: Sequence[bool]) -> tuple[Gate, ...]:
    """Return the gates of a table's rows: dependencies as `determined` finds them, of holes on codes.

    Parameters
    ----------
    codes : int64 [n, k]
        The rows' codes.
    sizes : sequence of int
        How many values each of them has.
    holed : sequence of bool
        Whether the last value of a code is a hole.
    """
    told, owners = np.flatnonzero(np.array(sizes) <= MOST_LEVELS), np.flatnonzero(holed)
    if not owners.size:
        return ()
    masks = codes[:, owners] == np.array(sizes)[owners] - 1
    columns = np.concatenate([codes[:, told].astype(np.int16), masks], axis=1)
    owner = [*told.tolist(), *owners.tolist()]
    alike = _alike(columns)
    found = [{owner[at] for at in members} for members in alike]
    for source, target in determinations(columns[:, [members[0] for members in alike]]):
        found[target].update(owner[at] for at in alike[source])
    roots: dict[int, int] = {}
    for members, candidates in reversed(list(zip(alike, found, strict=True))):
        closed = {owner[at] for at in members if at >= len(told)} - set(roots.values())
        free = candidates - roots.keys() - (closed if len(closed) == 1 else set())
        if closed and free:
            root = min(free, key=lambda root: (holed[root], sizes[root], root))
            roots |= dict.fromkeys(sorted(closed - {root}), root)
    return tuple(_gate(codes, code, root, sizes) for code, root in roots.items())


def _alike(columns: Codes) -> list[list[int]]:
    """Return the columns [n, k] in groups of equal ones."""
    found: dict[bytes, list[int]] = {}
    for at in range(columns.shape[1]):
        found.setdefault(columns[:, at].tobytes(), []).append(at)
    return list(found.values())


def _gate(codes: Codes, code: int, root: int, sizes: Sequence[int]) -> Gate:
    hole = sizes[code] - 1
    closed = np.zeros(sizes[root], dtype=bool)
    closed[codes[:, root]] = codes[:, code] == hole
    return Gate(code, root, hole, closed, int(np.bincount(codes[:, code], minlength=hole + 1)[:hole].argmax()))

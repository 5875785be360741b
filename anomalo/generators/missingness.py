"""Missing values that another column determines: unmeasured values, columns that are missing together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomalo.rules.functional_dependencies import MOST_LEVELS, always

Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Gate:
    """A code that stands for a missing value exactly where another code, its root, has certain values.

    Attributes
    ----------
    code, root : int
        Their indices among a row's codes. No root has a gate itself.
    missing_code : int
        The value of the code that stands for a missing value: its last.
    closed : bool [size of the root]
        The root's values at which the code is `missing_code`.
    usual : int
        The most frequent of its other values.
    """

    code: int
    root: int
    missing_code: int
    closed: Mask
    usual: int

    def narrow(self, allowed: Sequence[Mask]) -> None:
        """Exclude from `allowed`, bool [n, size] each, values of either code that contradict all values of the other.

        Where `missing_code` is excluded and several other values are left, it stays: `apply` repairs those rows at less
        cost.
        """
        code, root = allowed[self.code], allowed[self.root]
        present, absent = ~code[:, self.missing_code], ~code[:, : self.missing_code].any(axis=1)
        for rows, values in ((present, ~self.closed), (absent, self.closed)):
            rows = rows & (root & values).any(axis=1)
            root[rows] &= values
        shut = code[:, self.missing_code] & ~(root & ~self.closed).any(axis=1)
        code[shut, : self.missing_code] = False
        if self.missing_code == 1:
            code[code[:, 0] & ~(root & self.closed).any(axis=1), self.missing_code] = False

    def apply(self, codes: Codes) -> None:
        """Set entries of `codes` [n, k]: missing where the root determines it, elsewhere usual instead of missing."""
        closed, values = self.closed[codes[:, self.root]], codes[:, self.code]
        codes[:, self.code] = np.where(
            closed, self.missing_code, np.where(values == self.missing_code, self.usual, values)
        )


def find_gates(codes: Codes, sizes: Sequence[int], may_be_missing: Sequence[bool]) -> tuple[Gate, ...]:
    """Return the gates of a table's rows: dependencies as `determined` finds them, of missing values on codes.

    Parameters
    ----------
    codes : int64 [n, k]
        The rows' codes.
    sizes : sequence of int
        How many values each of them has.
    may_be_missing : sequence of bool
        Whether the last value of a code stands for a missing value.
    """
    short, owners = np.flatnonzero(np.array(sizes) <= MOST_LEVELS), np.flatnonzero(may_be_missing)
    if not owners.size:
        return ()
    masks = codes[:, owners] == np.array(sizes)[owners] - 1
    columns = np.concatenate([codes[:, short].astype(np.int16), masks], axis=1)
    owner = [*short.tolist(), *owners.tolist()]
    alike = _alike(columns)
    found = [{owner[at] for at in members} for members in alike]
    for source, target in always(columns[:, [members[0] for members in alike]]):
        found[target].update(owner[at] for at in alike[source])
    roots: dict[int, int] = {}
    for members, candidates in reversed(list(zip(alike, found, strict=True))):
        closed = {owner[at] for at in members if at >= len(short)} - set(roots.values())
        free = candidates - roots.keys() - (closed if len(closed) == 1 else set())
        if closed and free:
            root = min(free, key=lambda root: (may_be_missing[root], sizes[root], root))
            roots |= dict.fromkeys(sorted(closed - {root}), root)
    return tuple(_gate(codes, code, root, sizes) for code, root in roots.items())


def _alike(columns: Codes) -> list[list[int]]:
    """Return the columns [n, k] in groups of equal ones."""
    found: dict[bytes, list[int]] = {}
    for at in range(columns.shape[1]):
        found.setdefault(columns[:, at].tobytes(), []).append(at)
    return list(found.values())


def _gate(codes: Codes, code: int, root: int, sizes: Sequence[int]) -> Gate:
    missing_code = sizes[code] - 1
    closed = np.zeros(sizes[root], dtype=bool)
    closed[codes[:, root]] = codes[:, code] == missing_code
    return Gate(
        code,
        root,
        missing_code,
        closed,
        int(np.bincount(codes[:, code], minlength=missing_code + 1)[:missing_code].argmax()),
    )

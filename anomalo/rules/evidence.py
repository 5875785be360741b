"""What broken rules say of a batch: the surprisal of the cells they report, and what cells should be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from anomalo.rules.cells import Mask, Numbers, Writer, take
from anomalo.rules.rule import Rule
from anomalo.tabular.columns import Columns
from anomalo.tabular.formatting import render_numbers
from anomalo.tabular.schema import Schema

Surprisal = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Evidence:
    """The rules that rows of a batch break.

    Attributes
    ----------
    rules : tuple of Rule [r]
        Those of the training rows.
    names : tuple of str
        The columns of the batch.
    broken : bool [n, r]
        Which row breaks which rule.
    """

    rules: tuple[Rule, ...]
    names: tuple[str, ...]
    broken: Mask

    @classmethod
    def of(cls, rules: Sequence[Rule], columns: Columns, names: Sequence[str]) -> Evidence | None:
        """Return the rules that a batch breaks, but for those without surprisal; None if it breaks none."""
        found: Mask | None = None
        for at, rule in enumerate(rules):
            said = rule.surprisal > 0 and all(name in columns.values for name in rule.columns)
            if said and (broken := rule.broken(columns)).any():
                found = np.zeros((columns.rows, len(rules)), dtype=np.bool_) if found is None else found
                found[:, at] = broken
        return None if found is None else cls(tuple(rules), tuple(names), found)

    @cached_property
    def surprisal(self) -> Surprisal:
        """The surprisal of the cells that rules report, float32 [n, columns] in nats; see `Rule.surprisal`.

        A cell that breaks several has the largest, others 0.
        """
        found = np.zeros((len(self.broken), len(self.names)), dtype=np.float32)
        for at in np.flatnonzero(self.broken.any(axis=0)):
            rule = self.rules[at]
            column = found[:, self.names.index(rule.target)]
            np.maximum(column, np.float32(rule.surprisal), out=column, where=self.broken[:, at])
        found.flags.writeable = False
        return found

    def take(self, rows: NDArray[Any] | slice) -> Evidence:
        """Return that of the rows selected by an index array, a mask or a slice."""
        return replace(self, broken=self.broken[rows])

    def but(self, cells: Mask) -> Evidence:
        """Return it without the rules that report a cell under the mask `cells` [n, columns]."""
        return replace(self, broken=self.broken & ~cells[:, [self.names.index(rule.target) for rule in self.rules]])

    @staticmethod
    def concatenate(parts: Sequence[tuple[int, Evidence | None]]) -> Evidence | None:
        """Stack that of batches of so many rows each; None if no batch breaks a rule."""
        first = next((evidence for _, evidence in parts if evidence is not None), None)
        if first is None:
            return None
        none = np.zeros((1, len(first.rules)), dtype=np.bool_)
        broken = [none.repeat(rows, axis=0) if part is None else part.broken for rows, part in parts]
        return replace(first, broken=np.concatenate(broken))


def expectations(
    evidence: Evidence, columns: Columns, schema: Schema, blamed: Mask
) -> dict[tuple[int, str], tuple[str, float]]:
    """Return what cells that break a rule should be, by row and column: as a text, and as a number if it is known.

    Where a cell breaks several rules it is the one with the largest surprisal, and of equal ones one that reports it.

    Parameters
    ----------
    evidence : Evidence [n]
        The rules that a batch breaks.
    columns : Columns [n]
        The batch.
    schema : Schema
        How its columns write their cells.
    blamed : bool [n, columns]
        Which cells to return.
    """
    found: dict[tuple[int, str], tuple[str, float]] = {}
    most: dict[tuple[int, str], tuple[float, bool]] = {}
    write = writer(schema)
    for rule, broken in zip(evidence.rules, evidence.broken.T, strict=True):
        for name in rule.suspects if broken.any() else ():
            strength = rule.surprisal, name == rule.target
            rows = np.flatnonzero(broken & blamed[:, evidence.names.index(name)])
            rows = rows[[strength > most.get((row, name), (0.0, False)) for row in rows.tolist()]]
            part = take(columns, rows)
            cells = zip(rule.expected_of(name, part, write), rule.exact_of(name, part).tolist(), strict=True)
            for row, cell in zip(rows.tolist(), cells, strict=True):
                most[row, name], found[row, name] = strength, cell
    return found


def writer(schema: Schema) -> Writer:
    """Return what writes numbers of a column in its format."""

    def write(name: str, values: Numbers) -> list[str]:
        column = schema.column(name)
        whole = bool((values == np.round(values)).all())
        texts = render_numbers(column, values, pa.string(), whole).to_pylist()
        return ["" if text is None else str(text) for text in texts]

    return write

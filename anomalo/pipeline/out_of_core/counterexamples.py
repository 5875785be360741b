"""Rows that show an encoder what a sample of a table misses: further levels, extremes, missing cells."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anomalo.encoding.domain import FEW, grid, on_grid
from anomalo.tabular.columns import Columns
from anomalo.tabular.parsing import Mask, Texts
from anomalo.tabular.schema import Schema
from anomalo.tabular.understanding.number_parts import Numbers

MOST_LEVELS = 10_000
"""Further levels of a column that are looked for, at most; those after them count as unseen."""


class _Known(Protocol):
    """What is known of a column so far."""

    def news(self, values: Numbers | Texts, unreadable: Mask | None) -> dict[str, int]:
        """Return, by what each shows first, the rows of a batch that show anything; it is known from now on."""


@dataclass
class Counterexamples:
    """The rows of a table that an encoder has to see besides a sample of them.

    With them it knows each level, the least and greatest number, whether a column has missing or unreadable cells,
    fractions, or more than a few values: all that it says of a table rather than of most of its rows. Shares, scales
    and rules are those of the sample.

    Parameters
    ----------
    schema : Schema
        As understood from the sample.
    sample : Columns
        The sample, parsed.
    """

    schema: Schema
    sample: Columns
    _rows: dict[tuple[str, str], pa.Table] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._known: dict[str, _Known] = {}
        for column in self.schema.features:
            values = self.sample.values[column.name]
            unreadable = self.sample.unreadable.get(column.name)
            known = _Levels(values) if isinstance(values, Texts) else _Numbers(values)
            known.news(values, unreadable)
            self._known[column.name] = known

    def see(self, batch: pa.RecordBatch, columns: Columns) -> None:
        """Take the rows of a batch that show something new; `columns` are the same rows, parsed."""
        for name, known in self._known.items():
            for what, row in known.news(columns.values[name], columns.unreadable.get(name)).items():
                self._rows[name, what] = pa.Table.from_batches([batch]).take(pa.array([row]))

    def table(self) -> pa.Table | None:
        """Return the rows; None if the sample shows everything."""
        return pa.concat_tables(self._rows.values()) if self._rows else None


class _Numbers:
    """What is known of a column of numbers."""

    def __init__(self, sample: Numbers) -> None:
        self.low, self.high = np.inf, -np.inf
        self.missing = self.unreadable = False
        self.seen = np.unique(sample[~np.isnan(sample)])
        self.step, self.few = grid(self.seen), set(self.seen[: FEW + 1].tolist())

    def news(self, values: Numbers | Texts, unreadable: Mask | None) -> dict[str, int]:
        """Return the rows of new extremes, values off the steps, further values, missing and unreadable cells."""
        assert not isinstance(values, Texts)
        bad = np.zeros(len(values), dtype=np.bool_) if unreadable is None else unreadable
        there = np.flatnonzero(~np.isnan(values))
        found = {**self._holes(np.isnan(values) & ~bad, bad)}
        if not len(there):
            return found
        numbers = values[there]
        for what, at, further in (
            ("low", int(numbers.argmin()), numbers.min() < self.low),
            ("high", int(numbers.argmax()), numbers.max() > self.high),
        ):
            if further:
                found[what] = int(there[at])
        self.low, self.high = min(self.low, float(numbers.min())), max(self.high, float(numbers.max()))
        return found | {what: int(there[at]) for what, at in (self._steps(numbers) | self._values(numbers)).items()}

    def _holes(self, missing: Mask, bad: Mask) -> dict[str, int]:
        found = {}
        if not self.missing and missing.any():
            self.missing, found["missing"] = True, int(missing.argmax())
        if not self.unreadable and bad.any():
            self.unreadable, found["unreadable"] = True, int(bad.argmax())
        return found

    def _steps(self, numbers: Numbers) -> dict[str, int]:
        """Return rows with numbers that are on none of the steps known so far."""
        found = {}
        while self.step:
            off = on_grid(numbers, self.seen[0], self.step) != numbers
            if not off.any():
                break
            at = int(off.argmax())
            found[f"step {self.step}"] = at
            before, self.seen = self.step, np.append(self.seen, numbers[at])
            self.step = grid(self.seen)
            if self.step >= before:
                break
        return found

    def _values(self, numbers: Numbers) -> dict[str, int]:
        """Return rows with further values, where there are few."""
        found = {}
        while len(self.few) <= FEW:
            new = ~np.isin(numbers, list(self.few))
            if not new.any():
                break
            at = int(new.argmax())
            found[f"value {numbers[at]}"] = at
            self.few.add(float(numbers[at]))
        return found


class _Levels:
    """What is known of a column of categories."""

    def __init__(self, sample: Texts) -> None:
        self.levels = set(sample.distinct.drop_null().to_pylist())
        self.missing, self.most = False, max(MOST_LEVELS, len(self.levels))

    def news(self, values: Numbers | Texts, unreadable: Mask | None) -> dict[str, int]:
        """Return the rows of new levels, and of a missing cell."""
        assert isinstance(values, Texts)
        used, first = np.unique(values.index, return_index=True)
        row: dict[int, int] = dict(zip(used.tolist(), first.tolist(), strict=True))
        nulls = np.flatnonzero(pc.is_null(values.distinct).to_numpy(zero_copy_only=False))
        found = {}
        missing = [row[code] for code in (-1, *nulls.tolist()) if code in row]
        if missing and not self.missing:
            self.missing, found["missing"] = True, missing[0]
        for code, text in enumerate(values.distinct.to_pylist()):
            if text is not None and text not in self.levels and code in row and len(self.levels) < self.most:
                self.levels.add(text)
                found[f"level {text}"] = row[code]
        return found

"""What is kept of a table to compare it with others: counts of all rows, and a sample of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalo.tabular.column import MEASURED
from anomalo.tabular.schema import Schema

Values = NDArray[np.float64]
FACTS = "facts"
"""The array that holds all but the sample, as JSON in UTF-8."""


@dataclass(frozen=True)
class ColumnProfile:
    """One column of a table.

    Attributes
    ----------
    name, kind, storage : str
        As `Column` has them; the storage is that of this table.
    missing, unreadable : int
        Cells of all rows that are missing, or cannot be read as the column's kind.
    levels : tuple of str
        Of a category: the levels that `values` count, most frequent first.
    counts : tuple of int
        How many cells hold each.
    counted : int
        Of how many rows these counts are: all, or those of the sample.
    whole : bool
        Whether they are all levels of the rows counted.
    earliest, latest : float or None
        Of points in time, over all rows counted.
    repeated : float or None
        Of a key: how many rows have the value of an earlier row, an estimate for very large tables.
    problem : str
        Why the cells cannot be compared; then there are no values.
    values : float64 [n]
        The sample's cells: numbers, positions in `levels`, lengths of texts, or hashes of identifiers; nan where
        missing.
    """

    name: str
    kind: str
    storage: str
    missing: int = 0
    unreadable: int = 0
    levels: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    counted: int = 0
    whole: bool = True
    earliest: float | None = None
    latest: float | None = None
    repeated: float | None = None
    problem: str = ""
    values: Values = field(default_factory=lambda: np.zeros(0), repr=False)

    @property
    def family(self) -> str:
        """What its values are: "number", "level", "length" or "identifier"."""
        if self.kind in MEASURED:
            return "number"
        return {"text": "length", "empty": "length", "identifier": "identifier"}.get(self.kind, "level")


@dataclass(frozen=True)
class Profile:
    """A table, as far as comparisons need it.

    Attributes
    ----------
    rows : int
        How many it has.
    schema : Schema
        How its cells were read.
    columns : tuple of ColumnProfile
        Those that the table has of the schema's, but for the label and those that the user left out.
    extra : tuple of str
        Columns of the table that the schema does not have.
    """

    rows: int
    schema: Schema
    columns: tuple[ColumnProfile, ...]
    extra: tuple[str, ...] = ()

    @property
    def sampled(self) -> int:
        """The number of rows in the sample."""
        return max((len(column.values) for column in self.columns), default=0)

    def missing_share(self) -> float:
        """Return the share of all cells that are missing."""
        cells = self.rows * len(self.columns)
        return sum(column.missing for column in self.columns) / cells if cells else 0.0

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the profile as arrays, for a safetensors file."""
        columns = [
            {name: value for name, value in _facts(column).items() if name != "values"} for column in self.columns
        ]
        facts = {"rows": self.rows, "schema": self.schema.to_json(), "columns": columns, "extra": list(self.extra)}
        text = np.frombuffer(json.dumps(facts, ensure_ascii=False).encode(), dtype=np.uint8)
        return {FACTS: text} | {f"values.{at}": column.values for at, column in enumerate(self.columns)}

    @classmethod
    def restored(cls, arrays: Mapping[str, NDArray[Any]]) -> Profile:
        """Rebuild a profile from `arrays`."""
        facts = json.loads(arrays[FACTS].tobytes())
        columns = [
            ColumnProfile(
                **{**entry, "levels": tuple(entry["levels"]), "counts": tuple(entry["counts"])},
                values=arrays[f"values.{at}"],
            )
            for at, entry in enumerate(facts["columns"])
        ]
        return cls(facts["rows"], Schema.from_json(facts["schema"]), tuple(columns), tuple(facts["extra"]))


def _facts(column: ColumnProfile) -> dict[str, Any]:
    return {item.name: getattr(column, item.name) for item in fields(column)}

"""The classes that a supervised model learns, as numbers from 0."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from anomalo.encoding.encoded import Encoded
from anomalo.errors import UsageError
from anomalo.tabular.columns import ParsedTable
from anomalo.tabular.parsing import levels
from anomalo.tabular.schema import Schema

MOST_CLASSES = 100


@dataclass(frozen=True)
class Target:
    """The classes of rows.

    Attributes
    ----------
    codes : float64 [n]
        Each row's class, an index into `classes`; nan where it is unknown.
    classes : tuple of str
        Their names, most frequent first, then by name: the last one is the rarest.
    """

    codes: NDArray[np.float64]
    classes: tuple[str, ...]

    @classmethod
    def of(cls, names: pa.StringArray) -> Target:
        """Count the classes of rows by their names [n], null where unknown.

        Raises
        ------
        UsageError
            There are fewer than 2 classes, or more than `MOST_CLASSES`.

        Examples
        --------
        >>> Target.of(pa.array(["no", "yes", None, "no"])).classes
        ('no', 'yes')
        """
        coded = names.dictionary_encode()
        index = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False)
        found = coded.dictionary.to_pylist()
        if not 2 <= len(found) <= MOST_CLASSES:
            some = "one class" if len(found) == 1 else f"{len(found):,} classes"
            raise UsageError(
                f"the label has {some}; expected from 2 to {MOST_CLASSES}: give another label, or more rows"
            )
        counts = np.bincount(index[index >= 0], minlength=len(found))
        order = sorted(range(len(found)), key=lambda at: (-counts[at], found[at]))
        class_of = np.full(len(found) + 1, np.nan)  # the last one is for unknown classes
        class_of[order] = np.arange(len(found))
        return cls(class_of[index], tuple(found[at] for at in order))

    def on(self, data: Encoded) -> Encoded:
        """Return the rows of `data` [n] whose class is known, with it as their target."""
        layout = replace(data.layout, classes=self.classes)
        return replace(data, layout=layout, target=self.codes).take(self.known)

    @property
    def known(self) -> NDArray[np.intp]:
        """The rows whose class is known, [k]."""
        return np.flatnonzero(~np.isnan(self.codes))


def label_of(table: pa.Table | ParsedTable, schema: Schema) -> Target:
    """Return the classes that a table's label column gives.

    Raises
    ------
    UsageError
        No column is the label, or it has too few or too many different values.
    """
    column = next((column for column in schema.columns if column.role == "label"), None)
    if column is None:
        raise UsageError("a supervised fit needs a label; name its column with --label COL")
    return Target.of(levels(column, ParsedTable.of(table).cells(column.name), schema.reading).expand())

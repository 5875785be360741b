"""What an imputer expects of each cell with that cell hidden."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from anomalo.plugin import Encoded, Floats

AT_ONCE = 12_288
"""About how many rows are imputed in one call."""


def column_batches(columns: int, rows: int) -> Iterator[range]:
    """Yield the positions of columns in batches that need about `AT_ONCE` rows to hide each of them once."""
    together = max(1, AT_ONCE // max(rows, 1))
    for start in range(0, columns, together):
        yield range(start, min(start + together, columns))


def hide_each(data: Encoded, positions: Sequence[int]) -> Encoded:
    """Return the rows once for each position, with that column hidden."""
    cells = np.zeros((len(positions), *data.values.shape), dtype=bool)
    for number, position in enumerate(positions):
        cells[number, :, position] = True
    return Encoded.concatenate([data.hide(hidden) for hidden in cells])


def expected_values(imputer: Any, data: Encoded) -> Floats:
    """Return what an imputer predicts for each cell with that cell hidden, float32 [n, columns]."""
    expected, columns = np.empty_like(data.values), len(data.layout.blocks)
    for positions in column_batches(columns, len(data)):
        predicted = imputer.impute(hide_each(data, positions)).point.reshape(len(positions), len(data), columns)
        for number, position in enumerate(positions):
            expected[:, position] = predicted[number, :, position]
    return expected

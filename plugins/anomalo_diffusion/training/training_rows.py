"""The rows that the network is trained on, as arrays."""

from __future__ import annotations

import numpy as np

from anomalo.plugin import Encoded, Floats, Mask, TableTransform


def training_rows(table: TableTransform, data: Encoded, *, learns_missing: bool) -> tuple[Floats, Mask]:
    """Return the lower and the upper shares of numbers and codes, and which of the parts are observed.

    A number without a score is not observed; nor is a missing cell, unless the network learns which cells are missing.

    Returns
    -------
    float32 [n, 2 width + codes], bool [n, width + codes]
    """
    parts = table.forward(data)
    values = np.concatenate([*table.shares(data), parts.codes.astype(np.float32)], axis=1)
    codes_known = np.ones(parts.codes.shape, dtype=bool)
    for column in table.columns:
        if column.code >= 0 and not learns_missing:
            codes_known[:, column.code] = data.observed[:, column.position]
    return values, np.concatenate([parts.known_numbers, codes_known], axis=1)

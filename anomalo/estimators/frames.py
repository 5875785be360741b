"""Columns of a DataFrame in the types that they had in training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa


def typed(cells: pa.Array, kind: Any) -> Any:
    """Return a column [n] as a Series of the type that it had in training, or the nearest that can hold it."""
    values: Any = cells.to_pandas()
    if isinstance(kind, pd.CategoricalDtype):
        return pd.Series(pd.Categorical(values.astype(kind.categories.dtype), dtype=kind))
    whole = pd.api.types.is_integer_dtype(kind)
    if whole and pa.types.is_floating(cells.type):
        kind = "Float64" if isinstance(kind, pd.api.extensions.ExtensionDtype) else np.float64
    return values.astype(kind).copy()  # Arrow's memory is read-only

"""Small encoded texts of two columns for the checks."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from anomalo.encoding.encoded import Encoded
from anomalo.encoding.text_encoder import COLUMN, TEXT, TextEncoder
from anomalo.tabular.columns import Columns
from anomalo.tabular.parsing import Texts
from anomalo.tabular.schema import Schema
from anomalo.testing.tables import NEW_ROWS, ROWS

_TOWNS = ("Bergen", "Bodø", "Hamar", "Molde", "Oslo")


def texts() -> tuple[Encoded, Encoded]:
    """Return 200 texts to train on and 60 more, always the same ones: towns and codes, a tenth of the cells missing.

    Examples
    --------
    >>> train, new = texts()
    >>> train.values.shape, new.values.shape
    ((200, 8), (60, 8))
    """
    rng = np.random.default_rng(21)
    codes = [f"{rng.choice(list('AB'))}-{rng.integers(100)}" for _ in range((ROWS + NEW_ROWS) // 2)]
    towns = [str(rng.choice(_TOWNS)) for _ in codes]
    order = rng.permutation(ROWS + NEW_ROWS)
    names = np.array(["town"] * len(towns) + ["code"] * len(codes))[order]
    columns = Columns(
        len(order), {COLUMN: _coded(names.tolist()), TEXT: _coded(np.array(towns + codes)[order].tolist())}
    )
    data = TextEncoder().fit(columns, Schema((), columns.rows)).encode(columns)
    data = data.hide(rng.random(data.values.shape) < 0.1)
    return data.take(slice(0, ROWS)), data.take(slice(ROWS, None))


def _coded(cells: list[str]) -> Texts:
    coded = pa.array(cells, pa.string()).dictionary_encode()
    return Texts(coded.dictionary, coded.indices.to_numpy(zero_copy_only=False).astype(np.int32))

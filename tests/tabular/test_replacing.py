"""Cells replaced in columns of any type: the others stay, and texts come back as they were."""

from datetime import datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from anomalo.tabular.writing.replacing import Replacements, replaced, texts_of, writable

BATCH = pa.record_batch(
    {
        "text": pa.array(["a", None, "c", "d"]),
        "coded": pa.array(["x", "y", None, "x"]).dictionary_encode(),
        "number": pa.array([1.5, None, 0.1 + 0.2, 4.0]),
        "whole": pa.array([1, 2, None, 4], pa.int64()),
        "truth": pa.array([True, None, False, True]),
        "time": pa.array([datetime(2024, 1, day) for day in (1, 2, 3, 4)], pa.timestamp("us")),
        "money": pa.array([Decimal("1.25"), None, Decimal("3.00"), Decimal("4.10")], pa.decimal128(10, 2)),
    }
)
NEW = {
    "text": "é, \"x\"", "coded": "z", "number": "7.25", "whole": "-3", "truth": "false",
    "time": "2031-05-06 07:08:09", "money": "99.50",
}  # fmt: skip


@pytest.mark.parametrize("name", BATCH.schema.names)
def test_a_cell_is_replaced_and_written_back(name: str) -> None:
    changed = replaced(BATCH, 10, {name: Replacements.of([12, 11], [NEW[name], None])})
    assert changed.schema == BATCH.schema
    assert changed.column(name)[2].as_py() == pa.array([NEW[name]]).cast(pa.string()).cast(_plain(name))[0].as_py()
    assert changed.column(name)[1].as_py() is None
    for other in BATCH.schema.names:
        rows = [0, 3] if other == name else range(4)
        assert [changed.column(other)[row].as_py() for row in rows] == [
            BATCH.column(other)[row].as_py() for row in rows
        ]
    before = texts_of(BATCH.column(name), np.array([1, 2]))
    assert replaced(changed, 10, {name: Replacements.of([11, 12], before)}).equals(BATCH)


def _plain(name: str) -> pa.DataType:
    kind = BATCH.schema.field(name).type
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def test_rows_of_other_batches_are_left() -> None:
    assert replaced(BATCH, 0, {"text": Replacements.of([4, 99], ["p", "q"])}).equals(BATCH)


def test_what_a_type_cannot_hold_is_known_before() -> None:
    texts = ["1", "1.5", "x", None, "true"]
    assert writable(texts, pa.int64()).tolist() == [True, False, False, True, False]
    assert writable(texts, pa.float64()).tolist() == [True, True, False, True, False]
    assert writable(texts, pa.bool_()).tolist() == [True, False, False, True, True]
    assert writable(texts, pa.dictionary(pa.int32(), pa.string())).all()

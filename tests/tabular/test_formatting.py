"""Values are written back in the Arrow type that they came in."""

import numpy as np
import pyarrow as pa
import pytest

from anomalo.encoding.table_encoder import TableEncoder
from anomalo.tabular.formatting import arrow_type
from anomalo.tabular.schema import infer


@pytest.mark.parametrize(
    "kind",
    ["int8", "uint64", "float", "halffloat", "decimal128(9, 2)", "date32[day]", "date64[ms]", "time32[s]", "time64[us]"]
    + ["timestamp[ns, tz=Europe/Berlin]", "duration[ms]", "large_string", "string_view", "bool"]
    + ["dictionary<values=int64, indices=int16, ordered=0>", "dictionary<values=string, indices=int8, ordered=1>"],
)
def test_arrow_types_are_kept(kind):
    if kind.startswith("dictionary"):
        value, index = (pa.int64(), pa.int16()) if "int64" in kind else (pa.string(), pa.int8())
        cells = pa.array([1, 2, None, 1]).cast(value).dictionary_encode()
        cells = pa.DictionaryArray.from_arrays(cells.indices.cast(index), cells.dictionary, ordered="=1" in kind)
    else:
        name, _, _ = kind.partition("(")
        special = {
            "decimal128": pa.decimal128(9, 2),
            "timestamp[ns, tz=Europe/Berlin]": pa.timestamp("ns", "Europe/Berlin"),
        }
        expected = special.get(name) or pa.type_for_alias(kind)
        ticks = pa.array([0, 1, None, 0]) if kind == "bool" else pa.array([3, 1, None, 2])
        if kind == "date64[ms]":
            ticks = pa.array([3 * 86_400_000, 86_400_000, None, 2 * 86_400_000])
        narrow = pa.int32() if kind in ("date32[day]", "time32[s]") else pa.int64()
        cells = ticks.cast({"halffloat": pa.float32(), "decimal128": pa.float64()}.get(name, narrow)).cast(expected)
    assert str(cells.type) == kind
    assert arrow_type(kind) == cells.type
    batch = pa.RecordBatch.from_arrays([cells], names=["x"])
    schema = infer(pa.Table.from_batches([batch]))
    columns = schema.parse(batch)
    encoder = TableEncoder().fit(columns, schema)
    data = encoder.encode(columns)
    assert data.observed[:, 0].tolist() == [True, True, False, True]
    decoded = encoder.decode(data.values[:, 0], 0)
    assert decoded.type == cells.type
    seen = [0, 1, 3]
    assert [decoded.to_pylist()[row] for row in seen] == [cells.to_pylist()[row] for row in seen]
    filled = encoder.fill(batch, np.repeat(data.values[:1], 4, axis=0), ~data.observed).column(0)
    assert filled.type == cells.type
    assert filled.to_pylist()[2] == cells.to_pylist()[0]

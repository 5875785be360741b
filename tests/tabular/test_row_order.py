"""What columns are, and how they are written and encoded, does not depend on the order of the rows."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from anomalo.encoding.table_encoder import TableEncoder
from anomalo.tabular.column import write_notes
from anomalo.tabular.columns import ParsedTable
from anomalo.tabular.schema import Schema, SchemaOptions, infer

ROWS = 600


def table() -> pa.Table:
    """Texts of which half are written in one way and half in another, so that the first one seen could win."""
    rng = np.random.default_rng(0)
    days = np.datetime64("2021-01-13") + np.arange(ROWS)
    iso = [str(day) for day in days]
    slashed = [f"{day[5:7]}/{day[8:]}/{day[:4]}" for day in iso]
    half = ROWS // 2
    hours = [f"{row // 60}:{row % 60:02d}" for row in range(ROWS)]
    columns = {
        "index": [str(row + 1) for row in range(ROWS)],
        "written": [*iso[:half], *slashed[half:]],
        "unpadded": [*(f"{1 + row % 12}/{13 + row % 9}/2{row:03d}" for row in range(ROWS))],
        "stamp": [*(f"{day}T00:00:00" for day in iso[:half]), *(f"{day} 00:00:00" for day in iso[half:])],
        "price": [*(f"${row}.25" for row in range(half)), *(f"$ {row}.50" for row in range(half))],
        "loss": [*(f"(${row}.5)" for row in range(half)), *(f"-${row}.5" for row in range(half))],
        "size": [*(f"{row}.1k" for row in range(half)), *(f"{row}.1M" for row in range(half))],
        "took": hours,
        "amount": [f"{value:.3f}" for value in rng.lognormal(sigma=4, size=ROWS)],
        "flat": ["0"] * (ROWS - 3) + ["0.1", "1e17", "0.3"],  # its scale is a standard deviation
        "level": rng.choice([f"l{at}" for at in range(60)], ROWS).tolist(),
        "yes": ["Yes", "yes", "No", "no"] * (ROWS // 4),
    }
    texts = pa.table(columns)
    return texts.replace_schema_metadata(write_notes(texts.schema, {"text": True, "separator": ","}).metadata)


def known(rows: pa.Table) -> tuple[Schema, dict[str, object]]:
    """Return the schema without its sentences, which name the first cell that there is, and the encoder as JSON."""
    parsed = ParsedTable(rows)
    schema = infer(parsed, SchemaOptions())
    encoder = TableEncoder().fit(schema.parse(parsed), schema)
    columns = tuple(replace(column, why="") for column in schema.columns)
    return replace(schema, columns=columns, warnings=()), encoder.to_json()


@pytest.mark.parametrize("seed", range(4))
def test_a_shuffled_table_has_the_same_schema_and_encoder(seed: int) -> None:
    rows = table()
    schema, encoder = known(rows)
    assert {column.name: column.kind for column in schema.columns} == {
        **{"index": "identifier", "written": "datetime", "unpadded": "datetime", "stamp": "datetime"},
        **{"price": "number", "loss": "number", "size": "number", "took": "datetime", "amount": "number"},
        **{"flat": "number", "level": "category", "yes": "boolean"},
    }
    order = np.random.default_rng(seed).permutation(ROWS)
    shuffled, again = known(rows.take(order))
    for column, other in zip(schema.columns, shuffled.columns, strict=True):
        assert column == other
    assert schema == shuffled
    assert encoder == again

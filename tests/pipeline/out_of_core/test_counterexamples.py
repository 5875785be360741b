"""With its counterexamples an encoder knows of a table what it would know, had it seen all of it."""

import numpy as np
import pandas as pd
import pyarrow as pa

from anomalo.encoding.table_encoder import TableEncoder
from anomalo.pipeline.out_of_core.counterexamples import Counterexamples
from anomalo.tabular.column import write_notes
from anomalo.tabular.schema import Schema, SchemaOptions, infer


def encoder(schema: Schema, table: pa.Table) -> TableEncoder:
    return TableEncoder().fit(schema.parse(table, label=True), schema)


def with_counterexamples(
    table: pa.Table, sample: pa.Table, size: int = 50, **options: object
) -> tuple[TableEncoder, TableEncoder]:
    """Return the encoder of a sample and its counterexamples, and that of the whole table."""
    schema = infer(sample, SchemaOptions(**options))
    counterexamples, first = Counterexamples(schema, schema.parse(sample, label=True)), 0
    for batch in table.to_batches(max_chunksize=size):
        counterexamples.see(batch, schema.parse(batch, max(first, 1), label=True))
        first += batch.num_rows
    further = counterexamples.table()
    assert further is not None
    assert len(further) < len(table) / 5, "they are few"
    return encoder(schema, pa.concat_tables([sample, further])), encoder(schema, table)


def test_extremes_levels_fractions_and_holes_are_known() -> None:
    rng = np.random.default_rng(0)
    n = 2_000
    frame = pd.DataFrame(
        {
            "size": rng.normal(size=n).round(3),
            "count": rng.integers(0, 1000, n).astype(float) * 5,
            "few": rng.choice([1.0, 2.0, 4.0], n),
            "colour": rng.choice(["red", "green"], n),
            "full": rng.normal(size=n),
        }
    )
    sample = pa.Table.from_pandas(frame.iloc[:200], preserve_index=False)
    frame.loc[1500, "size"], frame.loc[1501, "size"] = 99.5, -77.25
    frame.loc[700, "count"], frame.loc[701, "count"] = 7.0, 12.5
    frame.loc[900, "few"] = 3.0
    frame.loc[1200, "colour"], frame.loc[1201, "colour"] = "blue", None
    frame.loc[1300, "full"] = np.nan
    found, expected = with_counterexamples(pa.Table.from_pandas(frame, preserve_index=False), sample)
    assert found._range == expected._range
    assert found._few == expected._few
    for ours, whole in zip(found.layout.blocks, expected.layout.blocks, strict=True):
        assert set(ours.levels) == set(whole.levels)
        assert (ours.integer, ours.step) == (whole.integer, whole.step), ours.name
        assert (ours.missing > 0) == (whole.missing > 0), ours.name


def test_an_unreadable_cell_of_a_text_file_is_known() -> None:
    cells = [str(number) for number in np.arange(1_000) % 97]
    sample = pa.table({"size": cells[:300], "other": cells[:300]})
    cells[800] = "broken"
    whole = pa.table({"size": cells, "other": [str(number) for number in np.arange(1_000) % 97]})
    sample, whole = (table.cast(write_notes(table.schema, {"text": True})) for table in (sample, whole))
    found, expected = with_counterexamples(whole, sample)
    assert [block.unreadable > 0 for block in found.layout.blocks] == [True, False]
    assert [block.unreadable > 0 for block in expected.layout.blocks] == [True, False]

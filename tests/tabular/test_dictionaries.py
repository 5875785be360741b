"""Numbers that hardly repeat are written to Parquet without a dictionary, all else with one."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from anomalo.tabular.writing.writer import TableWriter


def test_only_columns_that_repeat_have_dictionaries(tmp_path: Path) -> None:
    rng, path = np.random.default_rng(0), tmp_path / "out.parquet"
    columns = {
        "row": np.arange(1000),
        "score": rng.random(1000),
        "few": rng.integers(0, 5, 1000) / 4,
        "word": [f"word {at}" for at in range(1000)],
        "reasons": [[{"column": "a"}]] * 1000,
    }
    table = pa.table(columns)
    with TableWriter(path) as writer:
        for batch in table.to_batches(max_chunksize=400):
            writer.write(batch)
    assert pq.read_table(path).equals(table)
    group = pq.ParquetFile(path).metadata.row_group(0)
    found = {group.column(at).path_in_schema: group.column(at).has_dictionary_page for at in range(5)}
    assert found == {"row": False, "score": False, "few": True, "word": True, "reasons.list.element.column": True}


def test_names_may_have_points_and_files_may_be_empty(tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    table = pa.table({"a.b": np.random.default_rng(0).random(100), "a": [1] * 100})
    with TableWriter(path) as writer:
        writer.write(table.to_batches()[0])
    assert pq.read_table(path).equals(table)
    with TableWriter(path, table.schema):
        pass
    assert pq.read_table(path).equals(table.slice(0, 0))

"""While a table is scored, the rows that may have to be explained are kept, and not many others."""

import numpy as np
import pyarrow as pa
import pytest

from anomalo.calibration.thresholds import Threshold, most_anomalous
from anomalo.jobs.scoring.candidates import Candidates
from anomalo.jobs.sharding import Part
from anomalo.tabular.column import write_notes


def raw(rows: np.ndarray) -> pa.RecordBatch:
    """A batch whose strings were read as a dictionary, as those of a Parquet file are."""
    words = pa.array([f"word {row}" for row in rows])
    batch = pa.RecordBatch.from_pydict({"x": pa.array(rows), "word": words.dictionary_encode()})
    return batch.replace_schema_metadata(write_notes(batch.schema, {"strings": {"word": "string"}}).metadata)


@pytest.mark.parametrize("size", [1, 7, 100])
@pytest.mark.parametrize("rule", ["share=0.1", "fdr=0.4", "budget=9", "budget=1"])
def test_they_are_the_alerts_and_the_most_anomalous_rows(rule: str, size: int) -> None:
    threshold = Threshold.parse(rule)
    for seed in range(12):
        rng = np.random.default_rng(seed)
        count = int(rng.integers(1, 300))
        p_values, scores = rng.integers(1, 30, count) / 30, rng.integers(0, 20, count) / 1.0  # with many ties
        explain = int(rng.choice([0, 5, 50, 1000]))
        candidates = Candidates(threshold, explain)
        for start in range(0, count, size):
            rows = np.arange(start, min(start + size, count))
            candidates.see(Part(rows, raw(rows)), p_values[rows], scores[rows])
        expected = np.union1d(
            np.flatnonzero(threshold.alerts(p_values, scores)), most_anomalous(p_values, scores)[:explain]
        )
        parts = list(candidates.parts(expected, most=4))
        assert [row for part in parts for row in part.rows] == expected.tolist()
        for part in parts:
            assert len(part.rows) <= 4
            assert part.batch.column("x").to_pylist() == part.rows.tolist()
            assert part.batch.column("word").to_pylist() == [f"word {row}" for row in part.rows]
        assert list(candidates.parts(expected, most=4)) == []


@pytest.mark.parametrize("order", ["rising", "falling", "mixed"])
def test_memory_is_bounded(order: str) -> None:
    """Rows that each are more anomalous than all before, of which only the last are kept; the reverse; and any."""
    most, count, size = 20, 30_000, 500
    candidates = Candidates(Threshold("budget", most), 10)
    rising = np.arange(count)
    scores = {"rising": rising, "falling": rising[::-1], "mixed": np.random.default_rng(0).permutation(count)}[order]
    before = pa.total_allocated_bytes()
    for start in range(0, count, size):
        rows = np.arange(start, start + size)
        candidates.see(Part(rows, raw(rows)), np.ones(size), scores[rows].astype(np.float64))
        # A row takes 30 bytes, but each of the buffers of its batch at least 64; a whole batch takes 16,000.
        assert pa.total_allocated_bytes() - before < 15_000

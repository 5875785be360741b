"""While a table is scored, the rows that may have to be explained are kept, and not many others."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from anomalo.calibration.thresholds import Threshold, most_anomalous
from anomalo.jobs.part import Part
from anomalo.jobs.scoring import candidates as module
from anomalo.jobs.scoring.candidates import Candidates, Selection
from anomalo.jobs.scoring.spool import Spool
from anomalo.tabular.column import write_notes


def raw(rows: np.ndarray) -> pa.RecordBatch:
    """A batch whose strings were read as a dictionary, as those of a Parquet file are."""
    words = pa.array([f"word {row}" for row in rows])
    batch = pa.RecordBatch.from_pydict({"x": pa.array(rows), "word": words.dictionary_encode()})
    return batch.replace_schema_metadata(write_notes(batch.schema, {"strings": {"word": "string"}}).metadata)


@pytest.mark.parametrize("in_memory", [0, 60, 10**6])
@pytest.mark.parametrize("size", [1, 7, 100])
@pytest.mark.parametrize("rule", ["share=0.1", "fdr=0.4", "budget=9", "budget=1"])
def test_they_are_the_alerts_and_the_most_anomalous_rows(
    rule: str, size: int, in_memory: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IN_MEMORY", in_memory)
    threshold = Threshold.parse(rule)
    for seed in range(3):
        rng = np.random.default_rng(seed)
        count = int(rng.integers(1, 300))
        p_values, scores = rng.integers(1, 30, count) / 30, rng.integers(0, 20, count) / 1.0  # with many ties
        explain = int(rng.choice([0, 5, 50, 1000]))
        candidates = Candidates(threshold, explain, Spool(tmp_path / "candidates.arrow"))
        for start in range(0, count, size):
            rows = np.arange(start, min(start + size, count))
            candidates.see(Part(rows, raw(rows)), p_values[rows], scores[rows])
        alerts, order = np.flatnonzero(threshold.alerts(p_values, scores)), most_anomalous(p_values, scores)
        most = max(explain, int(threshold.value) if threshold.kind == "budget" else 0)
        found = candidates.most_anomalous
        assert [each.tolist() for each in found] == [
            each[order[:most]].tolist() for each in (np.arange(count), scores, p_values)
        ]
        largest = -1.0 if threshold.kind == "budget" else float(p_values[alerts].max(initial=-1.0))
        selection = Selection(largest, alerts if threshold.kind == "budget" else order[:0]).and_rows(order[:explain])
        expected = np.union1d(alerts, order[:explain])
        parts = list(candidates.parts(selection, most=4))
        assert [row for part in parts for row in part.rows] == expected.tolist()
        assert {len(part.rows) for part in parts[:-1]} <= {4}
        for part in parts:
            assert 1 <= len(part.rows) <= 4
            assert part.batch.column("x").to_pylist() == part.rows.tolist()
            assert part.batch.column("word").to_pylist() == [f"word {row}" for row in part.rows]
        assert list(candidates.parts(selection, most=4)) == []


def test_more_than_fit_into_memory_wait_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All rows are alerts."""
    monkeypatch.setattr(module, "IN_MEMORY", 1000)
    candidates = Candidates(Threshold("share", 0.5), 10, Spool(tmp_path / "candidates.arrow"))
    before = pa.total_allocated_bytes()
    for start in range(0, 30_000, 250):
        rows = np.arange(start, start + 250)
        candidates.see(Part(rows, raw(rows)), np.full(250, 0.1), np.ones(250))
        assert pa.total_allocated_bytes() - before < 200_000
    parts = candidates.parts(Selection(0.5), 4000)
    assert [len(part.rows) for part in parts] == [4000] * 7 + [2000]


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

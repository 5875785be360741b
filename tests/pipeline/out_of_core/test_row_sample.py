"""A uniform sample of rows that are seen once."""

import numpy as np
import pyarrow as pa
import pytest

from anomalo.pipeline.out_of_core.row_sample import RowSample


def batches(rows: int, size: int) -> list[pa.RecordBatch]:
    table = pa.table({"number": np.arange(rows), "text": pa.array(np.arange(rows).astype(str)).dictionary_encode()})
    return table.to_batches(max_chunksize=size)


def sampled(rows: int, size: int, wanted: int, seed: int = 0, held: int = 5) -> tuple[pa.Table, np.ndarray, np.ndarray]:
    sample = RowSample(wanted, seed)
    for batch in batches(rows, size):
        sample.see(batch)
    assert sample.rows_seen == rows
    return sample.result(held)


def test_rows_are_distinct_in_order_and_whole() -> None:
    table, numbers, held = sampled(10_000, 700, 300)
    assert len(table) == len(numbers) == len(held) == 300
    assert (np.diff(numbers) > 0).all()
    assert table["number"].to_pylist() == numbers.tolist()
    assert table["text"].to_pylist() == [str(number) for number in numbers]
    assert held.sum() == 5


def test_it_does_not_depend_on_how_the_rows_are_cut() -> None:
    first, second = sampled(5_000, 64, 200), sampled(5_000, 4_999, 200)
    assert first[0].to_pydict() == second[0].to_pydict()
    np.testing.assert_array_equal(first[2], second[2])


def test_another_seed_draws_other_rows() -> None:
    assert sampled(5_000, 500, 100)[1].tolist() != sampled(5_000, 500, 100, seed=1)[1].tolist()


def test_a_short_table_is_taken_whole() -> None:
    table, numbers, held = sampled(50, 20, 300)
    assert numbers.tolist() == list(range(50))
    assert len(table) == 50
    assert held.sum() == 5


def test_every_row_is_as_probable() -> None:
    """The number of draws of each tenth of the table is within five standard deviations of its expectation."""
    draws = np.concatenate([sampled(1_000, 130, 100, seed)[1] for seed in range(200)])
    counts = np.bincount(draws // 100, minlength=10)
    assert np.abs(counts - 2_000).max() < 5 * np.sqrt(2_000)


@pytest.mark.parametrize("part", ["held", "rest"])
def test_the_rows_that_are_held_are_random_ones(part: str) -> None:
    found = []
    for seed in range(100):
        _, numbers, held = sampled(1_000, 130, 100, seed, held=50)
        found.append(numbers[held if part == "held" else ~held])
    mean = np.concatenate(found).mean()
    assert abs(mean - 499.5) < 5 * 289 / np.sqrt(5_000)

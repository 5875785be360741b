"""Write a million rows to an output and read them back: time and memory of databases, folders and files.

`python benchmarks/sources.py write sqlite:///big.db::big`, then `read` with the same name in another process.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from anomalo.registry.registry import Registry

ROWS, BATCH = 1_000_000, 32_768


def batches(seed: int = 0) -> Iterator[pa.RecordBatch]:
    """Yield rows of an id, two numbers, a category and a whole number."""
    rng = np.random.default_rng(seed)
    for first in range(0, ROWS, BATCH):
        size = min(BATCH, ROWS - first)
        yield pa.record_batch(
            {
                "id": pa.array(range(first, first + size)),
                "a": rng.normal(size=size),
                "b": rng.normal(size=size),
                "colour": pa.array(rng.choice(["red", "green", "blue"], size)),
                "count": rng.integers(0, 9, size),
            }
        )


def peak() -> float:
    """Return the most memory that this process has held, in MiB (Linux)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["write", "read"])
    parser.add_argument("target", help="a table of a database, or a folder with a slash at its end")
    given = parser.parse_args()
    registry, before = Registry.load(), peak()
    wall, processor = time.perf_counter(), time.process_time()
    if given.what == "write":
        with registry.destination(given.target).writer(None) as writer:
            for batch in batches():
                writer.write(batch)
    else:
        assert sum(map(len, registry.read(given.target))) == ROWS
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    print(f"{given.what}: {wall:.1f} s, of the processor {processor:.1f} s; {peak() - before:.0f} MiB more")


if __name__ == "__main__":
    main()

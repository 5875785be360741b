"""The memory that it takes to score long series: a model of a short one, and sources of 100,000 and more points."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

TRAINING = 5_000
AT_ONCE = 50_000


def batches(points: int, channels: int, seed: int = 0) -> Iterator[pa.RecordBatch]:
    """Yield a series of daily waves with noise, one point a minute."""
    rng = np.random.default_rng(seed)
    phase, names = rng.uniform(0, 2 * np.pi, channels), [f"channel_{at}" for at in range(channels)]
    for start in range(0, points, AT_ONCE):
        at = np.arange(start, min(start + AT_ONCE, points))
        waves = np.sin(at[:, None] * 2 * np.pi / 1440 + phase) + 0.1 * rng.normal(size=(len(at), channels))
        time = pa.array(at * 60).cast(pa.timestamp("s"))
        yield pa.RecordBatch.from_arrays([time, *map(pa.array, waves.T)], names=["time", *names])


def write(path: Path, points: int, channels: int) -> None:
    """Write a series to a Parquet file."""
    first = next(batches(1, channels))
    with pq.ParquetWriter(path, first.schema) as writer:
        for batch in batches(points, channels):
            writer.write_batch(batch)


def command(*words: str) -> list[str]:
    """Return a command of anomalo."""
    return [sys.executable, "-m", "anomalo", *words]


def main() -> None:
    """Print CPU seconds and the peak of memory for each number of points."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", default="100000,1000000", help="how many, separated by commas")
    parser.add_argument("--channels", type=int, default=20)
    parser.add_argument("--window", default="50")
    parser.add_argument("--model", default="sub_pca")
    parser.add_argument("--limit", type=float, default=3600, help="seconds for each")
    options = parser.parse_args()
    measure = [sys.executable, str(Path(__file__).with_name("processes.py"))]
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        write(Path("training.parquet"), TRAINING, options.channels)
        fit = ("fit", "training.parquet", "--time", "time", "--window", options.window, "--model", options.model)
        subprocess.run(command(*fit, "--as", "long"), check=True, capture_output=True)
        for points in map(int, options.points.split(",")):
            write(Path("series.parquet"), points, options.channels)
            words = command("score", "series.parquet", "--with", "long", "-o", "scores.parquet")
            done = subprocess.run([*measure, str(options.limit), *words], capture_output=True, text=True, check=True)
            found = json.loads(done.stdout.splitlines()[-1])
            print(
                f"{points:,} points × {options.channels} channels, {options.model}, window {options.window}: "
                f"{found['cpu_s']:.0f} CPU s, peak {found['peak_mib']:.0f} MiB, {found['status']}",
                flush=True,
            )


if __name__ == "__main__":
    main()

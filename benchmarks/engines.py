"""`anomalo score` of one Parquet table with each engine: whole processes, in turns, and ratios of their wall seconds.

The table has correlated numbers and categories; a model is fitted on its first rows. Every turn runs each engine once,
so that a ratio compares commands that ran after each other. The outputs have to be equal to the byte.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import statistics
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import score_speed
from processes import launch

ENGINES = {
    "one process": (),
    "local, 2 workers": ("--workers", "2"),
    "ray, 2 workers": ("--engine", "ray", "--workers", "2"),
}
RATIOS = (("one process", "local, 2 workers"), ("ray, 2 workers", "local, 2 workers"))


def measure(options: argparse.Namespace, folder: Path, engine: str) -> tuple[float, float, str]:
    """Score the table; return wall and CPU seconds, and the checksum of the output."""
    environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0"}
    command = [
        sys.executable,
        "-m",
        "anomalo",
        "score",
        "table.parquet",
        "--with",
        "m",
        "-o",
        "scores.parquet",
        "--force",
    ]
    found = launch([*command, *ENGINES[engine], "--device", "cpu"], options.limit, folder, environment)
    if found.status != "ok":
        raise SystemExit(f"{engine}: {found.status}")
    return found.wall_s, found.cpu_s, hashlib.sha256((folder / "scores.parquet").read_bytes()).hexdigest()


def prepare(options: argparse.Namespace, folder: Path) -> None:
    """Write the table, and fit the model."""
    frame = score_speed.table(options.rows, 15, 5, 0)
    frame.to_parquet(folder / "table.parquet", index=False)
    frame[: options.training].to_parquet(folder / "training.parquet", index=False)
    fit = ["fit", "training.parquet", "--as", "m", "--model", options.model, "--device", "cpu", "--threads", "1"]
    found = launch([sys.executable, "-m", "anomalo", *fit], options.limit, folder, os.environ)
    if found.status != "ok":
        raise SystemExit(f"fit: {found.status}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--training", type=int, default=5_000, help="rows that the model is fitted on")
    parser.add_argument("--model", default="denoising")
    parser.add_argument("--repeat", type=int, default=3, help="turns; medians over them are reported")
    parser.add_argument("--without", nargs="*", default=[], choices=list(ENGINES), help="engines to leave out")
    parser.add_argument("--limit", type=float, default=7200, metavar="SECONDS", help="end a process after so long")
    options = parser.parse_args()
    engines = [name for name in ENGINES if name not in options.without]
    if "ray, 2 workers" in engines and find_spec("ray") is None:
        print("ray: left out, it is not installed (extra `ray`)")
        engines.remove("ray, 2 workers")
    walls: dict[str, list[float]] = {name: [] for name in engines}
    sums = set()
    with tempfile.TemporaryDirectory() as name:
        prepare(options, Path(name))
        for turn in range(options.repeat):
            for engine in engines:
                wall, cpu, checksum = measure(options, Path(name), engine)
                walls[engine].append(wall)
                sums.add(checksum)
                print(f"turn {turn}, {engine}: {wall:.1f} s, CPU {cpu:.1f} s", flush=True)
    for engine in engines:
        print(f"{engine}: median {statistics.median(walls[engine]):.1f} s")
    for one, other in RATIOS:
        if one in engines and other in engines:
            ratios = [a / b for a, b in zip(walls[one], walls[other], strict=True)]
            print(f"{one} / {other}: median {statistics.median(ratios):.2f} ({', '.join(f'{r:.2f}' for r in ratios)})")
    print("the outputs are equal to the byte" if len(sums) == 1 else f"NOT EQUAL: {len(sums)} outputs")
    sys.exit(len(sums) != 1)


if __name__ == "__main__":
    main()

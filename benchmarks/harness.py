"""What benchmarks over a folder of labelled tables share: options, the tables, threads, and results that are kept."""

from __future__ import annotations

import argparse
import csv
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from threadpoolctl import threadpool_limits

LABEL = "label"


class Results:
    """A CSV file with one line for each cell of a benchmark; a cell that it holds is not to be run again.

    Parameters
    ----------
    path : Path
        The file; it may be there already, with a last line that a kill cut short (which is dropped).
    row : dataclass
        What a line holds, in order.
    key : tuple of str
        The fields that name a cell.

    Raises
    ------
    ValueError
        The file holds other columns.
    """

    def __init__(self, path: Path, row: type, key: tuple[str, ...]) -> None:
        self.path, self.key = path, key
        self.columns = [field.name for field in fields(row)]
        self.known: set[tuple[str, ...]] = set()
        if path.exists():
            self._read()

    def _read(self) -> None:
        _drop_torn_line(self.path)
        with self.path.open(newline="") as file:
            reader = csv.DictReader(file)
            if reader.fieldnames not in (None, self.columns):
                found, expected = ",".join(reader.fieldnames or ()), ",".join(self.columns)
                raise ValueError(f"{self.path} holds {found}; expected {expected}; give another file")
            self.known = {tuple(line[name] for name in self.key) for line in reader}

    def holds(self, row: Any) -> bool:
        """Whether the row's cell was measured already."""
        return self._key(row) in self.known

    def add(self, row: Any) -> None:
        """Write a line, with a heading above the first."""
        new = not self.path.exists() or not self.path.stat().st_size
        with self.path.open("a", newline="") as file:
            writer = csv.DictWriter(file, self.columns)
            if new:
                writer.writeheader()
            writer.writerow({name: _rounded(value) for name, value in asdict(row).items()})
        self.known.add(self._key(row))

    def _key(self, row: Any) -> tuple[str, ...]:
        return tuple(str(getattr(row, name)) for name in self.key)


def _rounded(value: Any) -> Any:
    return round(value, 6) if isinstance(value, float) else value


def _drop_torn_line(path: Path) -> None:
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        path.write_bytes(content[:whole])


def halves(truth: pd.Series, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of a random half of the normal rows, and of the other half, in random order."""
    normal = np.random.default_rng(1000 + seed).permutation(np.flatnonzero(truth != 1))
    return normal[: len(normal) // 2], normal[len(normal) // 2 :]


def tables(options: argparse.Namespace) -> Iterator[tuple[str, pd.DataFrame]]:
    """Read the tables that were asked for one by one, small files first; each with its name."""
    for file in sorted(options.data.glob("*.parquet"), key=lambda file: file.stat().st_size):
        if not options.sets or file.stem in options.sets:
            yield file.stem, pd.read_parquet(file)


@contextmanager
def calm(threads: int) -> Iterator[None]:
    """Limit every library to so many threads, and keep warnings away from the results."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with warnings.catch_warnings(), threadpool_limits(threads):
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.set_num_threads(before)


def names(text: str) -> list[str]:
    """Split at commas."""
    return [item.strip() for item in text.split(",") if item.strip()]


def parser(description: str | None, models: str | None = None) -> argparse.ArgumentParser:
    """Return a parser with the options that such benchmarks share; without `models`, auto and its members run."""
    found = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("--data", type=Path, required=True, help="a folder of Parquet files")
    found.add_argument("--out", type=Path, required=True, help="a CSV file; cells that it holds are not run again")
    text = f"ours: NAME or NAME[PARAMETER=VALUE;…], separated by commas; {models or 'auto, its members'}"
    found.add_argument("--models", default=models, help=text)
    found.add_argument("--sets", type=names, default=[], help="file names without suffix; all by default")
    found.add_argument("--seeds", type=lambda text: [int(item) for item in names(text)], default=[0, 1, 2])
    found.add_argument("--threads", type=int, default=1, help="threads of every library")
    found.add_argument("--against", help="the method that the summary compares with the others; auto, if it ran")
    found.add_argument("--summary", type=Path, help="write the summary to this Markdown file too")
    return found


def check_tables(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """End the program with a usage error if a table that was asked for is not there."""
    there = {file.stem for file in options.data.glob("*.parquet")}
    if not there:
        parser.error(f"--data {options.data}: no Parquet file there")
    if absent := set(options.sets) - there:
        parser.error(
            f"--sets {', '.join(sorted(absent))}: not in {options.data}; there are: {', '.join(sorted(there))}"
        )

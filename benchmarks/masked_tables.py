"""Complete tables with cells hidden on purpose: the same sample, split and mask for every method, here or elsewhere.

A folder holds complete tables as CSV and `manifest.json`: table -> {"file", "categorical": [columns]}; all other
columns are numbers. A sample of the rows is drawn by the seed, cells of any column are hidden in it by one of
`anomalo.masking`'s mechanisms, and its first 70 % are for training.
"""

from __future__ import annotations

import json
import re
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from anomalo.masking import MECHANISMS

TRAINING = 0.7
"""The share of a sample that is for training."""
MECHANISM = re.compile(rf"({'|'.join(MECHANISMS)})([1-9]\d?)")


@dataclass(frozen=True)
class MaskedTable:
    """A sample of a complete table, and which of its cells are hidden.

    Attributes
    ----------
    complete : DataFrame [n, columns]
        float64 numbers; categories are text.
    hidden : bool [n, columns]
        True for cells that no method may see.
    training : int
        How many rows, the first ones, are for training.
    """

    complete: pd.DataFrame
    hidden: NDArray[np.bool_]
    training: int

    @property
    def masked(self) -> pd.DataFrame:
        """The sample as the methods get it."""
        return self.complete.mask(self.hidden)

    @property
    def train(self) -> pd.DataFrame:
        """The masked rows to fit on."""
        return self.masked.iloc[: self.training]

    @property
    def test(self) -> pd.DataFrame:
        """The masked rows that no fit sees."""
        return self.masked.iloc[self.training :].reset_index(drop=True)

    def part(self, held: bool) -> MaskedTable:
        """Return the rows to fit on alone, or the held ones."""
        rows = slice(self.training, None) if held else slice(self.training)
        return MaskedTable(self.complete.iloc[rows].reset_index(drop=True), self.hidden[rows], 0)


def mask_cells(table: pd.DataFrame, mechanism: str, rows: int, seed: int) -> MaskedTable:
    """Draw `rows` rows and hide cells of them.

    Parameters
    ----------
    table : DataFrame
        As `read` returns it.
    mechanism : str
        A mechanism of `anomalo.masking` and a share in hundredths, such as mcar30.
    rows : int
        At most as many as the table has.
    seed : int
        Draws the sample, the same for each mechanism, and the mask.

    Raises
    ------
    ValueError
        The mechanism is not of that form.
    """
    hide, share = parse_mechanism(mechanism)
    sample = table.iloc[np.random.default_rng(seed).permutation(len(table))[:rows]].reset_index(drop=True)
    rng = np.random.default_rng([seed, zlib.crc32(mechanism.encode())])
    hidden = MECHANISMS[hide](_codes(sample), np.ones(sample.shape, dtype=bool), share, rng)
    return MaskedTable(sample, hidden, round(TRAINING * len(sample)))


def parse_mechanism(mechanism: str) -> tuple[str, float]:
    """Return the name and the share in a text such as mcar30; raises ValueError if it is none."""
    match = MECHANISM.fullmatch(mechanism)
    if not match:
        raise ValueError(
            f"mechanism {mechanism!r}: expected one of {', '.join(MECHANISMS)} and a share in %, such as mcar30"
        )
    return match[1], int(match[2]) / 100


def _codes(sample: pd.DataFrame) -> NDArray[np.float64]:
    """Return the cells as numbers [n, columns]; a category is the rank of its text in the alphabet."""
    columns = [column if is_number(column) else pd.factorize(column, sort=True)[0] for _, column in sample.items()]
    return np.column_stack(columns).astype(np.float64)


def is_number(column: Any) -> bool:
    """Whether a column [n] holds numbers; any other holds categories."""
    return bool(pd.api.types.is_float_dtype(column.dtype))


def read_manifest(folder: Path) -> dict[str, dict[str, Any]]:
    """Return what the folder's manifest says of each table."""
    found: dict[str, dict[str, Any]] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return found


@lru_cache(maxsize=2)
def read(folder: Path, name: str) -> pd.DataFrame:
    """Read a complete table: float64 numbers, and categories as text."""
    about = read_manifest(folder)[name]
    header = pd.read_csv(folder / about["file"], nrows=0).columns
    kinds = {column: str if column in about["categorical"] else np.float64 for column in header}
    return pd.read_csv(folder / about["file"], dtype=kinds, keep_default_na=False)


def folder_of(root: Path, rows: int, table: str, mechanism: str, seed: int) -> Path:
    """Return where a masked sample is kept under `root`."""
    return root / f"{rows}-{table}-{mechanism}-{seed}"


def save(masked: MaskedTable, folder: Path) -> None:
    """Write what a method in another environment needs: the masked rows, and which columns are categories."""
    folder.mkdir(parents=True, exist_ok=True)
    masked.train.to_csv(folder / "train.csv", index=False)
    masked.test.to_csv(folder / "test.csv", index=False)
    categories = [name for name, column in masked.complete.items() if not is_number(column)]
    (folder / "categories.json").write_text(json.dumps(categories), encoding="utf-8")


def read_filled(masked: MaskedTable, folder: Path, method: str) -> tuple[pd.DataFrame, float]:
    """Read the training rows as such a method filled them (METHOD.csv), and its CPU seconds (METHOD.json)."""
    kinds = {name: np.float64 if is_number(column) else str for name, column in masked.complete.items()}
    rows = pd.read_csv(folder / f"{method}.csv", dtype=kinds, keep_default_na=False, na_values=[""])
    seconds = json.loads((folder / f"{method}.json").read_text(encoding="utf-8"))["seconds"]
    return rows, float(seconds)

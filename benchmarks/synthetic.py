"""The tables that synthetic rows are evaluated on, and what generates the rows: our models, and peers elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
from methods import listed

from anomalo import TableAugmenter
from anomalo.evaluation.synthetic.measures import Fidelity, measure
from anomalo.evaluation.synthetic.tables import Rows, of_frames
from anomalo.registry.registry import Registry
from anomalo.tabular.schema import SchemaOptions

FILES = {"adult": "mixed/adult_train.csv", "housing": "synthesis/housing.csv"}
LABELS = {"adult": "income", "housing": "median_house_value"}
TEST = 8_000
"""Rows for testing, at most."""


@dataclass(frozen=True)
class Sample:
    """A table in four parts, each a DataFrame, and the column to predict."""

    train: pd.DataFrame
    holdout: pd.DataFrame
    test: pd.DataFrame
    fresh: pd.DataFrame
    label: str

    def evaluate(self, synthetic: pd.DataFrame, seed: int) -> Fidelity:
        """Measure synthetic rows."""
        frames = {"train": self.train, "synthetic": synthetic, "holdout": self.holdout, "test": self.test}
        kinds = {name: "number" if is_number(column) else "category" for name, column in self.train.items()}
        rows: dict[str, Rows] = of_frames(frames, SchemaOptions(kinds=kinds))
        others = {"holdout": rows["holdout"], "test": rows["test"]}
        return measure(rows["train"], rows["synthetic"], **others, label=self.label, seed=seed)


class Sampler(Protocol):
    def fit(self, train: pd.DataFrame) -> None: ...

    def sample(self, rows: int) -> pd.DataFrame: ...


Creator = Callable[[int], Sampler]


class Fresh:
    """Real rows that nothing else is measured with, instead of synthetic ones: the ceiling."""

    def __init__(self, rows: pd.DataFrame) -> None:
        self.rows = rows

    def fit(self, train: pd.DataFrame) -> None: ...

    def sample(self, rows: int) -> pd.DataFrame:
        return self.rows.iloc[:rows]


class Ours:
    """One of our models, through the public API."""

    def __init__(self, name: str, params: dict[str, Any], seed: int) -> None:
        self.augmenter = TableAugmenter(name, params=params, random_state=seed, device="cpu")

    def fit(self, train: pd.DataFrame) -> None:
        self.augmenter.fit(train)

    def sample(self, rows: int) -> pd.DataFrame:
        synthetic: pd.DataFrame = self.augmenter.sample(rows)
        return synthetic


def ours(text: str, registry: Registry) -> dict[str, Creator]:
    """Return what creates each of our models that `text` lists, for a seed; raises as `methods.listed` does."""
    return {item: _creator(*specification) for item, specification in listed(text, registry).items()}


def _creator(name: str, params: dict[str, Any]) -> Creator:
    return lambda seed: Ours(name, params, seed)


def read(data: Path, table: str) -> pd.DataFrame:
    """Read a table: numbers, and categories as text; ? and nothing are missing values."""
    return pd.read_csv(data / FILES[table], skipinitialspace=True, keep_default_na=False, na_values=["", "?"])


def parts(table: pd.DataFrame, label: str, rows: int, seed: int) -> Sample:
    """Split a table: `rows` rows to train on, as many held out, at most `TEST` for testing; the others are fresh."""
    order = np.random.default_rng(seed).permutation(len(table))
    cuts = np.split(order, [rows, 2 * rows, 2 * rows + TEST])
    return Sample(*(table.iloc[cut].reset_index(drop=True) for cut in cuts), label)


def is_number(column: Any) -> bool:
    """Whether a column [n] holds numbers; any other holds categories."""
    return bool(pd.api.types.is_numeric_dtype(column.dtype))


def folder_of(root: Path, rows: int, table: str, seed: int) -> Path:
    """Return where a training sample is kept under `root`."""
    return root / f"{rows}-{table}-{seed}"


def save(sample: Sample, folder: Path) -> None:
    """Write what a method in another environment needs: the training rows, and which columns are categories."""
    folder.mkdir(parents=True, exist_ok=True)
    sample.train.to_csv(folder / "train.csv", index=False)
    categories = [name for name, column in sample.train.items() if not is_number(column)]
    (folder / "categories.json").write_text(json.dumps(categories), encoding="utf-8")


def read_synthetic(sample: Sample, folder: Path, method: str) -> tuple[pd.DataFrame, float, float]:
    """Read the rows of such a method (METHOD.csv), and its CPU seconds to train and to sample (METHOD.json)."""
    kinds = {name: np.float64 if is_number(column) else str for name, column in sample.train.items()}
    rows = pd.read_csv(folder / f"{method}.csv", dtype=kinds, keep_default_na=False, na_values=[""])
    seconds = json.loads((folder / f"{method}.json").read_text(encoding="utf-8"))
    return rows, float(seconds["fit_s"]), float(seconds["sample_s"])

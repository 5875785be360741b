"""The methods that the benchmark of imputation compares: our models by name and parameters, and peers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import numpy as np
import pandas as pd
from imputation_metrics import Uncertainty
from masked_tables import is_number
from matrices import Matrix, mean_or_mode
from methods import listed
from missforest import MissForest
from numpy.typing import NDArray
from pmm import PMM

from anomalo import TableImputer
from anomalo.errors import UsageError
from anomalo.registry.registry import Registry

DRAWS = 20
"""How many times each cell is drawn to evaluate its distribution."""


class Imputer(Protocol):
    def fit(self, train: pd.DataFrame) -> None: ...

    def fill(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Fill new rows, unrounded."""
        ...

    def fill_training(self, train: pd.DataFrame) -> pd.DataFrame:
        """Fill the rows that the imputer was fitted on."""
        ...


Creator = Callable[[int], Imputer]


class Ours:
    """One of our models, by the public door."""

    def __init__(self, name: str, params: dict[str, Any], seed: int) -> None:
        self.imputer = TableImputer(name, params=params, random_state=seed, device="cpu", round=False)

    def fit(self, train: pd.DataFrame) -> None:
        self.imputer.fit(train)

    def fill(self, rows: pd.DataFrame) -> pd.DataFrame:
        filled: pd.DataFrame = self.imputer.transform(rows)
        return filled

    fill_training = fill

    def uncertainty(self, rows: pd.DataFrame) -> Uncertainty:
        """Return intervals and draws of numbers, as far as the model gives them."""
        cells = self.imputer.cells(rows)
        low, high = np.full((2, *rows.shape), np.nan)
        at = cells["row"].to_numpy(), rows.columns.get_indexer(cells["column"])
        low[at], high[at] = cells["low"].to_numpy(np.float64), cells["high"].to_numpy(np.float64)
        known = not np.isnan(low).all()
        try:
            draws = np.stack([_numbers(drawn) for drawn in self.imputer.draw(rows, DRAWS)])
        except UsageError:  # it gives none
            draws = None
        return Uncertainty(low if known else None, high if known else None, draws)

    def expected_errors(self) -> dict[str, float]:
        """Return the error that the model reports of each column: RMSE in the column's units, share of wrong levels."""
        fitted = self.imputer.fitted_
        if fitted.hidden is None:
            return {}
        names = [block.name for block in fitted.encoder.layout.blocks]
        reported = zip(names, fitted.hidden.error.tolist(), strict=True)
        return {name: error for name, error in reported if not np.isnan(error)}


def _numbers(table: pd.DataFrame) -> NDArray[np.float64]:
    """Return a table's numbers, float64 [n, columns]; NaN for categories."""
    columns = [column if is_number(column) else np.full(len(column), np.nan) for _, column in table.items()]
    return np.column_stack(columns)


class MeanMode:
    """Each number's mean, each category's most frequent level."""

    def __init__(self, seed: int) -> None: ...

    def fit(self, train: pd.DataFrame) -> None:
        self.constants = {name: mean_or_mode(train[name]) for name in train}

    def fill(self, rows: pd.DataFrame) -> pd.DataFrame:
        return rows.fillna(self.constants)

    fill_training = fill


class Sklearn:
    """An imputer of scikit-learn with its default settings, on standardised numbers and categories as indicators."""

    def __init__(self, kind: str, seed: int) -> None:
        self.kind, self.seed = kind, seed

    def fit(self, train: pd.DataFrame) -> None:
        # Indicators that sum to 1 make chained equations collapse to the mode.
        self.matrix = Matrix(train, standardise=True, drop=self.kind == "IterativeImputer")
        self.imputer = self._created().fit(self.matrix.of(train))

    def _created(self) -> Any:
        from sklearn.experimental import enable_iterative_imputer  # noqa: F401
        from sklearn.impute import IterativeImputer, KNNImputer

        return KNNImputer() if self.kind == "KNNImputer" else IterativeImputer(random_state=self.seed)

    def fill(self, rows: pd.DataFrame) -> pd.DataFrame:
        return self.matrix.filled(rows, self.imputer.transform(self.matrix.of(rows)))

    fill_training = fill


PEERS: dict[str, Creator] = {
    "mean/mode": MeanMode,
    "MissForest": MissForest,
    "KNNImputer": partial(Sklearn, "KNNImputer"),
    "IterativeImputer": partial(Sklearn, "IterativeImputer"),
    "PMM": PMM,
}


def ours(text: str, registry: Registry) -> dict[str, Creator]:
    """Return what creates each of our models that `text` lists, for a seed; raises as `methods.listed` does."""
    return {
        item: lambda seed, name=name, params=params: Ours(name, params, seed)
        for item, (name, params) in listed(text, registry).items()
    }


def peers(names: list[str]) -> dict[str, Creator]:
    """Return what creates each peer.

    Raises
    ------
    UsageError
        A name is not known.
    """
    if unknown := [name for name in names if name not in PEERS]:
        raise UsageError(f"--peers {', '.join(unknown)}: expected some of {', '.join(PEERS)}")
    return {name: PEERS[name] for name in names}

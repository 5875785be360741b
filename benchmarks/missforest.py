"""MissForest with scikit-learn's forests: the peer that imputers are compared with."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from masked_tables import is_number
from matrices import Matrix, Numbers, mean_or_mode
from numpy.typing import NDArray


class MissForest:
    """Each column in turn predicted by a forest of all others, again and again, until the values change more again.

    Columns are visited from the fewest missing values to the most, at most 10 rounds; the rounds stop as soon as the
    change of the imputed values has grown for the numbers and for the categories, and the round before counts.
    Categories have classifiers. New rows go through the forests of the rounds that counted, in the same order.

    A split looks at a third of the predictors for a number and at their square root for a category, as R's
    randomForest does by default: on these tables a little better than scikit-learn's default, and cheaper.

    Reference: Stekhoven and Bühlmann (2012), MissForest, Bioinformatics 28, algorithm 1 and equations 1 and 2.
    """

    def __init__(self, seed: int, trees: int = 50, rounds: int = 10) -> None:
        self.seed, self.trees, self.rounds = seed, trees, rounds

    def fit(self, train: pd.DataFrame) -> None:
        """Fill the training rows round by round, keeping the forests."""
        self.matrix = Matrix(train)
        self.start = {name: mean_or_mode(train[name]) for name in self.matrix.names}
        missing = train.isna()
        order = [str(name) for name in missing.sum().sort_values(kind="stable").index if missing[name].any()]
        self.kept: list[dict[str, Any]] = []
        self.filled = filled = train.fillna(self.start)
        last: dict[str, float] = {}
        for number in range(self.rounds):
            forests = {}
            before, filled = filled, filled.copy()
            values = self.matrix.of(filled)
            for name in order:
                forests[name] = self._grown(name, values, filled[name], missing[name].to_numpy(), number)
                self._refill(forests[name], name, values, filled, missing[name].to_numpy())
            change = _change(filled, before, missing)
            if last and all(change[kind] > last[kind] for kind in change):
                return
            last = change
            self.kept.append(forests)
            self.filled = filled

    def _grown(self, name: str, values: Numbers, cells: Any, absent: NDArray[np.bool_], number: int) -> Any:
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

        kind, tried = (RandomForestRegressor, 1 / 3) if is_number(cells) else (RandomForestClassifier, "sqrt")
        seed = np.random.default_rng([self.seed, number, self.matrix.names.index(name)]).integers(2**31)
        forest = kind(n_estimators=self.trees, max_features=tried, random_state=int(seed))
        return forest.fit(self.matrix.others(values, name)[~absent], cells.to_numpy()[~absent])

    def _refill(self, forest: Any, name: str, values: Numbers, filled: pd.DataFrame, absent: NDArray[np.bool_]) -> None:
        if absent.any():
            imputed = forest.predict(self.matrix.others(values[absent], name))
            filled.loc[absent, name] = imputed
            values[np.ix_(absent, self.matrix.block[name])] = self.matrix.coded(name, imputed)

    def fill(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Fill new rows by the forests of each round."""
        missing, filled = rows.isna(), rows.fillna(self.start)
        values = self.matrix.of(filled)
        for forests in self.kept:
            for name, forest in forests.items():
                self._refill(forest, name, values, filled, missing[name].to_numpy())
        return filled

    def fill_training(self, train: pd.DataFrame) -> pd.DataFrame:
        """Return the training rows as the fit filled them."""
        return self.filled


def _change(now: pd.DataFrame, before: pd.DataFrame, missing: pd.DataFrame) -> dict[str, float]:
    """Return how much imputed values changed: numbers relative to their squares, categories as a share of the cells."""
    numbers = [name for name in now if is_number(now[name])]
    others = [name for name in now if name not in numbers]
    found = {}
    if missing[numbers].to_numpy().any():
        difference = now[numbers].to_numpy() - before[numbers].to_numpy()
        found["numbers"] = float(np.square(difference).sum() / np.square(now[numbers].to_numpy()).sum())
    if missing[others].to_numpy().any():
        found["categories"] = float((now[others] != before[others]).to_numpy().sum() / missing[others].to_numpy().sum())
    return found

"""Detectors that ours are compared with: PyOD's, and the distance to the fifth neighbour; it imports none of ours."""

from __future__ import annotations

import importlib

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

PYOD = {
    "KNN": "knn",
    "LOF": "lof",
    "GMM": "gmm",
    "IForest": "iforest",
    "HBOS": "hbos",
    "ECOD": "ecod",
    "COPOD": "copod",
    "PCA": "pca",
    "AutoEncoder": "auto_encoder",
}
SEEDED = {"GMM", "IForest", "PCA", "AutoEncoder"}
FIFTH = "fifth neighbour"
"""How results name `FifthNeighbour`."""


class Pyod:
    """One of PyOD's detectors with its default settings, on standardised columns."""

    def __init__(self, name: str, seed: int) -> None:
        kind = getattr(importlib.import_module(f"pyod.models.{PYOD[name]}"), name)
        settings = {"random_state": seed} if name in SEEDED else {}
        self.detector = kind(**settings, **({"verbose": 0} if name == "AutoEncoder" else {}))
        self.scaler = StandardScaler()

    def fit(self, train: pd.DataFrame) -> None:
        self.detector.fit(self.scaler.fit_transform(train.to_numpy(np.float64)))

    def score(self, test: pd.DataFrame) -> NDArray[np.float64]:
        return np.asarray(self.detector.decision_function(self.scaler.transform(test.to_numpy(np.float64))))

    def score_training(self, train: pd.DataFrame) -> NDArray[np.float64]:
        # Kept by PyOD's fit; a neighbour search leaves the row itself out there.
        return np.asarray(self.detector.decision_scores_)


class FifthNeighbour:
    """The distance to the fifth nearest training row, of standardised numbers; a missing number is the column's mean.

    Columns that are not numbers are left out. A training row is no neighbour of itself, an equal row is.
    """

    def __init__(self, seed: int = 0) -> None:
        self.scaler, self.search = StandardScaler(), NearestNeighbors(n_neighbors=5)

    def fit(self, train: pd.DataFrame) -> None:
        self.search.fit(np.nan_to_num(self.scaler.fit_transform(_numbers(train))))

    def score(self, test: pd.DataFrame) -> NDArray[np.float64]:
        distances, _ = self.search.kneighbors(np.nan_to_num(self.scaler.transform(_numbers(test))))
        return np.asarray(distances[:, -1])

    def score_training(self, train: pd.DataFrame) -> NDArray[np.float64]:
        distances, _ = self.search.kneighbors()
        return np.asarray(distances[:, -1])


def _numbers(table: pd.DataFrame) -> NDArray[np.float64]:
    return table.select_dtypes("number").to_numpy(np.float64)

"""One peer's job on a CSV file, as a whole process: read, encode, fit, then list the anomalous rows, or impute.

    python benchmarks/scale_peers.py IsolationForest|KNN|IForest|AutoEncoder TABLE.csv [SEED]
    python benchmarks/scale_peers.py MissForest TABLE.csv [SEED]

Detectors get standardised numbers, whose missing values are the mean, and a column of zeros and ones for each level of
a category; they score the rows that they were fitted on, and print the ten most anomalous ones. MissForest writes the
imputed table beside the file.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

REFERENCE = "IsolationForest"
"""scikit-learn's, with its default settings: the job that others are compared with."""
PYOD = ("KNN", "IForest", "AutoEncoder")
MISSFOREST = "MissForest"
PEERS = (REFERENCE, *PYOD, MISSFOREST)
TOP = 10


def encoded(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table as numbers without missing values."""
    numbers = table.select_dtypes("number")
    numbers = ((numbers - numbers.mean()) / numbers.std(ddof=0).replace(0, 1)).fillna(0)
    categories = table.drop(columns=numbers.columns)
    return numbers if not len(categories.columns) else numbers.join(pd.get_dummies(categories, dtype=float))


def scores(name: str, rows: pd.DataFrame, seed: int) -> NDArray[np.float64]:
    """Return the anomaly scores of the rows that a detector was fitted on, [n]."""
    # Imported here, so that no job pays for another's libraries.
    if name == REFERENCE:
        from sklearn.ensemble import IsolationForest

        matrix = rows.to_numpy()
        return np.asarray(-IsolationForest(random_state=seed).fit(matrix).score_samples(matrix))
    from peer_detectors import Pyod

    detector = Pyod(name, seed)
    detector.fit(rows)
    return detector.score_training(rows)


def impute(path: Path, seed: int) -> None:
    """Write the table as MissForest imputes it."""
    from missforest import MissForest

    forest, table = MissForest(seed), pd.read_csv(path)
    forest.fit(table)
    forest.filled.to_csv(path.with_name("imputed.csv"), index=False)


def main() -> None:
    name, path, seed = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0
    if name == MISSFOREST:
        impute(path, seed)
        return
    found = scores(name, encoded(pd.read_csv(path)), seed)
    for row in np.argsort(-found, kind="stable")[:TOP]:
        print(f"{row} {found[row]:.4f}", flush=True)


if __name__ == "__main__":
    main()

"""Are p-values of held-out normal rows uniform? Share at or below .05 and .01, over random halves.

For each table: fit on a random half of the normal rows, score the other half, and the anomalies.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd

from anomalo import AnomalyDetector


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with CSV files and manifest.json")
    parser.add_argument("--models", default="undercomplete,iforest,knn")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--rows", type=int, default=6000, help="at most this many rows of a table")
    options = parser.parse_args()
    for table in json.loads((options.data / "manifest.json").read_text()):
        frame = pd.read_csv(options.data / table["file"], na_values="?", skipinitialspace=True)
        for model in options.models.split(","):
            shares = [share(frame, table["label"], model, int(s), options.rows) for s in options.seeds.split(",")]
            at_05, at_01, caught = np.mean(shares, axis=0)
            print(
                f"{table['file']:<18} {model:<14} normal rows with p <= .05: {at_05:.3f}, p <= .01: {at_01:.3f}; "
                f"other rows with p <= .05: {caught:.3f}",
                flush=True,
            )


def share(frame: pd.DataFrame, label: str, model: str, seed: int, rows: int) -> tuple[float, float, float]:
    """Return the shares of held-out normal rows at or below .05 and .01, and of the rest at or below .05."""
    frame = frame.sample(min(rows, len(frame)), random_state=seed)
    truth = frame.pop(label)
    normal = np.flatnonzero(truth == truth.mode()[0])
    order = np.random.default_rng(seed).permutation(normal)
    train, held = order[: len(order) // 2], order[len(order) // 2 :]
    detector = AnomalyDetector(model=model, random_state=seed).fit(frame.iloc[train])
    p = detector.p_values(frame.iloc[held])
    other = detector.p_values(frame.drop(index=frame.index[normal]))
    return float((p <= 0.05).mean()), float((p <= 0.01).mean()), float((other <= 0.05).mean())


if __name__ == "__main__":
    main()

"""Evidently's default drift preset on pairs of tables, in an environment of its own: see compare.py.

PYTHON evidently_peer.py FOLDER COUNT
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import pandas as pd


def main() -> None:
    from evidently import Report
    from evidently.presets import DataDriftPreset

    warnings.simplefilter("ignore")
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    dataset = column = 0
    for at in range(count):
        before, after = (pd.read_parquet(folder / f"{at}-{name}.parquet") for name in ("before", "after"))
        found = json.loads(Report([DataDriftPreset()]).run(current_data=after, reference_data=before).json())
        drifted = next(one["value"] for one in found["metrics"] if "DriftedColumnsCount" in one["metric_name"])
        dataset += drifted["share"] >= 0.5  # the preset's limit for the data set
        column += drifted["count"] >= 1
    print(json.dumps({"dataset": dataset / count, "column": column / count}))


if __name__ == "__main__":
    main()

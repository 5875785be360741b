"""HyperImpute on saved masks, in an environment of its own: `pip install hyperimpute 'pandas<3'`.

Each folder in FOLDER, written by `imputation.py --save FOLDER`, holds `train.csv`, masked, and `categories.json`.
Beside them go `hyperimpute.csv`, the same rows filled, and `hyperimpute.json`, the CPU seconds that it took; both are
read by `imputation.py --save FOLDER --filled hyperimpute`. It fills the rows that it is fitted on, and no others.

Default settings, but for one: HyperImpute takes a column with fewer than 5 distinct values, missing ones included,
for a category, and fits regressions to the codes of any other. Here the categories are given, so that these have
classifiers and numbers have regressions.

Reference: Jarrett et al. (2022), HyperImpute: generalized iterative imputation with automatic model selection, ICML.
"""

import argparse
import json
import time
import warnings
from pathlib import Path

import joblib
import pandas as pd
from hyperimpute.plugins.imputers import Imputers
from threadpoolctl import threadpool_limits


def filled(train: pd.DataFrame, categories: list[str], seed: int) -> pd.DataFrame:
    """Return masked rows filled; categories are text, all else float64."""
    levels = {name: sorted(train[name].dropna().unique()) for name in categories}
    coded = train.copy()
    for name in categories:
        coded[name] = train[name].map({level: code for code, level in enumerate(levels[name])}).astype(float)
    imputer = Imputers().get("hyperimpute", random_state=seed)
    imputer.model._is_categorical = lambda _, column: column in categories
    found = imputer.fit_transform(coded)
    found.columns = train.columns
    for name in categories:
        found[name] = [levels[name][round(code)] for code in found[name]]
    return train.where(train.notna(), found)


def main() -> None:
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("folder", type=Path, help="what imputation.py --save wrote")
    options = command.parse_args()
    warnings.simplefilter("ignore")
    for folder in sorted(path.parent for path in options.folder.glob("*/train.csv")):
        if (folder / "hyperimpute.json").exists():
            continue
        categories = json.loads((folder / "categories.json").read_text(encoding="utf-8"))
        header = pd.read_csv(folder / "train.csv", nrows=0).columns
        kinds = {name: str if name in categories else float for name in header}
        train = pd.read_csv(folder / "train.csv", dtype=kinds, keep_default_na=False, na_values=[""])
        started = time.process_time()
        # One process, for the clock counts no other's time.
        with threadpool_limits(1), joblib.parallel_config(backend="sequential"):
            rows = filled(train, categories, seed=int(folder.name.rpartition("-")[2]))
        seconds = time.process_time() - started
        rows.to_csv(folder / "hyperimpute.csv", index=False)
        (folder / "hyperimpute.json").write_text(json.dumps({"seconds": seconds}), encoding="utf-8")
        print(folder.name, f"{seconds:.1f} s", flush=True)


if __name__ == "__main__":
    main()

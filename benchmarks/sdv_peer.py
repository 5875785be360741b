"""CTGAN, TVAE and the Gaussian copula of SDV, in an environment of their own: `pip install sdv`.

Each folder in FOLDER, written by `synthesis.py --save FOLDER`, holds `train.csv` and `categories.json`. Beside them go
`ctgan.csv`, `tvae.csv` and `gcopula.csv`, as many synthetic rows, and JSON files of the same names with the CPU seconds
of training and sampling; all are read by `synthesis.py --save FOLDER --made ctgan,tvae,gcopula`.

Default settings, 300 epochs included; the metadata says which columns are categories. SDV and CTGAN are under the
Business Source Licence, so nothing of ours depends on them.

Reference: Xu et al. (2019), Modeling tabular data using conditional GAN, NeurIPS; Patki, Wedge and Veeramachaneni
(2016), The Synthetic Data Vault, DSAA.
"""

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sdv.metadata import Metadata
from sdv.single_table import CTGANSynthesizer, GaussianCopulaSynthesizer, TVAESynthesizer
from threadpoolctl import threadpool_limits

PEERS = {"gcopula": GaussianCopulaSynthesizer, "tvae": TVAESynthesizer, "ctgan": CTGANSynthesizer}


def metadata(train: pd.DataFrame, categories: list[str]) -> Metadata:
    """Say which columns are categories; all others are numbers."""
    kinds = {name: {"sdtype": "categorical" if name in categories else "numerical"} for name in train}
    return Metadata.load_from_dict({"tables": {"table": {"columns": kinds}}, "relationships": []})


def make(method: str, train: pd.DataFrame, categories: list[str], folder: Path) -> None:
    """Fit one peer, and write its rows and seconds."""
    seed = int(folder.name.rpartition("-")[2])
    torch.manual_seed(seed)
    np.random.seed(seed)
    options = {} if method == "gcopula" else {"enable_gpu": False}
    clock, synthesizer = time.process_time, PEERS[method](metadata(train, categories), **options)
    started = clock()
    synthesizer.fit({"table": train})
    fit_s, started = clock() - started, clock()
    rows = synthesizer.sample(len(train))["table"]
    seconds = {"fit_s": fit_s, "sample_s": clock() - started}
    rows.to_csv(folder / f"{method}.csv", index=False)
    (folder / f"{method}.json").write_text(json.dumps(seconds), encoding="utf-8")
    print(folder.name, method, seconds, flush=True)


def main() -> None:
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("folder", type=Path, help="what synthesis.py --save wrote")
    command.add_argument("--peers", default=",".join(PEERS), help="which of them, with commas between")
    options = command.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    for folder in sorted(path.parent for path in options.folder.glob("*/train.csv")):
        categories = json.loads((folder / "categories.json").read_text(encoding="utf-8"))
        header = pd.read_csv(folder / "train.csv", nrows=0).columns
        kinds = {name: str if name in categories else float for name in header}
        train = pd.read_csv(folder / "train.csv", dtype=kinds, keep_default_na=False, na_values=[""])
        whole = [name for name in train if name not in categories and (train[name].dropna() % 1 == 0).all()]
        train = train.astype(dict.fromkeys(whole, "Int64"))
        for method in options.peers.split(","):
            if not (folder / f"{method}.json").exists():
                with threadpool_limits(1):
                    make(method, train, categories, folder)


if __name__ == "__main__":
    main()

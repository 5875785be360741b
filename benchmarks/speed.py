"""`undercomplete` against PyOD's AutoEncoder: the same size, epochs and data, in CPU seconds and peak memory.

Data: a low-rank signal with noise. Both networks are columns-64-32-64-columns, trained for 10 epochs; all other
settings are each side's defaults. Contestants, each in a fresh process, one after the other, several times over:

- pyod: `AutoEncoder.fit` (which scores its training rows too) and `decision_function(X, batch_size=256)`;
- model: `Undercomplete.fit` and `.score` on encoded rows;
- estimator: `AnomalyDetector.fit` (schema, encoding and scores of the training rows too) and `.score_samples` on a
  DataFrame.

The loss is the mean squared reconstruction error on standardised columns: of the training rows, and of new ones.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Matrix = NDArray[np.float32]

SIZE = {"hidden": (64,), "latent": 32, "activation": "relu", "epochs": 10}
CONTESTANTS = ("pyod", "model", "estimator")


def sample(rows: int, columns: int, seed: int) -> Matrix:
    """Return rows [rows, columns] of a rank-8 signal with noise, columns standardised; the signal is fixed."""
    loadings = np.random.default_rng(0).standard_normal((8, columns))
    rng = np.random.default_rng(seed)
    signal = rng.standard_normal((rows, 8)) @ loadings + 0.5 * rng.standard_normal((rows, columns))
    return (signal / np.sqrt(np.square(loadings).sum(axis=0) + 0.25)).astype(np.float32)


def encoded(matrix: Matrix) -> Any:
    from anomalo.plugin import Block, Encoded, Layout

    blocks = tuple(Block(f"f{j}", "number", j) for j in range(matrix.shape[1]))
    return Encoded(matrix, np.ones(matrix.shape, dtype=bool), Layout("table", matrix.shape[1:], blocks))


def frame(matrix: Matrix) -> pd.DataFrame:
    return pd.DataFrame(matrix, columns=[f"f{j}" for j in range(matrix.shape[1])])


def reconstruction_error(model: Any, data: Any) -> float:
    """Return the mean squared error of an autoencoder of ours, in units of each column's standard deviation."""
    import torch

    x, observed = torch.tensor(data.values), torch.tensor(data.observed)
    with torch.inference_mode():
        heads = model.heads(model.net)
        error = heads.standardise(heads.expected(model.net(x, observed))) - heads.standardise(x)
    return float(error.square().mean())


class Pyod:
    def __init__(self) -> None:
        from pyod.models.auto_encoder import AutoEncoder

        self.detector = AutoEncoder(verbose=0)

    def prepare(self, matrix: Matrix) -> Any:
        return matrix

    def fit(self, data: Any) -> None:
        self.detector.fit(data)

    def score(self, data: Any) -> Any:
        return self.detector.decision_function(data, batch_size=256)

    def loss(self, data: Any) -> float:
        # PyOD's score is the Euclidean norm of a row's standardised residuals.
        return float(np.square(self.score(data)).mean() / data.shape[1])


class Model:
    def __init__(self) -> None:
        from anomalo.models.run import LocalRun
        from anomalo_autoencoders.bottleneck.undercomplete import Undercomplete

        self.model, self.run = Undercomplete(**SIZE), LocalRun(seed=0)

    def prepare(self, matrix: Matrix) -> Any:
        return encoded(matrix)

    def fit(self, data: Any) -> None:
        self.model.fit(data, self.run)

    def score(self, data: Any) -> Any:
        return self.model.score(data)

    def loss(self, data: Any) -> float:
        return reconstruction_error(self.model, data)


class Estimator:
    def __init__(self) -> None:
        from anomalo import AnomalyDetector

        self.detector = AnomalyDetector("undercomplete", params=SIZE, random_state=0, calibrate=False, device="cpu")

    def prepare(self, matrix: Matrix) -> Any:
        return frame(matrix)

    def fit(self, data: Any) -> None:
        self.detector.fit(data)

    def score(self, data: Any) -> Any:
        return self.detector.score_samples(data)

    def loss(self, data: Any) -> float:
        import pyarrow as pa

        fitted = self.detector.fitted_
        batch = pa.RecordBatch.from_pandas(data, preserve_index=False)
        return reconstruction_error(fitted.model, fitted.encode(batch))


def peak() -> float:
    """Return the most memory this process ever held, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)


def timed(function: Callable[[], Any]) -> float:
    started = time.process_time()
    function()
    return time.process_time() - started


def work(name: str, options: argparse.Namespace) -> dict[str, float]:
    """Measure one contestant in this process."""
    import torch

    torch.set_num_threads(options.threads)
    kind = {"pyod": Pyod, "model": Model, "estimator": Estimator}[name]
    warm = kind()
    warm.fit(warm.prepare(sample(500, options.columns, 3)))
    warm.score(warm.prepare(sample(500, options.columns, 3)))
    contestant = kind()
    train = contestant.prepare(sample(options.train, options.columns, 1))
    fit = timed(lambda: contestant.fit(train))
    fit_peak = peak()
    rows = contestant.prepare(sample(options.rows, options.columns, 2))
    score = timed(lambda: contestant.score(rows))
    score_peak = peak()
    return {
        "fit_s": fit,
        "score_s": score,
        "train_loss": contestant.loss(train),
        "new_loss": contestant.loss(contestant.prepare(sample(options.train, options.columns, 4))),
        "fit_peak_mib": fit_peak,
        "score_peak_mib": score_peak,
    }


def launch(name: str, options: argparse.Namespace) -> dict[str, float]:
    """Run one contestant in a fresh process."""
    arguments = [f"--{key}={getattr(options, key)}" for key in ("train", "rows", "columns", "threads")]
    threads = {key: str(options.threads) for key in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    done = subprocess.run(
        [sys.executable, str(Path(__file__).resolve()), f"--worker={name}", *arguments],
        check=True,
        stdout=subprocess.PIPE,
        env={**os.environ, **threads},
        text=True,
    )
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def report(results: pd.DataFrame) -> None:
    """Print the medians and the ratios to PyOD."""
    medians = (
        results.groupby("contestant").median().reindex([c for c in CONTESTANTS if c in set(results["contestant"])])
    )
    print(medians.round(4).T.to_string())
    if "pyod" not in medians.index:
        return
    for name in medians.index.drop("pyod"):
        ratio = medians.loc["pyod"] / medians.loc[name]
        print(
            f"{name}: fit {ratio['fit_s']:.1f} times as fast, score {ratio['score_s']:.1f} times as fast, "
            f"loss {1 / ratio['train_loss']:.3f} of PyOD's on training rows, {1 / ratio['new_loss']:.3f} on new rows"
        )


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=int, default=20_000, help="training rows")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows to score")
    parser.add_argument("--columns", type=int, default=30)
    parser.add_argument("--repeat", type=int, default=3, help="rounds over the contestants")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", default=",".join(CONTESTANTS), help="contestants, separated by commas")
    parser.add_argument("--out", type=Path, help="a CSV file for every measurement")
    parser.add_argument("--worker", choices=CONTESTANTS, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    options = _parse()
    if options.worker:
        warnings.simplefilter("ignore")
        print(json.dumps(work(options.worker, options)))
        return
    rows = []
    for number in range(options.repeat):
        for name in options.only.split(","):
            rows.append({"contestant": name, "round": number, **launch(name, options)})
            print(name, f"fit {rows[-1]['fit_s']:.2f} s, score {rows[-1]['score_s']:.2f} s", flush=True)
    results = pd.DataFrame(rows)
    if options.out:
        results.to_csv(options.out, index=False)
    report(results.drop(columns="round"))


if __name__ == "__main__":
    main()

"""CPU seconds of the command `anomalo score` on a large table, and a digest of the scores.

    python benchmarks/score_speed.py --models iforest linear                      # this environment's anomalo
    python benchmarks/score_speed.py --models iforest linear --python OTHER/bin/python --repeat 3

The table has numbers, categories and missing cells, and is written once as CSV; models are fitted on its first rows.
CPU seconds are those of the whole command, its start included, the least of the repeats: compare them within one run.
"""

import argparse
import hashlib
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd


def table(rows: int, numbers: int, categories: int, seed: int = 0) -> pd.DataFrame:
    """Return rows of correlated numbers and of categories of eight levels, 3 % of the cells missing."""
    rng = np.random.default_rng(seed)
    signal = rng.standard_normal((rows, 4)) @ rng.standard_normal((4, numbers))
    values = np.round(signal + 0.3 * rng.standard_normal((rows, numbers)), 4)
    values[rng.random(values.shape) < 0.03] = np.nan
    levels = {}
    for at in range(categories):
        level = np.clip(np.round(signal[:, at] + 4), 0, 7).astype(int)
        levels[f"c{at}"] = pd.Series(np.array(list("abcdefgh"))[level]).mask(rng.random(rows) < 0.03)
    frame = pd.DataFrame(values, columns=[f"n{at}" for at in range(numbers)])
    return pd.concat([frame, pd.DataFrame(levels, index=frame.index)], axis=1)


def cpu_seconds(python: str, *arguments: object) -> float:
    """Run a command with one thread and return the CPU seconds of it and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([python, "-m", "anomalo", *map(str, arguments), "--threads", "1"], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Parse the options, and print one line for each model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="*", default=["iforest", "linear"])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--numbers", type=int, default=12)
    parser.add_argument("--categories", type=int, default=4)
    parser.add_argument("--fit-rows", type=int, default=5000)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--python", nargs="*", default=[sys.executable], help="interpreters to compare, in turn")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        frame = table(options.rows, options.numbers, options.categories)
        frame.to_csv(folder / "all.csv", index=False)
        frame.head(options.fit_rows).to_csv(folder / "train.csv", index=False)
        for model in options.models:
            seconds: dict[str, list[float]] = {python: [] for python in options.python}
            digests = {}
            for number, python in enumerate(options.python):
                fit = (
                    "fit",
                    folder / "train.csv",
                    "--model",
                    model,
                    "--as",
                    model,
                    "--workspace",
                    folder / str(number),
                )
                cpu_seconds(python, *fit)
            for _ in range(options.repeat):
                for number, python in enumerate(options.python):
                    out = folder / "scores.parquet"
                    out.unlink(missing_ok=True)  # else nothing would be done again
                    score = ("score", folder / "all.csv", "--with", model, "-o", out)
                    seconds[python].append(cpu_seconds(python, *score, "--workspace", folder / str(number)))
                    scores = pd.read_parquet(out, columns=["row", "score", "p_value", "alert"])
                    digests[python] = hashlib.sha256(scores.to_csv(index=False).encode()).hexdigest()[:12]
            for python, found in seconds.items():
                print(f"{model:10} {min(found):7.1f} CPU s  scores {digests[python]}  {python}", flush=True)


if __name__ == "__main__":
    main()

"""Digests of what every model answers with seed 0, to see that a change of the code changes no number.

    python benchmarks/digests.py -o before.csv                       # on the former code
    python benchmarks/digests.py -o after.csv --against before.csv   # exit status 1 where a digest differs

Scores, p-values and alerts, imputed tables, codes and synthetic rows come from the command line, with one thread. They
are equal on one machine; other processors round differently.
"""

import argparse
import csv
import hashlib
import json
import subprocess
import sys
import tempfile
from importlib import resources
from pathlib import Path
from typing import Any

import pandas as pd

SCORES = ["row", "score", "p_value", "alert"]
FORMAT = {"score": ".parquet", "impute": ".csv", "embed": ".parquet", "sample": ".csv"}


def anomalo(*arguments: object) -> str:
    """Run a command and return what it prints."""
    command = [sys.executable, "-m", "anomalo", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command[1:])}: exit {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def digest(path: Path, verb: str) -> str:
    """Return the SHA-256 of a text file, or of the columns of a Parquet file, in 24 digits."""
    if path.suffix == ".csv":
        return hashlib.sha256(path.read_bytes()).hexdigest()[:24]
    table = pd.read_parquet(path, columns=SCORES if verb == "score" else None)
    return hashlib.sha256(table.to_csv(index=False).encode()).hexdigest()[:24]


def answers(model: dict[str, Any], table: Path, label: str, rows: int, folder: Path) -> list[tuple[str, str, str]]:
    """Fit a model and return its name, each of its verbs and the digest of the answer."""
    name, common = model["name"], ("--workspace", folder, "--threads", 1, "--device", "cpu")
    supervised = ("--supervised",) if "proba" in model["verbs"] else ()
    anomalo("fit", table, "--model", name, "--as", name, "--seed", 0, "--label", label, *supervised, *common)
    commands: dict[str, tuple[object, ...]] = {
        "score": ("score", table),
        "impute": ("impute", table),
        "embed": ("embed", table),
        "sample": ("augment", "-n", rows, "--seed", 0),
    }
    found = []
    for verb in commands.keys() & set(model["verbs"]):
        output = folder / f"{name}-{verb}{FORMAT[verb]}"
        anomalo(*commands[verb], "--with", name, "-o", output, *common)
        found.append((name, verb, digest(output, verb)))
    return sorted(found)


def differences(path: Path, before: Path) -> list[str]:
    """Return a line for each digest that is not the same in both files, of those that both have."""
    one, other = ({tuple(row[:2]): row[2] for row in csv.reader(file.open())} for file in (before, path))
    return [
        f"{model} {verb} differs"
        for model, verb in sorted(one.keys() & other.keys())
        if one[model, verb] != other[model, verb]
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, help="a table with a label, instead of the bundled one")
    parser.add_argument("--label", default="Target", help="its label")
    parser.add_argument("--models", nargs="*", help="these models only; all take about an hour")
    parser.add_argument("--rows", type=int, default=300, help="synthetic rows of each generator")
    parser.add_argument("--against", type=Path, help="the output of an earlier run, to compare with")
    parser.add_argument("-o", "--output", type=Path, required=True, help="where to write the digests, as CSV")
    options = parser.parse_args()
    table = options.table or Path(str(resources.files("anomalo.datasets") / "hypothyroid.csv"))
    models = [
        each for each in json.loads(anomalo("models", "--json")) if each["name"] in (options.models or [each["name"]])
    ]
    with options.output.open("w", newline="") as file, tempfile.TemporaryDirectory() as folder:
        writer = csv.writer(file)
        writer.writerow(("model", "verb", "digest"))
        for model in models:
            writer.writerows(answers(model, table, options.label, options.rows, Path(folder)))
            file.flush()
    if options.against:
        found = differences(options.output, options.against)
        print("\n".join(found) or "all equal")
        sys.exit(bool(found))


if __name__ == "__main__":
    main()

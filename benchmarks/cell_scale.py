"""CPU time and memory of finding wrong cells in a large generated table.

    python benchmarks/cell_scale.py [--rows 200000] [--new 1000] [--seed 0]

The table has 20 columns: names, codes, addresses, free text and emails; numbers, categories and dates; all with typos.
Prints CPU minutes and the largest resident memory of the process, for the whole table and, with `--new`, for some rows
behind a sample of it.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
from numpy.typing import NDArray

from anomalo.cleaning.coded import CodedTable
from anomalo.cleaning.suspects import suspects

Texts = NDArray[np.object_]
Random = np.random.Generator

SYLLABLES = ("ba", "den", "for", "gil", "ham", "ka", "lo", "mar", "nes", "or", "pe", "ri", "son", "tu", "vel", "wick")
WORDS = ("the", "patient", "order", "was", "seen", "late", "returned", "with", "no", "damage", "call", "again", "soon")


def words(random: Random, rows: int, parts: int) -> Texts:
    """Return words of some syllables."""
    found = random.choice(SYLLABLES, (rows, parts)).astype(object)
    return np.array(["".join(line).capitalize() for line in found], dtype=object)


def with_typos(texts: Texts, random: Random, share: float = 0.01) -> Texts:
    """Return texts, a letter of some of which is an x."""
    changed = texts.copy()
    for row in np.flatnonzero(random.random(len(texts)) < share):
        at = int(random.integers(max(len(texts[row]), 1)))
        changed[row] = f"{texts[row][:at]}x{texts[row][at + 1 :]}"
    return changed


def table(rows: int, seed: int) -> dict[str, list[str]]:
    """Return the columns of the table."""
    random = np.random.default_rng(seed)
    towns, streets = words(random, 400, 3), words(random, 3000, 3)
    town, street = random.integers(0, 400, rows), random.integers(0, 3000, rows)
    first, last = words(random, 2000, 2), words(random, 8000, 3)
    given, family = random.integers(0, 2000, rows), random.integers(0, 8000, rows)
    number = random.lognormal(3, 1, (5, rows))
    day = np.datetime64("2020-01-01") + random.integers(0, 1500, (2, rows))
    free = random.choice(WORDS, (rows, 9)).astype(object)
    columns: dict[str, Texts] = {
        "name": first[given] + " " + last[family],
        "code": np.array([f"{at:03}-{at * 7919 % 100000:05}" for at in range(rows)], dtype=object),
        "address": np.array(
            [f"{at} {streets[one]} St, {towns[other]}" for at, one, other in zip(given, street, town, strict=True)],
            dtype=object,
        ),
        "note": np.array([" ".join(line) for line in free], dtype=object),
        "email": np.array(
            [f"{first[a]}.{last[b]}@{towns[c]}.org".lower() for a, b, c in zip(given, family, town, strict=True)],
            dtype=object,
        ),
        "town": towns[town],
        "zip": np.array([f"{10000 + at * 211}" for at in town], dtype=object),
        "state": towns[town % 50],
        "group": random.choice(list("ABCDEF"), rows).astype(object),
        "status": random.choice(["open", "closed", "on hold"], rows).astype(object),
        "yes": random.choice(["yes", "no"], rows).astype(object),
    }
    columns |= {f"number {at}": np.array([f"{value:.2f}" for value in number[at]], dtype=object) for at in range(3)}
    columns["sum"] = np.array([f"{value:.2f}" for value in number.round(2)[:3].sum(axis=0)], dtype=object)
    columns["count"] = random.poisson(20, rows).astype(str).astype(object)
    columns["score"] = random.integers(0, 101, rows).astype(str).astype(object)
    columns["start"], columns["end"] = (days.astype(str).astype(object) for days in day)
    columns["age"] = random.integers(18, 95, rows).astype(str).astype(object)
    return {name: with_typos(texts, random).tolist() for name, texts in columns.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--new", type=int, default=0, help="so many new rows behind a sample of the table, too")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    coded = CodedTable.of_texts(table(options.rows, options.seed))
    report("the table itself", time.process_time())
    start = time.process_time()
    found = suspects(coded)
    report(f"{found.flagged.sum()} of {found.probability.size} cells flagged", start)
    if options.new:
        joined = CodedTable.joined(coded.sampled(), CodedTable.of_texts(table(options.new, options.seed + 1)))
        start = time.process_time()
        suspects(joined)
        report(f"{options.new} new rows", start)


def report(what: str, start: float) -> None:
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{what}: {(time.process_time() - start) / 60:.2f} CPU minutes, at most {memory:.2f} GB so far", flush=True)


if __name__ == "__main__":
    main()

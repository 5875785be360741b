"""What conditions on synthetic rows cost, whether they are kept, and the memory that many levels take.

`cost`: a table of 5,000 rows with a level of one row in a thousand. Rows given that level, relative to as many given
nothing: CPU seconds of one thread, medians of three; and the share of them that have it. `levels`: the peak memory of a
fit on 20,000 rows with a column of 10,000 levels, and of making rows; run it for one model at a time.

Training is cut short: memory does not depend on it, and a condition on a diffusion model costs the more, the less that
has learned.
"""

import argparse
import resource
import time
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
from harness import calm, names

from anomalo import TableAugmenter

ROWS = 5_000
SHORT: dict[str, dict[str, Any]] = {
    "edm": {"updates": 300},
    "ddpm": {"updates": 300},
    "gan": {"epochs": 3},
    "cgan": {"epochs": 3},
    "wgan": {"epochs": 3},
}


def rare(rng: np.random.Generator) -> pd.DataFrame:
    """Return rows with a level of one in a thousand, numbers that depend on it, and categories."""
    kind = rng.permutation(np.repeat(["often", "seldom", "rare"], [3_000, 1_995, 5]))
    numbers = {f"x{at}": rng.normal(size=ROWS) + (kind == "seldom") for at in range(8)}
    categories = {f"c{at}": rng.choice(list("uvwxyz"), ROWS) for at in range(5)}
    return pd.DataFrame({"kind": kind, **numbers, **categories})


def cost(model: str, table: pd.DataFrame) -> str:
    """Return what a condition costs, and how often it is kept."""
    augmenter = TableAugmenter(model, params=SHORT.get(model, {}), device="cpu").fit(table)

    def seconds(**given: Any) -> float:
        started = time.process_time()
        augmenter.sample(ROWS, **given)
        return time.process_time() - started

    free = median(seconds() for _ in range(3))
    conditioned = median(seconds(where={"kind": "rare"}) for _ in range(3))
    kept = float((augmenter.sample(ROWS, where={"kind": "rare"})["kind"] == "rare").mean())
    share = conditioned / free
    return f"{model}: {share:.2f} of the cost without a condition ({free:.2f} s), kept by {100 * kept:.0f} %"


def levels(model: str, count: int, rng: np.random.Generator) -> str:
    """Return the peak memory of this process after a fit on a column of many levels."""
    level = np.concatenate([np.arange(count), rng.integers(count, size=count)])
    table = pd.DataFrame({"level": [f"v{at}" for at in level], "number": rng.normal(size=len(level))})
    rows = TableAugmenter(model, params=SHORT.get(model, {}), device="cpu").fit(table).sample(ROWS)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return f"{model}: {count:,} levels, {rows['level'].nunique():,} of them in {ROWS:,} rows, peak {peak:,} MiB"


def main() -> None:
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("part", choices=("cost", "levels"))
    command.add_argument("--models", type=names, default=["edm", "ddpm", "gan"])
    command.add_argument("--levels", type=int, default=10_000, help="how many levels the column has")
    options = command.parse_args()
    with calm(1):
        for model in options.models:
            rng = np.random.default_rng(0)
            print(cost(model, rare(rng)) if options.part == "cost" else levels(model, options.levels, rng), flush=True)


if __name__ == "__main__":
    main()

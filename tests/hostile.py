"""A table whose names, cells and levels try to be more than text, and a workspace with runs of all verbs on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

HOSTILE = (
    "![x](http://evil.example/a.png)",
    "[link](http://evil.example)",
    "<img src=x onerror=alert(1)>",
    r"$\frac{1}{2}$",
    ":material/home:",
    ":smile:",
    ":red[x]",
    "www.evil.example",
    "http://evil.example",
    "a@evil.example",
    "left\u202etfel",
    "**bold**",
    "`code`",
    "a -> b",
    ":help",
)
FILE = "![x] [l](e) <img src=x onerror=alert(1)> $a$ :smile: **b** `c` a@evil.example.csv"
MODEL = "www.evil.example"
"""A name that the workspace allows."""


def table() -> pd.DataFrame:
    """Return a table of which each name and each text is hostile."""
    rng, rows = np.random.default_rng(0), 150
    level = [HOSTILE[at] for at in rng.integers(0, len(HOSTILE), rows)]
    first = rng.normal(50, 5, rows)
    frame = pd.DataFrame(
        {
            "id ![x](http://evil.example/a.png)": [f"{HOSTILE[at % len(HOSTILE)]} {at}" for at in range(rows)],
            r"$\frac{1}{2}$ [link](http://evil.example)": first.round(2),
            'a.b[0]:Q "x" <img src=x onerror=alert(1)>': (2 * first + rng.normal(0, 1, rows)).round(2),
            ":material/home: :smile: `code` www.evil.example": level,
            "left\u202etfel **bold** :red[x] :help": rng.choice(["yes", HOSTILE[0]], rows),
            "a@evil.example": np.where(np.arange(rows) < 5, "http://evil.example", "no"),
        }
    )
    frame.iloc[:3, 1] = 500.0
    frame.iloc[10:14, 2] = np.nan
    frame.iloc[12:16, 3] = None
    return frame


def workspace(anomalo: Callable[..., Any], folder: Path) -> Path:
    """Make a workspace with a run of each verb."""
    source, home, frame = folder / FILE, folder / "workspace", table()
    frame.to_csv(source, index=False)
    columns = ("--id", frame.columns[0], "--label", frame.columns[-1])

    def call(verb: str, *more: object) -> dict[str, Any]:
        device = () if verb == "evaluate" else ("--device", "cpu")
        outcome = anomalo(verb, *more, *device, "--workspace", home, "--json")
        assert outcome.code == 0, outcome.err
        return dict(outcome.json)

    call("fit", source, "--as", MODEL, "--model", "linear", "--set", "epochs=3", *columns)
    call("fit", source, "--as", "maker", "--model", "bootstrap", "--for", "sample", *columns)
    for verb in ("score", "impute", "repair", "embed"):
        call(verb, source, "--with", MODEL, *(("--threshold", "budget=5") if verb in ("score", "repair") else ()))
    made = call("augment", "--with", "maker", "-n", 60)
    call("evaluate", "--synthetic", Path(made["path"]) / "rows.csv", "--real", source)
    return home

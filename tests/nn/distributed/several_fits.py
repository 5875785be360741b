"""Fit models in one process, or in those of torchrun, and write their losses and scores as JSON.

    python several_fits.py OUT MODEL…          # in one process
    torchrun … several_fits.py OUT MODEL…      # in several; the first one writes

MODEL is a name, or JSON: a name and parameters.
"""

import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from anomalo.encoding.target import label_of
from anomalo.nn.distributed.processes import run_with_others
from anomalo.pipeline.config import FitConfig
from anomalo.pipeline.fitted import Fitted
from anomalo.registry.registry import Registry
from anomalo.tabular.columns import ParsedTable
from anomalo.tabular.schema import SchemaOptions, infer

ROWS = 327
"""So that batches have 16 rows, and the last one 7, with and without held-out rows: no 3 nor 2 divides them all."""


def table() -> pa.Table:
    rng = np.random.default_rng(0)
    a, level = rng.normal(size=ROWS), rng.choice(list("xyz"), ROWS, p=[0.6, 0.3, 0.1])
    columns: dict[str, Any] = {"a": a, "b": 2 * a + 0.3 * rng.normal(size=ROWS), "c": np.exp(rng.normal(size=ROWS))}
    columns |= {"d": np.where(level == "x", a, -a), "level": level, "kind": rng.choice(["u", "v"], ROWS)}
    missing = {name: rng.random(ROWS) < 0.1 for name in columns if name != "kind"}
    return pa.table({name: pa.array(values, mask=missing.get(name)) for name, values in columns.items()})


def fitted(registry: Registry, name: str, **params: Any) -> dict[str, Any]:
    supervised = name == "classifier"
    parsed = ParsedTable(table())
    schema = infer(parsed, SchemaOptions(label="kind") if supervised else SchemaOptions())
    config = FitConfig(name, params, device="cpu", calibrate=False)
    outcome = Fitted.fit(parsed, schema, config, registry, target=label_of(parsed, schema) if supervised else None)
    model, history = outcome.fitted, outcome.fitted.facts["history"]
    losses = [[entry[key] for key in sorted(entry) if "loss" in key] for entry in history if "loss" in entry]
    scores = model.score(outcome.data).score.tolist() if "score" in model.guarded.verbs else [1.0]
    return {"losses": losses, "scores": scores}


def fit_all(output: Path, models: list[str]) -> int:
    warnings: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: warnings.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("anomalo").addHandler(handler)
    registry, found = Registry.load(), {}
    for text in models:
        name, params = json.loads(text) if text.startswith("[") else (text, {})
        warnings.clear()
        found[text] = fitted(registry, name, **params) | {"warnings": list(warnings)}
    output.write_text(json.dumps(found))
    return 0


if __name__ == "__main__":
    arguments = Path(sys.argv[1]), sys.argv[2:]
    torch.set_num_threads(1)
    sys.exit(run_with_others(lambda: fit_all(*arguments)) if "RANK" in os.environ else fit_all(*arguments))

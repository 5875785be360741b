"""Advise whether synthetic rows, or images, help to learn a rare class, and from which generator."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from anomalo.jobs.context import JobContext
from anomalo.pipeline.augmentation.advice import Advice
from anomalo.pipeline.augmentation.study import advise as try_out
from anomalo.tabular.schema import SchemaOptions
from anomalo.workspace.workspace import RunRecord


@dataclass(frozen=True)
class AdviseResult:
    """The advice and the stored run."""

    run: RunRecord
    advice: Advice


def advise(
    context: JobContext,
    source: str,
    options: SchemaOptions,
    *,
    generators: tuple[str, ...] = (),
    seed: int = 0,
) -> AdviseResult:
    """Compare ways to train a classifier of the label's rarest value on `source`, and store the run.

    Raises
    ------
    UsageError
        There is no label, no rare class with enough rows, or no generator of such a name for these rows; or they are
        neither a table's nor images.
    SourceError
        The source cannot be read.
    TrainingError
        The classifier cannot be trained on the real rows.
    """
    for name in generators:
        context.registry.get(name)
    table = pa.Table.from_batches(list(context.batches(source)))
    advice = try_out(table, options, context.registry, generators=generators, seed=seed, progress=context.progress)

    def write(folder: Path) -> dict[str, Any]:
        return advice_facts(advice)

    seconds = sum(trial.seconds for trial in advice.trials)
    return AdviseResult(context.store.add_run("advise", write, model=None, source=source, seconds=seconds), advice)


def advice_facts(advice: Advice) -> dict[str, Any]:
    """Return the advice as JSON-ready values."""
    none = advice.trials[0]
    trials = []
    for trial in advice.trials:
        gain, low, high = advice.gain(trial, none) if not trial.failure else (None, None, None)
        trials.append(
            {
                "method": trial.method,
                "average_precision": None if trial.failure else trial.mean(),
                "gain": gain,
                "low": low,
                "high": high,
                "parts": len(trial.precision),
                "hopeless": trial.hopeless,
                "seconds": trial.seconds,
                "failure": trial.failure,
            }
        )
    return {
        "label": advice.label,
        "positive": advice.positive,
        "positives": advice.positives,
        "rows": advice.rows,
        "best": advice.best().method,
        "recommendation": advice.recommendation(),
        "trials": trials,
    }

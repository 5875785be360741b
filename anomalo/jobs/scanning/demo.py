"""The main job on the bundled table of thyroid patients: find anomalous rows, and impute missing cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import as_file, files
from typing import Any

from anomalo.calibration.thresholds import Threshold
from anomalo.jobs.context import JobContext
from anomalo.jobs.imputing.result import ImputeResult
from anomalo.jobs.scanning.scan import ScanResult, scan
from anomalo.pipeline.config import FitConfig
from anomalo.tabular.schema import SchemaOptions

DIAGNOSIS = "Target"


@dataclass(frozen=True)
class HiddenError:
    """The error of predicted cells that were hidden, and that of the column's mean or mode.

    Attributes
    ----------
    column, kind : str
        The column, and "number" or "category".
    error, baseline : float
        Root mean squared error in the column's units, or the share of wrong levels.
    """

    column: str
    kind: str
    error: float
    baseline: float


@dataclass(frozen=True)
class DemoResult:
    """The result of the demonstration."""

    scan: ScanResult
    filled: ImputeResult
    hidden: tuple[HiddenError, ...]


def demo(
    context: JobContext,
    *,
    params: Mapping[str, Any] | None = None,
    seed: int = 0,
    device: str = "auto",
) -> DemoResult:
    """Fit a model on the bundled table, score and impute it; the diagnosis is never shown to the model."""
    with as_file(files("anomalo.datasets") / "hypothyroid.csv") as path:
        source = str(path)
        config = FitConfig("auto", params or {}, seed=seed, device=device)
        found = scan(context, source, config, SchemaOptions(label=DIAGNOSIS), Threshold("share", 0.05))
    assert found.filled is not None
    return DemoResult(found, found.filled, _hidden(found))


def _hidden(found: ScanResult) -> tuple[HiddenError, ...]:
    fitted = found.fitted.fitted
    if fitted.hidden is None:
        return ()
    return tuple(
        HiddenError(b.name, b.kind, float(fitted.hidden.error[b.position]), float(fitted.hidden.baseline[b.position]))
        for b in fitted.encoder.layout.blocks
        if fitted.hidden.baseline[b.position] > 0
    )

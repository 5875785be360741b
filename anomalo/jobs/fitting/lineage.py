"""Where a fitted model comes from: its data, its options, its metrics, who fitted it and with what."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from anomalo.evaluation.metrics import average_precision, roc_auc
from anomalo.jobs.scoring.labelled import label_texts, positives
from anomalo.models.guard import Origin
from anomalo.persistence.checksums import files_digest
from anomalo.pipeline.config import FitConfig
from anomalo.pipeline.fitted import FitOutcome, Fitted
from anomalo.tabular.columns import ParsedTable
from anomalo.tabular.reading.folder.listing import local_files
from anomalo.tabular.schema import SchemaOptions
from anomalo.version import __version__
from anomalo.workspace.authorship import who


def data_of(source: str) -> dict[str, Any]:
    """Return what identifies the bytes of a local source; nothing of one that is not local.

    The checksum of one file is that of `sha256sum`; that of several is the checksum of theirs, one after the other.
    """
    files = local_files(source)
    if not files:
        return {}
    return {"files": len(files), "bytes": sum(file.stat().st_size for file in files), "sha256": files_digest(files)}


def lineage(
    outcome: FitOutcome, table: ParsedTable | None, config: FitConfig, options: SchemaOptions, data: dict[str, Any]
) -> dict[str, Any]:
    """Return what the record of a fit keeps of its origin, JSON-ready.

    Parameters
    ----------
    table : ParsedTable, optional
        The training rows, whose label the scores are compared with; None if they are not all there, or if the label
        was learned.
    data : dict
        See `data_of`. The fingerprint of the rows, as the model sees them, is added: it does not depend on the file's
        format, on batches or on the order of the rows.
    """
    fitted = outcome.fitted
    asked = {
        **asdict(options),
        "device": config.device,
        "constraints": config.constraints,
        "calibrate": config.calibrate,
        "supervised": bool(fitted.facts.get("classes")),
        "max_memory": config.max_memory,
    }
    return {
        "who": who(),
        "anomalo": __version__,
        "plugins": {name: str(Origin(**origin)) for name, origin in fitted.facts["plugins"].items()},
        "data": {"fingerprint": fitted.facts["fingerprint"], **data},
        "metrics": metrics_of(fitted) | ({} if table is None else _label_metrics(table, outcome)),
        "options": {name: value for name, value in asked.items() if value not in (None, (), {}, False)},
        **({"parent": fitted.facts["initial"]} if "initial" in fitted.facts else {}),
    }


def metrics_of(fitted: Fitted) -> dict[str, float]:
    """Return how well a model does by its fit: `skill` on hidden cells, and the best `validation_loss`."""
    found: dict[str, float] = {}
    skill = None if fitted.hidden is None else fitted.hidden.skill()
    if skill is not None and skill == skill:
        found["skill"] = skill
    losses = [entry["validation_loss"] for entry in fitted.facts["history"] if "validation_loss" in entry]
    return found | ({"validation_loss": min(losses)} if losses else {})


def _label_metrics(table: ParsedTable, outcome: FitOutcome) -> dict[str, float]:
    """Return how well the training rows' scores, each by models not fitted on the row, find the label's rarer value.

    Nothing if there is no label with two values, or if the model does not score.
    """
    fitted = outcome.fitted
    if fitted.schema.label is None or outcome.scores is None:
        return {}
    found = positives(label_texts(fitted.schema, table))
    if found is None:
        return {}
    values = fitted.score(outcome.data, outcome.scores).score[found.known]
    return {"auroc": roc_auc(found.positive, values), "ap": average_precision(found.positive, values)}

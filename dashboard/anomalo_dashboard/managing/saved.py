"""What is kept of saved models: the columns that one reads, and how it was fitted."""

from __future__ import annotations

from typing import Any

from anomalo.errors import AnomaloError
from anomalo.jobs.fitting.again import fit_options
from anomalo.workspace.workspace import ModelRecord, Workspace
from anomalo_dashboard import data, sources


def columns_read(record: ModelRecord) -> list[str]:
    """Return the columns that a table must have to be scored; none if the model's folder is missing or damaged."""
    try:
        columns: list[dict[str, Any]] = Workspace.manifest(record)["schema"]["columns"]
    except (AnomaloError, KeyError):
        return []
    return [column["name"] for column in columns if column.get("role") == "feature"]


def verbs_of(record: ModelRecord) -> set[str]:
    """Return what a saved model was fitted for."""
    summary = record.summary
    goals = set(summary.get("goals") or summary.get("verbs", []))
    return goals & set(summary.get("verbs", []))


def retraining(record: ModelRecord, source: str) -> list[str]:
    """Return the command that fits the next version of a model on a table, with the options of this version.

    Raises
    ------
    UsageError
        How it was fitted is not known.
    """
    kinds = {kind["name"]: kind for kind in data.kinds_of_model()}
    parameters = kinds.get(record.model, {"parameters": []})["parameters"]
    defaults = {parameter["name"]: parameter["default"] for parameter in parameters}
    return ["fit", source, "--as", record.name, *fit_options(record, defaults), *sources.flags(record, source)]

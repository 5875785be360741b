"""Alert rate, drift and missing rate of the runs of a workspace over time."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from anomalo.errors import UsageError
from anomalo.workspace.workspace import RunRecord, Workspace


@dataclass(frozen=True)
class Point:
    """One scoring or comparison.

    Attributes
    ----------
    run, model, source, created : str
        As in `RunRecord`; a comparison has no model.
    rows : int
        Rows of the table.
    alert_rate : float or None
        The share of rows that are alerts.
    p_value : float or None
        That the table is of the distribution of the training table, or of the reference.
    auroc : float or None
        Of distinguishing the two; 0.5 is chance.
    differs : bool or None
        Whether they differ.
    missing_rate : float or None
        The share of cells that are missing.
    """

    run: str
    model: str | None
    source: str
    created: str
    rows: int
    alert_rate: float | None
    p_value: float | None
    auroc: float | None
    differs: bool | None
    missing_rate: float | None

    def to_json(self) -> dict[str, Any]:
        """Return the point as JSON-ready values."""
        return asdict(self)


def trend(store: Workspace, reference: str | None = None) -> list[Point]:
    """Return the scorings and comparisons of a workspace, oldest first.

    Parameters
    ----------
    reference : str, optional
        Only the scorings with this model: a name, for all its versions, or `ID@3` or `ID@tag`.

    Raises
    ------
    UsageError
        There is no such model.
    """
    runs = [run for run in store.runs() if run.verb in ("score", "compare")]
    if reference is not None:
        if not reference.strip():
            raise UsageError("give the name of a model, or none for all runs")
        record = store.model(reference)
        models = {record.reference} if "@" in reference else {each.reference for each in store.models(record.name)}
        runs = [run for run in runs if run.model in models]
    return [point(run) for run in runs]


def point(run: RunRecord) -> Point:
    """Return what a scoring or comparison adds to the trend."""
    facts, drift = run.summary, run.summary.get("drift") or {}
    rows, alerts = facts.get("rows", 0), facts.get("alerts")
    return Point(
        run.id,
        run.model,
        run.source,
        run.created,
        rows,
        None if alerts is None or not rows else alerts / rows,
        drift.get("p_value"),
        drift.get("auroc"),
        drift.get("differs"),
        drift.get("missing"),
    )

"""Collect the reviewed rows of a model's runs, as they were kept, with their scores and reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from anomalo.encoding.encoded import Mask, Scores
from anomalo.errors import ArtefactError, SchemaError
from anomalo.feedback.conditions import joined
from anomalo.feedback.reviewed import CONFIRMED, Reviewed
from anomalo.jobs.scoring import accepted
from anomalo.jobs.scoring.numbered import free_name
from anomalo.jobs.scoring.score import FILE
from anomalo.pipeline.saved_model import Recalibrated
from anomalo.tabular.columns import Columns
from anomalo.tabular.schema import Schema
from anomalo.workspace.workspace import ModelRecord, RunRecord, Workspace

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class KeptRows:
    """The rows that a run has explained, alerts among them.

    Attributes
    ----------
    rows : int64 [k]
        Their numbers.
    columns : Columns [k]
        Their cells.
    states : list of str [k]
        What was said of each.
    scores, p_values : float64 [k]
        By the model alone.
    alert : bool [k]
        Which are alerts.
    reasons : list of dict [k]
        The contributions of the columns that explain false alarms and expected rows; empty for others.
    """

    rows: Rows
    columns: Columns
    states: list[str]
    scores: Scores
    p_values: Scores
    alert: Mask
    reasons: list[dict[str, float]]


def root_of(record: ModelRecord) -> str:
    """Return the version whose fit a model has: itself, or the one that feedback began with."""
    return str(record.summary.get("lineage", {}).get("feedback", {}).get("root", record.reference))


def kept_rows(store: Workspace, run: RunRecord, schema: Schema) -> KeptRows:
    """Read the rows of a run that are kept in its folder.

    Raises
    ------
    ArtefactError
        A file of the run is missing or damaged.
    SchemaError
        The rows are not of this schema.
    """
    try:
        table = pq.read_table(run.path / "rows.parquet").combine_chunks()
        scores = pq.read_table(run.path / FILE, columns=["score", "p_value", "alert", "reasons"])
        rows = table["row"].to_numpy()
        found = scores.take(pa.array(rows))
        values = {name: found[name].to_numpy().copy() for name in ("score", "p_value", "alert")}
        _by_model_alone(run, rows, values)
    except (OSError, pa.ArrowException, LookupError) as error:
        raise ArtefactError(
            f"the files of the run {run.id} are missing or damaged: restore the folder runs/{run.id} of the "
            "workspace, or score the table again"
        ) from error
    stored = {free_name(column.name, ["row"]): column.name for column in schema.columns}
    raw = table.drop_columns("row")
    raw = raw.rename_columns([stored.get(name, name) for name in raw.column_names])
    columns = schema.parse(raw, first_row=1)
    said = store.reviews.of(run.id)
    states = [said[row].state if row in said else "new" for row in rows.tolist()]
    reasons = [_reasons(of) for of in found["reasons"].to_pylist()]
    return KeptRows(rows, columns, states, values["score"], values["p_value"], values["alert"], reasons)


def _by_model_alone(run: RunRecord, rows: Rows, values: Mapping[str, NDArray[np.generic]]) -> None:
    """Write the model's own scores and p-values over those of accepted rows."""
    path = run.path / accepted.FILE
    if not path.exists():
        return
    table = pq.read_table(path, columns=["row", "score", "p_value"])
    known = table["row"].to_numpy()
    at = np.flatnonzero(np.isin(rows, known))
    for name in ("score", "p_value"):
        values[name][at] = table[name].to_numpy()[np.searchsorted(known, rows[at])]


def _reasons(found: list[dict[str, Any]] | None) -> dict[str, float]:
    return {reason["column"]: reason["contribution"] for reason in found or []}


def reviewed(store: Workspace, record: ModelRecord, model: Recalibrated) -> tuple[Reviewed, list[RunRecord]]:
    """Return the rows from which a model can learn, and the runs that they are of.

    They are those of all reviewed runs of the same fit. Of other versions of the model, whose scores cannot be
    compared, the confirmed rows are among them, so that no pattern accepts rows like them.
    """
    reviews, runs, parts = store.reviews.counts(), [], list[Reviewed]()
    roots = {one.reference: root_of(one) for one in store.models(record.name)}
    for run in store.runs():
        if run.verb != "score" or run.model not in roots or run.id not in reviews:
            continue
        try:
            kept = kept_rows(store, run, model.schema)
        except SchemaError:
            continue  # of a version with other columns
        if roots[run.model] == root_of(record):
            parts.append(Reviewed(kept.columns, kept.states, kept.scores, kept.reasons, model.blocks))
            runs.append(run)
        else:
            parts += _confirmed_only(kept, model)
    return _joined(parts, model), runs


def _confirmed_only(kept: KeptRows, model: Recalibrated) -> list[Reviewed]:
    some = [at for at, state in enumerate(kept.states) if state in CONFIRMED]
    if not some:
        return []
    states, without = [kept.states[at] for at in some], np.full(len(some), -np.inf)
    return [Reviewed(kept.columns.take(np.array(some)), states, without, [{}] * len(some), model.blocks)]


def _joined(parts: list[Reviewed], model: Recalibrated) -> Reviewed:
    if not parts:
        return Reviewed(Columns(0, {}), [], np.zeros(0), [], model.blocks)
    states = [state for part in parts for state in part.states]
    reasons = [each for part in parts for each in part.reasons]
    scores = np.concatenate([part.scores for part in parts])
    return Reviewed(joined([part.columns for part in parts]), states, scores, reasons, model.blocks)

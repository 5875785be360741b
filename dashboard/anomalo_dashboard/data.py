"""Read what the pages show: models, runs and their files, and what is installed; no other file queries them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import streamlit as st
from numpy.typing import NDArray

from anomalo.calibration.thresholds import most_anomalous
from anomalo.errors import AnomaloError, ArtefactError
from anomalo.evaluation.alerts.incidents import Incidents, incidents
from anomalo.jobs.background import queue
from anomalo.jobs.context import JobContext
from anomalo.jobs.deciding.suggestions import suggestions_of
from anomalo.jobs.describing.preview import Preview, preview
from anomalo.jobs.scoring.explained_later import explained_folder
from anomalo.registry.registry import Registry
from anomalo.tabular import quantities
from anomalo.tabular.schema import SchemaOptions
from anomalo.workspace.workspace import ModelRecord, RunRecord, Workspace
from anomalo_dashboard import formatting, projection
from anomalo_dashboard.navigation import workspace

Mask = NDArray[np.bool_]
Rows = NDArray[np.intp]

PAGE = 50
"""Rows on one page of a table."""
_NAMED = ("row", "score", "p_value", "alert", "reasons")


def runs(*verbs: str) -> list[RunRecord]:
    """Return the finished runs, newest first; of some verbs, or all."""
    return [run for run in reversed(Workspace(workspace()).runs()) if not verbs or run.verb in verbs]


def models() -> list[ModelRecord]:
    """Return all versions of all saved models, newest first."""
    return sorted(Workspace(workspace()).models(), key=lambda record: (record.created, record.version), reverse=True)


def training(record: ModelRecord) -> dict[str, Any] | None:
    """Return what a model's manifest says of its training; None if its folder is missing or damaged."""
    try:
        found = _manifest(record)
    except AnomaloError:
        return None
    return {name: found[name] for name in ("history", "training") if name in found}


@st.cache_resource(max_entries=32)
def _manifest(record: ModelRecord) -> dict[str, Any]:
    return Workspace.manifest(record)


def model_of(reference: str | None) -> ModelRecord | None:
    """Return the record of a saved model; None if it is no longer in the workspace."""
    return next((record for record in models() if record.reference == reference), None)


def column_kinds(reference: str | None) -> dict[str, str]:
    """Return the kinds of the columns of a model's table, such as "number"."""
    record = model_of(reference)
    return {} if record is None else dict(record.summary.get("kinds", {}))


def column_units(reference: str | None) -> dict[str, quantities.Unit]:
    """Return what stands before and after the numbers of the columns of a model's table, where anything does."""
    record = model_of(reference)
    units = {} if record is None else record.summary.get("units", {})
    return {name: (before, after) for name, (before, after) in units.items()}


def score_unit(reference: str | None) -> str:
    """Return what a model's scores are measured in, such as "nats"; empty if that has no name or is unknown."""
    record = model_of(reference)
    return "" if record is None else str(record.summary.get("score_unit", ""))


def hidden_cells(record: ModelRecord) -> pd.DataFrame:
    """Return how well a model predicts hidden cells, the best predicted column first; empty if unknown.

    Returns
    -------
    DataFrame
        `column`, `kind`, `error` and `baseline` as texts in the column's own unit, and `less`, the share of the
        baseline's error that the model avoids.
    """
    kinds: dict[str, str] = record.summary.get("kinds", {})
    units = column_units(record.reference)
    lines: list[dict[str, Any]] = []
    for name, entry in record.summary.get("errors", {}).items():
        kind = kinds.get(name, entry["kind"])
        if entry["baseline"] > 0:
            unit = units.get(name, quantities.NO_UNIT)
            texts = {which: quantities.expected_error(entry[which], kind, unit) for which in ("error", "baseline")}
            lines.append({"column": name, "kind": kind, **texts, "less": 1 - entry["error"] / entry["baseline"]})
    return pd.DataFrame(sorted(lines, key=itemgetter("less"), reverse=True))


@dataclass(frozen=True)
class Scores:
    """All scores of a run, in the input's row order.

    Attributes
    ----------
    score, p_value : float64 [n]
        See `anomalo.calibration.conformal`.
    alert : bool [n]
        Which rows are alerts in the run.
    order : int [n]
        Row numbers, most anomalous first.
    reasons : Array of string [n]
        Reasons as text; null where a row was not explained.
    columns : dict of str to int [k]
        For each column, the rows that have it among their reasons.
    incidents : Incidents
        The main reasons of the rows.
    id : str or None
        The name of the column that identifies the rows.
    names : Array of string [n] or None
        Its cells.
    """

    score: NDArray[np.float64]
    p_value: NDArray[np.float64]
    alert: Mask
    order: Rows
    reasons: pa.Array
    columns: Mapping[str, Rows]
    incidents: Incidents
    id: str | None
    names: pa.Array | None

    @cached_property
    def rank(self) -> Rows:
        """Each row's position in the order, counted from 0."""
        rank = np.empty(len(self.order), dtype=np.intp)
        rank[self.order] = np.arange(len(self.order))
        return rank

    def matching(self, text: str, column: str | None) -> Mask:
        """Return which rows have `text` in their id or their reasons, and `column` among the reasons."""
        found = np.ones(len(self.score), dtype=bool)
        if text:
            found = _contains(self.reasons, text)
            if self.names is not None:
                found |= _contains(self.names, text)
        if column is not None:
            among = np.zeros(len(found), dtype=bool)
            among[self.columns.get(column, [])] = True
            found &= among
        return found

    def table(self, rows: Rows, alert: Mask) -> pd.DataFrame:
        """Return rows as they are shown: `rank`, `row`, the id, `score`, `p_value`, `alert`, `reasons`."""
        at = pa.array(rows)
        identity = {} if self.names is None else {str(self.id): self.names.take(at).to_pandas()}
        return pd.DataFrame(
            {
                "rank": self.rank[rows] + 1,
                "row": rows,
                **identity,
                "score": self.score[rows],
                "p_value": self.p_value[rows],
                "alert": alert[rows],
                "reasons": self.reasons.take(at).to_pandas(),
            }
        )


@contextmanager
def files_of(run: RunRecord) -> Iterator[None]:
    """Say what to do where files of a run, read inside, are missing or damaged."""
    try:
        yield
    except AnomaloError:
        raise
    except (OSError, pa.ArrowException, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ArtefactError(
            f"the files of the run {run.id} are missing or damaged: restore the folder runs/{run.id} of the workspace, "
            f"or do it again with anomalo {run.verb}"
        ) from error


def scores(run: RunRecord) -> Scores:
    """Read the scores of a run; read once, as a run never changes."""
    with files_of(run):
        return _scores(run.path, run.created)


# A resource, not data: immutable, and too large to be copied for each interaction.
@st.cache_resource(max_entries=4, show_spinner="Reading the scores")
def _scores(folder: Path, created: str) -> Scores:
    table = pq.read_table(folder / "scores.parquet").combine_chunks()
    score, p_value = table["score"].to_numpy(), table["p_value"].to_numpy()
    reasons = _one(table["reasons"])
    name = next((name for name in table.column_names if name not in _NAMED), None)
    return Scores(
        score,
        p_value,
        table["alert"].to_numpy(),
        most_anomalous(p_value, score),
        formatting.reasons(reasons),
        _by_column(reasons),
        incidents(reasons),
        name,
        None if name is None else _one(table[name]).cast(pa.string()),
    )


def _one(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _contains(cells: pa.Array, text: str) -> Mask:
    found = pc.match_substring(cells, text, ignore_case=True).fill_null(False)
    return np.array(found.to_numpy(zero_copy_only=False))


def _by_column(reasons: pa.Array) -> dict[str, Rows]:
    """Return, for each column, the rows that have it among their reasons; the most frequent column first."""
    parents = pc.list_parent_indices(reasons).to_numpy()
    names = pc.struct_field(pc.list_flatten(reasons), "column").dictionary_encode()
    codes = names.indices.to_numpy()
    found = {name: parents[codes == code] for code, name in enumerate(names.dictionary.to_pylist())}
    return dict(sorted(found.items(), key=lambda item: -len(item[1])))


def cells(run: RunRecord, row: int) -> pd.DataFrame:
    """Return the explained cells of a row, largest contribution first; empty if it was not explained."""
    path = explained_folder(run.path, row) / "cells.parquet"
    if not path.exists():
        return pd.DataFrame()
    with files_of(run):
        found: pd.DataFrame = pq.read_table(path, filters=[("row", "==", row)]).to_pandas()
        return found.sort_values("contribution", ascending=False, ignore_index=True)


def raw_row(run: RunRecord, row: int) -> dict[str, Any]:
    """Return a row as it was read; empty if it was not kept."""
    path = explained_folder(run.path, row) / "rows.parquet"
    with files_of(run):
        found = pq.read_table(path, filters=[("row", "==", row)]).to_pylist() if path.exists() else []
    return {name: value for name, value in found[0].items() if name != "row"} if found else {}


def codes(run: RunRecord) -> projection.Points:
    """Return the codes of a run of `embed`, float32 [n, latent], in the input's row order."""
    with files_of(run):
        return _codes(run.path, run.created)


@st.cache_resource(max_entries=4, show_spinner="Reading the codes")
def _codes(folder: Path, created: str) -> projection.Points:
    names = [name for name in pq.read_schema(folder / "codes.parquet").names if re.fullmatch(r"code_\d+", name)]
    table = pq.read_table(folder / "codes.parquet", columns=names)
    return np.column_stack([column.to_numpy() for column in table.columns])


def principal_components(run: RunRecord) -> tuple[projection.Points, NDArray[np.float64]]:
    """Return the rows' first two principal components, [n, 2], and their shares of the variance, [2]."""
    with files_of(run):
        return _principal_components(run.path, run.created)


@st.cache_resource(max_entries=4, show_spinner="Projecting the codes")
def _principal_components(folder: Path, created: str) -> tuple[projection.Points, NDArray[np.float64]]:
    return projection.principal_components(_codes(folder, created))


def tsne(run: RunRecord, rows: Rows) -> projection.Points:
    """Return coordinates of some rows by t-SNE, [k, 2]; computed once for each set of rows."""
    with files_of(run):
        return _tsne(run.path, run.created, rows.tobytes(), rows)


@st.cache_resource(max_entries=16, show_spinner="Running t-SNE, which takes up to a minute")
def _tsne(folder: Path, created: str, key: bytes, _rows: Rows) -> projection.Points:
    return projection.tsne(_codes(folder, created)[_rows])


@st.cache_resource(max_entries=4, show_spinner="Reading the suggested cells")
def suggestions(run: RunRecord) -> pa.Table:
    """Return the cells that a run of `impute`, `repair` or `clean` suggests to change: see `suggestions_of`."""
    with files_of(run):
        return suggestions_of(run)


def repairs(run: RunRecord) -> pa.Table:
    """Return the suggestions of a run of `repair`, one line for each cell; the column is null where none was found."""
    with files_of(run):
        return _repairs(run.path, run.created)


@st.cache_resource(max_entries=4, show_spinner="Reading the suggestions")
def _repairs(folder: Path, created: str) -> pa.Table:
    return pq.read_table(folder / "repairs.parquet").combine_chunks()


def repairs_of(run: RunRecord, row: int) -> pd.DataFrame:
    """Return the suggestions for one row."""
    every = repairs(run)
    found: pd.DataFrame = every.filter(pc.equal(every["row"], row)).to_pandas()
    return found


def output_table(run: RunRecord) -> Path | None:
    """Return the file with a run's imputed or repaired table or synthetic rows; None if it is not found."""
    asked, name = (
        run.summary.get("output"),
        {"impute": "filled", "augment": "rows"}.get(run.verb, "repaired"),
    )
    candidates = [Path(asked)] if asked else [run.path / f"{name}.csv", run.path / f"{name}.parquet"]
    return next((path for path in candidates if path.is_absolute() and path.is_file()), None)


def report(run: RunRecord) -> dict[str, Any]:
    """Return the report of a run of `evaluate`."""
    with files_of(run):
        found: dict[str, Any] = json.loads((run.path / "report.json").read_text(encoding="utf-8"))
        if "assessment" not in found:
            raise ValueError("it is no report")
        return found


def read_table(source: Path) -> pa.Table:
    """Read a table as the commands do: the columns of a text file are text, to the character."""
    return pa.Table.from_batches(list(_registry().read(str(source))))


@st.cache_resource
def _registry() -> Registry:
    return Registry.load()


@st.cache_data(show_spinner="Listing the models")
def kinds_of_model() -> list[dict[str, Any]]:
    """Return the models that can be fitted: `name`, `plugin`, `verbs`, `parameters`; of one name that for tables."""
    known = sorted(queue.ask("models"), key=lambda model: ("table" in model["modalities"], model["name"]))
    return list({model["name"]: model for model in known}.values())


def models_with(*verbs: str, modality: str = "table") -> list[str]:
    """Return the names of the models that can do all of `verbs`, on rows of a modality such as "image"."""
    return [model["name"] for model in models_of(modality) if set(model["verbs"]) >= set(verbs)]


def models_of(modality: str) -> list[dict[str, Any]]:
    """Return the models that can be fitted on rows of a modality, as `kinds_of_model` does."""
    return [model for model in kinds_of_model() if modality in model["modalities"]]


@st.cache_data(show_spinner="Listing the plugins")
def plugins() -> list[dict[str, Any]]:
    """Return the installed plugins as `anomalo plugins --json` lists them."""
    return list(queue.ask("plugins")["plugins"])


def descriptions() -> dict[str, str]:
    """Return what the models are, in a sentence each."""
    return {name: text for plugin in plugins() for name, text in plugin["descriptions"].items()}


def refresh() -> None:
    """Clear the lists of models and plugins, to read them again."""
    kinds_of_model.clear()
    plugins.clear()


def look(source: str, options: SchemaOptions) -> Preview:
    """Return a preview of a table; it is read again only if the file or the options change.

    Raises
    ------
    AnomaloError
        It cannot be read, or the options do not fit it.
    """
    changed = Path(source).stat().st_mtime_ns if Path(source).exists() else 0
    return _look(source, changed, options.to_toml(), options)


@st.cache_resource(max_entries=16, show_spinner="Reading the table")
def _look(source: str, changed: int, key: str, _options: SchemaOptions) -> Preview:
    return preview(JobContext(_registry(), Workspace(workspace())), source, _options)

"""What the pages read: the store, the folders of runs, and the command line's lists; nothing else queries them."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import safetensors.numpy
import streamlit as st
from numpy.typing import NDArray

from anomalo.artifacts import read_manifest
from anomalo.errors import AnomaloError, OutputError
from anomalo.files import atomic_file
from anomalo.jobs import background
from anomalo.jobs.place import Place
from anomalo.jobs.preview import Preview, preview
from anomalo.registry import Registry
from anomalo.schema import SchemaOptions
from anomalo.scoring import strangest
from anomalo.store import ModelRecord, RunRecord, Store
from anomalo_dashboard import projection
from anomalo_dashboard.navigation import workspace

Mask = NDArray[np.bool_]
Rows = NDArray[np.intp]

PAGE = 50
"""Rows on one page of a table."""
SHOWN = 3
"""Reasons that a table of rows tells in words."""
_NAMED = ("row", "score", "p_value", "alert", "reasons")


def runs(*verbs: str) -> list[RunRecord]:
    """Return the finished runs, newest first; of some verbs, or all."""
    return [run for run in reversed(Store(workspace()).runs()) if not verbs or run.verb in verbs]


def models() -> list[ModelRecord]:
    """Return all versions of all saved models, newest first."""
    return sorted(Store(workspace()).models(), key=lambda record: record.created, reverse=True)


def manifest(reference: str | None) -> dict[str, Any]:
    """Return a model's manifest; empty if the model is gone or damaged, as a page can do without."""
    try:
        return {} if reference is None else _manifest(Store(workspace()).model(reference).path)
    except AnomaloError:
        return {}


@st.cache_resource(max_entries=32)
def _manifest(folder: Path) -> dict[str, Any]:
    return read_manifest(folder)


def kinds(reference: str | None) -> dict[str, str]:
    """Return what the columns that a model reads hold, such as "number"."""
    columns = manifest(reference).get("schema", {}).get("columns", [])
    return {column["name"]: column["kind"] for column in columns}


def hidden_cells(record: ModelRecord) -> pd.DataFrame:
    """Return how well a model tells hidden cells: `column`, `error` and `baseline`; empty if nobody knows.

    Errors of numbers are in units of the column's spread; those of categories are shares of wrong levels.
    """
    found = manifest(record.reference)
    path = record.path / "calibration.safetensors"
    kept = safetensors.numpy.load_file(path) if path.exists() else {}
    if not {"error", "baseline"} <= kept.keys():
        return pd.DataFrame()
    blocks = found["encoding"]["layout"]["blocks"]
    frame = pd.DataFrame(
        {
            "column": [block["name"] for block in blocks],
            "kind": [block["kind"] for block in blocks],
            "error": kept["error"],
            "baseline": kept["baseline"],
        }
    )
    judged = frame[np.isfinite(frame["error"]) & (frame["baseline"] > 0)]
    return judged.assign(less=1 - judged["error"] / judged["baseline"]).sort_values("less", ascending=False)


@dataclass(frozen=True)
class Scores:
    """All scores of a run, in the input's row order.

    Attributes
    ----------
    score, p_value : float64 [n]
        See `anomalo.scoring`.
    alert : bool [n]
        What the run called an alert.
    order : int [n]
        Row numbers, strangest first.
    because : Array of string [n]
        Reasons in words; null where a row was not explained.
    columns : dict of str to int [k]
        For each column, the rows that it is among the reasons of.
    id : str or None
        The column that names the rows.
    names : Array of string [n] or None
        Its cells.
    """

    score: NDArray[np.float64]
    p_value: NDArray[np.float64]
    alert: Mask
    order: Rows
    because: pa.Array
    columns: Mapping[str, Rows]
    id: str | None
    names: pa.Array | None

    @cached_property
    def rank(self) -> Rows:
        """Each row's place in the order, counted from 0."""
        places = np.empty(len(self.order), dtype=np.intp)
        places[self.order] = np.arange(len(self.order))
        return places

    def matching(self, text: str, column: str | None) -> Mask:
        """Return which rows have `text` in their id or their reasons, and `column` among the reasons."""
        found = np.ones(len(self.score), dtype=bool)
        if text:
            found = _contains(self.because, text)
            if self.names is not None:
                found |= _contains(self.names, text)
        if column is not None:
            among = np.zeros(len(found), dtype=bool)
            among[self.columns.get(column, [])] = True
            found &= among
        return found

    def table(self, rows: Rows, alert: Mask) -> pd.DataFrame:
        """Return some rows for people: `rank`, `row`, the id, `score`, `p_value`, `alert`, `because`."""
        at = pa.array(rows)
        named = {} if self.names is None else {str(self.id): self.names.take(at).to_pandas()}
        return pd.DataFrame(
            {
                "rank": self.rank[rows] + 1,
                "row": rows,
                **named,
                "score": self.score[rows],
                "p_value": self.p_value[rows],
                "alert": alert[rows],
                "because": self.because.take(at).to_pandas(),
            }
        )


def scores(run: RunRecord) -> Scores:
    """Read the scores of a run; read once, as a run never changes."""
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
        strangest(p_value, score),
        _in_words(reasons),
        _by_column(reasons),
        name,
        None if name is None else _one(table[name]).cast(pa.string()),
    )


def _one(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _contains(cells: pa.Array, text: str) -> Mask:
    found = pc.match_substring(cells, text, ignore_case=True).fill_null(False)
    return np.array(found.to_numpy(zero_copy_only=False))


def _in_words(reasons: pa.Array) -> pa.Array:
    """Join each row's first reasons to one text, all rows at once; null where there is none."""
    first = pc.list_slice(reasons, 0, SHOWN)
    cells = pc.list_flatten(first)
    column, observed, expected = (pc.struct_field(cells, name) for name in ("column", "observed", "expected"))
    surprising = pc.not_equal(expected, observed.fill_null("\0")).fill_null(False)
    tail = pc.if_else(surprising, pc.binary_join_element_wise(", expected ", expected.fill_null(""), ""), "")
    said = pc.binary_join_element_wise(column, " is ", observed.fill_null("missing"), tail, "")
    lengths = pc.list_value_length(first).fill_null(0).to_numpy()
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
    texts = pc.binary_join(pa.ListArray.from_arrays(offsets, said), "; ")
    return pc.if_else(pa.array(lengths > 0), texts, None)


def _by_column(reasons: pa.Array) -> dict[str, Rows]:
    """Return the rows that each column is among the reasons of; the most frequent column first."""
    parents = pc.list_parent_indices(reasons).to_numpy()
    names = pc.struct_field(pc.list_flatten(reasons), "column").dictionary_encode()
    codes = names.indices.to_numpy()
    found = {name: parents[codes == code] for code, name in enumerate(names.dictionary.to_pylist())}
    return dict(sorted(found.items(), key=lambda item: -len(item[1])))


def cells(run: RunRecord, row: int) -> pd.DataFrame:
    """Return the explained cells of a row, largest contribution first; empty if it was not explained."""
    path = run.path / "cells.parquet"
    if not path.exists():
        return pd.DataFrame()
    found = pq.read_table(path, filters=[("row", "==", row)]).to_pandas()
    return found.sort_values("contribution", ascending=False, ignore_index=True)


def raw_row(run: RunRecord, row: int) -> dict[str, Any]:
    """Return a row as it was read; empty if it was not kept."""
    path = run.path / "rows.parquet"
    found = pq.read_table(path, filters=[("row", "==", row)]).to_pylist() if path.exists() else []
    return {name: value for name, value in found[0].items() if name != "row"} if found else {}


def codes(run: RunRecord) -> projection.Points:
    """Return the codes of a run of `embed`, float32 [n, latent], in the input's row order."""
    return _codes(run.path, run.created)


@st.cache_resource(max_entries=4, show_spinner="Reading the codes")
def _codes(folder: Path, created: str) -> projection.Points:
    names = [name for name in pq.read_schema(folder / "codes.parquet").names if re.fullmatch(r"code_\d+", name)]
    table = pq.read_table(folder / "codes.parquet", columns=names)
    return np.column_stack([column.to_numpy() for column in table.columns])


def plane(run: RunRecord) -> tuple[projection.Points, NDArray[np.float64]]:
    """Return the rows' places by principal components, [n, 2], and the components' shares of the variance, [2]."""
    return _plane(run.path, run.created)


@st.cache_resource(max_entries=4)
def _plane(folder: Path, created: str) -> tuple[projection.Points, NDArray[np.float64]]:
    return projection.principal(_codes(folder, created))


def neighbourhoods(run: RunRecord, rows: Rows) -> projection.Points:
    """Return places for some rows by t-SNE, [k, 2]; it takes a while, once."""
    return _neighbourhoods(run.path, run.created, rows.tobytes(), rows)


@st.cache_resource(max_entries=16, show_spinner="Laying out the rows by t-SNE, which takes up to a minute")
def _neighbourhoods(folder: Path, created: str, key: bytes, _rows: Rows) -> projection.Points:
    return projection.neighbours(_codes(folder, created)[_rows])


FILLS = {"low": pa.float64(), "high": pa.float64(), "probability": pa.float64()}


def fills(run: RunRecord) -> pa.Table:
    """Return the filled cells of a run: `row`, `column`, `value`, `low`, `high`, `probability`."""
    return _fills(run.path, run.created)


@st.cache_resource(max_entries=4, show_spinner="Reading the filled cells")
def _fills(folder: Path, created: str) -> pa.Table:
    table = pq.read_table(folder / "fills.parquet").combine_chunks()
    for name, kind in FILLS.items():
        if name not in table.column_names:  # a run of an earlier version
            table = table.append_column(name, pa.nulls(len(table), kind))
    return table


def repairs(run: RunRecord) -> pa.Table:
    """Return the suggestions of a run of `repair`, a line for each cell; the column is null where nothing was found."""
    return _repairs(run.path, run.created)


@st.cache_resource(max_entries=4, show_spinner="Reading the suggestions")
def _repairs(folder: Path, created: str) -> pa.Table:
    return pq.read_table(folder / "repairs.parquet").combine_chunks()


def repairs_of(run: RunRecord, row: int) -> pd.DataFrame:
    """Return the suggestions for one row."""
    found = repairs(run)
    return found.filter(pc.equal(found["row"], row)).to_pandas()


def filled_table(run: RunRecord) -> Path | None:
    """Return the file with the filled or repaired table, or the made rows: that asked for, else the run's own.

    None if it is gone.
    """
    asked, name = run.summary.get("output"), {"repair": "repaired", "augment": "rows"}.get(run.verb, "filled")
    candidates = [Path(asked)] if asked else [run.path / f"{name}.csv", run.path / f"{name}.parquet"]
    return next((path for path in candidates if path.is_file()), None)


def report(run: RunRecord) -> dict[str, Any]:
    """Return the report of a run of `evaluate`."""
    found: dict[str, Any] = json.loads((run.path / "report.json").read_text(encoding="utf-8"))
    return found


def read_table(source: Path) -> pa.Table:
    """Read a table as the commands do: the columns of a text file are text, to the character."""
    return pa.Table.from_batches(list(_registry().read(str(source))))


@st.cache_resource
def _registry() -> Registry:
    return Registry.load()


@st.cache_data(show_spinner="Asking for the models")
def kinds_of_model() -> list[dict[str, Any]]:
    """Return the models that can be fitted: `name`, `plugin`, `verbs`, `parameters`."""
    return list(background.ask("models"))


@st.cache_data(show_spinner="Asking for the plugins")
def plugins() -> list[dict[str, Any]]:
    """Return the installed plugins as `anomalo plugins --json` tells them."""
    return list(background.ask("plugins")["plugins"])


def refresh() -> None:
    """Forget the models and plugins that were asked for."""
    kinds_of_model.clear()
    plugins.clear()


BUNDLED = Path(str(files("anomalo.data") / "hypothyroid.csv"))
"""A real table for a first try; its label is the column `Target`."""


def look(source: str, options: SchemaOptions) -> Preview:
    """Return a table at a glance; read again only if the file or the options change.

    Raises
    ------
    AnomaloError
        It cannot be read, or the options do not fit it.
    """
    path = Path(source)
    changed = path.stat().st_mtime_ns if path.is_file() else 0
    return _look(source, changed, options.to_toml(), options)


@st.cache_resource(max_entries=16, show_spinner="Reading the table")
def _look(source: str, changed: int, key: str, _options: SchemaOptions) -> Preview:
    return preview(Place(_registry(), Store(workspace())), source, _options)


def keep_upload(name: str, content: bytes) -> Path:
    """Keep an uploaded file in the workspace, beside another of that name with other content.

    Raises
    ------
    OutputError
        The workspace cannot be written.
    """
    folder = workspace() / "uploads"
    plain = re.sub(r"[^\w.-]+", "_", Path(name).name).lstrip(".-") or "table.csv"
    stem, dot, suffix = plain.partition(".")
    for number in itertools.count(1):
        path = folder / (plain if number == 1 else f"{stem}-{number}{dot}{suffix}")
        if path.is_file() and path.read_bytes() == content:
            return path
        if not path.exists():
            break
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write {folder}: {error.strerror or error}") from error
    with atomic_file(path) as temporary:
        temporary.write_bytes(content)
    return path

"""Find the codes of a run's rows: those of the table that was scored, or of the rows that the run has kept of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import streamlit as st

from anomalo.workspace.workspace import RunRecord
from anomalo_dashboard import data
from anomalo_dashboard.images.pictures import of_images

KEPT = "rows.parquet"


@dataclass(frozen=True)
class Codes:
    """The run that embedded rows, and which rows of the scored table they are, int [n]; None for all of them."""

    run: RunRecord
    rows: data.Rows | None


def find(run: RunRecord, embedded: Sequence[RunRecord]) -> Codes | None:
    """Return the codes of a scored table, or else those of its kept rows; None if nobody has computed either.

    Parameters
    ----------
    embedded : sequence of RunRecord
        Those of `embed`, newest first.
    """
    by_model = [other for other in embedded if other.model == run.model]
    for other in by_model:
        if other.summary["rows"] == run.summary["rows"] and _of_one_table(run, other):
            return Codes(other, None)
    for other in by_model:
        if Path(other.source).parts[-3:] == (*run.path.parts[-2:], KEPT):
            return Codes(other, kept(run))
    return None


def _of_one_table(run: RunRecord, other: RunRecord) -> bool:
    """Return whether both read the same bytes, or, where these were not counted, the same source."""
    digests = [each.summary.get("identity", {}).get("sha256") for each in (run, other)]
    return digests[0] == digests[1] if all(digests) else run.source == other.source


def kept(run: RunRecord) -> data.Rows:
    """Return the rows that a run has kept as they were read, ascending; none if it has kept none."""
    path = run.path / KEPT
    return _kept(path, run.created) if path.is_file() else np.array([], dtype=np.intp)


@st.cache_data(max_entries=16, show_spinner=False)
def _kept(path: Path, created: str) -> data.Rows:
    return np.asarray(pq.read_table(path, columns=["row"])["row"].to_numpy(), dtype=np.intp)


def can_embed_kept(run: RunRecord) -> bool:
    """Return whether the kept rows can be embedded: there are some, and no column of the table has their column's name.

    A run keeps the number of each row in a column `row` before those of the table. Of images it keeps no pixels that a
    model could read.
    """
    return not of_images(run) and "row" not in data.column_kinds(run.model) and len(kept(run)) > 0

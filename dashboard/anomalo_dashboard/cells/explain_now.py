"""Explain a row that the run has not explained: by a job in the background, whose result the run keeps."""

from __future__ import annotations

import streamlit as st

from anomalo.workspace.workspace import RunRecord
from anomalo_dashboard import data, job_progress, sources
from anomalo_dashboard.security.uploads import name_of


def offer(run: RunRecord, row: int, rank: int) -> None:
    """Offer to explain a row, or show the job that does it.

    Parameters
    ----------
    rank : int
        The row's, counted from 1.
    """
    explain = command(run, row)
    record = data.model_of(run.model)
    if record is not None and job_progress.show_unfinished(explain):
        return
    st.info(
        f"This row has no reasons: the run explained its {run.summary.get('explained', 0):,} most anomalous rows, and "
        f"this one has rank {rank:,}.",
        icon=":material/info:",
    )
    if record is None:
        st.caption("The model is no longer in the workspace, so the row cannot be explained.")
    elif st.button(
        "Explain now", icon=":material/troubleshoot:", type="primary", help="Takes seconds; the run keeps it"
    ):
        sources.again(run)
        job_progress.start(f"Row {row} of {name_of(run.source)}", explain)


def command(run: RunRecord, row: int) -> list[str]:
    """Return the command that explains a row of a run, and keeps that in the run."""
    return ["explain", run.source, "--with", str(run.model), "--row", str(row), "--run", run.id, *sources.flags(run)]

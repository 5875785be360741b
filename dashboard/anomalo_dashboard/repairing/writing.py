"""Write the table with what was accepted and edited, in the background, and offer it with its audit."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from anomalo.jobs.cleaning.applying import AUDIT
from anomalo.tabular import quantities
from anomalo.workspace.decisions import Decided
from anomalo.workspace.workspace import RunRecord
from anomalo_dashboard import data, downloads, formatting, job_progress, sources
from anomalo_dashboard.security.literal import literal
from anomalo_dashboard.security.uploads import name_of
from anomalo_dashboard.starting import fit_form

COLUMN = "audit"
"""The column of the table that says what was changed."""


def write_box(run: RunRecord, decided: Decided) -> None:
    """Let the user write the table with the accepted and edited cells."""
    accepted, edited = decided.count("accepted"), decided.count("edited")
    with st.popover(
        "Write accepted", icon=":material/save:", type="primary", disabled=not accepted + edited, width="stretch"
    ):
        st.markdown(
            f"A new table with {quantities.count(accepted, 'accepted cell')} and "
            f"{quantities.count(edited, 'edited cell')} changed. All other cells stay to the character, "
            f"and {literal(name_of(run.source))} is not changed."
        )
        tip = f"The column {COLUMN!r} says for each changed row what was changed, by whom and when"
        audit = st.checkbox("With an audit column", True, key="audit", help=tip)
        asked = command(run, audit)
        if st.button("Write the table", icon=":material/save:", type="primary"):
            sources.again(run)
            job_progress.start(f"Accepted cells of {name_of(run.source)}", asked)
        st.caption("The same on the command line:")
        st.code(job_progress.shell([asked]), "shell", wrap_lines=True)


def command(run: RunRecord, audit: bool) -> list[str]:
    """Return the command that writes what was decided about a run."""
    return ["apply", run.id, *(("--audit", COLUMN) if audit else ())]


def show(run: RunRecord, decided: Decided, runs: Sequence[RunRecord]) -> None:
    """Show the job that writes, or why it failed; then the table, and whether decisions were made since."""
    if any(job_progress.show_unfinished(command(run, audit)) for audit in (True, False)):
        return
    written = next((other for other in runs if other.verb == "apply" and other.summary.get("of") == run.id), None)
    if written is None:
        return
    facts = written.summary
    later = any(decision.created > written.created for decision in decided.decisions)
    with st.container(border=True):
        st.markdown(
            f"**Written** {formatting.moment(written.created)}: {quantities.count(facts['cells'], 'cell')} changed "
            f"({facts['accepted']:,} accepted, {facts['edited']:,} edited)"
            + ("; decisions were made since: write again to have them in the table." if later else ".")
        )
        _offer(written)


def _offer(written: RunRecord) -> None:
    path, stem = data.output_table(written), f"{fit_form.suggested_name(written.source)}-repaired"
    table, typed, audit = st.columns(3)
    if path is None:
        st.warning("The table was moved or removed; write it again.", icon=":material/info:")
        return
    downloads.table_buttons((table, typed), "Repaired table", path, stem)
    downloads.csv_button(
        audit,
        "Audit as CSV",
        lambda: data.read_table(written.path / AUDIT).to_pandas(),
        f"{stem}-audit.csv",
        "A line for each changed cell: what it held and holds, who decided that, and when",
    )

"""Clean a table again, with what was decided about its cells as answers to learn from; shown before it is done."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from anomalo.errors import AnomaloError
from anomalo.jobs.cleaning.decided import VERBS, DecidedCell, decided_cells
from anomalo.tabular import quantities
from anomalo.workspace.workspace import RunRecord, Workspace
from anomalo_dashboard import job_progress, sources
from anomalo_dashboard.navigation import workspace
from anomalo_dashboard.security import failures
from anomalo_dashboard.security.literal import literal, plain_table
from anomalo_dashboard.security.uploads import name_of

SHOWN = 100
"""So many answers are listed."""


def command(run: RunRecord) -> list[str]:
    """Return the command that cleans the table of a run with all decisions about it."""
    return ["clean", run.source, "--decided", *sources.flags(run)]


def show(run: RunRecord) -> None:
    """Show what decisions about the table of a run would teach the cleaner, with a button that does it."""
    if run.verb not in VERBS:
        return
    learned = run.summary.get("learned")
    if learned:
        known = quantities.count(learned["wrong"] + learned["right"], "decision")
        st.caption(
            literal(
                f"This run has learned from {known} of {', '.join(learned['runs'])}: {learned['wrong']:,} wrong, "
                f"{learned['right']:,} right. Earlier runs have not changed."
            )
        )
    # It reads decisions and files of all runs of the table, so that it waits until it is opened.
    with st.expander("Teach the cleaner", icon=":material/school:", key="teaching", on_change="rerun") as opened:
        if not opened.open:
            return
        try:
            _proposal(run, decided_cells(Workspace(workspace()), run.source))
        except AnomaloError as error:
            failures.show(error)


def _proposal(run: RunRecord, cells: list[DecidedCell]) -> None:
    if not cells:
        st.write("Accept, edit or reject cells first: that says which are wrong, what they should hold, and which not.")
        return
    wrong = sum(cell.answer.wrong for cell in cells)
    st.markdown(
        f"In {literal(name_of(run.source))}, **{quantities.count(wrong, 'wrong cell')}** (accepted or edited) and "
        f"**{quantities.count(len(cells) - wrong, 'right one')}** (rejected) are known. Cleaning it again learns which "
        "other cells are wrong in the same way, and how they are to be rewritten. The result is another run, with "
        "suggestions to decide about; the table and this run stay as they are. To take it back, undo decisions and "
        "clean again."
    )
    st.dataframe(
        plain_table(_table(cells[:SHOWN])),
        hide_index=True,
        placeholder="",
        height="content" if len(cells) < 8 else 300,
        alt="Decisions to learn from",
    )
    if len(cells) > SHOWN:
        st.caption(f"Shown: the first {SHOWN} of {len(cells):,}.")
    button, said = st.columns([1.5, 4], vertical_alignment="center")
    if button.button("Clean again", icon=":material/school:", type="primary", width="stretch"):
        sources.again(run)
        job_progress.begin(f"Cleaning {name_of(run.source)} with decisions", [command(run)], here=False)
    said.code(job_progress.shell([command(run)]), "shell", wrap_lines=True)


def _table(cells: list[DecidedCell]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "Row": cell.answer.row,
                "Column": cell.answer.column,
                "Held": cell.observed or "missing",
                "Is": "wrong" if cell.answer.wrong else "right",
                "Should hold": None if cell.answer.value is None else cell.answer.value or "missing",
                "By": cell.who,
                "Run": cell.run,
            }
            for cell in cells
        ]
    )

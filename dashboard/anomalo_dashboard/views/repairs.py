"""Repairs: cells that runs imputed or suggest to change, to accept, edit or reject, and the table that comes of it."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from anomalo.tabular import quantities
from anomalo.workspace.workspace import RunRecord
from anomalo_dashboard import data, downloads, navigation
from anomalo_dashboard.images import inpainted
from anomalo_dashboard.inbox.bar import bar
from anomalo_dashboard.repairing import decisions, filters, parts, teaching, without_repair, writing
from anomalo_dashboard.repairing.lines import AT_ONCE, Listing
from anomalo_dashboard.security.identity import name_box
from anomalo_dashboard.security.literal import literal, plain_table
from anomalo_dashboard.security.uploads import name_of
from anomalo_dashboard.starting import fit_form

CELLS = {"impute": "imputed cell", "repair": "suggested cell", "clean": "suspected cell"}
NOTHING = {
    "impute": "Nothing to impute: the table has no missing values.",
    "repair": "Nothing to repair: no cell is suggested for an alert.",
    "clean": "Nothing to correct: no cell is probably wrong.",
}


def offer(run: RunRecord) -> None:
    """Offer the table with all cells imputed or replaced as CSV and as Parquet."""
    path, what = data.output_table(run), "imputed" if run.verb == "impute" else "repaired"
    if path is None:
        st.warning(
            f"The {what} table was written to {literal(name_of(str(run.summary.get('output'))))}, which is not "
            "found; run the command again.",
            icon=":material/info:",
        )
        return
    stem = f"{fit_form.suggested_name(run.source)}-{what}"
    st.caption(f"The table with all cells {what}, whatever was decided:")
    downloads.table_buttons(st.columns(2), f"{what.capitalize()} table", path, stem)


def by_column(run: RunRecord, numbers: dict[str, int]) -> None:
    """Show how many cells of each column are suggested."""
    rows = max(run.summary.get("rows", 1), 1)
    lines = [
        {"column": name, "cells": cells, "share": 100 * cells / rows}
        for name, cells in sorted(numbers.items(), key=lambda item: -item[1])
    ]
    with st.expander("By column", icon=":material/view_column:"):
        st.dataframe(
            plain_table(pd.DataFrame(lines)),
            hide_index=True,
            height="content" if len(lines) < 14 else 525,
            column_config={
                "column": st.column_config.TextColumn("Column"),
                "cells": st.column_config.NumberColumn("Cells", format="localized"),
                "share": st.column_config.NumberColumn("Of rows", format="%.1f %%"),
            },
            alt="Suggested cells by column",
        )


def listing(run: RunRecord, scored: RunRecord | None, who: str, state: str) -> None:
    """Show the cells in a state, page by page, with buttons for each and for all of them."""
    suggestions = data.suggestions(run)
    decided = decisions.decided(run, len(suggestions))
    lines = filters.listed(suggestions, decided, state, filters.boxes(suggestions))
    if not len(lines):
        st.info(
            "Every cell is decided; choose another state to see them."
            if state == "undecided" and not decided.count("undecided")
            else f"No {CELLS[run.verb]} matches. Choose another state or column, or clear the row and the text.",
            icon=":material/filter_alt_off:",
        )
        return
    count, pager, accept, reject = st.columns([3.2, 3.8, 2.1, 2.1], vertical_alignment="center")
    with pager:
        span = navigation.one_page(len(lines), AT_ONCE, filters.PAGE)
    count.markdown(f"**{quantities.count(len(lines), CELLS[run.verb])}**; showing {span.start + 1:,} to {span.stop:,}")
    offered = lines[suggestions["offered"].to_numpy()[lines]]
    for box, name, chosen, what in (
        (accept, "Accept", offered, "accepted"),
        (reject, "Reject", lines, "rejected"),
    ):
        box.button(
            f"{name} all {len(chosen):,}",
            key=f"{name} all",
            on_click=decisions.decide,
            args=(run.id, chosen, what, who),
            disabled=not len(chosen),
            width="stretch",
            help="All cells of this list, on all its pages",
        )
    Listing(run, decided, who, scored).show(suggestions, lines[span])


def cells_of(run: RunRecord) -> dict[str, int]:
    """Return how many cells of each column a run suggests."""
    if run.verb == "clean":
        return {column["column"]: column["cells"] for column in run.summary["worst"]}
    found: dict[str, int] = run.summary.get("filled" if run.verb == "impute" else "replaced", {})
    return found


st.title("Repairs", anchor=False)
everything = data.runs()
found = [run for run in everything if run.verb in parts.PARTS]
if not found:
    navigation.empty(
        "No table has been imputed, repaired or cleaned yet",
        "Fit and score a table with missing values on the Start page; the imputed cells are then listed here, to be "
        "accepted, edited or rejected. Repairs of alerts are suggested on the Row page.",
    )
run = bar(found, everything).run
part_box, said = st.columns([2, 3], vertical_alignment="center")
with part_box:
    parts.part_box(run, found)
if inpainted.of_images(run):
    inpainted.show(run)
    st.stop()
numbers = cells_of(run)
if not numbers:
    if run.verb == "repair":
        without_repair.show(run)
    st.info(NOTHING[run.verb], icon=":material/check_circle:")
    st.stop()
suggestions = data.suggestions(run)
decided = decisions.decided(run, len(suggestions))
left, right = decided.count("undecided"), decided.count("accepted") + decided.count("edited")
total = quantities.count(len(suggestions), CELLS[run.verb])
said.caption(f"{total}, {left:,} undecided, {right:,} accepted or edited")
if run.verb == "repair":
    without_repair.show(run)
states, take_back, you, write = st.columns([5.2, 1.2, 1.2, 2], vertical_alignment="center")
with states:
    state = filters.state_box()
with you:
    who = name_box()
with take_back:
    decisions.undo_button(run, who)
with write:
    writing.write_box(run, decided)
with st.container():  # what is below keeps its position, whatever is said here
    decisions.say()
    writing.show(run, decided, everything)
    teaching.show(run)
listing(run, navigation.companion(run, [other for other in everything if other.verb == "score"]), who, state)
by_column(run, numbers)
decisions.history(decided, who)
decisions.download(run, suggestions, decided)
if run.verb == "impute" or run.summary.get("applied"):
    offer(run)

"""Feedback: what reviewed alerts would teach the model of a run, shown before it is applied as its next version."""

from __future__ import annotations

import streamlit as st

from anomalo.errors import AnomaloError
from anomalo.jobs.feedback.propose import Proposal
from anomalo.tabular import quantities
from anomalo.workspace.workspace import RunRecord
from anomalo_dashboard import data, downloads, formatting, navigation, triage
from anomalo_dashboard.feedback import proposals
from anomalo_dashboard.inbox.bar import bar
from anomalo_dashboard.security.literal import literal, plain_table


def counts(found: Proposal) -> None:
    """Show how many rows were reviewed, and how many of them were right."""
    said = found.states
    right, wrong = (sum(said.get(state, 0) for state in states) for states in (triage.RIGHT, triage.WRONG))
    columns = st.columns(4)
    columns[0].metric("Reviewed rows", f"{right + wrong:,}", border=True)
    columns[1].metric("Confirmed", f"{right:,}", border=True, help="Acknowledged or fixed")
    columns[2].metric("False alarms", f"{said.get('false alarm', 0):,}", border=True)
    columns[3].metric("Expected", f"{said.get('expected', 0):,}", border=True)
    share = triage.precision(said)
    precision = f" Precision of the alerts: {share}." if share else ""
    of = quantities.count(len(found.runs), "run")
    st.caption(literal(f"Reviews of {of} of {found.record.name} are used.{precision}"))


def labelled(run: RunRecord) -> None:
    """Show how well the scores find the rows that the table's label marks, if it has one."""
    found = run.summary.get("label")
    if not found:
        return
    columns = st.columns(4)
    of = f"The label is {found['positive']} in {found['positives']:,} of {quantities.count(found['rows'], 'row')}"
    columns[0].metric("Labelled anomalies", f"{found['positives']:,}", border=True, help=literal(of))
    columns[1].metric("AUROC", f"{found['auroc']:.3f}", border=True)
    columns[2].metric("Average precision", f"{found['ap']:.3f}", border=True)
    precision = quantities.percent(found["hits"] / found["alerts"]) if found["alerts"] else "no alert"
    columns[3].metric("Precision at the threshold", precision, border=True, help="Of the run")


def learned(found: Proposal) -> None:
    """Show what the next version would know."""
    table = proposals.knowledge(found)
    if table.empty:
        return
    st.dataframe(
        plain_table(table),
        hide_index=True,
        height="content",
        column_config={
            "kind": st.column_config.TextColumn("Learned from", width=110),
            "what": st.column_config.TextColumn("Rows are no alerts where", width=620),
            "rows": st.column_config.NumberColumn("Reviewed rows", width=120),
            "alerts": st.column_config.NumberColumn("Alerts removed", width=120, help="Of the run in view"),
            "confirmed": st.column_config.NumberColumn("Confirmed", width=100, help="Of the removed alerts"),
        },
        alt="What the next version of the model would know",
    )
    st.caption(
        "Rows like false alarms are no alerts up to the largest score of these. Rows of an expected "
        "segment are none, whatever their scores. Confirmed alerts are not removed."
    )


def rows_removed(run: RunRecord, found: Proposal) -> None:
    """Show the alerts that would be none, a page at a time."""
    total = sum(each.alerts for each in found.removed)
    if not total:
        return
    st.header("Alerts that would be removed", anchor=False)
    table = proposals.removed(found, data.scores(run), triage.reviews().of(run.id))
    pager, download = st.columns([4, 2], vertical_alignment="center")
    with pager:
        span = navigation.one_page(total, data.PAGE, "removed")
    downloads.csv_button(download, "Save these rows", lambda: table, f"{run.id}-removed.csv")
    here = table[span].assign(open="Why?")
    scores, p_values = formatting.decimals(table["score"]), formatting.decimals([table["p_value"].min()], 2)
    st.dataframe(
        plain_table(here),
        hide_index=True,
        height="content",
        column_order=["open", *(str(name) for name in table if name not in ("rank", "alert", "reasons", "why")), "why"],
        column_config={
            "open": st.column_config.ButtonColumn("Open", key="open_removed", width=70, type="tertiary"),
            "row": st.column_config.NumberColumn("Row", format="%d", width=70, help="Counted from 0 in the table"),
            "score": st.column_config.NumberColumn("Anomaly score", format=scores, width=120),
            "p_value": st.column_config.NumberColumn("p-value", format=p_values, width=80),
            "state": st.column_config.TextColumn("State", width=110),
            "why": st.column_config.TextColumn("Would be no alert as", width=560),
        },
        alt="Alerts that would be removed, most anomalous first",
    )
    clicked = st.session_state.get("open_removed")
    if clicked is not None:
        navigation.go("row", run=run.id, row=int(here.iloc[clicked.row]["row"]))


def apply_box(found: Proposal) -> None:
    """Show the button that makes the next version, or the version that was made."""
    if found.applied is not None:
        said, button = st.columns([5, 1.3], vertical_alignment="center")
        said.success(
            literal(
                f"{found.applied} knows this; if it is the latest version, new files are scored with it. To undo it, "
                f"score with {found.record.reference}, which has not changed, or remove {found.applied}."
            ),
            icon=":material/check:",
        )
        if button.button("See the model", icon=":material/model_training:", width="stretch"):
            navigation.go("models", model=found.applied)
        return
    button, name, note = st.columns([2.4, 1.2, 5], vertical_alignment="center")
    with name:
        who = triage.name_box()
    pressed = button.button(
        "Save as the next version",
        key="apply",
        icon=":material/school:",
        type="primary",
        disabled=not found.learned or not who,
        width="stretch",
    )
    if pressed:
        proposals.accept(found, who)
        st.rerun()
    note.caption(literal(f"{found.record.reference} stays as it is, so that one can go back to it."))


st.title("Feedback", anchor=False)
everything = data.runs()
scored = [run for run in everything if run.verb == "score"]
if not scored:
    navigation.empty(
        "No table has been scored yet", "Score a table on the Start page, and mark its alerts on the page Alerts."
    )
chosen = bar(scored, everything)
run = chosen.run
try:
    found = proposals.proposal(run, chosen.rule)
except AnomaloError as error:
    st.error(literal(formatting.sentence(str(error))), icon=":material/error:")
    st.stop()
counts(found)
labelled(run)
if found.learned:
    st.header("What changes" if found.applied else "What would change", anchor=False)
    version = found.applied or f"the next version of {found.record.name}"
    change = str(found).replace("would remove", "removes") if found.applied else str(found)
    st.markdown(f"Compared with {literal(found.record.reference)}, {literal(version)} **{literal(change)}**.")
else:
    st.info(
        "There is nothing new to learn. Mark alerts as false alarm or expected on the page Alerts; confirm the others.",
        icon=":material/info:",
    )
for note in found.notes:
    st.warning(literal(formatting.sentence(note)), icon=":material/info:")
apply_box(found)
learned(found)
rows_removed(run, found)
st.header("Versions", anchor=False)
table = proposals.versions(found.record)
st.dataframe(
    plain_table(table.assign(created=table["created"].map(formatting.moment))),
    hide_index=True,
    height="content",
    column_config={
        "version": st.column_config.TextColumn("Version", width=130),
        "tags": st.column_config.TextColumn("Tags", width=120),
        "from": st.column_config.TextColumn("Made from", width=130),
        "knows": st.column_config.NumberColumn("Patterns", width=90, help="What reviews have taught it"),
        "reviews": st.column_config.TextColumn("Reviews", width=300),
        "who": st.column_config.TextColumn("By", width=110),
        "created": st.column_config.TextColumn("When", width=150),
    },
    alt="Versions of the model, newest first",
)

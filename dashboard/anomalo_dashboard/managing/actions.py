"""What can be done with a version of a saved model: promote, retire, delete, score a table, fit it again."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from anomalo.errors import AnomaloError
from anomalo.jobs.keeping.remove import Removal, remove_models
from anomalo.tabular.quantities import memory
from anomalo.workspace.workspace import ModelRecord, Workspace
from anomalo_dashboard import job_progress, navigation, sources
from anomalo_dashboard.managing import saved
from anomalo_dashboard.security import failures
from anomalo_dashboard.security.literal import literal
from anomalo_dashboard.security.uploads import name_of
from anomalo_dashboard.starting.score_form import SCORE
from anomalo_dashboard.starting.table_choice import choose_table

CHAMPION = "champion"


def show(record: ModelRecord) -> None:
    """Show a button for each action; a version that cleans tables is neither scored with nor fitted again here."""
    usable = saved.verbs_of(record) & {"score", "impute"}
    score, again, promote, retire, delete = st.columns(5)
    if score.button(
        "Score a file" if "score" in usable else "Impute a file",
        icon=":material/play_arrow:",
        type="primary",
        width="stretch",
        disabled=not usable,
    ):
        navigation.go("start", door=SCORE, **{"with": record.reference})
    if again.button(
        "Retrain", icon=":material/model_training:", width="stretch", disabled="goals" not in record.summary
    ):
        _retrain(record)
    if promote.button("Promote", icon=":material/new_releases:", width="stretch", help="Give it a tag"):
        _promote(record)
    if retire.button(
        "Retire", icon=":material/archive:", width="stretch", help="Take its tags from it", disabled=not record.tags
    ):
        _retire(record)
    if delete.button("Delete", icon=":material/delete:", width="stretch"):
        _delete(record)


@st.dialog("Promote a version", icon=":material/new_releases:")
def _promote(record: ModelRecord) -> None:
    st.write(literal(f"The tag says which version of {record.name} does the work: anomalo score … --with NAME@TAG."))
    tag = st.text_input("Tag", CHAMPION, max_chars=100)
    holder = next((one for one in _store().models(record.name) if tag in one.tags), None)
    if holder is not None:
        st.caption(literal(f"{holder.reference} has it now" + (" already." if holder == record else ", and loses it.")))
    if st.button(f"Give it to version {record.version}", type="primary"):
        _done(lambda: _store().move_tag(record.reference, tag.strip()))


@st.dialog("Retire a version", icon=":material/archive:")
def _retire(record: ModelRecord) -> None:
    st.write(
        literal(
            f"{record.reference} stays, with its runs; without the tags, jobs that name it by one of them fail until "
            "another version has it."
        )
    )
    tags = st.multiselect("Tags to remove", record.tags, list(record.tags))
    if st.button("Remove the tags", type="primary", disabled=not tags):

        def remove() -> None:
            for tag in tags:
                _store().move_tag(record.reference, tag, remove=True)

        _done(remove)


@st.dialog("Delete a version", icon=":material/delete:")
def _delete(record: ModelRecord) -> None:
    try:
        removal: Removal = remove_models(_store(), [record.reference])
    except AnomaloError as error:
        failures.show(error)
        return
    note = removal.items[0].note
    st.write(
        literal(f"{record.reference} is {memory(removal.bytes)}. It cannot be restored{f'; {note}' if note else ''}.")
    )
    sure = st.checkbox(f"Delete {literal(record.reference)} for good")
    if st.button("Delete", type="primary", disabled=not sure, key="delete for good"):
        _done(removal.remove)


@st.dialog("Retrain", icon=":material/model_training:", width="large")
def _retrain(record: ModelRecord) -> None:
    st.write(literal(f"Fit the next version of {record.name}, with the options of version {record.version}."))
    same = f"Its table, {name_of(record.source)}"
    which = st.radio("On which table", [same, "Another one"], format_func=literal, horizontal=True)
    try:
        source = sources.opened(sources.again(record)) if which == same else choose_table(bundled=False)
        if not source:
            return
        commands = [saved.retraining(record, source)]
    except AnomaloError as error:
        failures.show(error)
        return
    st.code(job_progress.shell(commands), language="shell", wrap_lines=True)
    st.caption("Nothing is computed if neither the table nor the options have changed since the latest version.")
    if st.button("Fit", type="primary", icon=":material/play_arrow:"):
        job_progress.begin(f"{name_of(source)} as {record.name}, again", commands, opens=False, here=False)


def _store() -> Workspace:
    return Workspace(navigation.workspace())


def _done(action: Callable[[], object]) -> None:
    """Do something, then draw the page again; what is refused is said in the dialog."""
    try:
        action()
    except AnomaloError as error:
        failures.show(error)
    else:
        st.rerun()

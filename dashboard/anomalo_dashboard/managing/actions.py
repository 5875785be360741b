"""What can be done with a version of a saved model: promote, retire, delete, score a table, fit it again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from anomalo.errors import AnomaloError
from anomalo.jobs.keeping.remove import remove_models
from anomalo.tabular import quantities
from anomalo.tabular.quantities import memory
from anomalo.workspace.workspace import ModelRecord, Workspace
from anomalo_dashboard import formatting, job_progress, navigation, sources
from anomalo_dashboard.managing import saved
from anomalo_dashboard.security import failures
from anomalo_dashboard.security.literal import literal
from anomalo_dashboard.security.uploads import name_of
from anomalo_dashboard.starting.score_form import SCORE
from anomalo_dashboard.starting.table_choice import choose_table

CHAMPION = "champion"


def show(record: ModelRecord) -> None:
    """Show what can be done; a version that cleans tables is neither scored with nor fitted again here."""
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
    unknown = "goals" not in record.summary
    # Its content takes a process that lists the models, so that it waits until it is opened.
    options: dict[str, Any] = {"key": "retraining", "on_change": "rerun", "disabled": unknown}
    with again.popover("Retrain", icon=":material/model_training:", width="stretch", **options) as opened:
        if opened.open and not unknown:
            _retrain(record)
    with promote.popover("Promote", icon=":material/new_releases:", width="stretch"):
        _promote(record)
    with retire.popover("Retired" if record.retired else "Retire", icon=":material/archive:", width="stretch"):
        _retire(record)
    with delete.popover("Delete", icon=":material/delete:", width="stretch"):
        _delete(record)


def _promote(record: ModelRecord) -> None:
    st.write(literal(f"Jobs that name {record.name}@TAG use the version that has the tag."))
    tag = st.text_input("Tag", CHAMPION, max_chars=100, key="promote_tag").strip()
    holder = next((one for one in _store().models(record.name) if tag in one.tags), None)
    if holder is not None:
        st.caption(literal(f"{holder.reference} has it now" + ("." if holder == record else ", and loses it.")))
    if st.button(f"Give it to version {record.version}", type="primary", disabled=holder == record):
        _do(lambda: _store().move_tag(record.reference, tag))


def _retire(record: ModelRecord) -> None:
    if record.retired:
        st.write(literal(f"{record.reference} is retired since {formatting.moment(record.retired)}."))
        if st.button("Use it again", type="primary"):
            _do(lambda: _store().versions.restore(record))
        return
    st.write(
        literal(
            f"{record.reference} stays, with its runs, but Start offers it no more, and jobs that name {record.name} "
            "use the latest version that is not retired."
        )
    )
    if record.tags:
        tags = quantities.count(len(record.tags), "tag")
        st.caption(literal(f"It loses its {tags}, {', '.join(record.tags)}: jobs that name it by a tag then fail."))
    if st.button(f"Retire version {record.version}", type="primary"):

        def retire() -> None:
            for tag in record.tags:
                _store().move_tag(record.reference, tag, remove=True)
            _store().versions.retire(record)

        _do(retire)


def _delete(record: ModelRecord) -> None:
    sure = st.checkbox(literal(f"Delete {record.reference} for good"), key=f"delete {record.reference}")
    if not sure:
        st.caption("Its runs stay readable. It cannot be restored, and its number is never given again.")
        return
    try:
        removal = remove_models(_store(), [record.reference])
    except AnomaloError as error:
        failures.show(error)
        return
    item = removal.items[0]
    st.write(literal(f"{memory(removal.bytes)} of files{f'; {item.note}' if item.note else ''}."))
    if st.button("Delete it", type="primary"):
        _do(removal.remove)


def _retrain(record: ModelRecord) -> None:
    st.write(literal(f"Fit the next version of {record.name}, with the options of version {record.version}."))
    st.caption(literal(f"Its table was {name_of(record.source)}. Without another one below it is read again."))
    try:
        source = choose_table(bundled=False) or sources.opened(sources.again(record))
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


def _do(action: Callable[[], object]) -> None:
    """Do something, then draw the page again; what is refused is said where it was asked."""
    try:
        action()
    except AnomaloError as error:
        failures.show(error)
    else:
        st.rerun()

"""Start: learn what is normal in a table, or score a table with a saved model; both in the background."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from anomalo.errors import AnomaloError, UsageError
from anomalo.jobs.background import queue
from anomalo.jobs.describing.preview import Preview
from anomalo.tabular import quantities
from anomalo.tabular.schema import SchemaOptions
from anomalo_dashboard import data, formatting, job_progress, navigation, sources
from anomalo_dashboard.images import learning as images
from anomalo_dashboard.security import failures
from anomalo_dashboard.security.literal import literal, plain_table
from anomalo_dashboard.security.uploads import name_of
from anomalo_dashboard.starting import fit_form, score_form
from anomalo_dashboard.starting.model_choice import choose_model
from anomalo_dashboard.starting.score_form import SCORE
from anomalo_dashboard.starting.table_choice import choose_table

DOORS = {
    "Learn a table": "A model learns what is normal, in a table or a folder of images, and finds what is not.",
    SCORE: "A table with the same columns, or further images, such as those of the next day.",
}


def understand(source: str) -> tuple[Preview, SchemaOptions]:
    """Show the table and the inferred kinds and roles of its columns, for the user to correct."""
    missing = fit_form.tokens(st.session_state.get("missing", ""))
    guess = data.look(source, SchemaOptions(missing=missing))
    st.header("2. Columns", anchor=False)
    rows = quantities.count(guess.rows, "row")
    st.caption(
        f"{literal(name_of(source))}: {rows if guess.complete else f'the first {rows}'}, "
        f"{quantities.count(len(guess.schema.columns), 'column')}, {quantities.count(guess.missing, 'missing cell')}. "
        "Check the kind and role of each column, and correct what is wrong."
    )
    label = "Target" if source == str(sources.BUNDLED) else None
    guessed = fit_form.columns_of(guess)
    edited = fit_form.edit_columns(fit_form.columns_of(guess, label), key=f"columns {source} {missing}")
    st.text_input(
        "Other values that mean “missing”, separated by commas",
        key="missing",
        placeholder="such as -99, unknown; empty cells, ?, NA and null always count as missing",
    )
    options = fit_form.schema_options(guessed, edited, missing)
    preview = data.look(source, options)
    for warning in preview.schema.warnings:
        shown = warning.replace(source, Path(source).name)
        st.caption(f":material/info: {literal(formatting.sentence(shown))}")
    with st.expander(f"The first {quantities.count(preview.head.num_rows, 'row')}", icon=":material/table_rows:"):
        st.dataframe(
            plain_table(preview.head.to_pandas()), hide_index=True, placeholder="", alt="The first rows of the table"
        )
    return preview, options


def learn() -> None:
    """Show the form of a fit, and start it."""
    try:
        st.header("1. Table", anchor=False)
        source = choose_table()
        if not source:
            return
        if images.holds(source):
            images.learn(source)
            return
        preview, options = understand(source)
        choice = choose_model(source, options.label)
    except AnomaloError as error:
        failures.show(error)
        return
    fitting = [*choice.fitting, *fit_form.schema_arguments(options)]
    missing = preview.missing > 0 or not preview.complete  # of rows that were not read, nothing is known
    commands = fit_form.commands(source, choice.name, fitting, choice.verbs, choice.share, missing)
    label = "Fit and score" if "score" in choice.verbs else "Fit and impute" if missing else "Fit"
    if st.button(label, type="primary", icon=":material/play_arrow:"):
        job_progress.begin(f"{name_of(source)} as {choice.name}", commands, opens=False)
    with st.expander("The same on the command line", icon=":material/terminal:"):
        st.code(job_progress.shell(commands), language="shell", wrap_lines=True)


def new_job() -> None:
    """Show the two doors, and the form behind the one that is open."""
    door = st.radio(
        "What to do",
        list(DOORS),
        0,
        captions=list(DOORS.values()),
        horizontal=True,
        key="door",
        bind="query-params",
        label_visibility="collapsed",
    )
    if door == SCORE:
        score_form.show()
    else:
        learn()


def shown_job() -> queue.Job | None:
    """Return the job that the URL names."""
    identity = st.query_params.get("job")
    if not identity:
        return None
    try:
        return queue.job(navigation.workspace(), identity)
    except UsageError:
        st.warning(f"There is no job {literal(identity)} here.", icon=":material/info:")
        return None


st.title("Start", anchor=False)
job = shown_job()
if job is None:
    new_job()
else:
    job_progress.show(job)
    if st.button("Another table", icon=":material/add:"):
        navigation.open_job(None)
jobs = [other for other in queue.jobs(navigation.workspace()) if job is None or other.id != job.id]
if jobs:
    st.divider()
    job_progress.recent(jobs)

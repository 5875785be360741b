"""Start: choose a table, check its columns, choose a model, and start a job that fits and scores."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from anomalo.errors import AnomaloError, UsageError
from anomalo.jobs.background import queue
from anomalo.jobs.describing.preview import Preview
from anomalo.tabular import quantities
from anomalo.tabular.schema import SchemaOptions
from anomalo.workspace.workspace import Workspace
from anomalo_dashboard import data, fit_form, formatting, job_progress, navigation, sources
from anomalo_dashboard.security import failures, uploads
from anomalo_dashboard.security.literal import literal, plain, plain_table
from anomalo_dashboard.security.uploads import name_of


def uploaded() -> None:
    """Save an uploaded file and choose it; called before the page is drawn again."""
    file = st.session_state.get("upload")
    if file is None:
        return
    try:
        st.session_state["source"] = str(uploads.keep(file.name, file.getvalue()))
    except AnomaloError as error:
        st.session_state["upload_error"] = error


def bundled() -> None:
    """Choose the bundled table; called before the page is drawn again."""
    st.session_state["source"] = str(sources.BUNDLED)


def choose_table() -> str:
    """Let the user upload a file, name one, or try the bundled one; the choice is in the URL."""
    st.header("1. Table", anchor=False)
    left, right = st.columns(2, gap="large")
    limit = st.get_option("server.maxUploadSize")
    with left:
        st.file_uploader(
            f"Upload a table (CSV, Excel, Parquet, JSON lines), at most {limit} MB", key="upload", on_change=uploaded
        )
    with right:
        source = st.text_input(
            "Or the path of a file on this machine", key="source", bind="query-params", placeholder="/data/patients.csv"
        )
        st.button(
            "Try the bundled table",
            icon=":material/science:",
            on_click=bundled,
            help="3,163 records of thyroid patients, with missing values; the diagnosis is hidden from the model.",
        )
    if "upload_error" in st.session_state:
        failures.show(st.session_state.pop("upload_error"))
    named = (source or "").strip()
    return str(sources.chosen(named)) if named else ""


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


def choose_model(source: str, label: str | None) -> tuple[str, list[str], list[str], float]:
    """Let the user choose a model: its name, the options of its fit, its verbs, and the threshold in percent.

    Classifiers are offered where there is a label to learn.
    """
    st.header("3. Model", anchor=False)
    scoring = [model for model in data.kinds_of_model() if "score" in model["verbs"]]
    models = {model["name"]: model for model in scoring if label is not None or "proba" not in model["verbs"]}
    names = list(models)
    first, second, third = st.columns(3)
    chosen = first.selectbox(
        "Model",
        names,
        names.index("auto") if "auto" in names else 0,
        format_func=lambda name: plain(f"{name} ({', '.join(models[name]['verbs'])})"),
        help="In brackets: what the model can do, such as score rows, explain scores or impute missing values.",
    )
    name = second.text_input("Save as", fit_form.suggested_name(source), key=f"name {source}", max_chars=100)
    share = third.number_input(
        "Alert if the p-value is at most … %",
        0.01,
        50.0,
        1.0,
        0.1,
        format="%g",
        key="alert_on",
        help="The share of normal rows that are false alerts.",
    )
    Workspace.check_name(name, "the model's name")
    with st.expander("Parameters", icon=":material/tune:"):
        settings = fit_form.parameters(models[chosen])
        seed = st.number_input("Seed", 0, None, 0, 1, help="The same seed gives the same result.")
    verbs = models[chosen]["verbs"]
    supervised = ["--supervised"] if "proba" in verbs else []
    fitting = ["--model", chosen, *supervised, *settings, *(["--seed", str(seed)] if seed else [])]
    return name, fitting, verbs, share


def new_job() -> None:
    """Show the form of a new job, and start it."""
    try:
        source = choose_table()
        if not source:
            return
        preview, options = understand(source)
        name, fitting, verbs, share = choose_model(source, options.label)
    except AnomaloError as error:
        failures.show(error)
        return
    fitting += fit_form.schema_arguments(options)
    missing = preview.missing > 0 or not preview.complete  # of rows that were not read, nothing is known
    commands = fit_form.commands(source, name, fitting, verbs, share, missing)
    if st.button("Fit and score", type="primary", icon=":material/play_arrow:"):
        job = queue.start(navigation.workspace(), f"{name_of(source)} as {name}", commands)
        navigation.open_job(job.id)
    with st.expander("The same on the command line", icon=":material/terminal:"):
        st.code(job_progress.shell(commands), language="shell", wrap_lines=True)


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
st.write(
    "Choose a table: a model learns what is normal in it, finds anomalous rows, gives the reasons, and imputes missing "
    "values."
)
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

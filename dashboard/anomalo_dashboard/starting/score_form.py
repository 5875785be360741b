"""The second door of Start: a table is scored with a saved model, or its missing values are imputed."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from anomalo.errors import AnomaloError
from anomalo.tabular import quantities
from anomalo.tabular.quantities import duration
from anomalo.tabular.schema import SchemaOptions
from anomalo.workspace.workspace import ModelRecord
from anomalo_dashboard import data, formatting, job_progress, navigation, sources
from anomalo_dashboard.images import learning, pictures
from anomalo_dashboard.managing import saved
from anomalo_dashboard.security import failures
from anomalo_dashboard.security.literal import literal, plain, plain_table
from anomalo_dashboard.security.uploads import name_of
from anomalo_dashboard.starting import predictions
from anomalo_dashboard.starting.table_choice import choose_table

SCORE = "Score with a saved model"
"""The name of this door, on the page and in its URL."""


def show() -> None:
    """Show the form, and start the job."""
    named = st.query_params.get("with")  # a version that is retired is used only if it is named
    models = [
        record
        for record in data.models()
        if {"score", "impute"} & saved.verbs_of(record) and (not record.retired or record.reference == named)
    ]
    if not models:
        st.info("No model is saved yet: learn a table first.", icon=":material/info:")
        return
    reference, record = _choose_model(models)
    st.header("2. Table", anchor=False)
    try:
        source = choose_table(bundled=False)
        if not source or not _fits(record, source):
            return
    except AnomaloError as error:
        failures.show(error)
        return
    command = _commands(record, reference, source)
    _seconds(source, reference, [verb for verb, *_ in command])
    label = "Score" if command[0][0] == "score" else "Impute"
    if st.button(label, type="primary", icon=":material/play_arrow:"):
        job_progress.begin(f"{name_of(source)} with {reference}", command)
    with st.expander("The same on the command line", icon=":material/terminal:"):
        st.code(job_progress.shell(command), language="shell", wrap_lines=True)


def references(models: Sequence[ModelRecord]) -> dict[str, ModelRecord]:
    """Return the versions of saved models by what a command calls them: first the tags of a name, then its versions."""
    found: dict[str, ModelRecord] = {}
    for name in dict.fromkeys(record.name for record in models):
        versions = [record for record in models if record.name == name]
        found |= {f"{name}@{tag}": record for record in versions for tag in record.tags}
        found |= {record.reference: record for record in versions}
    return found


def _choose_model(models: Sequence[ModelRecord]) -> tuple[str, ModelRecord]:
    st.header("1. Model", anchor=False)
    known = references(models)
    requested = st.query_params.get("with")
    if "with" not in st.session_state and requested not in known:
        notice = f"There is no model {requested} here that scores or imputes." if requested else ""
        navigation.turn_to(notice, **{"with": next(iter(known))})
    chosen = st.selectbox(
        "Model",
        list(known),
        None,
        plain,
        key="with",
        bind="query-params",
        required=True,
        label_visibility="collapsed",
    )
    reference = chosen if chosen in known else next(iter(known))
    record = known[reference]
    st.caption(
        literal(
            f"Version {record.version} of {record.name}: {record.model}, fitted on {name_of(record.source)} "
            f"({quantities.count(record.rows, 'row')}), {formatting.moment(record.created)}"
        )
    )
    return reference, record


def _fits(record: ModelRecord, source: str) -> bool:
    """Show the first rows of a table; returns whether it has the columns that the model reads."""
    asked = record.summary.get("lineage", {}).get("options", {})
    options = SchemaOptions(infinite=asked.get("infinite", "error"), missing=_for_all(asked.get("missing", ())))
    preview = data.look(source, options)
    if learning.is_of_images(preview) or pictures.learned_from_images(record):
        return learning.fits(record, source, preview)
    there = {column.name for column in preview.schema.columns}
    needed = saved.columns_read(record)
    missing = [name for name in needed if name not in there]
    rows = quantities.count(preview.rows, "row")
    if missing:
        st.error(
            literal(
                f"{name_of(source)} lacks {quantities.count(len(missing), 'column')} that {record.reference} reads: "
                f"{', '.join(missing[:10])}{', …' if missing[10:] else ''}. Choose another table or model."
            ),
            icon=":material/error:",
        )
        return False
    st.caption(
        literal(
            f"{name_of(source)}: {rows if preview.complete else f'more than {rows}'}; it has all "
            f"{quantities.count(len(needed), 'column')} that the model reads."
        )
    )
    with st.expander(f"The first {quantities.count(preview.head.num_rows, 'row')}", icon=":material/table_rows:"):
        st.dataframe(
            plain_table(preview.head.to_pandas()), hide_index=True, placeholder="", alt="The first rows of the table"
        )
    return True


def _for_all(tokens: Sequence[str]) -> tuple[str, ...]:
    """Return the values that are missing in all columns; others name a column, which this table may lack."""
    return tuple(token for token in tokens if "=" not in token)


def _commands(record: ModelRecord, reference: str, source: str) -> list[list[str]]:
    """Let the user choose what is done; returns the commands."""
    verbs, found = saved.verbs_of(record), []
    reading = [source, "--with", reference, *sources.flags(record, source)]
    if "score" in verbs:
        share = st.number_input(
            "Alert if the p-value is at most … %",
            0.01,
            50.0,
            None if record.threshold else 1.0,
            0.1,
            format="%g",
            key="alert_on_saved" if record.threshold else "alert_on",
            placeholder=f"{formatting.threshold(record.threshold)}, saved with the model" if record.threshold else None,
            help="The share of normal rows that are false alerts. Empty: the threshold that is saved with the model.",
            width=320,
        )
        found.append(["score", *reading, *([] if share is None else ["--threshold", f"share={share / 100:g}"])])
    missing = "Impute its missing values, too"
    if pictures.learned_from_images(record):
        missing = "Fill the pixels under masks, too" if learning.masks(data.look(source, SchemaOptions())) else ""
    if "impute" in verbs and (not found or (missing and st.checkbox(missing, key="impute_too"))):
        found.append(["impute", *reading])
    return found


def _seconds(source: str, reference: str, verbs: Sequence[str]) -> None:
    """Say how long the job is going to take."""
    predictions.wait(source, "--with", reference)
    known = predictions.estimates(source, "--with", reference) or {}
    seconds = [known["verbs"][verb]["seconds"] for verb in verbs if verb in known.get("verbs", {})]
    with st.container():
        if seconds:
            st.caption(literal(f"About {duration(sum(seconds))}."))

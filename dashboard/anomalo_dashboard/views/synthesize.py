"""Synthesize: fit a generator, generate synthetic rows or images, compare them with the real ones, and save them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import streamlit as st

from anomalo.errors import AnomaloError
from anomalo.jobs.background import queue
from anomalo.jobs.synthesis import report_charts
from anomalo.tabular import quantities
from anomalo.workspace.workspace import ModelRecord, RunRecord
from anomalo_dashboard import data, downloads, formatting, job_progress, navigation, sources
from anomalo_dashboard.images import pictures
from anomalo_dashboard.security import failures
from anomalo_dashboard.security.literal import literal, plain, plain_values
from anomalo_dashboard.security.uploads import name_of
from anomalo_dashboard.starting import fit_form
from anomalo_dashboard.synthesizing import holdout, images, rows

FIRST = 12  # columns whose charts are shown at first
ROWS = 1000
USUAL_ROWS, USUAL_IMAGES = "edm", "dcgan"  # the generators that are offered first
MARGIN = 105  # Streamlit takes the legend, the axis and its margins from a chart's height
LABELS = (300, 190)  # likewise, from the width and height of the chart of pairs: names of columns and the legend
OPTIONS = re.compile(r" \(--[^)]*\)")  # what a report says of the command line; the form has fields for it
TILES = {
    "Quality": "Similarity of single columns and of pairs of columns to the real ones, from 0 to 1 = equal.",
    "Discriminator AUROC": "How well trees separate synthetic from real rows: 0.5 is not at all, 1 is always.",
    "Utility": "Score of a model that learns the label from synthetic rows, and of one that learns it from real rows.",
    "Closer to training": "Share of synthetic rows closer to a training row than to a held-out row; 50 % is best.",
    "Copies": "Share of synthetic rows that equal a training row in every cell.",
}


def generators() -> list[ModelRecord]:
    """Return the saved models that generate rows or images, newest first."""
    tables, of_images = data.models_with("sample"), data.models_with("sample", modality="image")
    found = [
        record
        for record in data.models()
        if record.model in (of_images if pictures.learned_from_images(record) else tables)
    ]
    return [record for record in found if "sample" in (record.summary.get("goals") or ["sample"])]


def conditions(record: ModelRecord) -> list[str]:
    """Let the user fix levels of category columns; returns command-line options."""
    levels = record.summary.get("levels", {})
    named = st.multiselect(
        "Only rows with", list(levels), key=f"where {record.reference}", format_func=plain, placeholder="any row"
    )
    found: list[str] = []
    for name in named:
        value = st.selectbox(literal(name), levels[name], format_func=plain, key=f"where {record.reference} {name}")
        found += ["--where", f"{name}={value}"]
    return found


def generation(record: ModelRecord) -> list[list[str]]:
    """Let the user choose which rows to generate; returns the job's commands."""
    left, middle, right = st.columns([2, 2, 1])
    number = left.number_input("Rows", 1, 10_000_000, ROWS, 100, key="rows")
    suffix = middle.selectbox("Format", ["csv", "parquet"], key="suffix")
    seed = right.number_input("Seed", 0, None, 0, 1, key="seed", help="The same seed gives the same rows.")
    where = conditions(record)
    real = holdout.choose("holdout")
    output = f"{queue.FOLDER}/rows.{suffix}"
    generate = ["augment", "--with", record.reference, "-n", str(number), "--seed", str(seed), "-o", output, *where]
    compare_with_real = ["evaluate", "--synthetic", output, "--real", sources.again(record)]
    compare_with_real += ["--holdout", real] if real else []
    label = record.summary.get("label")
    return [generate, compare_with_real + (["--label", label] if label else [])]


def generate_form(found: Sequence[ModelRecord]) -> None:
    """Show the form that generates rows or images with a saved generator."""
    by_name = {record.reference: record for record in found}
    name = st.selectbox(
        "Generator", list(by_name), format_func=lambda name: plain(f"{name} ({by_name[name].model})"), key="generator"
    )
    draws = pictures.learned_from_images(by_name[name])
    try:
        commands = images.generation(by_name[name]) if draws else generation(by_name[name])
    except AnomaloError as error:
        failures.show(error)
        return
    what = "images" if draws else "rows"
    if st.button(f"Generate {what}", type="primary", icon=":material/library_add:"):
        start(f"Synthetic {what} of {name}", commands)


def fit_generator() -> None:
    """Show the form that fits a generator on a table, or on images, that a model of the workspace has learned."""
    known = {record.source: record for record in reversed(data.models()) if sources.is_certain(record.source)}
    choices = list(dict.fromkeys([*reversed(known), str(sources.BUNDLED)]))
    left, middle, right = st.columns(3)
    source = left.selectbox("Learn from", choices, format_func=lambda path: plain(name_of(path)), key="learn_from")
    record = known.get(source)
    draws = record is not None and pictures.learned_from_images(record)
    models = {
        model["name"]: model for model in data.models_of("image" if draws else "table") if "sample" in model["verbs"]
    }
    usual = USUAL_IMAGES if draws else USUAL_ROWS
    model = middle.selectbox("Model", list(models), list(models).index(usual) if usual in models else 0, key="learner")
    what = "images" if draws else "rows"
    name = right.text_input("Save as", f"{fit_form.suggested_name(source)}-{what}", key=f"learn as {source}")
    label = st.text_input(
        "Label column (optional)", key=f"label {source}", help=f"With a label, {what} of one class can be generated."
    )
    with st.expander("Parameters", icon=":material/tune:"):
        settings = fit_form.parameters(models[model])
    read = [] if record is None else sources.flags(record)
    fit = ["fit", source, *read, "--as", name, "--model", model, "--for", "sample", *settings]
    if st.button("Fit the generator", icon=":material/model_training:"):
        labelled = ["--label", label, *(["--supervised"] if draws else [])] if label else []
        start(f"{model} of {name_of(source)}", [fit + labelled])


def start(title: str, commands: list[list[str]]) -> None:
    """Start a job and show it on this page."""
    st.session_state["generation_job"] = queue.start(navigation.workspace(), title, commands).id
    st.rerun()


def current_job() -> None:
    """Show the job that was started here, until it is done."""
    identity = st.session_state.get("generation_job")
    if identity is None:
        return
    job = queue.job(navigation.workspace(), identity)
    if job.status == "done":
        del st.session_state["generation_job"]
        generated = next((result["id"] for result in job.results if result.get("verb") == "augment"), None)
        if generated is not None:
            navigation.turn_to(run=generated)
        st.success("The generator is fitted and can be used now.", icon=":material/check_circle:")
        return
    job_progress.show(job)
    if job.status != "running" and st.button("Close", icon=":material/close:"):
        del st.session_state["generation_job"]
        st.rerun()


def offer(run: RunRecord, path: Path | None, compared: RunRecord | None) -> None:
    """Offer the synthetic rows and the report as files."""
    if path is None:
        st.warning(
            f"The rows were written to {literal(name_of(str(run.summary.get('output'))))}, which is not found; "
            "generate them again.",
            icon=":material/info:",
        )
        return
    stem = f"{fit_form.suggested_name(run.source)}-synthetic"
    *formats, right = st.columns(3)
    downloads.table_buttons(formats, "Rows", path, stem)
    page = None if compared is None else compared.path / "report.html"
    if page is not None and page.is_file():
        right.download_button(
            "Report as HTML", page.read_bytes(), f"{stem}.html", icon=":material/description:", width="stretch"
        )


def compare(run: RunRecord, path: Path, again: bool) -> None:
    """Offer to compare the synthetic rows with the real ones, `again` with other held-out rows."""
    if not again:
        st.info("These rows have not been compared with the real rows yet.", icon=":material/info:")
    try:
        real = holdout.choose("compare_with")
        command = ["evaluate", "--synthetic", str(path), "--real", sources.again(run)]
    except AnomaloError as error:
        failures.show(error)
        return
    record = data.model_of(run.model)
    label = None if record is None else record.summary.get("label")
    command += [*(["--holdout", real] if real else []), *(["--label", label] if label else [])]
    kind: Literal["primary", "secondary"] = "secondary" if again else "primary"
    if st.button("Compare", type=kind, icon=":material/compare:", disabled=again and not real):
        start("Comparison", [command])


def figures(report: dict[str, Any]) -> dict[str, str]:
    """Return the values of the tiles, of the measures that the report has."""
    auroc = report["distinguishability"]["holdout"] or report["distinguishability"]["train"]
    use, close = report["usefulness"], report["closeness"]
    return {
        "Quality": f"{report['quality']:.3f}",
        **({} if auroc is None else {"Discriminator AUROC": f"{auroc:.3f}"}),
        **(
            {}
            if use is None or use["synthetic"] is None
            else {"Utility": f"{literal(use['measure'])} {use['synthetic']:.3f} of {use['real']:.3f}"}
        ),
        **({} if close is None else {"Closer to training": quantities.percent(close["nearer_share"])}),
        "Copies": quantities.percent(report["copied"]),
    }


def show(report: dict[str, Any]) -> None:
    """Show the result, the measures and the charts."""
    result = report["assessment"]
    st.header(f"Beside the real rows: {literal(result['title'])}", anchor=False)
    for sentence in result["reasons"]:
        st.markdown(f"- {literal(sentence)}")
    for sentence in result["unchecked"]:
        said = OPTIONS.sub("", sentence)
        st.caption(f":material/info: Not checked: {literal(said[:1].lower() + said[1:])}")
    shown = figures(report)
    for column, (name, value) in zip(st.columns(len(shown)), shown.items(), strict=True):
        column.metric(name, value, help=TILES[name], border=True)
    entries = sorted(report["columns"], key=lambda entry: (entry["similarity"] is None, entry["similarity"] or 0))
    st.header("Columns, least similar first", anchor=False)
    every = len(entries) > FIRST and st.toggle(f"All {len(entries)} columns", key="every_column")
    thirds = st.columns(3)
    for number, entry in enumerate(entries if every else entries[:FIRST]):
        with thirds[number % 3].container(border=True):
            similarity = "" if entry["similarity"] is None else f" · {entry['similarity']:.3f}"
            st.markdown(f"**{literal(entry['column'])}**{similarity}")
            chart = report_charts.column(entry)
            st.altair_chart(
                chart.properties(height=chart.height + MARGIN),
                alt=f"{plain(entry['column'])} in real and synthetic rows",
            )
    for title, together, (wider, higher) in (
        ("Pairs of columns: similarity of their dependence", report_charts.pairs(report), LABELS),
        ("Distance to the closest real row", report_charts.closeness(report), (0, 0)),
    ):
        if together is not None:
            st.header(title, anchor=False)
            roomy = together.properties(width=together.width + wider, height=together.height + higher)
            st.altair_chart(roomy, width="content", alt=title)


st.title("Synthesize", anchor=False)
everything = data.runs()
found, saved = [run for run in everything if run.verb == "augment"], generators()
current_job()
with st.expander(
    "Generate rows or images" if any(map(pictures.learned_from_images, saved)) else "Generate rows",
    expanded=not found,
    icon=":material/library_add:",
):
    if saved:
        generate_form(saved)
    else:
        st.write("No generator has been fitted yet. Fit one below; the time depends on the model.")
with st.expander("Fit a generator", expanded=not saved, icon=":material/model_training:"):
    fit_generator()
if not found:
    st.stop()
left, right = st.columns([2, 3], vertical_alignment="center")
run = navigation.run_in_view(found, everything)
with left:
    navigation.run_box(found)
what = "synthetic image" if images.of_images(run) else "synthetic row"
right.caption(
    f"{quantities.count(run.summary['rows'], what)} for {literal(name_of(run.source))}, generated by "
    f"{literal(run.model)} on {formatting.moment(run.created)}"
)
if images.of_images(run):
    images.show(run)
    st.stop()
path = data.output_table(run)
compared = next((other for other in everything if other.verb == "evaluate" and other.source == str(path)), None)
offer(run, path, compared)
if path is not None:
    rows.show(path, run.summary["rows"])
if compared is not None:
    show(plain_values(data.report(compared)))
    if path is not None:
        with st.expander("Compare with held-out rows", icon=":material/compare:"):
            compare(run, path, again=True)
elif path is not None and "windows" not in run.summary:  # those of a series are no table to compare
    compare(run, path, again=False)

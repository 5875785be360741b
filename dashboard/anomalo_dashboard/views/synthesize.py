"""Synthesize: rows that a generator makes, how they compare with the real ones, and the table to take away."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from anomalo.jobs import background, pictures
from anomalo.store import ModelRecord, RunRecord
from anomalo_dashboard import data, downloads, fit_form, formatting, job_progress, navigation

FIRST = 12  # columns that are pictured at once
ROWS = 1000
MARGIN = 105  # Streamlit takes the legend, the axis and its own margins from a chart's height
TILES = {
    "Quality": "Columns and pairs of columns together; 1 is equal.",
    "Told apart": "How well trees tell them from real rows (AUROC): 0.5 is not at all, 1 always.",
    "Useful": "What a model learns from them for the label, beside what it learns from real rows.",
    "Nearer to training": "Rows that are nearer to a training row than to one never seen; 50 % is best.",
    "Copies": "Rows that equal a training row in every cell.",
}


def makers() -> list[ModelRecord]:
    """Return the saved models that sample, newest first."""
    able = {model["name"] for model in data.kinds_of_model() if "sample" in model["verbs"]}
    found = [record for record in data.models() if record.model in able]
    return [record for record in found if "sample" in (data.manifest(record.reference).get("goals") or ["sample"])]


def conditions(record: ModelRecord) -> list[str]:
    """Let the user fix cells of categories; returns options of the command line."""
    blocks = data.manifest(record.reference)["encoding"]["layout"]["blocks"]
    levels = {block["name"]: block["levels"] for block in blocks if block["kind"] == "category"}
    named = st.multiselect("Only rows with", list(levels), key=f"where {record.reference}", placeholder="any row")
    found: list[str] = []
    for name in named:
        value = st.selectbox(name, levels[name], key=f"where {record.reference} {name}")
        found += ["--where", f"{name}={value}"]
    return found


def order(record: ModelRecord) -> list[list[str]]:
    """Let the user say what to make; returns the job's commands."""
    left, middle, right = st.columns([2, 2, 1])
    rows = left.number_input("Rows", 1, 10_000_000, ROWS, 100, key="rows")
    suffix = middle.selectbox("Format", ["csv", "parquet"], key="suffix")
    seed = right.number_input("Seed", 0, None, 0, 1, key="seed", help="Equal seeds give equal rows.")
    where = conditions(record)
    holdout = st.text_input(
        "Real rows that the generator never saw",
        key="holdout",
        placeholder="/data/set-aside.csv",
        help="Without them nobody can tell whether the rows were copied.",
    ).strip()
    output = f"{background.FOLDER}/rows.{suffix}"
    made = ["augment", "--with", record.reference, "-n", str(rows), "--seed", str(seed), "-o", output, *where]
    compared = ["evaluate", "--synthetic", output, "--real", record.source]
    compared += ["--holdout", holdout] if holdout else []
    label = next(
        (c["name"] for c in data.manifest(record.reference)["schema"]["columns"] if c["role"] == "label"), None
    )
    return [made, compared + (["--label", label] if label else [])]


def make(found: Sequence[ModelRecord]) -> None:
    """Let the user make rows with a saved generator."""
    by_name = {record.reference: record for record in found}
    name = st.selectbox(
        "Generator", list(by_name), format_func=lambda name: f"{name} ({by_name[name].model})", key="maker"
    )
    commands = order(by_name[name])
    if st.button("Make rows", type="primary", icon=":material/library_add:"):
        start(f"Rows of {name}", commands)


def learn() -> None:
    """Let the user fit a generator on a table that is known here."""
    sources = list(dict.fromkeys([*(record.source for record in data.models()), str(data.BUNDLED)]))
    models = {model["name"]: model for model in data.kinds_of_model() if "sample" in model["verbs"]}
    left, middle, right = st.columns(3)
    source = left.selectbox("Table", sources, format_func=formatting.file_name, key="learn_from")
    model = middle.selectbox("Model", list(models), list(models).index("edm") if "edm" in models else 0, key="learner")
    name = right.text_input("Save it as", f"{fit_form.suggested_name(source)}-rows", key=f"learn as {source}")
    label = st.text_input(
        "Its label, if it has one", key=f"label {source}", help="So that rows of one class can be made."
    )
    with st.expander("Parameters", icon=":material/tune:"):
        settings = fit_form.parameters(models[model])
    fit = ["fit", source, "--as", name, "--model", model, "--for", "sample", *settings]
    if st.button("Fit the generator", icon=":material/model_training:"):
        start(f"{model} of {formatting.file_name(source)}", [fit + (["--label", label] if label else [])])


def start(title: str, commands: list[list[str]]) -> None:
    """Start a job and show it on this page."""
    st.session_state["making"] = background.start(navigation.workspace(), title, commands).id
    st.rerun()


def at_work() -> None:
    """Show the job that was started here, until it is done."""
    identity = st.session_state.get("making")
    if identity is None:
        return
    job = background.job(navigation.workspace(), identity)
    if job.status == "done":
        del st.session_state["making"]
        made = next((result["id"] for result in job.results if result.get("verb") == "augment"), None)
        if made is not None:
            navigation.turn_to(run=made)
        st.success("The generator is fitted; rows can be made with it now.", icon=":material/check_circle:")
        return
    job_progress.show(job)
    if job.status != "running" and st.button("Close", icon=":material/close:"):
        del st.session_state["making"]
        st.rerun()


def take_away(run: RunRecord, path: Path | None, compared: RunRecord | None) -> None:
    """Offer the rows and the report."""
    if path is None:
        st.warning(f"The rows were written to {run.summary.get('output')}, which is gone.", icon=":material/info:")
        return
    places, stem = st.columns(3), f"{Path(formatting.file_name(run.source)).stem}-synthetic"
    for place, suffix, read in zip(places, ("csv", "parquet"), (downloads.as_csv, downloads.as_parquet), strict=False):
        place.download_button(
            f"Rows as {'CSV' if suffix == 'csv' else 'Parquet'}",
            lambda read=read: read(path),
            f"{stem}.{suffix}",
            icon=":material/download:",
            on_click="ignore",
            width="stretch",
            type="primary" if path.suffix == f".{suffix}" else "secondary",
        )
    page = None if compared is None else compared.path / "report.html"
    if page is not None and page.is_file():
        places[2].download_button(
            "The report as a page", page.read_bytes(), f"{stem}.html", icon=":material/description:", width="stretch"
        )


def compare(run: RunRecord, path: Path) -> None:
    """Offer to compare rows with the real ones, where that was not done."""
    st.info("These rows have not been compared with the real ones.", icon=":material/info:")
    if st.button("Compare", type="primary", icon=":material/compare:"):
        start("Comparison", [["evaluate", "--synthetic", str(path), "--real", run.source]])


def figures(report: dict[str, Any]) -> dict[str, str]:
    """Return what the tiles say, those that were measured."""
    told = report["told_apart"]["holdout"] or report["told_apart"]["train"]
    use, close = report["usefulness"], report["closeness"]
    return {
        "Quality": f"{report['quality']:.3f}",
        **({} if told is None else {"Told apart": f"{told:.3f}"}),
        **(
            {}
            if use is None or use["synthetic"] is None
            else {"Useful": f"{use['synthetic']:.3f} of {use['real']:.3f}"}
        ),
        **({} if close is None else {"Nearer to training": formatting.percent(close["nearer_share"])}),
        "Copies": formatting.percent(report["copied"]),
    }


def show(report: dict[str, Any]) -> None:
    """Show the verdict and the pictures."""
    verdict = report["verdict"]
    st.subheader(verdict["title"][0].upper() + verdict["title"][1:], anchor=False)
    for sentence in verdict["reasons"]:
        st.markdown(f"- {sentence}")
    for sentence in verdict["unchecked"]:
        st.caption(f":material/info: {sentence}")
    shown = figures(report)
    for place, (name, value) in zip(st.columns(len(shown)), shown.items(), strict=True):
        place.metric(name, value, help=TILES[name], border=True)
    entries = sorted(report["columns"], key=lambda entry: (entry["similarity"] is None, entry["similarity"] or 0))
    st.subheader("Columns, the least alike first", anchor=False)
    every = len(entries) > FIRST and st.toggle(f"All {len(entries)} columns", key="every_column")
    places = st.columns(3)
    for number, entry in enumerate(entries if every else entries[:FIRST]):
        with places[number % 3].container(border=True):
            likeness = "" if entry["similarity"] is None else f" · {entry['similarity']:.3f}"
            st.markdown(f"**{entry['column']}**{likeness}")
            chart = pictures.column(entry)
            st.altair_chart(
                chart.properties(height=chart.height + MARGIN), alt=f"{entry['column']} in real and synthetic rows"
            )
    for title, chart in (
        ("Pairs of columns: how alike their relation is", pictures.pairs(report)),
        ("Distance to the closest real row", pictures.closeness(report)),
    ):
        if chart is not None:
            st.subheader(title, anchor=False)
            st.altair_chart(chart, width="content", alt=title)


st.title("Synthesize", anchor=False)
everything = data.runs()
found, generators = [run for run in everything if run.verb == "augment"], makers()
at_work()
with st.expander("Make rows", expanded=not found, icon=":material/library_add:"):
    if generators:
        make(generators)
    else:
        st.write("No generator has been fitted yet. Fit one below; how long it takes depends on the model.")
with st.expander("Fit a generator", expanded=not generators, icon=":material/model_training:"):
    learn()
if not found:
    st.stop()
left, right = st.columns([2, 3], vertical_alignment="center")
run = navigation.run_in_view(found, everything)
with left:
    navigation.run_box(found)
right.caption(
    f"{formatting.count(run.summary['rows'], 'row')} like those of {formatting.file_name(run.source)}, made by {run.model} on "
    f"{formatting.moment(run.created)}"
)
path = data.filled_table(run)
compared = next((other for other in everything if other.verb == "evaluate" and other.source == str(path)), None)
take_away(run, path, compared)
if compared is not None:
    show(data.report(compared))
elif path is not None:
    compare(run, path)

"""Images on the page Start: what a folder or an archive holds, and the form that lets a model learn it."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from anomalo.jobs.describing.preview import Preview
from anomalo.tabular import quantities
from anomalo.tabular.reading.folder.listing import IMAGES
from anomalo.tabular.reading.images.files import ARRAYS
from anomalo.tabular.reading.images.rows import MASK_FILE, PATH
from anomalo.tabular.schema import SchemaOptions
from anomalo.workspace.workspace import ModelRecord, Workspace
from anomalo_dashboard import data, job_progress
from anomalo_dashboard.images import pictures
from anomalo_dashboard.security.literal import literal, plain_table
from anomalo_dashboard.security.named import name_in
from anomalo_dashboard.security.uploads import name_of
from anomalo_dashboard.starting import fit_form, model_choice

FIRST = "local_pca"
"""The model that is offered first: it learns in seconds, scores and fills."""

_SHARE = "The share of normal images that are false alerts."


def holds(source: str) -> bool:
    """Whether a source that a user may open is one of images: a folder, an array, or a file of one."""
    path = Path(source)
    return name_in(source) is None and (path.is_dir() or path.suffix.lower() in (ARRAYS, *IMAGES))


def is_of_images(preview: Preview) -> bool:
    """Whether the rows of a preview are images."""
    return preview.schema.modality == "image"


def masks(preview: Preview) -> int:
    """Return how many of the images that a preview has seen have a mask."""
    missing = next((facts.missing for facts in preview.facts if facts.name == MASK_FILE), 1.0)
    return round((1 - missing) * preview.rows)


def learn(source: str) -> None:
    """Show what a source of images holds and the form of a fit, and start it.

    Raises
    ------
    UsageError
        The name or a parameter is not valid.
    """
    preview = data.look(source, SchemaOptions())
    st.header("2. Images", anchor=False)
    _said(source, preview)
    st.header("3. Model", anchor=False)
    known = {model["name"]: model for model in data.models_of("image") if "score" in model["verbs"]}
    order = {name: known[name] for name in sorted(known, key=lambda name: (name != FIRST, name))}
    kind = model_choice.choose(order, data.descriptions())
    first, second = st.columns(2)
    name = first.text_input("Save as", fit_form.suggested_name(source), key=f"name {source}", max_chars=100)
    share = second.number_input(
        "Alert if the p-value is at most … %", 0.01, 50.0, 1.0, 0.1, format="%g", key="alert_on", help=_SHARE
    )
    Workspace.check_name(name, "the model's name")
    with st.expander("Advanced: parameters, the seed", icon=":material/tune:"):
        settings = fit_form.parameters(kind)
        seed = st.number_input("Seed", 0, None, 0, 1, help="The same seed gives the same result.")
    model_choice.seconds(source, kind["name"])
    fitting = ["--model", kind["name"], *settings, *(["--seed", str(seed)] if seed else [])]
    commands = fit_form.commands(source, name, fitting, kind["verbs"], share, masks(preview) > 0)
    if st.button("Fit and score", type="primary", icon=":material/play_arrow:"):
        job_progress.begin(f"{name_of(source)} as {name}", commands, opens=False)
    with st.expander("The same on the command line", icon=":material/terminal:"):
        st.code(job_progress.shell(commands), language="shell", wrap_lines=True)


def fits(record: ModelRecord, source: str, preview: Preview) -> bool:
    """Show what a source holds; returns whether that and what a saved model reads are both images."""
    if is_of_images(preview) and pictures.learned_from_images(record):
        _said(source, preview)
        return True
    what, other = ("images", "a table") if pictures.learned_from_images(record) else ("tables", "a folder of images")
    st.error(
        literal(f"{record.reference} reads {what}, and {name_of(source)} is {other}. Choose another one, or a model."),
        icon=":material/error:",
    )
    return False


def _said(source: str, preview: Preview) -> None:
    images, hidden = quantities.count(preview.rows, "image"), masks(preview)
    with_masks = f", {quantities.count(hidden, 'mask')}" if hidden else ""
    st.caption(
        literal(f"{name_of(source)}: {images if preview.complete else f'more than {images}'}{with_masks}.")
        + " All are brought to one size, the median, with at most 128 pixels to a side."
    )
    with st.expander(f"The first {quantities.count(preview.head.num_rows, 'image')}", icon=":material/image:"):
        names = preview.head.select([PATH]).to_pandas()
        st.dataframe(plain_table(names), hide_index=True, column_config={PATH: "Image"}, alt="The first images")

"""Synthetic images: which to draw, and a contact sheet of them, each beside the training image nearest to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from anomalo.jobs.images.draw import FOLDER, NEAREST, TABLE
from anomalo.jobs.images.kept import read
from anomalo.jobs.images.pictures import name_of
from anomalo.workspace.workspace import ModelRecord, RunRecord
from anomalo_dashboard import data, downloads, formatting, navigation
from anomalo_dashboard.images.inpainted import archive
from anomalo_dashboard.images.pictures import enlarged
from anomalo_dashboard.security import failures
from anomalo_dashboard.security.literal import literal, plain
from anomalo_dashboard.starting.fit_form import suggested_name

IMAGES, MOST = 48, 10_000
"""Images that are drawn if the user does not say how many, and the most; the command line draws any number."""
PAGE, ACROSS = 24, 4
"""Pairs of images on one page, and beside each other."""
_ANY = "any class"
_NEARER = "Nearer to a training image than 99 % of training images are to any other: it may be a copy."


def of_images(run: RunRecord) -> bool:
    """Whether a run drew images."""
    return run.verb == "augment" and (run.path / FOLDER).is_dir()


def generation(record: ModelRecord) -> list[list[str]]:
    """Let the user choose which images to draw; returns the job's commands."""
    left, middle, right = st.columns([2, 2, 1])
    more = f"More than {MOST:,} are drawn on the command line."
    number = left.number_input("Images", 1, MOST, IMAGES, 24, key="images", help=more)
    classes: list[str] = record.summary.get("classes", [])
    asked = None
    if classes:
        asked = middle.selectbox(
            f"Class ({literal(record.summary['label'])})",
            sorted(classes, key=lambda name: (len(name), name)),
            None,
            key=f"class {record.reference}",
            format_func=plain,
            placeholder=_ANY,
        )
    seed = right.number_input("Seed", 0, None, 0, 1, key="seed", help="The same seed gives the same images.")
    where = [] if asked is None else ["--where", f"{record.summary['label']}={asked}"]
    return [["augment", "--with", record.reference, "-n", str(number), "--seed", str(seed), *where]]


def show(run: RunRecord) -> None:
    """Show the images of a run, page by page: possible copies first, then those nearest to a training image.

    Raises
    ------
    ArtefactError
        The run's files are missing or damaged.
    """
    with data.files_of(run):
        found = listed(run.path, run.created, run.summary["rows"], run.summary.get("copies", 0))
    for warning in run.summary.get("warnings", []):
        st.warning(literal(formatting.sentence(failures.without_folders(warning))), icon=":material/info:")
    _measured(run)
    said, pager, save = st.columns([3, 3, 2], vertical_alignment="center")
    with pager:
        span = navigation.one_page(len(found), PAGE, "images_page")
    order = "nearest first" if "distance" in run.summary else "as they were drawn"
    said.markdown(f"**Images {span.start + 1:,} to {span.stop:,}** of {len(found):,}, {order}")
    save.download_button(
        "All as a zip archive",
        lambda: packed(run),
        f"{suggested_name(run.source)}-synthetic.zip",
        "application/zip",
        icon=":material/download:",
        on_click="ignore",
        width="stretch",
        help="The images, the table of them with the nearest training images, and a contact sheet",
    )
    here = list(found[span].itertuples())
    for first in range(0, len(here), ACROSS):
        for column, line in zip(st.columns(ACROSS, gap="small"), here[first : first + ACROSS], strict=False):
            with column.container(border=True):
                _one(run, line)


def packed(run: RunRecord) -> bytes:
    """Return the images of a run as a zip archive, with the table of them, in which a spreadsheet finds no formulas."""
    folder = run.path / FOLDER
    return archive(folder, {TABLE: downloads.as_csv(folder / TABLE)})


def _measured(run: RunRecord) -> None:
    """Show how near the images are to training images, if that is known."""
    if "distance" not in run.summary:
        return
    median, usual = (f"{run.summary['distance'][of]:.3f}" for of in ("median", "of_training_images"))
    copies = run.summary["copies"]
    left, middle, right = st.columns(3)
    tip = "The root of the mean squared difference of their pixels, which go from 0 to 1; the median of all images"
    left.metric("Distance to the nearest training image", median, help=tip, border=True)
    middle.metric("Distance between training images", usual, help=f"{tip}, each to its nearest", border=True)
    right.metric("Possible copies", f"{copies:,}", help=_NEARER, border=True)


def _one(run: RunRecord, line: Any) -> None:
    """Show a synthetic image, a line of `listed`, beside the training image nearest to it."""
    label = f" · class {literal(line.label)}" if line.label else ""
    mark = " :orange-badge[:material/content_copy: possible copy]" if line.copy else ""
    st.markdown(f"**{line.number}**{label}{mark}")
    name = name_of(line.number, "seen")
    shown = {"Synthetic": run.path / FOLDER / name, "Nearest": run.path / NEAREST / name}
    for column, (what, path) in zip(st.columns(2, gap="small"), shown.items(), strict=True):
        picture = read(path)
        if picture is None:
            column.caption("no picture")
        else:
            alt = f"{what} image of {line.number}"
            column.image(enlarged(picture), what, "stretch", output_format="PNG", alt=alt)
    if line.nearest:
        st.caption(f"{line.distance:.3f} from {literal(line.nearest)}")


@st.cache_data(max_entries=8, show_spinner=False)
def listed(folder: Path, created: str, rows: int, copies: int) -> pd.DataFrame:
    """Return the images of a run as they are shown: `number`, `label`, `nearest`, `distance`, `copy`."""
    table = pd.read_csv(folder / FOLDER / TABLE, dtype=str, keep_default_na=False)
    if len(table) != rows:
        raise ValueError(f"{TABLE} has {len(table)} lines, and {rows} images were drawn")
    found = pd.DataFrame(
        {
            "number": range(rows),
            "label": table.get("class", ""),
            "nearest": table["nearest"],
            "distance": pd.to_numeric(table["distance"]),
        }
    ).sort_values("distance", kind="stable", ignore_index=True)
    return found.assign(copy=found.index < copies)

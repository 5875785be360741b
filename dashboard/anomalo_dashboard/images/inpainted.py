"""The page Repairs of images: each before and after its hidden pixels were filled, and all of them as a zip archive."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import streamlit as st

from anomalo.jobs.images.inpaint import FILLED, TABLE
from anomalo.tabular import quantities
from anomalo.workspace.workspace import RunRecord
from anomalo_dashboard import data, navigation
from anomalo_dashboard.images import pictures
from anomalo_dashboard.security.literal import literal
from anomalo_dashboard.starting.fit_form import suggested_name

PAGE, ACROSS = 12, 3
"""Images on one page, and beside each other."""


def of_images(run: RunRecord) -> bool:
    """Whether a run filled hidden pixels of images."""
    return run.verb == "impute" and (run.path / FILLED).is_dir()


def show(run: RunRecord) -> None:
    """Show the filled images of a run, page by page."""
    with data.files_of(run):
        found = _filled(run.path, run.created)
    if found.empty:
        st.info(
            "Nothing was filled: no image has a mask. A mask is NAME.mask.png beside NAME.png; where it is not zero, "
            "the pixel is hidden.",
            icon=":material/check_circle:",
        )
        return
    said, pager, save = st.columns([3, 3, 2], vertical_alignment="center")
    with pager:
        span = navigation.one_page(len(found), PAGE, "fill_page")
    said.markdown(
        f"**{quantities.count(len(found), 'image')}**, "
        f"{quantities.count(int(found['pixels'].sum()), 'hidden pixel')} filled"
    )
    save.download_button(
        "All as a zip archive",
        lambda: archive(run.path / FILLED),
        f"{suggested_name(run.source)}-filled.zip",
        "application/zip",
        icon=":material/download:",
        on_click="ignore",
        width="stretch",
        help="The images in the size that they have; no pixel that was not hidden differs",
    )
    columns = st.columns(ACROSS, gap="medium")
    here = found[span]
    for at, line in enumerate(zip(*(here[name].tolist() for name in ("row", "path", "pixels")), strict=True)):
        with columns[at % ACROSS]:
            _one(run, *line)


def _one(run: RunRecord, row: int, path: str, pixels: int) -> None:
    st.markdown(f"**Row {row}** · {literal(path)} · {quantities.count(pixels, 'pixel')}")
    shown = {"Before": pictures.large(run, row, "seen"), "After": pictures.large(run, row, "filled")}
    for column, (name, picture) in zip(st.columns(2, gap="small"), shown.items(), strict=True):
        if picture is None:
            column.caption("no picture")
        else:
            column.image(picture, name, "stretch", output_format="PNG", alt=f"Row {row} {name.lower()}")


def archive(folder: Path, more: Mapping[str, bytes] | None = None) -> bytes:
    """Return the images below a folder, and `more` files by name, as a zip archive; images are packed already."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as written:
        for path in sorted(folder.rglob("*.png")):
            if not path.is_symlink():
                written.write(path, path.relative_to(folder).as_posix())
        for name, data in (more or {}).items():
            written.writestr(name, data)
    return content.getvalue()


@st.cache_data(max_entries=8, show_spinner=False)
def _filled(folder: Path, created: str) -> pd.DataFrame:
    found: pd.DataFrame = pq.read_table(folder / TABLE, columns=["row", "path", "pixels"]).to_pandas()
    return found[found["pixels"] > 0].reset_index(drop=True)

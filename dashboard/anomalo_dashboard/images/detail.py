"""An image of a run in detail: its heat map over it, what the model expects, and what was filled under its mask."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from anomalo.jobs.images.pictures import Bytes
from anomalo.workspace.workspace import RunRecord
from anomalo_dashboard import data, formatting
from anomalo_dashboard.images import pictures
from anomalo_dashboard.security.literal import plain_table

STRENGTH = 70
"""How much of the heat map shows at first, in percent."""
HEAT = "Black: no part of the score; yellow: the largest part in this image. Chequered: hidden by a mask."


def beside(run: RunRecord, row: int) -> None:
    """Show an image under its heat map, and what is expected of it, in the pane beside the list."""
    heat, expected = pictures.overlaid(run, row, STRENGTH / 100), pictures.large(run, row, "expected")
    if heat is None or expected is None:
        return
    _side_by_side([("Heat map", heat), ("Expected", expected)], row, 2)


def show(run: RunRecord, row: int, filled: RunRecord | None) -> None:
    """Show an image with its heat map and a slider, what is expected of it, and what was filled.

    Parameters
    ----------
    filled : RunRecord or None
        The newest run that filled hidden pixels of the same images by the same model.
    """
    seen, expected = pictures.large(run, row, "seen"), pictures.large(run, row, "expected")
    if seen is None or expected is None:
        if not data.cells(run, row).empty:
            st.info(
                "The run keeps no picture of this image: it keeps those of its most anomalous ones.",
                icon=":material/hide_image:",
            )
        return
    share = st.slider("How much of the heat map shows", 0, 100, STRENGTH, 5, "%d %%", "heat", HEAT, width=420)
    heat = pictures.overlaid(run, row, share / 100)
    after = None if filled is None else pictures.large(filled, row, "filled")
    shown = [("Image, as the model sees it", seen), ("Heat map", heat), ("Expected", expected), ("Inpainted", after)]
    _side_by_side([(name, picture) for name, picture in shown if picture is not None], row, len(shown))


def _side_by_side(shown: Sequence[tuple[str, Bytes]], row: int, across: int) -> None:
    for column, (name, picture) in zip(st.columns(across, gap="small"), shown, strict=False):
        column.image(picture, name, "stretch", output_format="PNG", alt=f"{name} of row {row}")


def regions(run: RunRecord, found: pd.DataFrame) -> None:
    """Show the regions with the largest parts of an image's score."""
    st.header("Regions", anchor=False)
    most = max(float(found["contribution"].max()), 1e-9)
    st.dataframe(
        plain_table(found[["column", "contribution", "observed", "expected"]]),
        hide_index=True,
        height="content",
        column_config={
            "column": st.column_config.TextColumn("Region", width=200, help="Pixels, from the upper left corner"),
            "contribution": st.column_config.ProgressColumn(
                "Contribution",
                format=formatting.decimals([most]),
                min_value=0.0,
                max_value=most,
                width=200,
                help="How much its pixels add to the image's anomaly score",
            ),
            "observed": st.column_config.TextColumn(
                "Brightness", width=120, help="From 0 to 1, the mean of its pixels"
            ),
            "expected": st.column_config.TextColumn("Expected", width=120, help="What the model expects there"),
        },
        alt="Regions of the image, largest contribution first",
    )

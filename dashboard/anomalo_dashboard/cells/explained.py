"""The explained cells of a row: contribution, distribution, observed, expected and interval."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from anomalo.errors import AnomaloError
from anomalo.evaluation.comparison.profile import Profile
from anomalo.evaluation.distributions import Cell, strip
from anomalo.jobs.comparing.profiles import profile_of_model
from anomalo.tabular.quantities import Unit
from anomalo.workspace.workspace import RunRecord
from anomalo_dashboard import data, formatting
from anomalo_dashboard.cells.drawing import HEIGHT, picture
from anomalo_dashboard.security.literal import plain_table

STRIPS = 16
"""So many cells have a picture of their column, those that contribute most."""


def show(run: RunRecord, found: pd.DataFrame) -> None:
    """Show the explained cells, largest contribution first."""
    st.header("Cell by cell", anchor=False)
    most, unit = max(float(found["contribution"].max()), 1e-9), data.score_unit(run.model)
    shown = plain_table(table(found, data.column_kinds(run.model), data.column_units(run.model)))
    drawn = pictures(run, found)
    if any(drawn):
        shown.insert(2, "strip", drawn)
    st.dataframe(
        shown,
        hide_index=True,
        height="content" if len(found) <= STRIPS else 12 * (HEIGHT + 4),
        row_height=HEIGHT + 4 if any(drawn) else None,
        column_config={
            "column": st.column_config.TextColumn("Column", width=150),
            "contribution": st.column_config.ProgressColumn(
                # A range such as "0 to 1" is that of whole scores, not of their parts.
                "Contribution" + (f" ({unit})" if unit and not unit[0].isdigit() else ""),
                format=formatting.decimals([most]),
                min_value=0.0,
                max_value=most,
                width=150,
                help="How much this cell adds to the row's anomaly score",
            ),
            "strip": st.column_config.ImageColumn(
                "In the training table",
                width=310,
                help="The column's values in training. Triangle: observed; line: expected; band: 90 % interval. "
                "Numbers far from the centre are drawn closer together. A click enlarges it.",
            ),
            "observed": st.column_config.TextColumn("Observed", width=formatting.wide(shown["observed"])),
            "expected": st.column_config.TextColumn(
                "Expected",
                width=formatting.wide(shown["expected"]),
                help="What the model expects, given the other cells of the row",
            ),
            "interval": st.column_config.TextColumn(
                "90 % interval",
                width=formatting.wide(shown["interval"]),
                help="Contains the true value in nine of ten cells; numbers and dates only",
            ),
        },
        alt="Cells of the row, largest contribution first, with the distributions of their columns",
    )


def table(found: pd.DataFrame, kinds: dict[str, str], units: dict[str, Unit]) -> pd.DataFrame:
    """Return the explained cells as they are shown."""
    observed, expected = formatting.pairs(found["observed"], found["expected"])
    return pd.DataFrame(
        {
            "column": found["column"],
            "contribution": found["contribution"],
            "observed": ["missing" if text is None else text for text in observed],
            "expected": ["" if text is None else text or "missing" for text in expected],
            "interval": formatting.intervals(found, kinds, units, zip(found["expected"], expected, strict=True)),
        }
    )


def pictures(run: RunRecord, found: pd.DataFrame) -> list[str | None]:
    """Return a picture of each cell in its column; None where the column has none."""
    profile = profile_of(run)
    if profile is None:
        return [None] * len(found)
    theme = st.context.theme.type
    drawn: list[str | None] = []
    for name, *values in found.loc[: STRIPS - 1, ["column", "observed", "expected", "low", "high"]].itertuples(False):
        made = strip(profile, name, Cell(*(None if pd.isna(value) else value for value in values)))
        drawn.append(None if made is None else picture(made, theme))
    return [*drawn, *[None] * (len(found) - len(drawn))]


def profile_of(run: RunRecord) -> Profile | None:
    """Return the profile of the table that a run's model was fitted on; None if there is none any more."""
    record = data.model_of(run.model)
    if record is None:
        return None
    try:
        return _profile(record.path, record.created)
    except AnomaloError:
        return None


@st.cache_resource(max_entries=8, show_spinner="Reading the distributions")
def _profile(folder: Path, created: str) -> Profile | None:
    return profile_of_model(folder)

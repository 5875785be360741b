"""The normal rows that are most like a row, beside it: what such rows usually hold."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import streamlit as st

from anomalo.jobs.scoring.explained_later import explained_folder
from anomalo.jobs.scoring.neighbours import FILE, NORMAL
from anomalo.workspace.workspace import RunRecord
from anomalo_dashboard import formatting
from anomalo_dashboard.security.literal import plain, plain_table

DIFFERS = "≠ "
"""Before a cell that is another than the row's."""
MOST = 40
"""So many columns are listed, those that contribute most to the score."""


def of_row(run: RunRecord, row: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows nearest to a row, `neighbour` and `distance`, and their cells; empty if the run has none."""
    path, rows = explained_folder(run.path, row) / FILE, run.path / NORMAL
    if not path.exists() or not rows.exists():
        return pd.DataFrame(), pd.DataFrame()
    try:
        found = pq.read_table(path, filters=[("row", "==", row)]).to_pandas()
        near = pq.read_table(rows, filters=[("row", "in", found["neighbour"].tolist())]) if len(found) else pa.table({})
    except (OSError, pa.ArrowException):
        return pd.DataFrame(), pd.DataFrame()
    cells = pd.DataFrame(near.to_pydict()).set_index("row") if near.num_rows else pd.DataFrame()
    return found[found["neighbour"].isin(cells.index)].reset_index(drop=True), cells


def show(run: RunRecord, row: int, values: dict[str, Any], order: list[str]) -> None:
    """Show the nearest normal rows beside a row, a column for each.

    Parameters
    ----------
    values : dict
        The row's cells.
    order : list of str
        The columns that contribute most, first.
    """
    found, cells = of_row(run, row)
    if found.empty or not values:
        return
    st.header("The nearest normal rows", anchor=False)
    shown = plain_table(beside(values, found, cells, order))
    st.dataframe(
        shown,
        hide_index=True,
        height="content" if len(values) <= 14 else 530,
        column_config={
            "column": st.column_config.TextColumn("Column", width=150, pinned=True),
            "row": st.column_config.TextColumn(f"Row {row}", width=formatting.wide(shown["row"], 130)),
            **{
                f"{at}": st.column_config.TextColumn(
                    f"Row {neighbour}",
                    width=formatting.wide(shown[f"{at}"], 130),
                    help=f"Distance {distance:.3f}, from 0 (equal) to 1",
                )
                for at, neighbour, distance in found[["neighbour", "distance"]].itertuples()
            },
        },
        alt="Cells of the row, and of the normal rows nearest to it",
    )
    st.caption(
        f"Rows of the same table that are no alerts, the nearest first; {DIFFERS.strip()} marks a cell that differs. "
        "The distance is the mean over the cells: of numbers the difference as a part of the column's range, of "
        "categories whether they differ (Gower)."
    )


def beside(values: dict[str, Any], found: pd.DataFrame, cells: pd.DataFrame, order: list[str]) -> pd.DataFrame:
    """Return the cells of a row and of its neighbours as they are shown, one line for each column."""
    names = [*(name for name in order if name in values), *(name for name in values if name not in order)][:MOST]
    shown: dict[str, list[str]] = {"column": [plain(name) for name in names]}
    mine = [formatting.cell(values[name]) for name in names]
    shown["row"] = [text or "missing" for text in mine]
    for at, neighbour in enumerate(found["neighbour"]):
        other = cells.loc[neighbour]
        texts = [formatting.cell(other.get(name)) for name in names]
        shown[str(at)] = [
            ("" if text == first else DIFFERS) + (text or "missing") for first, text in zip(mine, texts, strict=True)
        ]
    return pd.DataFrame(shown)

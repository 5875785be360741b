"""The synthetic rows themselves, page by page."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import streamlit as st

from anomalo.registry.registry import Registry
from anomalo.tabular import quantities
from anomalo_dashboard import data, navigation
from anomalo_dashboard.security.literal import plain_table

MOST = 1000
"""So many rows are shown, at most; the saved files have all."""


def show(path: Path, total: int) -> None:
    """Show the first rows of a table of `total` rows, a page at a time."""
    table = first_rows(path, path.stat().st_mtime_ns)
    said, pager = st.columns([4, 4], vertical_alignment="center")
    with pager:
        span = navigation.one_page(table.num_rows, data.PAGE, "rows_page")
    first = "" if table.num_rows == total else f"the first {table.num_rows:,} of "
    said.markdown(f"**Rows {span.start + 1:,} to {span.stop:,}** of {first}{quantities.count(total, 'row')}")
    st.dataframe(
        plain_table(table.slice(span.start, span.stop - span.start).to_pandas()),
        hide_index=True,
        placeholder="",
        height=330,
        alt="Synthetic rows",
    )


@st.cache_resource(max_entries=8, show_spinner="Reading the rows")
def first_rows(path: Path, changed: int, most: int = MOST) -> pa.Table:
    """Return the first rows of a table as the commands read them; read again when the file changes."""
    found: list[pa.RecordBatch] = []
    for batch in Registry.load().read(str(path)):
        found.append(batch.slice(0, most - sum(each.num_rows for each in found)))
        if sum(each.num_rows for each in found) >= most:
            break
    return pa.Table.from_batches(found)

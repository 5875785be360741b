"""Repairs: the cells that a run imputed or suggests to replace, before and after, and the resulting table."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import streamlit as st

from anomalo.tabular import quantities
from anomalo.tabular.writing.digits import apart
from anomalo.workspace.workspace import RunRecord
from anomalo_dashboard import data, downloads, formatting, navigation, repair_suggestions
from anomalo_dashboard.inbox.bar import bar
from anomalo_dashboard.security.literal import literal, plain, plain_table
from anomalo_dashboard.security.uploads import name_of
from anomalo_dashboard.starting import fit_form


def offer(run: RunRecord) -> None:
    """Offer the imputed or repaired table as CSV and as Parquet."""
    path, what = data.output_table(run), "repaired" if run.verb == "repair" else "imputed"
    if path is None:
        st.warning(
            f"The {what} table was written to {literal(name_of(str(run.summary.get('output'))))}, which is not "
            "found; run the command again.",
            icon=":material/info:",
        )
        return
    stem = f"{fit_form.suggested_name(run.source)}-{what}"
    downloads.table_buttons(st.columns(2), f"{what.capitalize()} table", path, stem)


def chosen(fills: pa.Table, column: str | None, row: int | None, text: str) -> pa.Table:
    """Return the imputed cells of a column, of a row, and whose value contains a text."""
    if column is not None:
        fills = fills.filter(pc.equal(fills["column"], column))
    if row is not None:
        fills = fills.filter(pc.equal(fills["row"], row))
    return fills.filter(pc.match_substring(fills["value"], text, ignore_case=True)) if text else fills


def before_and_after(fills: pd.DataFrame, kinds: dict[str, str], units: dict[str, quantities.Unit]) -> pd.DataFrame:
    """Return imputed cells as they are shown."""
    return pd.DataFrame(
        {
            "row": fills["row"],
            "column": fills["column"],
            "before": "missing",
            "after": [apart(None, None if pd.isna(value) else value)[1] for value in fills["value"]],
            "interval": formatting.intervals(fills, kinds, units),
            "probability": [None if share is None else 100 * share for share in fills["probability"]],
        }
    )


st.title("Repairs", anchor=False)
everything = data.runs()
found = [run for run in everything if run.verb in ("impute", "repair")]
if not found:
    navigation.empty(
        "No table has been imputed or repaired yet",
        "Fit and score a table with missing values on the Start page; the imputed cells are then listed here, and the "
        "imputed table can be saved. Repairs of alerts are suggested on the Row page.",
    )

run = bar(found, everything).run
if run.verb == "repair":
    st.caption(
        f"{literal(name_of(run.source))}: repairs of its alerts "
        f"({formatting.threshold(run.summary['threshold'])}), "
        f"suggested by {literal(run.model)} on {formatting.moment(run.created)}"
    )
    if run.summary["applied"]:
        offer(run)
    repair_suggestions.page(run, navigation.companion(run, [other for other in everything if other.verb == "score"]))
    st.stop()
filled: dict[str, int] = run.summary.get("filled", {})
st.caption(
    f"{literal(name_of(run.source))}, imputed with {literal(run.model)} on {formatting.moment(run.created)}: "
    f"{quantities.count(sum(filled.values()), 'cell')} in {quantities.count(len(filled), 'column')} "
    f"of {quantities.count(run.summary.get('rows', 0), 'row')}"
)
offer(run)
if not filled:
    st.info("Nothing to impute: the table has no missing values.", icon=":material/check_circle:")
    st.stop()

summary, cells = st.columns([3, 7], gap="medium")
with summary:
    st.subheader("By column", anchor=False)
    rows = max(run.summary.get("rows", 1), 1)
    st.dataframe(
        plain_table(
            pd.DataFrame(
                {"column": name, "filled": number, "share": 100 * number / rows}
                for name, number in sorted(filled.items(), key=lambda item: -item[1])
            )
        ),
        hide_index=True,
        height="content" if len(filled) < 14 else 525,
        column_config={
            "column": st.column_config.TextColumn("Column", width=150),
            "filled": st.column_config.NumberColumn("Imputed", format="localized", width=75),
            "share": st.column_config.NumberColumn("Of rows", format="%.1f %%", width=75),
        },
        alt="Imputed cells by column",
    )
with cells:
    st.subheader("Cell by cell", anchor=False)
    fills = data.fills(run)
    column_box, row_box, text_box = st.columns([2, 1, 2], vertical_alignment="bottom")
    filtering = navigation.filter_of("fill_page")
    column = column_box.selectbox(
        "Column",
        sorted(filled),
        None,
        plain,
        key="fill_column",
        **filtering,
        placeholder="any column",
    )
    row = row_box.number_input(
        "Row",
        0,
        None,
        None,
        1,
        key="fill_row",
        **filtering,
        placeholder="any",
    )
    text = text_box.text_input(
        "Imputed value",
        key="fill_text",
        **filtering,
        type="search",
        live=True,
    )
    some = chosen(fills, column, row, text)
    if not len(some):
        st.info(
            f"Row {row} has no missing values."
            if row is not None and not (column or text)
            else "No imputed cell matches. Choose another column, or clear the row and the text.",
            icon=":material/filter_alt_off:",
        )
        st.stop()
    count, pager = st.columns(2, vertical_alignment="center")
    with pager:
        span = navigation.one_page(len(some), data.PAGE, "fill_page")
    here = some.slice(span.start, data.PAGE).to_pandas()
    count.markdown(f"**{quantities.count(len(some), 'imputed cell')}**; showing {span.start + 1:,} to {span.stop:,}")
    st.dataframe(
        plain_table(before_and_after(here, data.column_kinds(run.model), data.column_units(run.model))),
        hide_index=True,
        height=420 if len(here) > 11 else "content",
        placeholder="",
        column_config={
            "row": st.column_config.NumberColumn("Row", format="%d", width=70, help="Counted from 0"),
            "column": st.column_config.TextColumn("Column", width=190),
            "before": st.column_config.TextColumn("Before", width=80),
            "after": st.column_config.TextColumn("After"),
            "interval": st.column_config.TextColumn(
                "90 % interval", help="Contains the true value in nine of ten cells; numbers and dates only"
            ),
            "probability": st.column_config.NumberColumn(
                "Probability", format="%.1f %%", help="Of the imputed level; categories only"
            ),
        },
        alt="Imputed cells",
    )

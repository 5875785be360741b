"""Show suggested repairs, the cells to replace so that an alert becomes normal: for one row and for a whole run."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import streamlit as st

from anomalo.tabular import quantities
from anomalo.workspace.workspace import RunRecord
from anomalo_dashboard import data, downloads, formatting, job_progress, navigation, sources
from anomalo_dashboard.security.literal import plain, plain_table
from anomalo_dashboard.security.uploads import name_of


def command(run: RunRecord, *options: str) -> list[str]:
    """Return the command that searches repairs of a run's alerts."""
    rule = run.summary.get("threshold", "share=0.01")
    return ["repair", run.source, "--with", str(run.model), "--threshold", rule, *sources.flags(run), *options]


def of_row(run: RunRecord, repaired: RunRecord | None, row: int, alert: bool) -> None:
    """Show the repair suggested for a row of a score run, or offer to search for it.

    Parameters
    ----------
    run : RunRecord
        The scores.
    repaired : RunRecord or None
        The newest repairs of the same table by the same model.
    row : int
        The row's number.
    alert : bool
        Whether it is an alert in `run`.
    """
    lines = pd.DataFrame() if repaired is None else data.repairs_of(repaired, row)
    if repaired is not None and len(lines):
        st.subheader("Suggested repair", anchor=False)
        _row(repaired, lines)
    elif alert:
        _offer(run)


def _row(run: RunRecord, lines: pd.DataFrame) -> None:
    first, rule = lines.iloc[0], formatting.threshold(run.summary["threshold"])
    if not first["normal"]:
        most = quantities.count(run.summary["most"], "cell")
        st.info(
            f"Replacing {most} or fewer does not make this row normal (alerts: {rule}); the lowest score found "
            f"is {first['score_after']:.4g}, from {first['score_before']:.4g}.",
            icon=":material/info:",
        )
        return
    st.dataframe(
        plain_table(cells(lines, data.column_kinds(run.model), data.column_units(run.model))),
        hide_index=True,
        height="content",
        column_order=["column", "before", "after", "interval"],
        column_config={
            "column": st.column_config.TextColumn("Column", width=190),
            "before": st.column_config.TextColumn("Before"),
            "after": st.column_config.TextColumn(
                "After",
                help="What is expected, given the other cells of the row, or of a text the others of its column",
            ),
            "interval": st.column_config.TextColumn("90 % interval", help="Numbers and dates only"),
        },
        alt="Cells to replace, before and after",
    )
    st.caption(
        f"With {'this cell' if len(lines) == 1 else f'these {len(lines)} cells'} replaced, the score falls from "
        f"{first['score_before']:.4g} to {first['score_after']:.4g} and the p-value rises from "
        f"{first['p_value_before']:.2g} to {first['p_value_after']:.2g}: no alert "
        f"(alerts: {rule}). Check whether {'the value is' if len(lines) == 1 else 'the values are'} really wrong; the "
        "table has not been changed."
    )


def _offer(run: RunRecord) -> None:
    """Offer to search for repairs in the background; show that job while it runs, or why it failed."""
    search, record = command(run), data.model_of(run.model)
    can = set() if record is None else set(record.summary["verbs"])
    if job_progress.show_unfinished(search) or not can >= {"score", "impute"}:
        return
    if st.button(
        "Suggest repairs",
        icon=":material/build:",
        help="Find, for each alert, the fewest cells to replace so that the row is normal; the table is not changed",
    ):
        sources.again(run)
        job_progress.start(f"Repairs of {name_of(run.source)}", search)


def cells(lines: pd.DataFrame, kinds: dict[str, str], units: dict[str, quantities.Unit]) -> pd.DataFrame:
    """Return suggestions as they are shown."""
    found = lines["column"].notna()
    texts = formatting.pairs(lines["before"], lines["after"])
    before, after = (pd.Series(column, lines.index) for column in texts)
    return pd.DataFrame(
        {
            "row": lines["row"],
            "column": lines["column"].where(found, "no repair found"),
            "before": before.fillna("missing").where(found, ""),
            "after": after.fillna("missing").where(found, ""),
            "interval": formatting.intervals(lines, kinds, units, zip(lines["after"], texts[1], strict=True)),
            "score_before": lines["score_before"],
            "score_after": lines["score_after"],
            "p_value_after": lines["p_value_after"],
        }
    )


def page(run: RunRecord, scored: RunRecord | None) -> None:
    """Show all suggestions of a run.

    Parameters
    ----------
    run : RunRecord
        The repairs.
    scored : RunRecord or None
        The newest scores of the same table by the same model: where a row can be opened.
    """
    facts, lines = run.summary, data.repairs(run)
    if not facts["alerts"]:
        st.info(
            f"Nothing to repair: no row is an alert ({formatting.threshold(facts['threshold'])}).",
            icon=":material/check_circle:",
        )
        return
    left, middle, right = st.columns(3)
    left.metric("Alerts", f"{facts['alerts']:,}", border=True)
    middle.metric(
        "Alerts with a repair",
        f"{facts['repaired']:,}",
        border=True,
        help=f"Alerts that become normal by replacing {quantities.count(facts['most'], 'cell')} or fewer",
    )
    right.metric("Cells to replace", f"{sum(facts['replaced'].values()):,}", border=True)
    _downloads(run, lines)
    summary, each = st.columns([3, 7], gap="medium")
    with summary:
        _by_column(facts["replaced"])
    with each:
        _cell_by_cell(run, scored, lines)


def _downloads(run: RunRecord, lines: pa.Table) -> None:
    """Offer the suggestions as a file, and show how to write the repaired table."""
    left, right = st.columns([2, 6])
    downloads.csv_button(left, "Suggestions as CSV", lines.to_pandas, f"{run.id}-suggestions.csv")
    if not run.summary["applied"]:
        with right.expander("How to write the repaired table", icon=":material/terminal:"):
            st.write(
                "The table has not been changed. Review the suggestions first: an anomalous value need not be wrong."
            )
            st.code(job_progress.shell([command(run, "--apply", "-o", "repaired.csv")]), "shell", wrap_lines=True)


def _by_column(replaced: dict[str, int]) -> None:
    st.subheader("By column", anchor=False)
    st.dataframe(
        plain_table(pd.DataFrame({"column": list(replaced), "cells": list(replaced.values())})),
        hide_index=True,
        height="content" if len(replaced) < 14 else 525,
        placeholder="",
        column_config={
            "column": st.column_config.TextColumn("Column", width=220),
            "cells": st.column_config.NumberColumn("Cells", format="localized", width=70),
        },
        alt="Cells to replace by column",
    )


def _cell_by_cell(run: RunRecord, scored: RunRecord | None, lines: pa.Table) -> None:
    st.subheader("Cell by cell", anchor=False)
    column_box, row_box = st.columns([2, 1], vertical_alignment="bottom")
    filtering = navigation.filter_of("fill_page")
    column = column_box.selectbox(
        "Column",
        sorted(run.summary["replaced"]),
        None,
        plain,
        key="fill_column",
        **filtering,
        placeholder="any column",
    )
    row = row_box.number_input("Row", 0, None, None, 1, key="fill_row", **filtering, placeholder="any")
    if column is not None:
        lines = lines.filter(pc.fill_null(pc.equal(lines["column"], column), False))
    if row is not None:
        lines = lines.filter(pc.equal(lines["row"], row))
    if not len(lines):
        st.info("No suggestion matches. Choose another column, or clear the row.", icon=":material/filter_alt_off:")
        return
    count, pager = st.columns(2, vertical_alignment="center")
    with pager:
        span = navigation.one_page(len(lines), data.PAGE, "fill_page")
    here = lines.slice(span.start, data.PAGE).to_pandas()
    count.markdown(f"**{quantities.count(len(lines), 'line')}**; showing {span.start + 1:,} to {span.stop:,}")
    shown = cells(here, data.column_kinds(run.model), data.column_units(run.model))
    scores = formatting.decimals(pd.concat([shown["score_before"], shown["score_after"]]))
    names = [name for name in shown.columns if name != "p_value_after"]
    st.dataframe(
        plain_table(shown.assign(open="Why?")),
        hide_index=True,
        height=420 if len(here) > 11 else "content",
        column_order=names if scored is None else ["open", *names],
        column_config={
            "open": st.column_config.ButtonColumn("", key="open_repair", width=60, type="tertiary"),
            "row": st.column_config.NumberColumn("Row", format="%d", width=60, help="Counted from 0"),
            "column": st.column_config.TextColumn("Column", width=140),
            "before": st.column_config.TextColumn("Before", width=90),
            "after": st.column_config.TextColumn("After", width=90),
            "interval": st.column_config.TextColumn("90 % interval", help="Numbers and dates only"),
            "score_before": st.column_config.NumberColumn("Score before", format=scores, width=105),
            "score_after": st.column_config.NumberColumn(
                "Score after", format=scores, width=95, help="The score of the row with all its suggestions"
            ),
        },
        alt="Cells to replace, before and after",
    )
    clicked = st.session_state.get("open_repair")
    if clicked is not None and scored is not None:
        navigation.go("row", run=scored.id, row=int(here["row"].iloc[clicked.row]))

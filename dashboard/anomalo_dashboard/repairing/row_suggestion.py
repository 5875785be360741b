"""The suggested repair of a row on its page: the cells to replace so that an alert becomes normal."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from anomalo.tabular import quantities
from anomalo.workspace.workspace import RunRecord
from anomalo_dashboard import data, formatting, job_progress, sources
from anomalo_dashboard.repairing import without_repair
from anomalo_dashboard.security.literal import plain_table
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
        st.header("Suggested repair", anchor=False)
        _row(repaired, lines)
    elif alert:
        _offer(run)


def _row(run: RunRecord, lines: pd.DataFrame) -> None:
    first, rule = lines.iloc[0], formatting.threshold(run.summary["threshold"])
    if not first["normal"]:
        most = quantities.count(run.summary["most"], "cell")
        st.info(
            f"Replacing {most} or fewer does not make this row normal (alerts: {rule}); the lowest score found "
            f"is {first['score_after']:.4g}, from {first['score_before']:.4g}. {without_repair.rule(run)}",
            icon=":material/info:",
        )
        return
    st.dataframe(
        plain_table(cells(lines, data.column_kinds(run.model), data.column_units(run.model))),
        hide_index=True,
        height="content",
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
    """Return the suggestions of a row as they are shown."""
    texts = formatting.pairs(lines["before"], lines["after"])
    before, after = (pd.Series(column, lines.index) for column in texts)
    return pd.DataFrame(
        {
            "column": lines["column"],
            "before": before.fillna("missing"),
            "after": after.fillna("missing"),
            "interval": formatting.intervals(lines, kinds, units, zip(lines["after"], texts[1], strict=True)),
        }
    )

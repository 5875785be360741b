"""Suggestions line by line: what changes, why, and the buttons to accept, edit or reject it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import streamlit as st
from numpy.typing import NDArray
from streamlit.delta_generator import DeltaGenerator

from anomalo.errors import AnomaloError
from anomalo.jobs.context import JobContext
from anomalo.jobs.deciding.edited import edited, schema_of
from anomalo.tabular.quantities import Unit
from anomalo.tabular.schema import Schema
from anomalo.workspace.decisions import Decided
from anomalo.workspace.reviews import LONGEST
from anomalo.workspace.workspace import RunRecord
from anomalo_dashboard import data, formatting, navigation
from anomalo_dashboard.repairing.decisions import decide, show_failure
from anomalo_dashboard.repairing.difference import difference
from anomalo_dashboard.security.literal import literal

AT_ONCE = 15
"""Lines of one page."""
WIDTHS = (1.3, 1.4, 3.0, 2.7, 2.6)
HEADS = ("Row", "Column", "Change", "Why", "Decision")
MEASURED = ("number", "integer", "datetime")
_EDITING, _REFUSED = "_editing", "_refused"
Text = tuple[str, str, bool]


@dataclass(frozen=True)
class Listing:
    """What is needed to show suggestions of a run.

    Attributes
    ----------
    run : RunRecord
        The run.
    decided : Decided
        What holds for each suggestion.
    who : str
        Who decides.
    scored : RunRecord or None
        The scores of the same table by the same model: where a row can be opened.
    """

    run: RunRecord
    decided: Decided
    who: str
    scored: RunRecord | None

    def show(self, suggestions: pa.Table, lines: NDArray[np.int64]) -> None:
        """Show some suggestions under a line of headings."""
        part = suggestions.take(pa.array(lines))
        name = part.column_names[1] if part.column_names[1] != "column" else None
        kinds = data.column_kinds(self.run.model)
        texts = described(part.to_pandas(), kinds, data.column_units(self.run.model))
        for head, column in zip(HEADS, st.columns(WIDTHS), strict=True):
            column.caption(literal(f"{head} ({name})" if head == "Row" and name else head))
        for line, cell, text in zip(lines.tolist(), part.to_pylist(), texts, strict=True):
            self._one(line, cell, None if name is None else cell[name], text)

    def _one(self, line: int, cell: Mapping[str, Any], name: object, text: Text) -> None:
        row, column, what, reason, buttons = st.columns(WIDTHS, vertical_alignment="center")
        self._row(row, line, cell["row"], name)
        column.markdown(literal(cell["column"]))
        if st.session_state.get(_EDITING) == (self.run.id, line):
            self._edit(what, buttons, line, cell)
            return
        decision, (change, why, measured) = self.decided.decision(line), text
        if decision is not None and decision.what == "edited":
            change = difference(cell["before"], decision.value, characters=not measured)
        what.markdown(change)
        reason.caption(literal(why))
        with buttons:
            self._buttons(line, cell)

    def _row(self, box: DeltaGenerator, line: int, row: int, name: object) -> None:
        label = literal(f"{row:,}" if name is None else f"{row:,} ({name})")
        if self.scored is None:
            box.markdown(label)
        elif box.button(label, key=f"row {line}", type="tertiary", help="Open the row"):
            navigation.go("row", run=self.scored.id, row=row)

    def _buttons(self, line: int, cell: Mapping[str, Any]) -> None:
        decision = self.decided.decision(line)
        if decision is not None and decision.what != "undecided":
            said, button = st.columns([1.5, 1], vertical_alignment="center")
            said.caption(literal(f"{decision.what} by {decision.who}"))
            button.button(
                "Reopen", key=f"reopen {line}", type="tertiary", on_click=decide,
                args=(self.run.id, [line], "undecided", self.who), help="Decide again",
            )  # fmt: skip
            return
        accept, edit, reject = st.columns(3, gap="xsmall")
        accept.button(
            "Accept", key=f"accept {line}", on_click=decide, args=(self.run.id, [line], "accepted", self.who),
            disabled=not cell["offered"], width="stretch",
        )  # fmt: skip
        edit.button("Edit", key=f"edit {line}", on_click=_open, args=(self.run.id, line), width="stretch")
        reject.button(
            "Reject", key=f"reject {line}", on_click=decide, args=(self.run.id, [line], "rejected", self.who),
            width="stretch",
        )  # fmt: skip

    def _edit(self, box: DeltaGenerator, buttons: DeltaGenerator, line: int, cell: Mapping[str, Any]) -> None:
        """Let the user type what the cell is to hold; Enter saves it too."""
        key, offered = f"value {line}", cell["after"] or cell["before"] or ""
        # In a form, so that only Enter and Save keep what was typed, and Cancel does not.
        with box.form(f"form {line}", border=False):
            name = literal(f"New value of {cell['column']}")
            st.text_input(name, offered, LONGEST, key=key, placeholder="a missing value")
            refused = st.session_state.pop(_REFUSED, None)
            if refused is not None:
                show_failure(refused)
            st.form_submit_button(
                "Save",
                key=f"save {line}",
                type="primary",
                on_click=_save,
                args=(self.run, line, cell["column"], offered, self.who, key),
            )
        buttons.button("Cancel", key=f"cancel {line}", on_click=_close)


def described(cells: pd.DataFrame, kinds: Mapping[str, str], units: Mapping[str, Unit]) -> list[Text]:
    """Return for each suggestion what changes, as Markdown, what speaks for it, and whether its column is measured."""
    measured = [kinds.get(name) in MEASURED for name in cells["column"]]
    before, after = formatting.pairs(cells["before"], cells["after"])
    changes = [
        difference(old, new, characters=not number) if offered else difference(old, None).removesuffix("missing") + "?"
        for old, new, number, offered in zip(before, after, measured, cells["offered"], strict=True)
    ]
    intervals = formatting.intervals(cells, kinds, units, zip(cells["after"], after, strict=True))
    return list(zip(changes, _reasons(cells, intervals), measured, strict=True))


def _reasons(cells: pd.DataFrame, intervals: Sequence[str]) -> list[str]:
    scores = formatting.decimals(pd.concat([cells["score_before"], cells["score_after"]]))
    found = []
    for cell, interval in zip(cells.to_dict("records"), intervals, strict=True):
        parts = [f"90 % interval {interval}"] if interval else []
        if not pd.isna(cell["probability"]):
            share = cell["probability"]
            parts.append("over 99 % probable" if share > 0.99 else f"{100 * share:.0f} % probable")
        if not pd.isna(cell["score_before"]):
            parts.append(f"score of the row {scores % cell['score_before']} → {scores % cell['score_after']}")
        if isinstance(cell["reason"], str):
            parts.append(cell["reason"])
        found.append("; ".join(parts))
    return found


@st.cache_resource(max_entries=16, show_spinner=False)
def _schema(identity: str, created: str, _run: RunRecord) -> Schema | None:
    return schema_of(JobContext.at(navigation.workspace()), _run)


def _open(run: str, line: int) -> None:
    st.session_state[_EDITING] = (run, line)


def _close() -> None:
    st.session_state.pop(_EDITING, None)


def _save(run: RunRecord, line: int, column: str, like: str, who: str, key: str) -> None:
    """Check what was typed, and keep it; a value that the column does not hold is refused, and can be corrected."""
    try:
        value = edited(_schema(run.id, run.created, run), column, st.session_state[key], like or None)
    except AnomaloError as error:
        st.session_state[_REFUSED] = str(error)
        return
    _close()
    decide(run.id, [line], "edited", who, value)

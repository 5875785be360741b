"""Decide about suggestions, undo that, and show what was decided before."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import streamlit as st
from numpy.typing import NDArray

from anomalo.errors import AnomaloError
from anomalo.tabular import quantities
from anomalo.workspace import authorship
from anomalo.workspace.decisions import WHAT, Decided, Decision, Decisions, What
from anomalo.workspace.workspace import RunRecord, Workspace
from anomalo_dashboard import downloads, formatting
from anomalo_dashboard.navigation import workspace
from anomalo_dashboard.security.literal import literal

Lines = NDArray[np.int64]
SHOWN = 20
"""So many of the latest decisions are listed."""
_DONE, _FAILED, _SAID = "_decided", "_not_decided", "_said"


def decisions() -> Decisions:
    """Return the decisions of the workspace."""
    return Workspace(workspace()).decisions


def decided(run: RunRecord, total: int) -> Decided:
    """Return what holds for each of so many suggestions of a run; resolved once as long as nothing is decided."""
    return _decided(workspace(), run.id, total, decisions().latest(run.id))


# A resource, not data: immutable, and too large to be copied for each interaction.
@st.cache_resource(max_entries=8, show_spinner=False)
def _decided(folder: object, run: str, total: int, latest: tuple[int, int]) -> Decided:
    return Decided.of(decisions().of(run), total)


def decide(run: str, lines: Sequence[int] | Lines, what: What, who: str, value: str | None = None) -> None:
    """Decide about suggestions; called before the page is drawn again, which shows what was done or why not."""
    try:
        action = decisions().decide(run, lines, what, who or authorship.who(), value=value)
    except AnomaloError as error:
        fail(str(error))
        return
    text = f"{quantities.count(len(lines), 'cell')} {what}"
    st.session_state[_DONE], st.session_state[_SAID] = (run, action, text), text


def fail(message: str) -> None:
    """Keep a message for the page, which shows it once."""
    st.session_state[_FAILED] = message


def undo(action: int, who: str) -> None:
    """Take a decision back; called before the page is drawn again."""
    st.session_state.pop(_DONE, None)
    try:
        decisions().undo(action, who or authorship.who())
        st.session_state[_SAID] = "The decision is taken back"
    except AnomaloError as error:
        fail(str(error))


def say() -> None:
    """Say once what was just done, or why it was not."""
    failed, said = st.session_state.pop(_FAILED, None), st.session_state.pop(_SAID, None)
    if failed is not None:
        show_failure(failed)
    elif said is not None:
        st.toast(literal(said), icon=":material/check:")


def show_failure(message: str) -> None:
    """Show why something was not done."""
    st.error(literal(formatting.sentence(message)), icon=":material/error:")


def undo_button(run: RunRecord, who: str) -> None:
    """Show a button that takes back what was just done."""
    of, action, text = st.session_state.get(_DONE, ("", 0, ""))
    st.button(
        "Undo",
        icon=":material/undo:",
        key="undo last",
        on_click=undo,
        args=(action, who),
        disabled=of != run.id,
        help=f"Take back: {text}" if of == run.id else "Take back the last decision",
        width="stretch",
    )


def history(found: Decided, who: str) -> None:
    """Show the latest decisions of a run, each with a button that takes it back."""
    made = found.decisions
    if not made:
        return
    with st.expander(f"History: {quantities.count(len(made), 'decision')}", icon=":material/history:"):
        for decision in reversed(made[-SHOWN:]):
            _line(decision, who)


def _line(decision: Decision, who: str) -> None:
    line, button = st.columns([6, 1], vertical_alignment="center")
    what = decision.what + (f" to {decision.value or 'missing'!r}" if decision.what == "edited" else "")
    undone = f" (undone by {decision.undone})" if decision.undone else ""
    cells = quantities.count(len(decision.lines), "cell")
    line.markdown(literal(f"{formatting.moment(decision.created)}, {decision.who}: {cells} {what}{undone}"))
    if not decision.undone:
        button.button(
            "Undo", key=f"undo {decision.action}", on_click=undo, args=(decision.action, who), type="tertiary"
        )


def download(run: RunRecord, suggestions: pa.Table, found: Decided) -> None:
    """Offer all suggestions with what was decided as CSV."""

    def frame() -> pd.DataFrame:
        by = [found.decision(line) for line in range(len(suggestions))]
        said = pd.DataFrame(
            {
                "decision": np.array(WHAT)[found.state],
                "value": [one and one.value for one in by],
                "who": [one and one.who for one in by],
                "created": [one and one.created for one in by],
            }
        )
        table: pd.DataFrame = pd.concat([suggestions.to_pandas(), said], axis=1)
        return table

    downloads.csv_button(st.columns(3)[0], "Decisions as CSV", frame, f"{run.id}-decisions.csv")

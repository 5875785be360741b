"""What analysts say of rows: the forms of the pages Alerts and Row, and the history of a row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from anomalo.errors import AnomaloError
from anomalo.tabular import quantities
from anomalo.workspace import authorship
from anomalo.workspace.reviews import LONGEST, STATES, Change, Review, Reviews, State
from anomalo.workspace.workspace import Workspace
from anomalo_dashboard import formatting
from anomalo_dashboard.navigation import workspace
from anomalo_dashboard.security.identity import name_box
from anomalo_dashboard.security.literal import literal

__all__ = ["name_box"]

ICONS: dict[str, str] = {
    "new": "fiber_new",
    "acknowledged": "visibility",
    "expected": "event_available",
    "false alarm": "notifications_off",
    "fixed": "check_circle",
}
KEYS: dict[str, str] = {"acknowledged": "A", "expected": "E", "false alarm": "F", "fixed": "X"}
UNDO = "U"
RIGHT, WRONG = ("acknowledged", "fixed"), ("expected", "false alarm")
_DONE = "_triaged"


def reviews() -> Reviews:
    """Return the reviews of the workspace."""
    return Workspace(workspace()).reviews


def precision(states: Mapping[str, int]) -> str:
    """Return the share of the reviewed alerts that were right, with its 95 % interval; empty if none was reviewed.

    Acknowledged and fixed rows were right; expected ones and false alarms were not. The interval is exact: Clopper and
    Pearson (1934), The use of confidence or fiducial limits illustrated in the case of the binomial.

    Examples
    --------
    >>> precision({"fixed": 6, "acknowledged": 2, "false alarm": 2, "new": 5})
    '80 % (44 to 97 %) of 10'
    """
    from scipy.stats import binomtest

    right = sum(states.get(state, 0) for state in RIGHT)
    reviewed = right + sum(states.get(state, 0) for state in WRONG)
    if not reviewed:
        return ""
    found = binomtest(right, reviewed).proportion_ci(0.95)
    return f"{right / reviewed:.0%} ({100 * found.low:.0f} to {found.high:.0%}) of {reviewed:,}".replace("%", " %")


def buttons(
    columns: Sequence[DeltaGenerator],
    run: str,
    rows: Sequence[int],
    who: str,
    now: str = "",
    after: Callable[[], None] | None = None,
) -> None:
    """Show a button for each state but the first; that of the state that the rows have now is coloured.

    Parameters
    ----------
    rows : sequence of int
        All of them get the state.
    after : callable, optional
        Called once the state is changed, before the page is drawn again.
    """
    for column, state in zip(columns, STATES[1:], strict=True):
        column.button(
            state.capitalize(),
            icon=f":material/{ICONS[state]}:",
            key=f"mark {state}",
            type="primary" if state == now else "secondary",
            on_click=_mark,
            args=(run, rows, who, state, after),
            disabled=not rows,
            width="stretch",
            shortcut=KEYS[state],
        )


def undo_box(run: str, who: str) -> None:
    """Show what was just done, with a button to undo it."""
    done = st.session_state.get(_DONE)
    if done is None or done[0] != run:
        return
    _, action, text = done
    said, button = st.columns([2.4, 1], vertical_alignment="center")
    said.markdown(f":green-badge[:material/check: {literal(text)}]")
    button.button(
        "Undo",
        icon=":material/undo:",
        key="undo last",
        on_click=_undo,
        args=(action, who),
        width="stretch",
        shortcut=UNDO,
    )


def notes(boxes: Sequence[DeltaGenerator], run: str, row: int, review: Review, who: str) -> None:
    """Let the user change who looks after a row, and comment on it."""
    assignee, comment = boxes
    looks_after = assignee.text_input(
        "Assignee",
        review.assignee,
        max_chars=100,
        key=f"assignee of {run} {row} {review.assignee}",
        placeholder="nobody",
    )
    said = comment.text_input(
        "Comment",
        max_chars=LONGEST,
        key=f"comment on {run} {row} {len(review.comments)}",
        placeholder="why, or what to do",
    )
    assigned = looks_after.strip() != review.assignee
    if assigned or said.strip():
        _change(run, [row], who, assignee=looks_after if assigned else None, comment=said or None)
        st.rerun()


def of_row(run: str, row: int) -> None:
    """Show what is said of a row, with a form to change it and its history."""
    review = reviews().of(run).get(row, Review())
    *columns, assignee, comment, name = st.columns([2.3, 1.7, 1.8, 1.3, 1.4, 2.0, 1.2], vertical_alignment="bottom")
    with name:
        who = name_box()
    buttons(columns, run, [row], who, review.state)
    notes((assignee, comment), run, row, review, who)
    _history(reviews().changes(run, row), who)


def _history(changes: list[Change], who: str) -> None:
    if not changes:
        return
    actions: dict[int, list[Change]] = {}
    for change in changes:
        actions.setdefault(change.action, []).append(change)
    with st.expander(f"History: {quantities.count(len(actions), 'change')}", icon=":material/history:"):
        for action, made in reversed(actions.items()):
            text = "; ".join(f"{change.part} {change.value or 'nobody'!r}" for change in made)
            first = made[0]
            line, button = st.columns([6, 1], vertical_alignment="center")
            undone = f" (undone by {first.undone})" if first.undone else ""
            line.markdown(literal(f"{formatting.moment(first.created)}, {first.who}: {text}{undone}"))
            if not first.undone:
                button.button("Undo", key=f"undo {action}", on_click=_undo, args=(action, who), type="tertiary")


def _mark(run: str, rows: Sequence[int], who: str, state: State, after: Callable[[], None] | None) -> None:
    if _change(run, rows, who, state=state) and after is not None:
        after()


def _change(
    run: str,
    rows: Sequence[int],
    who: str,
    state: State | None = None,
    assignee: str | None = None,
    comment: str | None = None,
) -> bool:
    try:
        action = reviews().change(run, rows, who or authorship.who(), state=state, assignee=assignee, comment=comment)
    except AnomaloError as error:
        st.error(literal(formatting.sentence(str(error))), icon=":material/error:")
        return False
    what = f"marked as {state}" if state else "changed"
    st.session_state[_DONE] = (run, action, f"{quantities.count(len(rows), 'row')} {what}.")
    return True


def _undo(action: int, who: str) -> None:
    st.session_state.pop(_DONE, None)
    try:
        reviews().undo(action, who or authorship.who())
    except AnomaloError as error:
        st.error(literal(formatting.sentence(str(error))), icon=":material/error:")

"""Hold the workspace and the run in view, and lead from one page to another.

A widget's key is its name in the URL. All pages share the keys, so each filter needs a key that no other page uses;
only `run` and `percent` are shared on purpose.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn, TypedDict

import streamlit as st

from anomalo.workspace.workspace import RunRecord
from anomalo_dashboard.security.literal import literal

_ARRIVING, _PAGE, _RUN, _NOTICE = "_arriving", "_page", "_run", "_notice"
_KEPT_THRESHOLD = "_threshold"
OF_RUNS = ("alerts", "row", "embedding_map", "repairs", "feedback", "synthesize")
"""The pages that show one run."""
THRESHOLD = "percent"
"""The key of the threshold that they share."""


def workspace() -> Path:
    """Return the workspace's folder, the one given to `anomalo dashboard`."""
    return Path(os.environ.get("ANOMALO_WORKSPACE", "anomalo-workspace")).absolute()


def go(page: str, **values: Any) -> NoReturn:
    """Open a page with its widgets, named by their keys, set to `values`."""
    st.session_state[_ARRIVING] = values
    # An empty mapping clears the URL; None, or values here, are refused while widgets are bound to it.
    st.switch_page(f"views/{page}.py", query_params={})


def arrive(page: str) -> None:
    """Set the values given to `go`; a page reached by the menu shows the run that was in view."""
    values = st.session_state.pop(_ARRIVING, {})
    if st.session_state.get(_PAGE) == page:
        return
    st.session_state[_PAGE] = page
    if page in OF_RUNS:
        if _RUN in st.session_state and "run" not in st.query_params:
            values = {"run": st.session_state[_RUN]} | values
        if _KEPT_THRESHOLD in st.session_state and THRESHOLD not in st.query_params:
            st.session_state[THRESHOLD] = st.session_state[_KEPT_THRESHOLD]
    if values:
        turn_to(**values)


def open_job(identity: str | None) -> NoReturn:
    """Show a job on the page Start, or with None the form of a new one; the job is in the URL."""
    if identity is None:
        del st.query_params["job"]
    else:
        st.query_params["job"] = identity
    st.rerun()


def run_in_view(runs: Sequence[RunRecord], everything: Sequence[RunRecord]) -> RunRecord:
    """Return the one of `runs` that the URL or the user chose; call it before `run_box`.

    For a run of another verb, its companion is returned: the run of the same table and model.

    Parameters
    ----------
    runs : sequence of RunRecord
        Those that the page can show, newest first; at least one.
    everything : sequence of RunRecord
        All runs, newest first.
    """
    known = {run.id: run for run in runs}
    requested = st.session_state.get("run") or st.query_params.get("run")
    run = known.get(requested or "")
    if run is None:
        other = next((other for other in everything if other.id == requested), None)
        found = None if other is None else companion(other, runs)
        # The URL names the latest run too, so that a copied link always opens this run.
        turn_to(_unknown(requested, other, runs) if requested and not found else "", run=(found or runs[0]).id)
    st.session_state[_RUN] = run.id
    return run


def run_box(runs: Sequence[RunRecord]) -> None:
    """Let the user choose a run; the choice is in the URL."""
    st.selectbox(
        "Run",
        [run.id for run in runs],
        None,
        key="run",
        bind="query-params",
        required=True,
        label_visibility="collapsed",
    )


def keep_threshold(percent: float | None) -> None:
    """Keep the threshold in view for the page that is opened next."""
    st.session_state[_KEPT_THRESHOLD] = percent


def first_page(key: str = "page") -> None:
    """Go back to the first page of a table; called when a filter changes, before the page is drawn again."""
    st.session_state[key] = 1


class Filter(TypedDict):
    """Options of a widget that filters a table: its value is in the URL, and a change leads to the first page."""

    bind: Literal["query-params"]
    on_change: Callable[[str], None]
    args: tuple[str]


def filter_of(key: str) -> Filter:
    """Return the options of a widget that filters the table whose page number has this key."""
    return {"bind": "query-params", "on_change": first_page, "args": (key,)}


def one_page(total: int, size: int, key: str = "page") -> slice:
    """Let the user turn the pages of a table of `total` rows; returns the rows of the page in view."""
    number = st.pagination(-(-total // size), key=key, bind="query-params")
    return slice((number - 1) * size, min(number * size, total))


def turn_to(notice: str = "", **values: Any) -> NoReturn:
    """Draw the page again with widgets set to `values`, through the URL, which gives widgets their first values.

    Call it before the page draws a bound widget. `notice` says why, where the user did not ask for it.
    """
    st.session_state[_NOTICE] = notice
    for key, value in values.items():
        st.session_state.pop(key, None)  # the value of another page's widget of this name
        st.query_params[key] = str(value)
    st.rerun()


def show_notice() -> None:
    """Show the notice given to `turn_to`."""
    notice = st.session_state.pop(_NOTICE, "")
    if notice:
        st.warning(literal(notice), icon=":material/info:")


def companion(run: RunRecord, runs: Sequence[RunRecord]) -> RunRecord | None:
    """Return the newest of `runs` that read the same table with the same model."""
    return next((other for other in runs if (other.source, other.model) == (run.source, run.model)), None)


def _unknown(requested: str, other: RunRecord | None, runs: Sequence[RunRecord]) -> str:
    if other is None:
        return f"There is no run {requested} here; this is the latest run, {runs[0].id}."
    return f"This page has no run for the table of {requested}; this is the latest run, {runs[0].id}."


def empty(title: str, text: str) -> None:
    """Show that there is nothing to see yet, and what to do; then end the page."""
    with st.container(border=True):
        st.header(title, anchor=False)
        st.write(text)
        st.page_link("views/start.py", label="Go to Start", icon=":material/play_circle:")
    st.stop()

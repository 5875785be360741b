"""Save the threshold in view with the model, so that new files are scored with it; take that back."""

from __future__ import annotations

from typing import Any

import streamlit as st

from anomalo.calibration.thresholds import Threshold
from anomalo.errors import AnomaloError
from anomalo.jobs.keeping.thresholds import save_threshold, scores
from anomalo.workspace.workspace import ModelRecord, RunRecord, Workspace
from anomalo_dashboard import data, formatting
from anomalo_dashboard.navigation import workspace
from anomalo_dashboard.security.literal import literal

_LAST, _FAILED = "_threshold_saved", "_threshold_not_saved"


def popover(run: RunRecord, rule: str) -> None:
    """Show a button that saves a threshold, as `--threshold` takes it, with the model of a run."""
    # Its content asks for the model, so that it waits until it is opened.
    options: dict[str, Any] = {"key": "save_threshold", "on_change": "rerun", "disabled": not (rule and run.model)}
    with st.popover("Save", help="Save the threshold with the model", width="stretch", **options) as opened:
        if opened.open and rule:
            _content(data.model_of(run.model), rule)


def _content(record: ModelRecord | None, rule: str) -> None:
    if record is None or not scores(record):
        st.write("The model of this run is no longer in the workspace.")
        return
    usual = "" if record.threshold else ", as no threshold is saved with it"
    now = formatting.threshold(record.threshold or str(Threshold()))
    st.markdown(f"New files are scored with **{literal(record.reference)}** at **{now}**{usual}.")
    latest = Workspace(workspace()).models(record.name)[-1]
    if latest.version != record.version:
        st.caption(literal(f"{latest.reference} is newer, and has its own threshold."))
    same = record.threshold == rule
    _button(f"Save {formatting.threshold(rule)}", "save it", record, rule, primary=True, disabled=same)
    if record.threshold:
        _button("Save none", "save none", record, "")
    reference, before = st.session_state.get(_LAST, ("", ""))
    if reference == record.reference and before != record.threshold:
        _button("Undo", "undo saving", record, before)
    failed = st.session_state.pop(_FAILED, None)
    if failed is not None:
        st.error(literal(formatting.sentence(failed)), icon=":material/error:")


def _button(
    label: str, key: str, record: ModelRecord, rule: str, *, primary: bool = False, disabled: bool = False
) -> None:
    st.button(
        label,
        key=key,
        on_click=_save,
        args=(record.reference, rule),
        type="primary" if primary else "secondary",
        disabled=disabled,
        width="stretch",
    )


def _save(reference: str, rule: str) -> None:
    """Save a threshold, or with an empty rule none; called before the page is drawn again."""
    try:
        saved = save_threshold(Workspace(workspace()), reference, rule or None)
        st.session_state[_LAST] = (reference, saved.before)
    except AnomaloError as error:
        st.session_state[_FAILED] = str(error)

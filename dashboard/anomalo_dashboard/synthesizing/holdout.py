"""Real rows that a generator was not fitted on: a file that the user uploads, or one named by its path."""

from __future__ import annotations

import streamlit as st

from anomalo.errors import AnomaloError
from anomalo_dashboard import sources
from anomalo_dashboard.security import failures, uploads

HELP = "A table that the generator was not trained on. It is needed to check whether training rows were copied."
_KEPT, _FAILED = "_holdout", "_holdout_error"


def choose(key: str) -> str:
    """Let the user upload held-out rows or name a file; returns its path, or an empty text.

    Parameters
    ----------
    key : str
        Of the widgets; each form has another.

    Raises
    ------
    UsageError
        The named file may not be opened, or is too large.
    """
    upload, path = f"upload {key}", key
    left, right = st.columns(2)
    left.file_uploader("Held-out real rows (optional)", key=upload, on_change=_uploaded, args=(upload,), help=HELP)
    named = right.text_input(
        "Or the path of a file on this machine", key=path, placeholder="/data/set-aside.csv", help=HELP
    ).strip()
    if _FAILED in st.session_state:
        failures.show(st.session_state.pop(_FAILED))
    kept = st.session_state.get(_KEPT, {}).get(upload, "")
    found = kept or named
    return str(sources.chosen(found)) if found else ""


def _uploaded(key: str) -> None:
    """Save an uploaded file, or forget one that was removed; called before the page is drawn again."""
    kept, file = st.session_state.setdefault(_KEPT, {}), st.session_state.get(key)
    kept.pop(key, None)
    if file is None:
        return
    try:
        kept[key] = str(uploads.keep(file.name, file.getvalue()))
    except AnomaloError as error:
        st.session_state[_FAILED] = error

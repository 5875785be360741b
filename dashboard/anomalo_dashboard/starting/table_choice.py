"""Let the user choose a table: upload one, name a file, or take one that was allowed by name or is bundled."""

from __future__ import annotations

import streamlit as st

from anomalo.errors import AnomaloError
from anomalo_dashboard import sources
from anomalo_dashboard.security import failures, named, uploads
from anomalo_dashboard.security.literal import plain

_PATH, _NAME, _UPLOAD, _FAILED = "source", "named", "upload", "upload_error"


def choose_table(bundled: bool = True) -> str:
    """Let the user choose a table; the choice is in the URL. Empty if there is none yet.

    Parameters
    ----------
    bundled : bool
        Whether the bundled table is offered.

    Raises
    ------
    UsageError
        The dashboard may not open what was chosen.
    """
    left, right = st.columns(2, gap="large")
    limit = st.get_option("server.maxUploadSize")
    left.file_uploader(
        f"Upload a table or images, at most {limit} MB",
        key=_UPLOAD,
        on_change=_uploaded,
        help="CSV and other text, Excel and OpenDocument, Parquet, Feather, JSON lines; text also packed. Images: a "
        "zip archive of PNG, JPEG, TIFF or BMP files, or an .npz with an array `images`.",
    )
    with right:
        path = st.text_input(
            "Or the path of a file, or of a folder of images, on this machine",
            key=_PATH,
            bind="query-params",
            on_change=_chosen,
            args=(_PATH,),
            placeholder="/data/patients.csv",
        )
        name = _named_box()
        if bundled:
            st.button(
                "Try the bundled table",
                icon=":material/science:",
                on_click=_choose,
                args=(str(sources.BUNDLED),),
                help="3,163 records of thyroid patients, with missing values; the diagnosis is hidden from the model.",
            )
    if _FAILED in st.session_state:
        failures.show(st.session_state.pop(_FAILED))
    if name:
        return sources.opened(named.source_of(name))
    given = (path or "").strip()
    return sources.opened(given) if given else ""


def _named_box() -> str | None:
    """Offer the tables that were named at the start of the dashboard, if any."""
    if not named.names():
        return None
    chosen: str | None = st.selectbox(
        "Or a database or URL that was allowed",
        named.names(),
        None,
        plain,
        key=_NAME,
        bind="query-params",
        on_change=_chosen,
        args=(_NAME,),
        placeholder="none",
        help="Named by anomalo dashboard --allow-source.",
    )
    return chosen


def _chosen(key: str) -> None:
    """Let what was chosen last count; called before the page is drawn again."""
    if st.session_state.get(key):
        for other, nothing in ((_PATH, ""), (_NAME, None)):
            if other != key and other in st.session_state:
                st.session_state[other] = nothing


def _choose(path: str) -> None:
    st.session_state[_PATH] = path
    _chosen(_PATH)


def _uploaded() -> None:
    """Save an uploaded file and choose it; called before the page is drawn again."""
    file = st.session_state.get(_UPLOAD)
    if file is None:
        return
    try:
        _choose(str(uploads.keep(file.name, file.getvalue())))
    except AnomaloError as error:
        st.session_state[_FAILED] = error

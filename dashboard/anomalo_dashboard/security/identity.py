"""Who uses the dashboard: whom the proxy's header names, or who says so on a page, which the browser remembers."""

from __future__ import annotations

import os
from urllib.parse import quote, unquote

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from anomalo.errors import UsageError
from anomalo.workspace import authorship
from anomalo_dashboard.security.literal import literal
from anomalo_dashboard.security.signed_in import HEADER, LONGEST, name_in

COOKIE = "anomalo-name"
YEAR = 365 * 24 * 3600
_NAME, _KEPT = "_name", "_name_kept"


def person() -> str | None:
    """Return who uses the page that is being drawn; None outside of a page, and where nobody has said so.

    Raises
    ------
    UsageError
        A header was named, and the proxy did not send it.
    """
    if get_script_run_ctx(suppress_warning=True) is None:
        return None
    header = os.environ.get(HEADER, "")
    if header:
        return name_in(header, st.context.headers.get_all(header))
    return st.session_state.get(_NAME) or _remembered() or None


def name_box() -> str:
    """Show who makes the changes, and let the user say so where no proxy does; empty if nobody may make any."""
    if os.environ.get(HEADER, ""):
        return _signed_in()
    found = _asked()
    st.session_state[_NAME] = found
    if found != _remembered() and st.session_state.get(_KEPT) != found:
        st.session_state[_KEPT] = found
        _remember(found)
    return found


def _signed_in() -> str:
    try:
        name = person() or ""
    except UsageError as error:
        with st.popover("Nobody", icon=":material/person_off:", help="Changes are refused", width="stretch"):
            st.write(literal(f"Changes are refused: {error}."))
        return ""
    with st.popover("You", icon=":material/person:", help="Who makes the changes", width="stretch"):
        st.write(f"Changes are made as {literal(name)}, as whom you signed in.")
    return name


def _asked() -> str:
    usual = _remembered() or authorship.account()
    with st.popover("You", icon=":material/person:", help="Who makes the changes", width="stretch"):
        found = st.text_input("Changes are made as", usual, max_chars=LONGEST, key="reviewer", persist_state="session")
    return (found or "").strip() or usual


def _remembered() -> str:
    """Return the name in the browser's cookie; it is whatever the browser says, as the box is."""
    found = st.context.cookies.get(COOKIE)
    name = unquote(found).strip() if isinstance(found, str) else ""
    return name if name.isprintable() and len(name) <= LONGEST else ""


def _remember(name: str) -> None:
    """Keep the name in the browser: quoted, it holds nothing that ends a text of JavaScript."""
    st.html(
        f"<script>document.cookie = '{COOKIE}={quote(name, safe='')}; path=/; max-age={YEAR}; samesite=lax'</script>",
        unsafe_allow_javascript=True,
    )

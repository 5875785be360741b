"""Errors as pages show them: what happened and what to do, and an id under which the log has the rest."""

from __future__ import annotations

import logging
import re
import secrets

import streamlit as st

from anomalo.errors import AnomaloError
from anomalo_dashboard.navigation import workspace
from anomalo_dashboard.security.literal import literal
from anomalo_dashboard.security.uploads import with_names

_FOLDERS = re.compile(r"(?<![\w.:/])/(?:[^\s/'\"]+/)+(?=[^\s/'\"])")
"""The folders of an absolute path, without the name of its file."""


def without_folders(text: str) -> str:
    """Return a text without folders of this machine; files are called by their names.

    Examples
    --------
    >>> without_folders("no such file: '/data/clinic/May.csv'; see https://example.com/a/b")
    "no such file: 'May.csv'; see https://example.com/a/b"
    """
    return _FOLDERS.sub("", with_names(text).replace(f"{workspace()}/", ""))


def show(error: Exception, page: str = "") -> None:
    """Show an error on the page, and log it whole under the same id.

    Parameters
    ----------
    page : str
        The title of the page that failed. The text of an error that anomalo itself did not report is in the log only:
        it may hold anything.
    """
    identity, reported = secrets.token_hex(3), isinstance(error, AnomaloError)
    log = logging.getLogger(__name__)
    log.error("error %s: %s", identity, error, exc_info=None if reported else error)
    text = (
        literal(without_folders(str(error)))
        if reported
        else f"The page {page} failed; the log of the dashboard says why. The other pages still work. If a plugin "
        "provides this page, report the error to its author"
    )
    st.error(f"{text} (error {identity})", icon=":material/error:")

"""Who changes a workspace, and when."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable
from datetime import UTC, datetime

USER = "ANOMALO_USER"
"""The environment variable that names the user."""
_source: Callable[[], str | None] = lambda: None  # noqa: E731


def who() -> str:
    """Return the user's name: what `named_by` was given says, else that of the `account`."""
    return _source() or account()


def account() -> str:
    """Return the name in the environment variable ANOMALO_USER, else that of the system's account."""
    named = os.environ.get(USER, "").strip()
    if named:
        return named
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container's user without a name
        return f"user {os.getuid()}"


def named_by(source: Callable[[], str | None]) -> None:
    """Ask a function for the user's name first: a server acts for many, and knows for whom at a time.

    Parameters
    ----------
    source : callable
        Returns the name, or None if it does not act for anybody; called by `who`, in the thread of the change.
    """
    global _source
    _source = source


def now() -> str:
    """Return the time in UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")

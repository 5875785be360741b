"""Who changes a workspace, and when."""

from __future__ import annotations

import getpass
import os
from datetime import UTC, datetime


def who() -> str:
    """Return the user's name: that of the environment variable ANOMALO_USER, else the system's."""
    named = os.environ.get("ANOMALO_USER", "").strip()
    if named:
        return named
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container's user without a name
        return f"user {os.getuid()}"


def now() -> str:
    """Return the time in UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")

"""Which files of this machine a user of the dashboard may open by their path."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from anomalo.errors import UsageError

ALLOWED = "ANOMALO_DASHBOARD_ALLOW"
"""The environment variable with the folders given to `anomalo dashboard --allow`, separated as paths are."""


def openable(source: str, further: Iterable[str | Path] = ()) -> Path:
    """Return the file that a path leads to, if it is a regular one in the workspace or in a folder that was allowed.

    Links are followed first, so that none leads out. The error is the same for a file that is absent and for one that
    may not be opened: nobody learns what else there is.

    Parameters
    ----------
    source : str
        A path that a user gave.
    further : iterable of str or Path
        Files that may be opened besides, such as the bundled table.

    Raises
    ------
    UsageError
        It is none.
    """
    try:
        path = Path(source).resolve(strict=True)
        within = any(path.is_relative_to(folder) for folder in roots())
        if (within or path in {Path(one).resolve() for one in further}) and stat.S_ISREG(path.stat().st_mode):
            return path
    except (OSError, ValueError, RuntimeError):
        pass
    raise UsageError(
        f"the dashboard may not open {source!r}, or there is no such file: upload it, or start the dashboard with "
        "--allow and its folder"
    )


def roots() -> list[Path]:
    """Return the folders whose files may be opened: the workspace, and those that were allowed."""
    from anomalo_dashboard.navigation import workspace  # not above: `anomalo --help` reads this module

    given = [Path(folder) for folder in os.environ.get(ALLOWED, "").split(os.pathsep) if folder]
    return [folder.resolve() for folder in (workspace(), *given)]

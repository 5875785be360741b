"""Which files of this machine a user of the dashboard may open by their path."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from anomalo.errors import UsageError

ALLOWED = "ANOMALO_DASHBOARD_ALLOW"
"""The environment variable with the folders given to `anomalo dashboard --allow`, separated as paths are."""


def openable(source: str, further: Iterable[str | Path] = (), images: bool = False) -> Path:
    """Return the file that a path leads to, if it is a regular one in the workspace or in a folder that was allowed.

    Links are followed first, so that none leads out. The error is the same for a file that is absent and for one that
    may not be opened: nobody learns what else there is.

    Parameters
    ----------
    source : str
        A path that a user gave.
    further : iterable of str or Path
        Files that may be opened besides, such as the bundled table.
    images : bool
        Whether it may also be a folder of images there.

    Raises
    ------
    UsageError
        It is none; or a link in a folder of images leads out of the folders that may be opened.
    """
    path, mode = _allowed(source, further)
    if path is not None and stat.S_ISREG(mode):
        return path
    if path is not None and images and stat.S_ISDIR(mode):
        return _folder_of_images(path)
    raise UsageError(
        f"the dashboard may not open {source!r}, or there is no such file: upload it, or start the dashboard with "
        "--allow and its folder"
    )


def _allowed(source: str, further: Iterable[str | Path]) -> tuple[Path | None, int]:
    """Return what a path leads to, and its mode; None if it may not be opened, or is absent."""
    try:
        path = Path(source).resolve(strict=True)
        within = any(path.is_relative_to(folder) for folder in roots())
        if within or path in {Path(one).resolve() for one in further}:
            return path, path.stat().st_mode
    except (OSError, ValueError, RuntimeError):
        pass
    return None, 0


def _folder_of_images(folder: Path) -> Path:
    """Return a folder if it holds images, none of which, and no mask, is a link that leads out.

    Raises
    ------
    UsageError
        It does not.
    """
    from anomalo.tabular.reading.folder.listing import folder_images, local_files  # not above, as below

    if not folder_images(str(folder)):
        raise UsageError(f"the folder {folder.name!r} holds no images: give one of PNG, JPEG, TIFF or BMP files")
    allowed = [folder, *roots()]
    for file in filter(Path.is_symlink, local_files(str(folder))):
        if not any(file.resolve().is_relative_to(root) for root in allowed):
            raise UsageError(f"{file.name} is a link that leads out of the folders that may be opened: remove it")
    return folder


def roots() -> list[Path]:
    """Return the folders whose files may be opened: the workspace, and those that were allowed."""
    from anomalo_dashboard.navigation import workspace  # not above: `anomalo --help` reads this module

    given = [Path(folder) for folder in os.environ.get(ALLOWED, "").split(os.pathsep) if folder]
    return [folder.resolve() for folder in (workspace(), *given)]

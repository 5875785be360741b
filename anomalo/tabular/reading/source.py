"""A local file that is read: where it is, and what messages call it."""

from __future__ import annotations

import glob
import os
from pathlib import Path
from typing import NamedTuple

from anomalo.errors import without_passwords


class LocalFile(NamedTuple):
    """A file to read.

    Attributes
    ----------
    path : Path
        Where it is.
    name : str
        What messages call it: the path as the user gave it, or "standard input".
    """

    path: Path
    name: str

    def __str__(self) -> str:
        return self.name


def recorded(source: str) -> str:
    """Return what is kept of a source's name: an absolute path, or a URL without its password.

    Read from another folder, a relative path would name another file.
    """
    if "://" in source or "::" in source:
        return without_passwords(source)
    local = os.path.exists(source) or glob.glob(source)
    return os.path.abspath(source) if local else source

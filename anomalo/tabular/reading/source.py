"""A local file that is read: where it is, and what messages call it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


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

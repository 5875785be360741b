"""How a table is to be read, where the reader shall not find it out by itself."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from anomalo.errors import UsageError


@dataclass(frozen=True)
class ReadOptions:
    """The user's decisions about a source, which replace what its reader would notice.

    Attributes
    ----------
    encoding : str or None
        The encoding of a text file; None: it is recognised.
    header : str or None
        The line with the column names, from 1, or "none"; None: it is noticed.
    sheet : str or None
        The sheet of a workbook, by name or number from 1; None: the first one with cells.
    images : str or None
        The column of a table that names files of images, relative to the table's; None: the rows are the table's.
    masks : str or None
        The folder with the masks of images; None: they are beside the images.

    Raises
    ------
    UsageError
        The encoding is not known, or the header is no line.

    Examples
    --------
    >>> ReadOptions(encoding="cp1252", header="3").line
    3
    """

    encoding: str | None = None
    header: str | None = None
    sheet: str | None = None
    images: str | None = None
    masks: str | None = None

    def __post_init__(self) -> None:
        if self.encoding is not None:
            _require_text_encoding(self.encoding)
        named = self.header is None or self.header == "none"
        if not named and not (str(self.header).isdecimal() and str(self.header).isascii() and int(str(self.header))):
            raise UsageError(f"header {self.header!r}: expected none, or the number of a line, from 1")

    @property
    def line(self) -> int | None:
        """The line with the column names, from 1; None if it is to be noticed, or there is none."""
        return None if self.header in (None, "none") else int(str(self.header))

    @property
    def headless(self) -> bool:
        """Whether the user said that no line has the column names."""
        return self.header == "none"

    def to_json(self) -> dict[str, Any]:
        """Return what is decided, JSON-ready; empty if nothing is."""
        said = asdict(self) | {"masks": self.masks and os.path.abspath(self.masks)}  # who reads it may stand elsewhere
        return {name: value for name, value in said.items() if value is not None}

    @classmethod
    def from_json(cls, value: Mapping[str, Any] | None) -> ReadOptions:
        """Rebuild options from `to_json`; the defaults from None."""
        return cls(**(value or {}))


def _require_text_encoding(name: str) -> None:
    try:
        b"".decode(name)
        "".encode(name)
    except (LookupError, ValueError):
        raise UsageError(
            f"encoding {name!r} is not known; expected a name such as utf-8, cp1252, latin-1, shift_jis or utf-16"
        ) from None

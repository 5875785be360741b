"""What a user decided about reading cells: which texts are missing cells, which are not, and infinite numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from anomalo.tabular.column import Infinite


@dataclass(frozen=True)
class Reading:
    """How cells are read, as `SchemaOptions` has it.

    Attributes
    ----------
    missing : tuple of str
        Texts that stand for a missing cell, besides the usual ones; `COLUMN=TEXT` is for one column only.
    keep : tuple of str
        Texts that are values although they usually stand for a missing cell, written likewise.
    infinite : {"error", "missing"}
        What an infinite number is.
    """

    missing: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    infinite: Infinite = "error"

    def of(self, name: str) -> Reading:
        """Return what applies to the cells of one column, without its name: texts are trimmed."""
        return replace(self, missing=texts_for(name, self.missing), keep=texts_for(name, self.keep))


PLAIN = Reading()
"""No decisions."""


def texts_for(name: str, items: Iterable[str]) -> tuple[str, ...]:
    """Return the texts of items `[COLUMN=]TEXT` that apply to the column `name`, trimmed.

    Examples
    --------
    >>> texts_for("x", ["-9", "x= ?", "y=0"])
    ('-9', '?')
    """
    mine = f"{name}="
    texts = [item.removeprefix(mine) for item in items if item.startswith(mine) or "=" not in item]
    return tuple(text.strip() for text in texts)

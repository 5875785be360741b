"""The result of an imputation."""

from __future__ import annotations

from dataclasses import dataclass

from anomalo.tabular.writing.destination import Output
from anomalo.workspace.workspace import RunRecord


@dataclass(frozen=True)
class ImputeResult:
    """The result of an imputation: the stored run, the table, imputed cells by column, and warnings.

    Of images the table is a folder of files, and the cells are pixels.
    """

    run: RunRecord
    table: Output
    rows: int
    filled: dict[str, int]
    warnings: tuple[str, ...]
    of_images: bool = False

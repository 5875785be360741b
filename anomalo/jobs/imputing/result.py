"""The result of an imputation."""

from __future__ import annotations

from dataclasses import dataclass

from anomalo.tabular.writing.destination import Output
from anomalo.workspace.workspace import RunRecord


@dataclass(frozen=True)
class ImputeResult:
    """The result of an imputation: the stored run, the table or folder of images, imputed cells, and warnings."""

    run: RunRecord
    table: Output
    rows: int
    filled: dict[str, int]
    warnings: tuple[str, ...]

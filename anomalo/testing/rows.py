"""The rows that the checks have for a model: those of a modality that it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from anomalo.encoding.encoded import Encoded
from anomalo.encoding.text_encoder import TextEncoder
from anomalo.models.base import Model
from anomalo.models.result_checks import require
from anomalo.tabular.column import IMAGE, TABLE
from anomalo.testing.images import images
from anomalo.testing.series import SERIES, series
from anomalo.testing.tables import tables
from anomalo.testing.texts import texts

Rows = tuple[Encoded, Encoded]
KNOWN: Mapping[str, Callable[[], Rows]] = {
    TABLE: tables,
    TextEncoder.modality: texts,
    IMAGE: images,
    SERIES: series,
}


def rows_for(cls: type[Model]) -> Rows:
    """Return training rows and new rows of the first modality of `KNOWN` that a model takes.

    Raises
    ------
    AssertionError
        It takes none.
    """
    taken = [of for modality, of in KNOWN.items() if modality in cls.modalities]
    require(bool(taken), f"the checks have rows of {', '.join(KNOWN)}, and the model takes {cls.modalities}")
    return taken[0]()

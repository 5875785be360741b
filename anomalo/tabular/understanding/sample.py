"""The distinct texts of a column, as its kind is guessed from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from anomalo.tabular import parsing
from anomalo.tabular.cells import Cells
from anomalo.tabular.column import Kind
from anomalo.tabular.understanding.number_guess import guess_style
from anomalo.tabular.understanding.number_parts import Numbers
from anomalo.tabular.understanding.number_style import NumberStyle
from anomalo.tabular.understanding.reading import Reading


@dataclass(frozen=True)
class Sample:
    """The distinct trimmed texts of a column [k], their counts [k], and each row's text [n], -1 for none.

    `at` [k] says which of the texts of `cells` each is, so that no text is converted twice.
    """

    cells: Cells
    texts: pa.StringArray
    at: NDArray[np.intp]
    counts: NDArray[np.intp]
    index: NDArray[np.int32]

    @property
    def total(self) -> int:
        """How many cells have a text."""
        return int(self.counts.sum())

    def without_missing(self, kind: Kind, mine: Reading, usual: bool = True) -> Sample:
        """Return the texts that do not stand for a missing cell of a column of that kind."""
        return self.only(~np.asarray(parsing.is_missing(self.texts, kind, mine, usual), dtype=np.bool_))

    def only(self, kept: NDArray[np.bool_]) -> Sample:
        """Return the texts under the mask [k]."""
        if kept.all():
            return self
        positions = np.append(np.cumsum(kept) - 1, -1).astype(np.int32)
        index = np.where(np.append(kept, False)[self.index], positions[self.index], np.int32(-1))
        return Sample(self.cells, self.texts.filter(pa.array(kept)), self.at[kept], self.counts[kept], index)

    def style(self, separator: str, mostly: float) -> NumberStyle | None:
        """Return how the texts write numbers, if at least the share `mostly` of the cells does."""
        return guess_style(
            self.texts, self.counts, lambda comma: self.cells.plain_numbers(comma)[self.at], separator == ";", mostly
        )

    def numbers(self, style: NumberStyle) -> Numbers:
        """Return the texts as numbers [k], nan where one is none."""
        other = np.ones(len(self.cells.texts), dtype=np.bool_)
        other[self.at] = False
        return self.cells.numbers(style, other)[self.at]

    def seconds(self, form: str) -> Numbers:
        """Return the texts as seconds since 1970 [k], nan where one does not fit the format."""
        return self.cells.seconds(form)[self.at]

    @staticmethod
    def of(cells: Cells) -> Sample:
        """Return the distinct texts of a column's cells."""
        trimmed = cells.texts.dictionary_encode()
        merged = pc.fill_null(trimmed.indices, -1).to_numpy(zero_copy_only=False).astype(np.int32)
        index = np.append(merged, np.int32(-1))[cells.distinct[1]]
        texts = trimmed.dictionary
        _, at = np.unique(merged[merged >= 0], return_index=True)
        counts = np.bincount(index[index >= 0], minlength=len(texts))
        return Sample(cells, texts, np.flatnonzero(merged >= 0)[at], counts, index)

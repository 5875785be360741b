"""The encoder of texts: one row for each text of a column, one cell for the column and one for each character."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from anomalo.encoding.encoded import FIRST_LEVEL, MISSING, UNSEEN, Encoded, Floats, Mask
from anomalo.encoding.layout import Block, Layout
from anomalo.errors import UsageError
from anomalo.tabular.columns import Columns
from anomalo.tabular.parsing import Texts
from anomalo.tabular.schema import Schema

COLUMN, TEXT = "column", "text"
"""The columns of a table of texts: which column of some other table a text stands in, and the text."""
END = ""
"""The level that follows a text's last character, in all cells up to the row's last one."""
LONGEST = 128
"""So many characters of a text are encoded. The rest is not seen: it is neither scored nor replaced, and such a text
has no end."""
ALPHABET = 500
"""So many characters have a code of their own, the most frequent ones; others are unseen."""


class TextEncoder:
    """Texts [n] as codes [n, 1 + length]: the column, then the characters and `END`.

    Columns and characters are categories: 0 where a cell is missing, 1 for a column or a character that is not known, 2
    and up for the known ones. The length is that of the longest text in training and its end, at most `LONGEST`.
    """

    modality: ClassVar[str] = "text"

    def __init__(self, layout: Layout | None = None) -> None:
        self._layout = layout or Layout(self.modality, (0,), ())

    @property
    def layout(self) -> Layout:
        """The layout learned by `fit`."""
        return self._layout

    def fit(self, columns: Columns, schema: Schema) -> Self:
        """Learn the columns, the alphabet and the longest text.

        Raises
        ------
        UsageError
            The table has no columns `column` and `text`.
        """
        names, texts = _texts(columns, COLUMN), _texts(columns, TEXT)
        values = [value[:LONGEST] for value in texts.distinct.to_pylist() if value is not None]
        length = min(max(map(len, values), default=0) + 1, LONGEST)
        known = tuple(sorted({name for name in names.distinct.to_pylist() if name is not None}))
        missing = _share_missing(names), _share_missing(texts)
        self._layout = _layout(known, (END, *_most_frequent(values)), length, *missing)
        return self

    def encode(self, columns: Columns, label: bool = False) -> Encoded:
        """Encode one batch; a missing text is a row of missing characters."""
        names, texts = _texts(columns, COLUMN), _texts(columns, TEXT)
        known, length = self._layout.blocks[0].levels, self._layout.shape[0] - 1
        of_name = {name: code for code, name in enumerate(known, FIRST_LEVEL)}
        found = [MISSING if name is None else of_name.get(name, UNSEEN) for name in names.distinct.to_pylist()]
        of_column = np.array([*found, MISSING], dtype=np.float32)
        characters = _codes(texts.distinct.to_pylist(), self._layout.blocks[1].levels[1:], length)
        missing = np.full((1, length), MISSING, dtype=np.float32)
        rows = np.concatenate([characters, missing])[texts.index]
        values = np.concatenate([of_column[names.index][:, None], rows], axis=1)
        return Encoded(values, values >= FIRST_LEVEL, self._layout)

    def decode(self, values: Floats, position: int, round: bool = True) -> pa.Array:
        """Return the names of the codes [n] of one cell; null where a code is no known level's."""
        levels = self._layout.blocks[position].levels
        index = np.asarray(values).astype(np.int64) - FIRST_LEVEL
        return pa.array(levels, pa.string()).take(pa.array(index, mask=(index < 0) | (index >= len(levels))))

    def text(self, values: Floats) -> list[str]:
        """Return the text of each row of codes [n, 1 + length], up to its end; missing characters are left out."""
        levels = np.array(["", "", *self._layout.blocks[1].levels], dtype=object)
        ends = np.logical_or.accumulate(values[:, 1:] == FIRST_LEVEL, axis=1)
        characters = levels[np.where(ends, FIRST_LEVEL, values[:, 1:]).astype(np.int64)]
        return ["".join(row) for row in characters]

    def fill(self, batch: pa.RecordBatch, point: Floats, where: Mask, round: bool = True) -> pa.RecordBatch:
        """Return the batch with the characters under `where` [n, 1 + length] from codes; what is longer is kept."""
        arrays = {name: batch.column(name) for name in batch.schema.names}
        names, texts = (batch.column(name).to_pylist() for name in (COLUMN, TEXT))
        filled = self.decode(point[:, 0], 0).to_pylist()
        arrays[COLUMN] = pa.array(
            [new if here else old for new, old, here in zip(filled, names, where[:, 0], strict=True)], pa.string()
        )
        length, changed = point.shape[1] - 1, np.asarray(where[:, 1:].any(axis=1)).tolist()
        rest = [(text or "").strip()[length:] for text in texts]
        whole = (new + tail for new, tail in zip(self.text(point), rest, strict=True))
        arrays[TEXT] = pa.array(
            [new if here else old for new, old, here in zip(whole, texts, changed, strict=True)], pa.string()
        )
        fields = [field.with_type(arrays[field.name].type) for field in batch.schema]
        return pa.RecordBatch.from_arrays(list(arrays.values()), schema=pa.schema(fields, batch.schema.metadata))

    def to_json(self) -> dict[str, Any]:
        """Return the layout as JSON-ready values; the alphabet is written once."""
        column, *cells = self._layout.blocks
        return {
            "columns": list(column.levels),
            "alphabet": "".join(cells[0].levels),
            "length": len(cells),
            "missing": [column.missing, cells[0].missing],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any], schema: Schema) -> Self:
        """Rebuild an encoder from `to_json`."""
        return cls(_layout(tuple(value["columns"]), (END, *value["alphabet"]), value["length"], *value["missing"]))


def _texts(columns: Columns, name: str) -> Texts:
    found = columns.values.get(name)
    if not isinstance(found, Texts):
        raise UsageError(f"texts are read from a table with columns of texts {COLUMN!r} and {TEXT!r}; got no {name!r}")
    return found


def _share_missing(texts: Texts) -> float:
    null = np.append(texts.distinct.is_null().to_numpy(zero_copy_only=False), True)
    return float(null[texts.index].mean()) if len(texts.index) else 0.0


def _layout(
    columns: tuple[str, ...], alphabet: tuple[str, ...], length: int, missing_column: float, missing: float
) -> Layout:
    cells = [Block(f"{TEXT}[{at}]", "category", 1 + at, levels=alphabet, missing=missing) for at in range(length)]
    column = Block(COLUMN, "category", 0, levels=columns, missing=missing_column)
    return Layout(TextEncoder.modality, (1 + length,), (column, *cells))


def _most_frequent(values: Sequence[str]) -> list[str]:
    """Return the characters of texts by frequency, then by code point, at most `ALPHABET` of them."""
    points, counts = np.unique(_points(values, None), return_counts=True)
    return [chr(points[at]) for at in np.lexsort((points, -counts))[:ALPHABET]]


def _codes(texts: Sequence[str | None], alphabet: Sequence[str], length: int) -> Floats:
    """Return the codes [k, length] of the characters of texts, and of their ends."""
    lengths = np.array([0 if text is None else min(len(text), length) for text in texts])
    known = np.array([ord(character) for character in alphabet], dtype=np.uint32)
    order = np.argsort(known)
    points = _points([text or "" for text in texts], length).reshape(len(texts), length)
    at = np.minimum(np.searchsorted(known[order], points), max(len(known) - 1, 0))
    found = known[order][at] == points if len(known) else np.zeros(points.shape, dtype=np.bool_)
    codes = np.where(found, order[at] + FIRST_LEVEL + 1 if len(known) else 0, UNSEEN)
    codes = np.where(np.arange(length) < lengths[:, None], codes, FIRST_LEVEL)
    absent = np.array([text is None for text in texts], dtype=np.bool_)
    codes[absent] = MISSING
    return codes.astype(np.float32)


def _points(texts: Sequence[str], width: int | None) -> NDArray[np.uint32]:
    """Return the code points of all texts one after the other, each cut or padded to a width if one is given."""
    parts = texts if width is None else (text[:width].ljust(width, "\0") for text in texts)
    return np.frombuffer("".join(parts).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)

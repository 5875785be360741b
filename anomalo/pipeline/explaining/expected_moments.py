"""What is expected of the points in time of explained rows, by what is derived from them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from anomalo.encoding.encoded import FIRST_LEVEL, Block, Encoded, Floats, Layout, Mask
from anomalo.encoding.encoder import Encoder
from anomalo.encoding.scaling import expand
from anomalo.encoding.table_encoder import TableEncoder
from anomalo.models.results import Cells
from anomalo.pipeline.explaining.expected_cells import ExpectedCells
from anomalo.tabular.moments.derived import DerivedColumn
from anomalo.tabular.moments.wording import duration, expected_level, usual_span


def expected_moments(data: Encoded, cells: Cells) -> Floats:
    """Return what is derived from each point in time and contributes most to the score of its row.

    Parameters
    ----------
    data : Encoded [n]
    cells : Cells [n]
        The explanation of their scores.

    Returns
    -------
    float32 [n, columns of points in time, 3]
        The number of the derived block, its encoded value in the row, and the one expected. No columns where the model
        does not see what is derived.
    """
    if cells.derived is None or data.derived is None:
        return np.zeros((len(data), 0, 3), dtype=np.float32)
    found, rows = [], np.arange(len(data))
    for parts in _parts(data.derived.layout):
        most = np.array(parts)[np.argmax(cells.derived.contribution[:, parts], axis=1)]
        found.append(np.stack([most, data.derived.values[rows, most], cells.derived.expected[rows, most]], axis=1))
    return np.stack(found, axis=1).astype(np.float32)


def as_usual(data: Encoded, moments: Floats) -> Mask:
    """Return which points in time are as expected, bool [n, columns of points in time]."""
    assert data.derived is not None
    part, observed, expected = np.moveaxis(moments, 2, 0)
    cycle = np.array([block.kind == "category" for block in data.derived.layout.blocks])[part.astype(np.intp)]
    outside = np.array([len(block.sources) == 1 for block in data.derived.layout.blocks])[part.astype(np.intp)]
    return np.asarray(np.where(cycle, observed == expected, outside & (observed == 0)))


def moments_as_cells(encoder: Encoder, moments: Floats) -> dict[str, ExpectedCells]:
    """Return in words what is expected of the points in time of `expected_moments`, by column; null where nothing else.

    Parameters
    ----------
    moments : float32 [n, columns of points in time, 3]
    """
    layout = encoder.layout.derived
    if layout is None or not isinstance(encoder, TableEncoder) or not moments.shape[1]:
        return {}
    found = {}
    for at, parts in enumerate(_parts(layout)):
        texts = [
            _text(encoder.derivation[int(part)], layout.blocks[int(part)], observed, expected)
            for part, observed, expected in moments[:, at].tolist()
        ]
        nothing = np.full(len(texts), np.nan)
        found[layout.blocks[parts[0]].sources[0]] = ExpectedCells(pa.array(texts, pa.string()), nothing, nothing)
    return found


def _parts(layout: Layout) -> list[list[int]]:
    """Return the derived blocks of each point in time."""
    names = [block.sources[0] for block in layout.blocks]
    return [[at for at, source in enumerate(names) if source == name] for name in dict.fromkeys(names)]


def _text(derived: DerivedColumn, block: Block, observed: float, expected: float) -> str | None:
    if derived.part == "outside":
        return usual_span(derived)
    if derived.part == "since":
        return duration(derived, float(expand(np.array([expected]), block.offset, block.scale)[0]))
    return expected_level(derived, _level(block, observed), _level(block, expected))


def _level(block: Block, code: float) -> str | None:
    """Return the name of a level's code; None for a missing or rare one."""
    at = round(code) - FIRST_LEVEL
    return block.levels[at] if 0 <= at < len(block.levels) else None

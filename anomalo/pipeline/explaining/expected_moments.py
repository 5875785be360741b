"""What is expected of the points in time of explained rows, by what is derived from them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from anomalo.encoding.encoded import FIRST_LEVEL, Encoded, Floats, Mask
from anomalo.encoding.encoder import Encoder
from anomalo.encoding.layout import Block, Layout
from anomalo.encoding.scaling import expand
from anomalo.encoding.table_encoder import TableEncoder
from anomalo.models.results import Cells
from anomalo.pipeline.explaining.expected_cells import ExpectedCells
from anomalo.tabular.moments.derived import LEVELS, YEARLY, DerivedColumn, day_of_year
from anomalo.tabular.moments.wording import duration, expected_level, season, usual_span

SAME_SEASON = 15
"""Days within which a day of the year is as expected."""


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
        The number of the derived block, its encoded value in the row, and the one expected; of the first coordinate of
        the day of the year, these days. No columns where the model does not see what is derived.
    """
    if cells.derived is None or data.derived is None:
        return np.zeros((len(data), 0, 3), dtype=np.float32)
    layout, rows, found = data.derived.layout, np.arange(len(data)), []
    contribution, observed, expected = (
        array.copy() for array in (cells.derived.contribution, data.derived.values, cells.derived.expected)
    )
    for sine, cosine in _circles(layout):
        contribution[:, sine] += contribution[:, cosine]
        contribution[:, cosine] = -np.inf
        known = data.derived.observed[:, sine]
        observed[:, sine] = np.where(known, _days(layout, observed, sine, cosine), np.nan)
        expected[:, sine] = _days(layout, expected, sine, cosine)
    for parts in _parts(layout):
        most = np.array(parts)[np.argmax(contribution[:, parts], axis=1)]
        found.append(np.stack([most, observed[rows, most], expected[rows, most]], axis=1))
    return np.stack(found, axis=1).astype(np.float32)


def as_usual(data: Encoded, moments: Floats) -> Mask:
    """Return which points in time are as expected, bool [n, columns of points in time]."""
    assert data.derived is not None
    number, observed, expected = np.moveaxis(moments, 2, 0)
    part = np.array([block.part for block in data.derived.layout.blocks])[number.astype(np.intp)]
    apart = np.abs(observed - expected)
    near = np.minimum(apart, 365 - apart) <= SAME_SEASON
    outside = (part == "outside") & (observed == 0)
    return np.asarray(np.where(np.isin(part, list(LEVELS)), apart == 0, np.where(part == YEARLY[0], near, outside)))


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


def _circles(layout: Layout) -> list[tuple[int, int]]:
    """Return the pairs of blocks that are the coordinates of a day of the year."""
    by_part = {(block.part, block.sources): block.position for block in layout.blocks}
    return [(at, by_part[YEARLY[1], sources]) for (part, sources), at in by_part.items() if part == YEARLY[0]]


def _days(layout: Layout, values: NDArray[np.floating], sine: int, cosine: int) -> NDArray[np.float64]:
    """Return the days of the year [n] of encoded coordinates, columns of [n, derived]."""
    numbers = values.astype(np.float64)
    one, other = (expand(numbers[:, at], layout.blocks[at].offset, layout.blocks[at].scale) for at in (sine, cosine))
    return day_of_year(one, other)


def _text(derived: DerivedColumn, block: Block, observed: float, expected: float) -> str | None:
    if derived.part == "outside":
        return usual_span(derived)
    if derived.part == YEARLY[0]:
        return None if np.isnan(expected) else season(expected)
    if derived.part == "since":
        return duration(derived, float(expand(np.array([expected]), block.offset, block.scale)[0]))
    return expected_level(derived, _level(block, observed), _level(block, expected))


def _level(block: Block, code: float) -> str | None:
    """Return the name of a level's code; None for a missing or rare one."""
    at = round(code) - FIRST_LEVEL
    return block.levels[at] if 0 <= at < len(block.levels) else None

"""A small mixed encoded table with difficult cases: missing values, rare levels, constant columns."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from anomalo.encoding.encoded import FIRST_LEVEL, Encoded
from anomalo.encoding.layout import Block, Layout
from anomalo.models.capabilities import CanClassify, SamplesClasses

ROWS = 200
"""Rows in the training table."""
NEW_ROWS = 60
"""Rows that no model is fitted on."""

_COLOURS = ("red", "green", "blue")
_ANIMALS = ("ant", "bee", "cat", "dog")


def tables() -> tuple[Encoded, Encoded]:
    """Return a training table of 200 rows and 60 more rows of the same layout, always the same ones.

    Three numbers and two categories follow one hidden quantity. A tenth of the cells is missing in every column
    but the first, which is complete in the training table. The arrays cannot be written to.

    Examples
    --------
    >>> train, new = tables()
    >>> train.values.shape, new.values.shape
    ((200, 5), (60, 5))
    >>> [block.name for block in train.layout.blocks]
    ['height', 'weight', 'children', 'colour', 'animal']
    """
    rng = np.random.default_rng(20)
    complete = _columns(rng, ROWS + NEW_ROWS)
    observed = rng.random(complete.shape) > 0.1
    observed[:ROWS, 0] = True
    values = (complete * observed).astype(np.float32)
    layout = Layout("table", (values.shape[1],), _blocks(values[:ROWS], observed[:ROWS]))
    both = _frozen(values, observed, layout)
    return both.take(slice(0, ROWS)), both.take(slice(ROWS, None))


def select(data: Encoded, names: Sequence[str]) -> Encoded:
    """Return the table of these columns alone."""
    chosen = [block for block in data.layout.blocks if block.name in names]
    positions = [block.position for block in chosen]
    blocks = tuple(dataclasses.replace(block, position=index) for index, block in enumerate(chosen))
    layout = Layout(data.layout.modality, (len(blocks),), blocks)
    return _frozen(data.values[:, positions], data.observed[:, positions], layout)


def with_constants(data: Encoded) -> Encoded:
    """Return the table with a number and a category more that never vary: "zero" and "country"."""
    values = np.column_stack([data.values, np.zeros(len(data)), np.full(len(data), FIRST_LEVEL)]).astype(np.float32)
    observed = np.column_stack([data.observed, np.ones((len(data), 2), dtype=bool)])
    width = len(data.layout.blocks)
    blocks = (
        *data.layout.blocks,
        Block("zero", "number", width, offset=7.0, scale=1.0),
        Block("country", "category", width + 1, levels=("Iceland",)),
    )
    return _frozen(values, observed, Layout(data.layout.modality, (width + 2,), blocks))


def labelled(data: Encoded) -> Encoded:
    """Return the table with a target: about a third of the rows are "rare", the others "common"."""
    layout = dataclasses.replace(data.layout, classes=("common", "rare"))
    rare = data.hashes() % np.uint64(3) == 0
    return Encoded(data.values, data.observed, layout, rare.astype(np.float64))


def labelled_for(model: object, data: Encoded) -> Encoded:
    """Return the rows with a target if a model can learn classes, else as they are."""
    return labelled(data) if isinstance(model, CanClassify | SamplesClasses) else data


def _columns(rng: np.random.Generator, rows: int) -> NDArray[np.float64]:
    hidden = rng.normal(size=rows)
    noise = rng.normal(size=(rows, 4))
    height = 0.9 * hidden + 0.4 * noise[:, 0]
    weight = np.sinh(0.6 * hidden + 0.3 * noise[:, 1])  # heavy tails
    children = np.round(1.5 * np.abs(hidden) + 0.3 * np.abs(noise[:, 2])) - 1
    colour = _by_frequency(np.digitize(hidden + 0.5 * noise[:, 3], [-0.6, 0.6]))
    animal = _by_frequency((colour + rng.choice(5, size=rows, p=[0.5, 0.3, 0.1, 0.07, 0.03])) % 5)
    return np.column_stack([height, weight, children, colour, animal])


def _by_frequency(levels: NDArray[np.intp]) -> NDArray[np.intp]:
    """Codes as encoders give them: the most frequent level has the first one."""
    rank = np.argsort(np.argsort(-np.bincount(levels), kind="stable"))
    return FIRST_LEVEL + rank[levels]


def _blocks(values: NDArray[np.float32], observed: NDArray[np.bool_]) -> tuple[Block, ...]:
    blocks = (
        Block("height", "number", 0, offset=170.0, scale=12.0),
        Block("weight", "number", 1, offset=65.0, scale=15.0),
        Block("children", "number", 2, offset=1.0, scale=1.0, integer=True),
        Block("colour", "category", 3, levels=_COLOURS),
        Block("animal", "category", 4, levels=_ANIMALS, rare=("emu", "fox")),
    )
    filled = []
    for block in blocks:
        seen = observed[:, block.position]
        column = values[seen, block.position]
        bounds = (float(column.min()), float(column.max())) if block.kind == "number" else (0.0, 0.0)
        filled.append(dataclasses.replace(block, low=bounds[0], high=bounds[1], missing=float(1 - seen.mean())))
    return tuple(filled)


def _frozen(values: NDArray[np.float32], observed: NDArray[np.bool_], layout: Layout) -> Encoded:
    values, observed = np.ascontiguousarray(values), np.ascontiguousarray(observed)
    values.setflags(write=False)
    observed.setflags(write=False)
    return Encoded(values, observed, layout)

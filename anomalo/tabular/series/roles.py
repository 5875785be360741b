"""The columns with the times of points, and with the names of their series."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from anomalo.errors import SchemaError
from anomalo.tabular import inference
from anomalo.tabular.cells import Cells
from anomalo.tabular.column import MEASURED, Column
from anomalo.tabular.inference import Guess
from anomalo.tabular.parsing import Texts, read
from anomalo.tabular.understanding.reading import Reading

MOMENT = "a point in time is no channel; the series has one time, that of --time"
"""The note of a column of a series that is left out since it is a second time."""


def time_guess(base: Column, guess: Guess, cells: Cells, mine: Reading, separator: str) -> Guess:
    """Return how the times of points are read: as datetimes, or as numbers that grow.

    Raises
    ------
    SchemaError
        They are neither.
    """
    refused = f"column {base.name!r} cannot be the time of the points"
    try:
        guess = guess if guess.column.kind in MEASURED else inference.forced(base, "number", cells, mine, separator)
        values = read(guess.column, cells, mine)
    except SchemaError as error:
        first = next((text for text in cells.texts.to_pylist() if text), "")
        raise SchemaError(
            f"{refused}: it holds {first!r}; expected dates and times such as 2026-01-31 12:00, or numbers that grow"
        ) from error
    if isinstance(values, Texts) or np.isnan(values).all():
        raise SchemaError(f"{refused}: expected dates and times, or numbers that grow")
    return Guess(replace(guess.column, role="time", note="it says when each point was"), guess.warnings)


def entity_guess(base: Column, cells: Cells, mine: Reading, separator: str) -> Guess:
    """Return how the names of series are read: as texts."""
    column = inference.forced(base, "category", cells, mine, separator).column
    return Guess(replace(column, role="entity", note="it names the series"))


def channel_guess(guess: Guess) -> Guess:
    """Return a column of a series that is not its time, which is left out if it is a time."""
    if guess.column.kind != "datetime":
        return guess
    return replace(guess, column=replace(guess.column, role="dropped", note=MOMENT), warnings=())

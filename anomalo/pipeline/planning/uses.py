"""What scoring and imputing with a saved model are going to take, measured on the first rows of a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import pyarrow as pa

from anomalo.encoding.encoded import Encoded
from anomalo.errors import UsageError
from anomalo.pipeline.fitted import Fitted
from anomalo.pipeline.planning.measuring import peak_memory, seconds_of, straight_line

ROWS, EXPLAINED = 16_384, 200
"""Rows that are tried, and those of them that are explained, at most."""
WRITE, WRITTEN = 3e-6, 200.0
"""Seconds for a row that is written, and bytes of it that are kept until then. Measured by `benchmarks/plan.py`."""


@dataclass(frozen=True)
class UseEstimate:
    """What a verb is going to take: seconds by step, and bytes by what takes them."""

    seconds: dict[str, float]
    memory: dict[str, float]


def able(fitted: Fitted, verb: str) -> bool:
    """Whether a fitted model has a verb."""
    try:
        fitted.require(verb)
    except UsageError:
        return False
    return True


def estimates(fitted: Fitted, table: pa.RecordBatch, rows: int, explain: int, device: str) -> dict[str, UseEstimate]:
    """Return what the verbs that a model has are going to take, after some rows were encoded, scored and imputed.

    Parameters
    ----------
    table : RecordBatch
        The first rows.
    rows : int
        All of them.
    explain : int
        How many of them are given reasons.

    Raises
    ------
    SchemaError
        The table does not fit the model's schema.
    """
    fitted.schema.check(table.schema.names)
    some, every = (table.slice(0, size) for size in (max(min(table.num_rows, ROWS) // 4, 1), ROWS))
    encode = _line(fitted.encode, some, every, "cpu")
    few, many = fitted.encode(some), fitted.encode(every)
    found = {}
    for verb, work in (("score", fitted.score), ("impute", fitted.impute)):
        if able(fitted, verb):
            steps = [("encode", encode, rows), (verb, _line(work, few, many, device), rows)]
            if verb == "score" and explain:
                reasons = _line(
                    fitted.explain, many.take(slice(0, EXPLAINED // 4)), many.take(slice(0, EXPLAINED)), device
                )
                steps.append(("explain", reasons, min(explain, rows)))
            seconds = {name: fixed + per_row * count for name, (fixed, per_row), count in steps}
            memory = {"process": peak_memory(), "rows": rows * WRITTEN}
            found[verb] = UseEstimate({**seconds, "write": rows * WRITE}, memory)
    return found


Table = TypeVar("Table", Encoded, pa.RecordBatch)


def _line(work: Callable[[Table], object], few: Table, many: Table, device: str) -> tuple[float, float]:
    """Return the fixed seconds of some work on rows, and those of each row."""
    work(few)  # what is imported does not count
    sizes = [(len(rows), seconds_of(partial(work, rows), device)) for rows in (few, many)]
    return straight_line(*sizes)

"""How much memory of a fit is left for the rows of its table."""

from __future__ import annotations

from anomalo.encoding.layout import Block, Layout
from anomalo.errors import UsageError
from anomalo.models.capabilities import CrossFits
from anomalo.models.guarded import GuardedModel
from anomalo.models.results import PROCESS
from anomalo.pipeline.config import FitConfig
from anomalo.registry.registry import Registry
from anomalo.tabular.quantities import memory

PER_BYTE = 20
"""Bytes that a fit takes for each byte of its table as Arrow has it: parsed, encoded, and what models make of it.
Measured by `benchmarks/scale.py`."""


USUAL, KEPT = 14, 4
"""The bytes that a fit usually takes for each byte of its table: less than there must be left for. And those of a model
that learns from a sample of the rows: of the others it takes only what is kept. Measured by `benchmarks/plan.py`."""


def bytes_taken(model: GuardedModel) -> float:
    """Return how many bytes a fit usually takes for each byte of a row that it learns nothing from yet."""
    return KEPT if model.can(CrossFits) else USUAL


def memory_for_rows(config: FitConfig, registry: Registry, columns: int, modality: str) -> float:
    """Return the bytes that are left for the rows of a table of so many columns, of the `max_memory` of a fit.

    Raises
    ------
    UsageError
        None are left.
    """
    assert config.max_memory is not None
    model = config.early(registry, modality)
    blocks = tuple(Block(str(at), "number", at) for at in range(columns))
    plan = None if model is None else model.plan(Layout("table", (columns,), blocks), ROWS, config.goals)
    fixed = plan.memory if plan is not None and plan.memory else PROCESS
    if config.max_memory <= fixed:
        raise UsageError(
            f"--max-memory {memory(config.max_memory)}: a fit of {'this model' if model is None else repr(model.name)} "
            f"takes about {memory(fixed)} for any table of {columns} columns; give more, or fit a smaller model, "
            "such as iforest"
        )
    return config.max_memory - fixed


ROWS = 10**9
"""A table that certainly does not fit."""

"""The answers of a fitted model's verbs for a table, and checks of their shapes, types and values."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalo.encoding.encoded import FIRST_LEVEL, MISSING, Encoded
from anomalo.models.base import Model
from anomalo.models.capabilities import CanClassify, CanEmbed, CanExplain, CanImpute, CanSample, CanScore
from anomalo.models.result_checks import (
    require,
    require_dtype,
    require_finite,
    require_kept,
    require_probabilities,
    require_shape,
)
from anomalo.models.run import LocalRun
from anomalo.persistence.checksums import array_digest

Answers = dict[str, NDArray[Any]]


def answers(model: Model, data: Encoded) -> Answers:
    """Return what the model's verbs give; the rows of every array are those of `data`."""
    given: Answers = {}
    if isinstance(model, CanScore):
        given["score"] = model.score(data)
    if isinstance(model, CanExplain):
        cells = model.explain(data)
        given |= {"contribution": cells.contribution, "expected": cells.expected}
    if isinstance(model, CanImpute):
        filled = model.impute(data)
        given["point"] = filled.point
        given |= {f"proba of position {position}": proba for position, proba in filled.proba.items()}
    if isinstance(model, CanEmbed):
        given["codes"] = model.embed(data)
        given["decoded"] = model.decode(given["codes"])
    if isinstance(model, CanClassify):
        given["proba"] = model.proba(data)
    if isinstance(model, CanSample):
        given["sampled"] = sampled(model, data)
    return given


def sampled(model: CanSample, given: Encoded, seed: int = 0) -> NDArray[np.float32]:
    """Return synthetic rows for given cells, float32 [n, *shape]; a missing value is 0."""
    rows = model.sample(given, LocalRun(seed=seed))
    require_dtype("sample's `observed`", rows.observed, np.bool_)
    return np.where(rows.observed, rows.values, np.float32(MISSING))


def digests(given: Answers) -> dict[str, str]:
    """Return a checksum of each answer, equal only if every bit is."""
    return {name: f"{array.dtype} {array.shape} {array_digest(array)}" for name, array in given.items()}


def require_equal(first: Answers, second: Answers, when: str) -> None:
    """Raise unless two sets of answers are equal, value by value; the message names the first difference."""
    require(first.keys() == second.keys(), f"{when}: got {sorted(second)}, expected {sorted(first)}")
    for name, expected in first.items():
        got = second[name]
        require(got.shape == expected.shape, f"{when}: {name} has shape {got.shape}, expected {expected.shape}")
        different = np.argwhere((got != expected) & ~(np.isnan(got) & np.isnan(expected)))
        if len(different):
            cell = tuple(int(index) for index in different[0])
            raise AssertionError(f"{when}: {name}{list(cell)} is {got[cell]!r}, expected {expected[cell]!r}")


def require_sane(given: Answers, data: Encoded) -> None:
    """Raise unless shapes and types are as the protocols say, all values are finite, and fills are valid."""
    shapes = {"score": (len(data),), "contribution": data.values.shape}
    if "codes" in given:
        shapes["codes"] = (len(data), given["codes"].shape[-1])
    for name, array in given.items():
        wide = name in ("score", "contribution")
        kind = np.float64 if wide else np.float32
        require_dtype(name, array, kind)
        if not name.startswith("proba"):
            require_shape(name, array, shapes.get(name, data.values.shape))
        require_finite(name, array)
    for name in ("expected", "decoded"):
        if name in given:
            _require_levels(name, given[name], data, np.ones_like(data.observed))
    if "point" in given:
        require_kept("impute", given["point"], data)
        _require_levels("point", given["point"], data, ~data.observed)
    if "sampled" in given:
        require_kept("sample", given["sampled"], data)
        _require_levels("sampled", given["sampled"], data, ~data.observed & (given["sampled"] != MISSING))
    if "proba" in given:
        require_shape("proba", given["proba"], (len(data), None))
        require_probabilities("proba", given["proba"], "row")
    for block in data.layout.blocks:
        proba = given.get(f"proba of position {block.position}")
        if proba is not None:
            require_shape(f"proba of position {block.position}", proba, (len(data), block.size))
            require_probabilities("proba", proba, "cell")


def _require_levels(name: str, values: NDArray[Any], data: Encoded, where: NDArray[np.bool_]) -> None:
    for block in data.layout.blocks:
        if block.kind == "category" and block.size:
            codes = values[:, block.position][where[:, block.position]]
            known = np.isin(codes, np.arange(FIRST_LEVEL, FIRST_LEVEL + block.size))
            require(
                bool(known.all()),
                f"{name} gives column {block.name!r} the code {codes[~known][:1].tolist()}; expected a known level's, "
                f"from {FIRST_LEVEL} to {FIRST_LEVEL + block.size - 1}",
            )

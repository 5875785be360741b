"""Checks of what a model's methods return: type, shape, finite values, and cells that have to stay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from anomalo.encoding.encoded import Encoded, Floats, Scores
from anomalo.models.base import Model
from anomalo.models.guard import InvalidResultError
from anomalo.models.results import Cells, Filled, HiddenCells, ModelState, Plan

T = TypeVar("T")


def require(condition: bool, message: str) -> None:
    """Raise unless the condition holds.

    Raises
    ------
    InvalidResultError
        With the message; unlike an assert statement, also under ``python -O``.
    """
    if not condition:
        raise InvalidResultError(message)


def require_type(name: str, value: object, kind: type) -> None:
    """Raise unless a result is of a class."""
    require(isinstance(value, kind), f"{name} is {_described(value)}, expected {kind.__name__}")


def require_dtype(name: str, array: NDArray[Any], kind: type) -> None:
    """Raise unless an array's numbers are of a kind."""
    require(array.dtype == kind, f"{name} is {array.dtype}, expected {np.dtype(kind)}")


def require_shape(name: str, array: NDArray[Any], shape: tuple[int | None, ...]) -> None:
    """Raise unless an array has a shape, of which None stands for any size."""
    same = len(array.shape) == len(shape) and all(b in (None, a) for a, b in zip(array.shape, shape, strict=True))
    expected = f"({', '.join('any' if size is None else str(size) for size in shape)}{',' * (len(shape) == 1)})"
    require(same, f"{name} has shape {array.shape}, expected {expected}")


def require_finite(name: str, array: NDArray[Any]) -> None:
    """Raise unless all numbers of an array are finite; the message says where the first one is that is not."""
    finite = np.isfinite(array)
    if not finite.all():
        bad = np.argwhere(~finite)
        raise InvalidResultError(f"{name} has {len(bad)} values that are not finite, the first at {bad[:1].tolist()}")


def require_kept(verb: str, values: NDArray[Any], data: Encoded) -> None:
    """Raise unless all observed cells of `data` are in the result as they are."""
    kept = (values == data.values) | ~data.observed
    require(bool(kept.all()), f"{verb} changed an observed cell; it must fill missing ones only")


def require_probabilities(name: str, proba: NDArray[Any], of: str) -> None:
    """Raise unless each row of an array [n, classes] is a distribution."""
    require(bool((proba >= 0).all()), f"{name} has a negative probability")
    require(np.allclose(proba.sum(axis=1), 1, atol=1e-4), f"the probabilities of a {of} do not sum to 1")


def require_self(method: str, result: object, model: object) -> None:
    """Raise unless `fit` or `restore` returned the model itself."""
    require(result is model, f"it returned {_described(result)}; {method} must return self")


def numbers(name: str, value: object, kind: type, shape: tuple[int | None, ...], finite: bool = True) -> NDArray[Any]:
    """Return a result as an array of finite numbers; other floating-point and whole numbers are converted."""
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiu":
        raise InvalidResultError(f"{name} is {_described(value)}, expected an array of {np.dtype(kind)}")
    require_shape(name, value, shape)
    if finite:
        require_finite(name, value)
    converted: NDArray[Any] = value.astype(kind, copy=False)
    return converted


def scores(value: object, data: Encoded) -> Scores:
    """Check what `score` returned: float64 [n]."""
    return numbers("score", value, np.float64, (len(data),))


def cells(value: Cells, data: Encoded) -> Cells:
    """Check what `explain` returned: two arrays [n, *shape]."""
    require_type("explain's result", value, Cells)
    contribution = numbers("contribution", value.contribution, np.float64, data.values.shape)
    expected = numbers("expected", value.expected, np.float32, data.values.shape)
    return _with(value, contribution=contribution, expected=expected)


def filled(value: Filled, data: Encoded, draws: int = 0) -> Filled:
    """Check what `impute` returned: fills [n, *shape] and, unless the model gives none, draws [draws, n, *shape]."""
    require_type("impute's result", value, Filled)
    point = numbers("point", value.point, np.float32, data.values.shape)
    require_kept("impute", point, data)
    found: dict[str, Any] = {"point": point}
    if draws and value.draws is not None:
        found["draws"] = numbers("draws", value.draws, np.float32, (draws, *data.values.shape))
    for name, end in (("low", value.low), ("high", value.high)):  # NaN for categories
        if end is not None:
            found[name] = numbers(name, end, np.float32, data.values.shape, finite=False)
    require_type("proba", value.proba, Mapping)
    for position, proba in value.proba.items():
        numbers(f"proba of position {position}", proba, np.float32, (len(data), None))
    return _with(value, **found)


def codes(value: object, data: Encoded) -> Floats:
    """Check what `embed` returned: float32 [n, latent]."""
    return numbers("codes", value, np.float32, (len(data), None))


def decoded(value: object, points: Floats) -> Floats:
    """Check what `decode` returned for codes [n, latent]: float32 [n, *shape]."""
    shape: tuple[int | None, ...] = (len(points), *(None for _ in getattr(value, "shape", ())[1:]))
    return numbers("decoded", value, np.float32, shape)


def probabilities(value: object, data: Encoded) -> Floats:
    """Check what `proba` returned: float32 [n, classes]."""
    found = numbers("proba", value, np.float32, (len(data), None))
    require_probabilities("proba", found, "row")
    return found


def rows(value: Encoded, given: Encoded, run: object = None) -> Encoded:
    """Check the type and shape of what `sample` returned; whether cells are finite is for the caller to check."""
    require_type("sample's result", value, Encoded)
    require_dtype("sample's `observed`", value.observed, np.bool_)
    require_shape("sampled", value.values, given.values.shape)
    return value


def hidden_cells(value: HiddenCells | None, columns: int) -> HiddenCells | None:
    """Check what `hidden_cells` returned: three arrays [columns], or None."""
    if value is None:
        return None
    require_type("hidden_cells' result", value, HiddenCells)
    for name in ("width", "error", "baseline"):
        numbers(name, getattr(value, name), np.float64, (columns,), finite=False)
    texts("notes", value.notes)
    return value


def folds(value: object, rows: int) -> NDArray[np.intp]:
    """Check what `folds` returned: whole numbers [rows], from -1."""
    found: NDArray[np.intp] = numbers("folds", value, np.intp, (rows,))
    require(bool((found >= -1).all()), f"folds has {found.min(initial=0)}, expected numbers from -1")
    return found


def model(method: str, value: object) -> Model:
    """Check that a method returned a model."""
    if not isinstance(value, Model):
        raise InvalidResultError(f"{method} is {_described(value)}, expected a model")
    return value


def plan(value: Plan) -> Plan:
    """Check what `plan` returned."""
    require_type("plan's result", value, Plan)
    require(0 <= value.seconds < np.inf, f"plan has {value.seconds} seconds, expected a finite number from 0")
    require(0 <= value.memory < np.inf, f"plan has {value.memory} bytes of memory, expected a finite number from 0")
    require(0 <= value.scoring < np.inf, f"plan has {value.scoring} s of scoring, expected a finite number from 0")
    return value


def texts(name: str, value: object) -> tuple[str, ...]:
    """Return a list of sentences as a tuple."""
    if not isinstance(value, list | tuple) or not all(isinstance(text, str) for text in value):
        raise InvalidResultError(f"{name} is {_described(value)}, expected a list of texts")
    return tuple(value)


def state(value: ModelState) -> ModelState:
    """Check the type of what `state` returned."""
    require_type("state's result", value, ModelState)
    return value


def _with(result: T, **fields: Any) -> T:
    """Return a result with some fields converted, or the same object where none had to be."""
    changed = {name: field for name, field in fields.items() if getattr(result, name) is not field}
    return replace(result, **changed) if changed else result  # type: ignore[type-var]


def _described(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype}"
    return "None" if value is None else f"a {type(value).__name__}"

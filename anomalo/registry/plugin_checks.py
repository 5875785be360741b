"""Checks of what plugins give: hooks that exist, models, encoders, engines, pages and batches that can be used."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

from anomalo.encoding.encoder import Encoder
from anomalo.errors import PluginError, did_you_mean
from anomalo.models.base import Model, is_model
from anomalo.models.parameters import Parameter
from anomalo.registry.engine import Engine

if TYPE_CHECKING:
    import pyarrow as pa


def check_hooks(manager: pluggy.PluginManager, plugin: object) -> None:
    """Raise unless a plugin implements hooks, and only those that there are.

    Raises
    ------
    PluginError
        It says what is wrong, as all checks here do.
    """
    known = [name for name, caller in vars(manager.hook).items() if caller.has_spec()]
    try:
        manager.check_pending()
    except pluggy.PluginValidationError:
        for name in vars(manager.hook).keys() - set(known):
            raise PluginError(f"it implements an unknown hook {name!r}{did_you_mean(name, known)}") from None
    if not manager.get_hookcallers(plugin):
        raise PluginError("it implements no hook; decorate the functions with @hookimpl from anomalo.plugin")


def items(hook: str, result: object) -> list[object]:
    """Return what a hook gave as a list."""
    if isinstance(result, (str, type)) or not isinstance(result, Iterable):
        raise PluginError(f"{hook} returned {result!r}; expected a list")
    return list(result)


def checked_model(candidate: object) -> type[Model]:
    """Return a model class."""
    if not is_model(candidate):
        raise PluginError(f"{candidate!r} is not a model; expected a subclass of anomalo.plugin.Model with a name")
    model: type[Model] = candidate  # type: ignore[assignment]
    if not isinstance(model.name, str) or ":" in model.name:
        raise PluginError(f"{model!r} has the name {model.name!r}; expected a text without a colon")
    if model.fit is Model.fit:
        raise PluginError(f"model {model.name!r} has no fit method; implement fit(data, run)")
    if any(isinstance(value, dataclasses.Field) for value in vars(model).values()):
        raise PluginError(f"model {model.name!r} is not a dataclass; decorate it with @dataclass(kw_only=True)")
    if not _texts(model.modalities):
        raise PluginError(
            f"model {model.name!r} has modalities {model.modalities!r}; expected texts, such as ('table',)"
        )
    for parameter in model.parameters():
        _check_parameter(model.name, parameter)
    model()  # the defaults must be within their bounds
    return model


def _texts(value: object) -> bool:
    return isinstance(value, tuple) and bool(value) and all(isinstance(item, str) for item in value)


def _check_parameter(model: str, parameter: Parameter) -> None:
    """Raise unless a declaration can be written as JSON: command line, forms and docs read it."""
    bounds = [bound for bound in (parameter.low, parameter.high) if bound is not None]
    for value in (parameter.default, *bounds, *(parameter.choices or ()), parameter.help):
        if not _plain(value):
            raise PluginError(
                f"model {model!r}: parameter {parameter.name!r} is declared with {value!r} of type "
                f"{type(value).__name__}; expected bool, int, float, str or a tuple of int"
            )


def _plain(value: object) -> bool:
    if type(value) is tuple:
        return all(type(item) is int for item in value)
    return type(value) in (bool, int, str) or (type(value) is float and math.isfinite(value))


def checked_encoder(candidate: Any) -> type[Encoder]:
    """Return an encoder class."""
    needed = ("fit", "encode", "decode", "fill", "to_json", "from_json")
    absent = [method for method in needed if not callable(getattr(candidate, method, None))]
    if not isinstance(candidate, type) or absent or not isinstance(getattr(candidate, "modality", None), str):
        raise PluginError(f"{candidate!r} is not an encoder; expected a class with modality, {', '.join(needed)}")
    return candidate


def checked_engine(candidate: object) -> type[Engine]:
    """Return an engine class."""
    if not isinstance(candidate, type) or not issubclass(candidate, Engine):
        raise PluginError(f"{candidate!r} is not an engine; expected a subclass of anomalo.plugin.Engine")
    name = getattr(candidate, "name", None)
    if not isinstance(name, str) or not name or ":" in name:
        raise PluginError(f"{candidate!r} has the name {name!r}; expected a text without a colon")
    if candidate.map is Engine.map:
        raise PluginError(f"engine {name!r} has no map method; implement map(tasks)")
    return candidate


def checked_page(candidate: object) -> Path:
    """Return the absolute path of a page of the dashboard."""
    if not isinstance(candidate, Path) or candidate.suffix != ".py" or not candidate.is_file():
        raise PluginError(f"{candidate!r} is not a page; expected the Path of an existing file that ends in .py")
    return candidate.resolve()


def checked_batches(batches: Iterable[object]) -> Iterator[pa.RecordBatch]:
    """Yield what a reader gave, batch by batch.

    Raises
    ------
    TypeError
        One of them is no batch.
    """
    import pyarrow as pa

    for batch in batches:
        if not isinstance(batch, pa.RecordBatch):
            raise TypeError(f"anomalo_read gave {type(batch).__name__}; expected pyarrow.RecordBatch")
        yield batch

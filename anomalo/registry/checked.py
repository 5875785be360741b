"""What a plugin's hooks give, checked before it is registered; each function raises PluginError for what is amiss."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from anomalo.encoding.encoder import Encoder
from anomalo.errors import PluginError
from anomalo.models.base import Model, is_model

Key = tuple[str, str]
"""A modality and a name, which is empty for an encoder: it must be unique."""


def checked_model(candidate: object) -> tuple[list[Key], type[Model]]:
    """Return a model class and the keys that it is registered under, one for each of its modalities."""
    if not is_model(candidate):
        raise PluginError(f"{candidate!r} is not a model; expected a subclass of anomalo.plugin.Model with a name")
    model: type[Model] = candidate  # type: ignore[assignment]
    if model.fit is Model.fit:
        raise PluginError(f"model {model.name!r} has no fit method; implement fit(data, run)")
    if any(isinstance(value, dataclasses.Field) for value in vars(model).values()):
        raise PluginError(f"model {model.name!r} is not a dataclass; decorate it with @dataclass(kw_only=True)")
    if not _texts(model.modalities):
        raise PluginError(
            f"model {model.name!r} has modalities {model.modalities!r}; expected texts, such as ('table',)"
        )
    model()  # the defaults must be within their bounds
    return [(modality, model.name) for modality in model.modalities], model


def _texts(value: object) -> bool:
    return isinstance(value, tuple) and bool(value) and all(isinstance(item, str) for item in value)


def checked_encoder(candidate: Any) -> tuple[list[Key], type[Encoder]]:
    """Return an encoder class and the key that it is registered under."""
    needed = ("fit", "encode", "decode", "fill", "to_json", "from_json")
    absent = [method for method in needed if not callable(getattr(candidate, method, None))]
    if not isinstance(candidate, type) or absent or not isinstance(getattr(candidate, "modality", None), str):
        raise PluginError(f"{candidate!r} is not an encoder; expected a class with modality, {', '.join(needed)}")
    return [(candidate.modality, "")], candidate  # type: ignore[attr-defined]


def checked_page(candidate: object) -> Path:
    """Return the path of a page of the dashboard."""
    if not isinstance(candidate, Path) or candidate.suffix != ".py" or not candidate.is_file():
        raise PluginError(f"{candidate!r} is not a page; expected the Path of an existing file that ends in .py")
    return candidate.resolve()

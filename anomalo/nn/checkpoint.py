"""The complete state of a training as arrays and JSON values, restored to the bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Arrays = dict[str, NDArray[Any]]


def pack(state: Any) -> tuple[Arrays, Any]:
    """Split nested dictionaries, lists and tuples into their tensors and a JSON-ready outline.

    Examples
    --------
    >>> arrays, outline = pack({"step": torch.tensor(3), "betas": (0.9, 0.99)})
    >>> unpack(arrays, outline)
    {'step': tensor(3), 'betas': (0.9, 0.99)}
    """
    arrays: Arrays = {}

    def outline(value: Any) -> Any:
        if isinstance(value, Tensor):
            name = str(len(arrays))
            arrays[name] = value.detach().cpu().numpy()
            return {"tensor": name}
        if isinstance(value, dict):
            return {"dict": [[key, outline(item)] for key, item in value.items()]}
        if isinstance(value, list | tuple):
            return {type(value).__name__: [outline(item) for item in value]}
        if value is None or isinstance(value, bool | int | float | str):
            return value
        raise TypeError(f"cannot keep a {type(value).__name__} in a checkpoint; keep tensors, numbers and texts")

    return arrays, outline(state)


def unpack(arrays: Arrays, outline: Any) -> Any:
    """Rebuild what `pack` split; tensors are on the CPU."""
    if not isinstance(outline, dict):
        return outline
    ((kind, content),) = outline.items()
    if kind == "tensor":
        return torch.from_numpy(np.array(arrays[content]))
    if kind == "dict":
        return {key: unpack(arrays, item) for key, item in content}
    items = [unpack(arrays, item) for item in content]
    return tuple(items) if kind == "tuple" else items


def random_state(device: torch.device) -> dict[str, Tensor]:
    """Return the state of torch's generators that a training on `device` draws from."""
    states = {"cpu": torch.get_rng_state()}
    if device.type in _GENERATORS:
        states[device.type] = _GENERATORS[device.type][0](device)
    return states


def set_random_state(states: dict[str, Tensor], device: torch.device) -> None:
    """Restore the state of torch's generators that `random_state` returned."""
    torch.set_rng_state(states["cpu"])
    if device.type in states and device.type in _GENERATORS:
        _GENERATORS[device.type][1](states[device.type], device)


_GENERATORS: dict[str, tuple[Callable[[Any], Tensor], Callable[[Tensor, Any], None]]] = {
    "cuda": (torch.cuda.get_rng_state, torch.cuda.set_rng_state),
    "mps": (lambda device: torch.mps.get_rng_state(), lambda state, device: torch.mps.set_rng_state(state)),
}

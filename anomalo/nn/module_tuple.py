"""Modules of one type in a fixed order, of which type checkers know the type."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar, overload

from torch import nn

Part = TypeVar("Part", bound=nn.Module)


class ModuleTuple(nn.Module, Generic[Part]):
    """A tuple of modules; their names in a state are those of `torch.nn.ModuleList`.

    Examples
    --------
    >>> layers = ModuleTuple(nn.Linear(2, 2) for _ in range(3))
    >>> len(layers), layers[-1].out_features, list(layers.state_dict())[:2]
    (3, 2, ['0.weight', '0.bias'])
    """

    def __init__(self, modules: Iterable[Part]) -> None:
        super().__init__()
        self.parts = tuple(modules)
        for at, module in enumerate(self.parts):
            self.add_module(str(at), module)

    def __len__(self) -> int:
        return len(self.parts)

    def __iter__(self) -> Iterator[Part]:
        return iter(self.parts)

    @overload
    def __getitem__(self, at: int) -> Part: ...

    @overload
    def __getitem__(self, at: slice) -> tuple[Part, ...]: ...

    def __getitem__(self, at: int | slice) -> Part | tuple[Part, ...]:
        return self.parts[at]

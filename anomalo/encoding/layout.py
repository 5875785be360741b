"""What the cells of encoded rows mean: one block for each column or channel."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Block:
    """What one column or channel of the encoded values holds, and how it is scaled.

    An encoded number is `anomalo.plugin.compress` of the original one, with this offset and scale.

    Attributes
    ----------
    name : str
        The column's name.
    kind : {"number", "category"}
        A number is scaled to about unit standard deviation around 0; a category is an integer code.
    position : int
        Index along `Layout.axis` of a row's values.
    levels : tuple of str
        A category's known levels; the code of `levels[i]` is `i + 2`.
    rare : tuple of str
        Levels too rare for a separate code: they share the last one, `len(levels) + 2`.
    offset, scale : float
        A number's robust centre and scale in the column's original units.
    low, high : float
        The observed range of a number, in encoded units.
    integer : bool
        Whether all observed values were whole numbers.
    step : float
        The number that all differences of observed values are multiples of, such as 0.01, 5, or 86,400 (seconds) for
        dates; 0 if there is none.
    missing : float
        Share of missing cells in the training table, from 0 to 1.
    label : bool
        Whether it is the label: a model that samples learns it, but it is never observed when rows are scored.
    unreadable : float
        Share of a number's cells in the training table that are not missing and cannot be read, from 0 to 1.
    moment : bool
        Whether it is a point in time: when rows are scored it is hidden, and what is derived from it is seen instead.
    sources : tuple of str
        Of a derived block, the columns that it is computed from.
    part : str
        What of them it is, such as "hour"; see `DerivedColumn`.
    """

    name: str
    kind: Literal["number", "category"]
    position: int
    levels: tuple[str, ...] = ()
    rare: tuple[str, ...] = ()
    offset: float = 0.0
    scale: float = 1.0
    low: float = 0.0
    high: float = 0.0
    integer: bool = False
    step: float = 0.0
    missing: float = 0.0
    label: bool = False
    unreadable: float = 0.0
    moment: bool = False
    sources: tuple[str, ...] = ()
    part: str = ""

    @property
    def size(self) -> int:
        """The number of codes for known levels, the shared one for rare levels included; 0 for a number."""
        return len(self.levels) + bool(self.rare)


@dataclass(frozen=True)
class Layout:
    """What the cells of a row of `Encoded.values` mean, whatever their shape.

    Along one axis of a row lie columns or channels, each described by one block: the only axis of a table, the last
    one of a series [n, T, C], the first one of an image [n, C, H, W].

    Attributes
    ----------
    modality : str
        "table" for tables; one encoder serves one modality.
    shape : tuple of int
        The shape of one row's values; `(columns,)` for tables.
    blocks : tuple of Block
        One for each position along `axis`, in order.
    classes : tuple of str
        The names of the classes that `Encoded.target` counts from 0, most frequent first; none where there is no
        target.
    axis : int
        The axis of `shape` that the blocks lie along.
    names : tuple of str
        The name of each cell of a row, in the order of the flattened shape, where they are more than the blocks' with
        the index along the other axes: see `cell_names`.
    derived : Layout or None
        Of what is computed from points in time; see `Encoded.derived`.
    window, averaged : int, bool
        Of a series whose rows are points, how many of them models see at a time, and whether a point has the mean score
        of the windows with it, or that of the one that ends there; else 0 and False.
    """

    modality: str
    shape: tuple[int, ...]
    blocks: tuple[Block, ...]
    classes: tuple[str, ...] = ()
    axis: int = -1
    names: tuple[str, ...] = ()
    derived: Layout | None = None
    window: int = 0
    averaged: bool = False

    @cached_property
    def block_of_cell(self) -> NDArray[np.intp]:
        """The block that each cell of a row belongs to, [cells] in the order of the flattened shape."""
        axis = self.axis % len(self.shape)
        along = np.arange(len(self.blocks)).reshape([-1 if at == axis else 1 for at in range(len(self.shape))])
        return np.broadcast_to(along, self.shape).ravel()

    @cached_property
    def cells_of_block(self) -> tuple[NDArray[np.intp], ...]:
        """The cells of each block, as indices into a row's flattened values; for tables one each."""
        return tuple(np.flatnonzero(self.block_of_cell == at) for at in range(len(self.blocks)))

    @cached_property
    def cell_names(self) -> tuple[str, ...]:
        """The name of each cell of a row: its block's, with the index along other axes, such as "speed[3]"."""
        if self.names or len(self.shape) == 1:
            return self.names or tuple(block.name for block in self.blocks)
        others = [np.delete(index, self.axis % len(self.shape)) for index in np.ndindex(*self.shape)]
        return tuple(
            f"{self.blocks[at].name}{index.tolist()}" for at, index in zip(self.block_of_cell, others, strict=True)
        )

    def with_derived(self) -> Layout:
        """Return the layout of a table's rows with what is derived behind the columns."""
        assert self.derived is not None, "nothing is derived"
        first = len(self.blocks)
        blocks = (*self.blocks, *(dataclasses.replace(b, position=first + b.position) for b in self.derived.blocks))
        return dataclasses.replace(self, shape=(len(blocks),), blocks=blocks, derived=None)

    def spread(self, values: ArrayLike) -> NDArray[Any]:
        """Return one value for each block, [blocks], as one for each cell, [*shape]."""
        return np.asarray(values)[self.block_of_cell].reshape(self.shape)

    @cached_property
    def numbers(self) -> NDArray[np.intp]:
        """The positions of numbers, ascending."""
        return np.array([b.position for b in self.blocks if b.kind == "number"], dtype=np.intp)

    @cached_property
    def labels(self) -> NDArray[np.intp]:
        """The positions of labels: none, or one."""
        return np.array([b.position for b in self.blocks if b.label], dtype=np.intp)

    @cached_property
    def categories(self) -> NDArray[np.intp]:
        """The positions of categories, ascending."""
        return np.array([b.position for b in self.blocks if b.kind == "category"], dtype=np.intp)

    def to_json(self) -> dict[str, Any]:
        """Return the layout as JSON-ready values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Layout:
        """Rebuild a layout from `to_json`."""
        blocks = tuple(
            Block(**{**block, **{name: tuple(block.get(name, ())) for name in ("levels", "rare", "sources")}})
            for block in value["blocks"]
        )
        names, derived = tuple(value["names"]), value.get("derived")
        return cls(
            value["modality"],
            tuple(value["shape"]),
            blocks,
            tuple(value["classes"]),
            value["axis"],
            names,
            None if derived is None else cls.from_json(derived),
            *(value.get("window", 0), value.get("averaged", False)),
        )

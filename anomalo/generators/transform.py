"""The transform of generators: a table as normal scores and codes, without columns that others determine."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from anomalo.encoding.encoded import Encoded, Floats, Mask
from anomalo.encoding.layout import Block, Layout
from anomalo.generators.missingness import Gate, find_gates
from anomalo.generators.quantiles import Quantiles
from anomalo.rules.functional_dependencies import MOST_LEVELS, determined

Codes = NDArray[np.int64]
Values = NDArray[np.float64]

FEW = 16
"""A number with at most this many values, and `ROWS_PER_VALUE` rows to each, consists of atoms only."""
ROWS_PER_VALUE = 10
ATOM = 0.1
"""A value with this share of the column's cells is an atom."""
SPIKE, TIMES = 0.02, 3.0
"""So is a value with the share `SPIKE` that is `TIMES` times as frequent as its neighbours."""


@dataclass(frozen=True)
class Parts:
    """Rows as a generator sees them.

    Attributes
    ----------
    numbers : float32 [n, width]
        Normal scores: mean 0 and standard deviation 1 in training; 0 where unknown.
    codes : int64 [n, k]
        Codes from 0 of levels, of missing values, and of the atoms of numbers.
    known_numbers : bool [n, width]
        Which scores the observed cells determine. In training all but those of a missing value or an atom, which have
        no meaning.
    allowed : tuple of bool [n, size], or None
        Which codes of each column the observed cells leave possible; None if the codes are known.
    """

    numbers: Floats
    codes: Codes
    known_numbers: Mask
    allowed: tuple[Mask, ...] | None = None


@dataclass(frozen=True)
class Column:
    """How a column is turned into a code, a normal score, or both.

    A code is an index into `atoms`; after them come, where there are such cells, the code for numbers that are no atoms
    and the code for missing values. A column with a single code, or one that the column `root` determines, has none.

    Attributes
    ----------
    position : int
        In the layout.
    atoms : float64 [a]
        Values (of a category: codes of levels) that the codes 0, 1, … stand for.
    rest : Quantiles or None
        The distribution of the numbers that are no atoms.
    has_missing : bool
        Whether training had missing values.
    nominal : bool
        Whether the column is a category, whose levels have no order.
    code, number : int
        Indices in `Parts.codes` and `Parts.numbers`, or -1.
    root : int
        The index in `Parts.codes` of the column that determines this one, or -1.
    table : int64 [levels of root]
        This column's code for each of the root's.
    """

    position: int
    atoms: Values
    rest: Quantiles | None
    has_missing: bool
    nominal: bool
    code: int = -1
    number: int = -1
    root: int = -1
    table: Codes = dataclasses.field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    @property
    def size(self) -> int:
        """The number of codes."""
        return len(self.atoms) + (self.rest is not None) + self.has_missing

    def known(self, data: Encoded) -> Mask:
        """Return which of the column's cells are observed, and not a level that training did not have, bool [n]."""
        seen = data.observed[:, self.position]
        return seen & np.isin(data.values[:, self.position], self.atoms) if self.nominal else seen

    def encode(self, data: Encoded) -> Codes:
        """Return each cell's code, [n]; a number that must be an atom and is none has the nearest one's."""
        values, seen = data.values[:, self.position], data.observed[:, self.position]
        codes = np.full(len(values), self.size - 1, dtype=np.int64)
        known = values[seen].astype(np.float64)
        if len(self.atoms):
            atom = _nearest(self.atoms, known)
            rest = len(self.atoms) if self.rest is not None else atom
            codes[seen] = np.where((self.atoms[atom] == known) | (self.rest is None), atom, rest)
        else:
            codes[seen] = 0
        return codes

    def decode(self, codes: Codes, scores: Floats | None) -> tuple[Floats, Mask]:
        """Return values and which of them are observed, from codes [n] and normal scores [n]."""
        values = np.append(self.atoms, [0.0, 0.0])[np.minimum(codes, len(self.atoms))].astype(np.float32)
        if self.rest is not None:
            assert scores is not None
            rest = codes == len(self.atoms)
            values[rest] = self.rest.inverse(scores[rest])
        observed = codes < self.size - 1 if self.has_missing else np.ones(len(codes), dtype=bool)
        return np.where(observed, values, np.float32(0)), observed


@dataclass(frozen=True)
class TableTransform:
    """Transforms encoded rows to normal scores and codes, and back.

    Numbers go through their empirical distribution to normal scores, with jitter inside ties. Values that many rows
    share (a zero-inflated number's zero, a cap), all values of a number that has few, the levels of categories and
    missing values are codes. A column that a discrete one determines in all training rows is left out and looked up.
    Where only its missing values are determined, by another column or by that column's missing values, they are looked
    up in synthetic rows.

    Attributes
    ----------
    layout : Layout
        The table's columns.
    columns : tuple of Column
        One for each position.
    width : int
        Normal scores of a row.
    sizes : tuple of int
        How many codes each of a row's codes can be.
    gates : tuple of Gate
        Which codes determine that others are missing.
    """

    layout: Layout
    columns: tuple[Column, ...]
    width: int
    sizes: tuple[int, ...]
    gates: tuple[Gate, ...] = ()

    @property
    def label(self) -> int:
        """The index of the code of the label, or of the code that determines it; -1 if there is none."""
        labels = [column for column in map(self.columns.__getitem__, self.layout.labels) if column.rest is None]
        return max((max(column.code, column.root) for column in labels), default=-1)

    @classmethod
    def fit(cls, data: Encoded) -> Self:
        """Learn the distributions, atoms and dependencies of a table's rows, at least one."""
        columns = [_plain(block, data) for block in data.layout.blocks]
        dropped = _dependencies(columns, data)
        for source in set(dropped.values()):
            columns[source] = _all_atoms(columns[source], data)
        return cls._numbered(data.layout, columns, dropped, data)

    @classmethod
    def _numbered(cls, layout: Layout, columns: list[Column], dropped: dict[int, int], data: Encoded) -> Self:
        """Number the codes and scores of the kept columns, and build the tables of the others."""
        sizes: list[int] = []
        width = 0
        for at, column in enumerate(columns):
            code = number = -1
            if at not in dropped and column.size > 1:
                code = len(sizes)
                sizes.append(column.size)
            if at not in dropped and column.rest is not None:
                number, width = width, width + 1
            columns[at] = dataclasses.replace(column, code=code, number=number)
        for target, source in dropped.items():
            column = columns[target] = _all_atoms(columns[target], data)
            root = columns[source]
            table = np.zeros(root.size, dtype=np.int64)
            table[root.encode(data)] = column.encode(data)
            columns[target] = dataclasses.replace(column, root=root.code, table=table)
        found = cls(layout, tuple(columns), width, tuple(sizes))
        may_be_missing = [column.has_missing for column in columns if column.code >= 0]
        return dataclasses.replace(found, gates=find_gates(found._codes(data), sizes, may_be_missing))

    def forward(self, data: Encoded, rng: np.random.Generator | None = None) -> Parts:
        """Return training rows, whose unobserved cells are missing values. Without `rng` ties are not jittered."""
        parts = dataclasses.replace(self._blank(len(data)), codes=self._codes(data))
        for column in self.columns:
            codes = parts.codes[:, column.code] if column.code >= 0 else column.encode(data)
            self._score(column, data, codes, parts, rng)
        return parts

    def shares(self, data: Encoded) -> tuple[Floats, Floats]:
        """Return the ends of the numbers' shares, float32 [n, width] twice; 0 and 1 where there is no score.

        The normal quantile of any share between them is a score of the cell: for a generator that jitters ties anew
        each time that it sees a row.
        """
        lower, upper = np.zeros((2, len(data), self.width), dtype=np.float32)
        upper += 1
        for column in self.columns:
            if column.number >= 0 and column.rest is not None:
                rows = data.observed[:, column.position] & (column.encode(data) == len(column.atoms))
                ends = column.rest.bounds(data.values[rows, column.position])
                lower[rows, column.number], upper[rows, column.number] = ends
        return lower, upper

    def condition(self, given: Encoded, rng: np.random.Generator | None = None, *, synthetic: bool = False) -> Parts:
        """Return the conditions that observed cells impose on rows; unobserved cells are unknown and free.

        A cell that contradicts another, by a dependency that all training rows obeyed, is no condition on that one.

        Parameters
        ----------
        synthetic : bool
            Whether the rest is drawn as synthetic cells, which may be missing, as `complete` does: then `gates` hold.
            Otherwise the rest has values that are not known.
        """
        parts = self._blank(len(given))
        allowed = tuple(np.ones((len(given), size), dtype=bool) for size in self.sizes)
        for column in self.columns:
            codes, seen = column.encode(given), column.known(given)
            if column.code >= 0:
                allowed[column.code][seen] = np.arange(column.size) == codes[seen, None]
            self._score(column, given, codes, parts, rng)
        for column in self.columns:
            if column.root >= 0:
                _restrict(allowed[column.root], column, given)
        for gate in self.gates if synthetic else ():
            gate.narrow(allowed)
        for at, mask in enumerate(allowed):
            parts.codes[:, at] = mask.argmax(axis=1)
        return dataclasses.replace(parts, allowed=allowed)

    def backward(self, numbers: Floats, codes: Codes) -> Encoded:
        """Return the rows that normal scores [n, width] and codes [n, k] stand for; missing values are not observed."""
        values = np.zeros((len(codes), len(self.columns)), dtype=np.float32)
        observed = np.zeros(values.shape, dtype=bool)
        for column in self.columns:
            column_codes = self._column_codes(column, codes)
            scores = numbers[:, column.number] if column.number >= 0 else None
            values[:, column.position], observed[:, column.position] = column.decode(column_codes, scores)
        return Encoded(values, observed, self.layout)

    def complete(self, numbers: Floats, codes: Codes, given: Encoded) -> Encoded:
        """Return the rows of `backward` with `gates` applied and the observed cells of `given` restored."""
        codes = codes.copy()
        for gate in self.gates:
            gate.apply(codes)
        drawn, seen = self.backward(numbers, codes), given.observed
        values = np.where(seen, given.values, drawn.values)
        return Encoded(values, drawn.observed | seen, self.layout)

    def pack(self) -> tuple[Values, dict[str, Any]]:
        """Return the transform as one array and a JSON-ready value, for a model to keep as two attributes."""
        arrays: list[NDArray[Any]] = []
        columns = []
        for column in self.columns:
            rest = column.rest
            parts = (column.atoms, column.table, *((rest.values, rest.upper, rest.tied) if rest else ()))
            arrays += parts
            names = {
                name: getattr(column, name) for name in ("position", "has_missing", "nominal", "code", "number", "root")
            }
            columns.append({**names, "lengths": [len(part) for part in parts]})
        packed = np.concatenate([np.zeros(0), *arrays]).astype(np.float64)
        gates = [{**dataclasses.asdict(gate), "closed": gate.closed.tolist()} for gate in self.gates]
        return packed, {"layout": self.layout.to_json(), "columns": columns, "gates": gates}

    @classmethod
    def unpack(cls, array: Values, value: Mapping[str, Any]) -> Self:
        """Rebuild a transform from `pack`."""
        columns, start = [], 0
        for entry in value["columns"]:
            parts = []
            for length in entry["lengths"]:
                parts.append(array[start : start + length])
                start += length
            rest = Quantiles(parts[2], parts[3], parts[4].astype(bool)) if len(parts) > 2 else None
            names = {name: entry[name] for name in ("position", "has_missing", "nominal", "code", "number", "root")}
            columns.append(Column(atoms=parts[0], rest=rest, table=parts[1].astype(np.int64), **names))
        sizes = {column.code: column.size for column in columns if column.code >= 0}
        width = sum(column.number >= 0 for column in columns)
        layout = Layout.from_json(value["layout"])
        gates = tuple(Gate(**{**entry, "closed": np.array(entry["closed"])}) for entry in value["gates"])
        return cls(layout, tuple(columns), width, tuple(sizes[code] for code in range(len(sizes))), gates)

    def _blank(self, n: int) -> Parts:
        shape = (n, self.width)
        codes = np.zeros((n, len(self.sizes)), dtype=np.int64)
        return Parts(np.zeros(shape, dtype=np.float32), codes, np.zeros(shape, dtype=bool))

    def _codes(self, data: Encoded) -> Codes:
        codes = [column.encode(data) for column in self.columns if column.code >= 0]
        return np.stack(codes, axis=1) if codes else self._blank(len(data)).codes

    def _score(
        self, column: Column, data: Encoded, codes: Codes, parts: Parts, rng: np.random.Generator | None
    ) -> None:
        """Enter the normal scores of the cells that are observed and no atoms."""
        if column.number < 0 or column.rest is None:
            return
        known = data.observed[:, column.position] & (codes == len(column.atoms))
        parts.known_numbers[:, column.number] = known
        parts.numbers[known, column.number] = column.rest.forward(data.values[known, column.position], rng)

    def _column_codes(self, column: Column, codes: Codes) -> Codes:
        if column.root >= 0:
            return column.table[codes[:, column.root]]
        return codes[:, column.code] if column.code >= 0 else np.zeros(len(codes), dtype=np.int64)


def _plain(block: Block, data: Encoded) -> Column:
    """Split a column's cells into atoms, other numbers and missing values."""
    seen = data.observed[:, block.position]
    values, has_missing = data.values[seen, block.position].astype(np.float64), bool((~seen).any())
    if block.kind == "category":
        return Column(block.position, np.unique(values), None, has_missing, nominal=True)
    atoms = _atoms(values)
    rest = values[~np.isin(values, atoms)]
    return Column(block.position, atoms, Quantiles.fit(rest) if len(rest) else None, has_missing, nominal=False)


def _atoms(values: Values) -> Values:
    """Return the values of a number that so many cells share that they are treated as levels.

    The search is repeated without those found: a zero-inflated number may have other frequent values than zero.
    """
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) <= max(1, min(FEW, len(values) // ROWS_PER_VALUE)):
        return distinct
    apart = np.zeros(len(distinct), dtype=bool)
    while (found := _standing_out(np.where(apart, 0, counts))).any():
        apart |= found
    atoms: Values = distinct[apart]
    return atoms


def _standing_out(counts: Codes) -> Mask:
    """Return which values are frequent by their share alone, or by their share and compared with their neighbours."""
    padded, share = np.pad(counts, 2), counts / max(counts.sum(), 1)
    around = np.max([padded[:-4], padded[1:-3], padded[3:-1], padded[4:]], axis=0)
    spike = (share >= SPIKE) & (counts >= TIMES * around)
    frequent: Mask = ((share >= ATOM) | spike) & (counts >= ROWS_PER_VALUE)
    return frequent


def _all_atoms(column: Column, data: Encoded) -> Column:
    """Return the column with every value as an atom."""
    seen = data.observed[:, column.position]
    atoms = np.unique(data.values[seen, column.position].astype(np.float64))
    return dataclasses.replace(column, atoms=atoms, rest=None)


def _dependencies(columns: list[Column], data: Encoded) -> dict[int, int]:
    """Return the positions of columns that others determine, by the position of the other."""
    few = [_few(column, data) for column in columns]
    positions = np.flatnonzero(few)
    codes = [_all_atoms(columns[at], data).encode(data) for at in positions]
    if not codes:
        return {}
    prefer = np.array([data.layout.blocks[at].kind == "category" for at in positions])
    found = determined(np.stack(codes, axis=1), prefer)
    return {int(positions[target]): int(positions[source]) for target, source in found.items()}


def _few(column: Column, data: Encoded) -> bool:
    """Whether a column takes only a few values."""
    known = len(column.atoms) + (len(column.rest.values) if column.rest is not None else 0)
    return known <= MOST_LEVELS and (column.rest is None or column.rest.closed)


def _restrict(allowed: Mask, column: Column, given: Encoded) -> None:
    """Keep only the root's codes that imply the given cell of a column, in rows where there are any."""
    fitting = allowed & (column.table == column.encode(given)[:, None])
    rows = column.known(given) & fitting.any(axis=1)
    allowed[rows] = fitting[rows]


def _nearest(atoms: Values, values: Values) -> Codes:
    """Return the index of the nearest atom to each value."""
    right = np.clip(np.searchsorted(atoms, values), 0, len(atoms) - 1)
    left = np.maximum(right - 1, 0)
    return np.where(np.abs(atoms[left] - values) <= np.abs(atoms[right] - values), left, right)

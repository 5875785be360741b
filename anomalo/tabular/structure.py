"""What a table as a whole is like: repeated rows, and cells that are missing by design."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from anomalo.tabular.column import MEASURED, TABLE
from anomalo.tabular.columns import Columns, ParsedTable, Values
from anomalo.tabular.parsing import Texts
from anomalo.tabular.quantities import count
from anomalo.tabular.schema import Schema
from anomalo.tabular.series.looks import series_hint

Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]

MOST = 200
"""The most columns with missing cells that are compared with each other."""
LEVELS = 20
"""A column with more levels is not taken to decide where others are missing."""
CHANCE = 1e-6
"""A pattern is reported if independent columns would show it with less than this probability."""
SHOWN = 8
"""The most sentences on missing cells."""


@dataclass(frozen=True)
class Structure:
    """What is said of a table as a whole.

    Attributes
    ----------
    duplicates : int
        Rows that equal an earlier one in every column that a model reads.
    sentences : tuple of str
        One on repeated rows, if there are any, one if they look like points of series, and those on missing cells.
    """

    duplicates: int
    sentences: tuple[str, ...]


def structure(table: ParsedTable, schema: Schema) -> Structure:
    """Look for rows that are repeated, and for cells that are missing where other cells say so."""
    columns = schema.parse(table)
    repeated = duplicates(columns)
    sentences = [_repeated(repeated, table.rows, schema)] if repeated else []
    datetimes = [column.name for column in schema.features if column.kind == "datetime"]
    hint = series_hint(columns, datetimes) if schema.modality == TABLE else None
    return Structure(repeated, (*sentences, *([hint] if hint else []), *missing_by_design(columns, schema)))


def duplicates(columns: Columns) -> int:
    """Return how many rows equal an earlier one in all columns."""
    if not columns.values:
        return 0
    rows = np.zeros(columns.rows, dtype=np.int64)
    for name, values in columns.values.items():
        codes = _codes(values)
        if name in columns.unreadable:  # which is not the same as missing
            codes = codes + columns.unreadable[name]
        # Each pair of codes is numbered: no two different rows are taken for equal, as hashes may be.
        rows = np.unique(rows * (codes.max() + 1) + codes, return_inverse=True)[1]
        if rows.max() + 1 == columns.rows:
            return 0
    return columns.rows - int(rows.max() + 1)


def _codes(values: Values) -> Codes:
    """Return whole numbers from 0 [n], equal where the cells are."""
    if isinstance(values, Texts):
        merged = pc.fill_null(values.distinct.dictionary_encode().indices, -1).to_numpy(zero_copy_only=False)
        return np.append(merged, -1)[values.index].astype(np.int64) + 1
    return 2 * np.unique(values, return_inverse=True)[1].astype(np.int64)


def _repeated(repeated: int, rows: int, schema: Schema) -> str:
    read = {column.name for column in schema.features}
    others = [column.name for column in schema.columns if column.name not in read and column.kind != "empty"]
    but = f", but for {_listed(others)}" if others else ""
    return f"{repeated:,} of {count(rows, 'row')} equal an earlier one in every column{but}"


def missing_by_design(columns: Columns, schema: Schema) -> list[str]:
    """Say which columns are missing together, only where another is, or where another has certain values."""
    none = np.zeros(columns.rows, dtype=np.bool_)
    missing = {name: _missing(values) & ~columns.unreadable.get(name, none) for name, values in columns.values.items()}
    some = [name for name, mask in missing.items() if 0 < mask.sum() < len(mask)][:MOST]
    groups: dict[bytes, list[str]] = {}
    for name in some:
        groups.setdefault(np.packbits(missing[name]).tobytes(), []).append(name)
    together = list(groups.values())
    if not together:
        return []
    masks = np.array([missing[names[0]] for names in together])
    found = [
        f"{_listed(names)} are always missing together ({count(int(mask.sum()), 'row')})"
        for names, mask in zip(together, masks, strict=True)
        if len(names) > 1
    ]
    skipped = list(_skipped(together, masks, columns, schema))
    found += [sentence for _, sentence in skipped]
    found += _nested(together, masks, {at for at, _ in skipped})
    more = len(found) - SHOWN
    return [*found[:SHOWN], *([f"{more:,} further patterns of missing cells"] if more > 0 else [])]


def _nested(groups: list[list[str]], missing: NDArray[np.bool_], explained: set[int]) -> list[str]:
    """Say which other columns have values only where another one has: the nearest such one for each."""
    observed = (~missing).astype(np.float32)
    # How many rows have a value of the first column where the second one is missing.
    against = observed @ missing.T.astype(np.float32)
    seen, rows = observed.sum(axis=1), missing.shape[1]
    found = []
    for inner in sorted(set(range(len(groups))) - explained):
        outer = [at for at in range(len(groups)) if at != inner and against[inner, at] == 0 and seen[at] > seen[inner]]
        if not outer:
            continue
        nearest = min(outer, key=lambda at: seen[at])
        if seen[inner] * np.log1p(-(rows - seen[nearest]) / rows) < np.log(CHANCE):
            verb = "has values" if len(groups[inner]) == 1 else "have values"
            found.append(
                f"{_listed(groups[inner])} {verb} ({count(int(seen[inner]), 'row')}) only where "
                f"{groups[nearest][0]!r} has one"
            )
    return found


def _skipped(
    groups: list[list[str]], missing: NDArray[np.bool_], columns: Columns, schema: Schema
) -> Iterator[tuple[int, str]]:
    """Say which columns, by the number of their group, are missing exactly where another one has certain values."""
    deciding = [column for column in schema.features if column.kind not in MEASURED and column.role == "feature"]
    for column in deciding:
        codes = _codes(columns.values[column.name])
        size = int(codes.max()) + 1
        if not 2 <= size <= LEVELS + 1:
            continue
        counts = np.bincount(codes, minlength=size)
        for at, (names, mask) in enumerate(zip(groups, missing, strict=True)):
            absent = np.bincount(codes, mask, minlength=size)
            exact = ((absent == 0) | (absent == counts)).all() and absent[0] == 0
            share = mask.mean()
            chance = len(mask) * (share * np.log(share) + (1 - share) * np.log1p(-share))
            if exact and column.name not in names and chance < np.log(CHANCE):
                where = sorted(_level(columns.values[column.name], codes, int(code)) for code in np.flatnonzero(absent))
                verb = "is" if len(names) == 1 else "are"
                yield at, f"{_listed(names)} {verb} missing exactly where {column.name!r} is {' or '.join(where[:5])}"


def _level(values: Values, codes: Codes, code: int) -> str:
    assert isinstance(values, Texts)
    text: str = values.distinct[int(values.index[int(np.argmax(codes == code))])].as_py()
    return repr(text)


def _missing(values: Values) -> Mask:
    return _codes(values) == 0 if isinstance(values, Texts) else np.isnan(values)


def _listed(names: list[str]) -> str:
    shown = [repr(name) for name in names[:5]] + ([f"{len(names) - 5:,} others"] if len(names) > 5 else [])
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)

"""Infer the kind of a column: from its texts in a text file, from its type otherwise."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from anomalo.errors import UsageError
from anomalo.tabular import datetimes, parsing
from anomalo.tabular.cells import Cells, Numbers, is_plain, is_string
from anomalo.tabular.column import Column, Kind
from anomalo.tabular.understanding.reading import PLAIN, Reading

_FEW_ROWS = 20
"""With fewer rows, distinct values are no evidence that a column identifies its rows."""
_NEAR_UNIQUE = 0.9
_LONG = 40
_MOSTLY = 0.9
"""If this share of the cells are numbers and the others are not, the others are named in a warning."""


@dataclass(frozen=True)
class Guess:
    """A column and the warnings about it, one line each."""

    column: Column
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Sample:
    """The distinct trimmed texts of a column [k], their counts [k], and each row's text [n], -1 for none.

    `at` [k] says which of the texts of `cells` each is, so that no text is converted twice.
    """

    cells: Cells
    texts: pa.StringArray
    at: NDArray[np.intp]
    counts: NDArray[np.intp]
    index: NDArray[np.int32]

    @property
    def total(self) -> int:
        return int(self.counts.sum())

    def without_missing(self, kind: Kind, mine: Reading) -> _Sample:
        kept = pc.invert(parsing.is_missing(self.texts, kind, mine))
        positions = np.append(np.cumsum(kept.to_numpy(zero_copy_only=False)) - 1, -1).astype(np.int32)
        mask = np.append(kept.to_numpy(zero_copy_only=False), False)
        index = np.where(mask[self.index], positions[self.index], np.int32(-1))
        kept = mask[:-1]
        return _Sample(self.cells, self.texts.filter(pa.array(kept)), self.at[kept], self.counts[kept], index)

    def numbers(self, decimal_comma: bool = False) -> Numbers:
        return self.cells.numbers(decimal_comma)[self.at]

    def seconds(self, form: str) -> Numbers:
        return self.cells.seconds(form)[self.at]

    @staticmethod
    def of(cells: Cells) -> _Sample:
        trimmed = cells.texts.dictionary_encode()
        merged = pc.fill_null(trimmed.indices, -1).to_numpy(zero_copy_only=False).astype(np.int32)
        index = np.append(merged, np.int32(-1))[cells.distinct[1]]
        texts = trimmed.dictionary
        _, at = np.unique(merged[merged >= 0], return_index=True)
        counts = np.bincount(index[index >= 0], minlength=len(texts))
        return _Sample(cells, texts, np.flatnonzero(merged >= 0)[at], counts, index)


def guess_text(name: str, cells: Cells, mine: Reading, separator: str) -> Guess:
    """Guess a column of a text file."""
    everything = _Sample.of(cells)
    base = Column(name, "category")
    boolean = _boolean(base, everything, mine)
    if boolean:
        return Guess(boolean)
    sample = everything.without_missing("category", mine)
    measured = everything.without_missing("number", mine)
    if measured.total == 0 and sample.total == 0:
        return _empty(base)
    if len(sample.texts) == 1:
        constant = replace(base, kind="constant")
        numeric = _writes_comma(sample, separator) is not None
        return Guess(_with_decimals(constant, sample, separator) if numeric else constant)
    if measured.total:
        guessed = _number(base, measured, separator) or _datetime(base, measured)
        if guessed:
            return guessed
    left_out = _near_unique(base, sample)
    return Guess(left_out) if left_out else Guess(base, _nearly_numbers(name, measured))


def guess_typed(name: str, cells: Cells, storage: str, mine: Reading) -> Guess:
    """Infer a typed column's kind from its type."""
    kind = cells.array.type
    base = Column(name, "category", storage=storage)
    if not is_plain(kind):
        note = f"values of type {kind} cannot be learned from; turn them into separate columns"
        return Guess(replace(base, kind="text", note=note))
    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    if is_string(value) or pa.types.is_dictionary(kind):
        sample = _Sample.of(cells).without_missing("category", mine)
        if sample.total == 0:
            return _empty(base)
        if len(sample.texts) == 1:
            return Guess(replace(base, kind="constant"))
        near = None if storage.startswith("dictionary") else _near_unique(base, sample)
        return Guess(near or base)
    return _of_type(base, cells.array)


def forced(base: Column, kind: Kind, cells: Cells, mine: Reading, separator: str) -> Column:
    """Return the column as the kind that the user asked for, with the text format that goes with it.

    Raises
    ------
    UsageError
        A boolean was asked for, and there are not two distinct values.
    """
    column, stored = replace(base, kind=kind), cells.array.type
    if kind in ("identifier", "text"):
        return replace(column, note=f"its kind is given as {kind}")
    if not is_plain(stored):
        raise UsageError(f"column {base.name!r} holds {stored}, which cannot be read as {kind}; drop the column")
    textual = is_string(stored) or pa.types.is_dictionary(stored)
    if kind == "boolean" and not pa.types.is_boolean(stored):
        return _forced_boolean(column, cells, mine)
    if not textual:
        return column
    sample = _Sample.of(cells).without_missing(kind, mine)
    if kind == "datetime":
        return replace(column, date_format=datetimes.guess_format(sample.texts, sample.seconds))
    if kind in ("number", "integer"):
        return _with_decimals(column, sample, separator)
    return column


def _empty(base: Column) -> Guess:
    return Guess(replace(base, kind="empty", note="every cell is missing"))


def _boolean(base: Column, sample: _Sample, mine: Reading) -> Column | None:
    sample = sample.without_missing("boolean", mine) if mine != PLAIN else sample
    known = pc.invert(parsing.is_missing(sample.texts, "boolean")).to_numpy(zero_copy_only=False)
    signs = pc.is_in(sample.texts, pa.array(["+", "-"])).to_numpy(zero_copy_only=False)
    kept = known | signs if pc.any(pc.equal(sample.texts, "+")).as_py() else known
    if not 2 <= kept.sum() <= 8:
        return None
    texts, counts = sample.texts.filter(pa.array(kept)).to_pylist(), sample.counts[kept]
    lowered = {text.lower() for text in texts}
    pair = next((pair for pair in parsing.BOOLEANS if lowered == set(pair)), None)
    if pair is None:
        return None
    by_count = sorted(zip(-counts, texts, strict=True))
    false, true = (next(text for _, text in by_count if text.lower() == word) for word in pair)
    return replace(base, kind="boolean", tokens=(false, true))


def _forced_boolean(column: Column, cells: Cells, mine: Reading) -> Column:
    sample = _Sample.of(cells)
    known = _boolean(column, sample, mine)
    if known:
        return known
    texts = sorted(sample.without_missing("boolean", mine).texts.to_pylist())
    if len(texts) != 2:
        raise UsageError(f"column {column.name!r} has {len(texts)} distinct values; a boolean needs two")
    return replace(column, tokens=(texts[0], texts[1]))


def _number(base: Column, sample: _Sample, separator: str) -> Guess | None:
    comma = _writes_comma(sample, separator)
    if comma is None or pc.any(pc.match_substring_regex(sample.texts, r"^[+-]?0\d")).as_py():
        # A leading zero means a code, such as 02139: as a number it would lose it.
        return None
    if pc.all(pc.match_substring_regex(sample.texts, r"^[+-]?\d+$")).as_py():
        if _consecutive(sample):
            note = "its values count the rows one by one, so they say nothing about a row"
            return Guess(replace(base, kind="identifier", note=note))
        return Guess(replace(base, kind="integer", decimals=0))
    return Guess(_with_decimals(replace(base, kind="number"), sample, separator))


def _writes_comma(sample: _Sample, separator: str) -> bool | None:
    """Whether numbers are written with a decimal comma; None if some texts are no numbers either way."""
    point = not np.isnan(sample.numbers()).any()
    if point and not pc.any(pc.match_substring(sample.texts, ",")).as_py():
        return False
    comma = not np.isnan(sample.numbers(decimal_comma=True)).any()
    if point and comma:
        # 1,234 is a number both ways: the separator shows which country's format the file uses.
        return separator == ";"
    return comma if point or comma else None


def _with_decimals(column: Column, sample: _Sample, separator: str) -> Column:
    comma, texts = bool(_writes_comma(sample, separator)), sample.texts
    if pc.any(pc.match_substring_regex(texts, "[eE]")).as_py():
        return replace(column, decimal_comma=comma)
    fractions = pc.replace_substring_regex(texts, r"^[^,]*,?" if comma else r"^[^.]*\.?", "")
    decimals = pc.max(pc.utf8_length(fractions)).as_py() or 0
    return replace(
        column,
        decimals=decimals,
        padded=bool(pc.any(pc.ends_with(fractions, "0")).as_py()),
        decimal_comma=comma,
    )


def _consecutive(sample: _Sample) -> bool:
    if sample.total < _FEW_ROWS or sample.total != len(sample.index):
        return False
    values = sample.numbers()[sample.index]
    return bool(np.all(np.diff(values) == 1))


def _datetime(base: Column, sample: _Sample) -> Guess | None:
    form = datetimes.guess_format(sample.texts, sample.seconds)
    if form is None:
        return None
    column = replace(base, kind="datetime", date_format=form)
    if not datetimes.ambiguous(sample.texts, form, sample.seconds):
        return Guess(column)
    first = sample.texts[0].as_py()
    which = "month" if form.startswith("%m") else "day"
    return Guess(
        column, (f"column {base.name!r}: dates such as {first} could be read two ways; {which} first is taken",)
    )


def _near_unique(base: Column, sample: _Sample) -> Column | None:
    if sample.total < _FEW_ROWS or len(sample.texts) < _NEAR_UNIQUE * sample.total:
        return None
    spaced = pc.mean(pc.match_substring(sample.texts, " ").cast(pa.float64())).as_py()
    long = pc.mean(pc.utf8_length(sample.texts)).as_py() > _LONG
    kind: Kind = "text" if spaced > 0.5 or long else "identifier"
    what = "free text" if kind == "text" else "an identifier"
    note = f"{len(sample.texts)} of {sample.total} values are distinct: {what}"
    return replace(base, kind=kind, note=note)


def _nearly_numbers(name: str, sample: _Sample) -> tuple[str, ...]:
    if sample.total == 0:
        return ()
    other = np.isnan(sample.numbers())
    share = 1 - sample.counts[other].sum() / sample.total
    if share < _MOSTLY or not other.any():
        return ()
    value = sample.texts[int(np.flatnonzero(other)[0])].as_py()
    return (
        f"column {name!r} is a category although {100 * share:.1f} % of its cells are numbers, because of texts "
        f"such as {value!r}; if they stand for missing cells, give --missing '{name}={value}'",
    )


def _of_type(base: Column, array: pa.Array) -> Guess:
    if pa.types.is_float16(array.type):
        array = array.cast(pa.float32())
    kind = array.type
    observed = array.drop_null()
    if pa.types.is_floating(kind):
        observed = observed.filter(pc.invert(pc.is_nan(observed)))
    if len(observed) == 0:
        return _empty(base)
    if base.name.startswith("__index_level_"):
        return Guess(replace(base, kind="identifier", note="it is the index of a DataFrame"))
    if pc.all(pc.equal(observed, observed[0])).as_py():
        return Guess(replace(base, kind="constant"))
    if pa.types.is_boolean(kind):
        return Guess(replace(base, kind="boolean"))
    if pa.types.is_temporal(kind):
        return Guess(replace(base, kind="datetime"))
    return Guess(replace(base, kind="integer" if pa.types.is_integer(kind) else "number"))

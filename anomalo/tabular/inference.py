"""Infer the kind of a column: from its texts in a text file, from its type otherwise."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pyarrow as pa
import pyarrow.compute as pc

from anomalo.errors import UsageError
from anomalo.tabular import parsing
from anomalo.tabular.cells import Cells, is_plain, is_string
from anomalo.tabular.column import Column, Kind
from anomalo.tabular.understanding import missing_tokens, texts, whole_numbers
from anomalo.tabular.understanding.measured import Measure, dates, dates_as_numbers, nearly_measured, numbers
from anomalo.tabular.understanding.names import option
from anomalo.tabular.understanding.reading import Reading
from anomalo.tabular.understanding.sample import Sample


@dataclass(frozen=True)
class Guess:
    """A column, the warnings about it, one line each, and the texts that it has.

    Attributes
    ----------
    column : Column
        What it is taken for.
    warnings : tuple of str
        One line each.
    missing : mapping of str to int
        The texts taken as missing cells, and how many cells have each.
    kept : tuple of str
        Texts that are values of a typed column although they stand for a missing cell in text files.
    """

    column: Column
    warnings: tuple[str, ...] = ()
    missing: dict[str, int] = field(default_factory=dict)
    kept: tuple[str, ...] = ()


def guess_text(name: str, cells: Cells, mine: Reading, separator: str) -> Guess:
    """Guess a column of a text file."""
    everything = Sample.of(cells)
    column, warnings = _guess_text(Column(name, "category"), everything, mine, separator)
    return _with_tokens(column, warnings, everything, mine)


def guess_typed(name: str, cells: Cells, storage: str, mine: Reading) -> Guess:
    """Infer a typed column's kind from its type."""
    kind = cells.array.type
    base = Column(name, "category", storage=storage)
    if not is_plain(kind):
        note = f"values of type {kind} cannot be learned from; turn them into numbers or texts first"
        return Guess(replace(base, kind="text", note=note, why=f"the type is {kind}"))
    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    if not (is_string(value) or pa.types.is_dictionary(kind)):
        return Guess(*_of_type(base, cells))
    everything = Sample.of(cells)
    sample = everything.without_missing("category", mine, usual=not base.typed_text)
    if sample.total == 0:
        return Guess(_empty(base))
    kept = missing_tokens.values(sample) if base.typed_text else ()
    if len(sample.texts) == 1:
        return Guess(replace(base, kind="constant", why="all cells are equal"), kept=kept)
    if storage.startswith("dictionary"):
        return Guess(_category(base, sample), kept=kept)
    column = texts.near_unique(base, sample) or _category(base, sample)
    return Guess(column, nearly_measured(base, everything, mine), kept=kept)


def forced(base: Column, kind: Kind, cells: Cells, mine: Reading, separator: str) -> Guess:
    """Return the column as the kind that the user asked for, with the text format that goes with it.

    Raises
    ------
    UsageError
        A boolean was asked for, and there are not two distinct values; or the cells are of no type that can be read.
    """
    column, stored = replace(base, kind=kind, why="given by the user"), cells.array.type
    if kind in ("identifier", "text"):
        return Guess(replace(column, note=f"its kind is given as {kind}"))
    if not is_plain(stored):
        leave = option("--drop", base.name)
        raise UsageError(f"column {base.name!r} holds {stored}, which cannot be read as {kind}; leave it out ({leave})")
    if kind == "boolean" and not pa.types.is_boolean(stored):
        column = _forced_boolean(column, cells, mine)
    textual = is_string(stored) or pa.types.is_dictionary(stored)
    if not textual:
        written = kind == "datetime" and not pa.types.is_temporal(stored) and dates_as_numbers(base, Sample.of(cells))
        return Guess(replace(written.column, why=column.why) if written else column)
    everything = Sample.of(cells)
    warnings: tuple[str, ...] = ()
    if kind in ("datetime", "number", "integer"):
        sample = everything.without_missing(kind, mine)
        found = dates(column, sample, 0.0) if kind == "datetime" else numbers(column, sample, separator, 0.0)
        if found:
            column = replace(found.column, kind=kind, why=column.why)
            warnings = found.warnings
    return _with_tokens(column, warnings, everything, mine)


def _with_tokens(column: Column, warnings: tuple[str, ...], everything: Sample, mine: Reading) -> Guess:
    usual = not column.typed_text
    missing = missing_tokens.taken(column, everything, mine, usual)
    said = missing_tokens.warn(column, missing, everything, mine) if usual else []
    kept = () if usual or column.kind != "category" else missing_tokens.values(everything)
    return Guess(column, (*warnings, *said), missing, kept)


def _guess_text(base: Column, everything: Sample, mine: Reading, separator: str) -> tuple[Column, tuple[str, ...]]:
    boolean = _boolean(base, everything, mine)
    if boolean:
        return boolean, ()
    sample = everything.without_missing("category", mine)
    measured = everything.without_missing("number", mine)
    if measured.total == 0 and sample.total == 0:
        return _empty(base), ()
    if len(sample.texts) == 1:
        constant = replace(base, kind="constant", why="all cells are equal")
        style = sample.style(separator, 1.0)
        return replace(constant, numbers=style) if style else constant, ()
    if measured.total and (found := _measured(base, measured, separator)):
        return found.column, found.warnings
    near = texts.near_unique(base, sample)
    return near or _category(base, sample), nearly_measured(base, measured, None)


def _measured(base: Column, sample: Sample, separator: str) -> Measure | None:
    found = numbers(base, sample, separator)
    if found is None:
        return dates(base, sample)
    if found.column.kind != "integer":
        return found
    return dates_as_numbers(base, sample) or whole_numbers.of_texts(found, sample)


def _empty(base: Column) -> Column:
    return replace(base, kind="empty", note="every cell is missing", why="every cell is missing")


def _category(base: Column, sample: Sample) -> Column:
    return replace(base, why=f"{len(sample.texts):,} different texts in {sample.total:,} cells")


def _boolean(base: Column, sample: Sample, mine: Reading) -> Column | None:
    sample = sample.without_missing("boolean", mine) if mine.missing else sample
    known = pc.invert(parsing.is_missing(sample.texts, "boolean")).to_numpy(zero_copy_only=False)
    signs = pc.is_in(sample.texts, pa.array(["+", "-"])).to_numpy(zero_copy_only=False)
    kept = known | signs if pc.any(pc.equal(sample.texts, "+")).as_py() else known
    if not 2 <= kept.sum() <= 8:
        return None
    spelled, counts = sample.texts.filter(pa.array(kept)).to_pylist(), sample.counts[kept]
    lowered = {text.lower() for text in spelled}
    pair = next((pair for pair in parsing.BOOLEANS if lowered == set(pair)), None)
    if pair is None:
        return None
    by_count = sorted(zip(-counts, spelled, strict=True))
    false, true = (next(text for _, text in by_count if text.lower() == word) for word in pair)
    return replace(base, kind="boolean", tokens=(false, true), why=base.why or f"two texts, {false} and {true}")


def _forced_boolean(column: Column, cells: Cells, mine: Reading) -> Column:
    sample = Sample.of(cells)
    known = _boolean(column, sample, mine)
    if known:
        return known
    spelled = sorted(sample.without_missing("boolean", mine).texts.to_pylist())
    if len(spelled) != 2:
        raise UsageError(f"column {column.name!r} has {len(spelled)} distinct values; a boolean needs two")
    return replace(column, tokens=(spelled[0], spelled[1]))


def _of_type(base: Column, cells: Cells) -> tuple[Column, tuple[str, ...]]:
    array = cells.array
    if pa.types.is_float16(array.type):
        array = array.cast(pa.float32())
    kind = array.type
    base = replace(base, why=f"the type is {kind}")
    observed = array.drop_null()
    if pa.types.is_floating(kind):
        observed = observed.filter(pc.invert(pc.is_nan(observed)))
    if len(observed) == 0:
        return _empty(base), ()
    if base.name.startswith("__index_level_"):
        return replace(base, kind="identifier", note="it is the index of a DataFrame"), ()
    if pc.all(pc.equal(observed, observed[0])).as_py():
        return replace(base, kind="constant", why="all cells are equal"), ()
    if pa.types.is_boolean(kind):
        return replace(base, kind="boolean"), ()
    if pa.types.is_temporal(kind):
        return replace(base, kind="datetime"), ()
    if not pa.types.is_integer(kind):
        return replace(base, kind="number"), ()
    found = whole_numbers.of_type(replace(base, kind="integer"), observed, cells)
    return found.column, found.warnings

"""Columns of numbers and datetimes among the columns of texts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from anomalo.tabular import datetimes
from anomalo.tabular.column import Column
from anomalo.tabular.quantities import count, percent
from anomalo.tabular.understanding.date_formats import plain
from anomalo.tabular.understanding.names import option
from anomalo.tabular.understanding.number_guess import MOSTLY, units
from anomalo.tabular.understanding.number_style import bounds
from anomalo.tabular.understanding.reading import Reading
from anomalo.tabular.understanding.sample import Sample

_LEAST = 3
_FEWEST_DATES = 3
_COMMON = 0.1
_COMPACT = "%Y%m%d"


@dataclass(frozen=True)
class Measure:
    """A column, and the warnings about it, one line each."""

    column: Column
    warnings: tuple[str, ...] = ()


def numbers(base: Column, sample: Sample, separator: str, mostly: float = MOSTLY) -> Measure | None:
    """Return a column of numbers or integers, if at least the share `mostly` of its cells are; its others are named."""
    style = sample.style(separator, mostly)
    if style is None:
        return None
    good = ~np.isnan(sample.numbers(style))
    if not _enough(good, sample, mostly):
        return None
    read = sample.only(good)
    if mostly and pc.any(pc.match_substring_regex(read.texts, r"^[+-]?0\d")).as_py():
        # A leading zero means a code, such as 02139: as a number it would lose it.
        return None
    whole = pc.all(pc.match_substring_regex(read.texts, r"^[+-]?\d+$")).as_py()
    affix = (style.prefix or style.suffix).strip()
    why = f"{_all(read, sample)} are {'whole ' if whole else ''}numbers{f' with {affix!r}' if affix else ''}"
    column = replace(base, kind="integer" if whole else "number", numbers=style, why=why)
    said = [*_unreadable(column, sample, good), *_mixed_units(column, read), *_bounds(column, read)]
    return Measure(column, tuple(said))


def dates(base: Column, sample: Sample, mostly: float = MOSTLY) -> Measure | None:
    """Return a column of datetimes, if at least the share `mostly` of its cells are; its others are named."""
    forms = datetimes.guess_formats(sample.texts, sample.counts, sample.seconds, mostly)
    if not forms:
        return None
    seconds = datetimes.to_seconds(forms, sample.seconds)
    good = ~np.isnan(seconds)
    if not _enough(good, sample, mostly):
        return None
    read = sample.only(good)
    first = _examples(forms, read)[0]
    column = replace(base, kind="datetime", date_format=forms, why=f"dates such as {first} ({forms[0]})")
    said = _unreadable(column, sample, good)
    if len(forms) > 1:
        what = ", ".join(f"such as {text}" for text in _examples(forms, read))
        said.append(f"column {base.name!r}: dates are written in {len(forms)} ways, {what}; all are read")
    if any(datetimes.ambiguous(read.texts, form, read.seconds) for form in forms):
        which = "month" if plain(forms[0]).startswith("%m") else "day"
        said.append(f"column {base.name!r}: dates such as {first} could be read two ways; {which} first is taken")
    return Measure(column, tuple(said))


def dates_as_numbers(base: Column, sample: Sample) -> Measure | None:
    """Return a column of days written as whole numbers, such as 20190105, if nearly all are days of 1900 to 2100."""
    shaped = np.asarray(pc.match_substring_regex(sample.texts, r"^(19|20|2100)\d+$"), dtype=np.bool_)
    eight = shaped & (pc.utf8_length(sample.texts).to_numpy(zero_copy_only=False) == 8)
    if sample.counts[eight].sum() < MOSTLY * sample.total or eight.sum() < _FEWEST_DATES:
        return None
    good = ~np.isnan(sample.seconds(_COMPACT))
    if sample.counts[good].sum() < MOSTLY * sample.total:
        return None
    first = sample.texts[int(np.argmax(sample.counts * good))].as_py()
    column = replace(base, kind="datetime", date_format=(_COMPACT,), why=f"dates such as {first} ({_COMPACT})")
    return Measure(column, tuple(_unreadable(column, sample, good)))


def nearly_measured(column: Column, sample: Sample, mine: Reading | None) -> tuple[str, ...]:
    """Return a warning about a column of texts many of which are numbers, or dates, with the option that reads them.

    Parameters
    ----------
    column : Column
        The column, as a category.
    sample : Sample
        Its texts.
    mine : Reading or None
        For a typed column, what stands for a missing number; None for a column of a text file, where texts that are
        nearly all numbers or dates were taken for those.
    """
    mixed = _several_units(column.name, sample)
    if mixed or mine is None:
        return mixed
    sample = sample.without_missing("number", mine)
    if len(sample.texts) < 2:
        return ()
    base = replace(column, kind="number")
    found = numbers(base, sample, ",") or dates(base, sample)
    if found is None:
        return ()
    what = {"datetime": "dates"}.get(found.column.kind, "numbers")
    hint = option("--kind", f"{column.name}={found.column.kind}")
    return (f"column {column.name!r} holds texts that are {what}; {hint} reads them as {what}",)


def _enough(good: NDArray[np.bool_], sample: Sample, mostly: float) -> bool:
    return bool(good.all() or mostly == 0 or sample.counts[good].sum() >= _LEAST)


def _all(read: Sample, sample: Sample) -> str:
    if read.total == sample.total:
        return f"all {count(read.total, 'text')}"
    return f"{read.total:,} of {count(sample.total, 'text')}"


def _unreadable(column: Column, sample: Sample, good: NDArray[np.bool_]) -> list[str]:
    if good.all():
        return []
    counts = np.where(good, 0, sample.counts)
    text = sample.texts[int(np.argmax(counts))].as_py()
    what = "a datetime" if column.kind == "datetime" else "a number"
    missing = option("--missing", f"{column.name}={text}")
    return [
        f"column {column.name!r}: {counts.sum():,} of {count(sample.total, 'cell')} cannot be read as {what}, such as "
        f"{text!r}; they count as unreadable cells ({missing} makes them missing)"
    ]


def _mixed_units(column: Column, read: Sample) -> list[str]:
    style = column.numbers
    if not (style.prefix or style.suffix):
        return []
    shares = units(read.texts, read.counts)
    without = shares.get(("", ""), 0.0)
    if not without >= _COMMON:
        return []
    affix = (style.prefix or style.suffix).strip()
    return [
        f"column {column.name!r}: {percent(1 - without)} of the numbers have {affix!r} and the others have not; all "
        "are read as of one unit"
    ]


def _bounds(column: Column, read: Sample) -> list[str]:
    if column.kind == "integer":
        return []
    bound = bounds(read.texts)
    if not bound.any():
        return []
    first, cells = read.texts[int(np.argmax(bound))].as_py(), int(read.counts[bound].sum())
    what = "is a bound" if cells == 1 else "are bounds"
    return [f"column {column.name!r}: {count(cells, 'cell')} such as {first!r} {what}, read as the number itself"]


def _several_units(name: str, sample: Sample) -> tuple[str, ...]:
    shares = {pair: share for pair, share in units(sample.texts, sample.counts).items() if pair != ("", "")}
    often = [(prefix + suffix, share) for (prefix, suffix), share in shares.items() if share >= 1 - MOSTLY]
    if len(often) < 2 or sum(share for _, share in often) < 0.5:
        return ()
    listed = " and ".join(f"{unit!r} ({percent(share)})" for unit, share in often[:3])
    return (
        f"column {name!r} holds numbers in different units, {listed}, which are no single number; convert them to one "
        "unit to learn from them as numbers",
    )


def _examples(forms: tuple[str, ...], read: Sample) -> list[str]:
    left = np.ones(len(read.texts), dtype=np.bool_)
    found = []
    for form in forms:
        fits = ~np.isnan(datetimes.to_seconds((form,), read.seconds)) & left
        fits = fits if fits.any() else left
        found.append(read.texts[int(np.argmax(fits))].as_py())
        left &= ~fits
    return found
